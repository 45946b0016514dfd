// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <memory>

#include "core/plan/token_group.h"

namespace attnscope {

// The group of tokens that somebody chose in the insides of a column, for every view of the window.
struct SelectedGroup {
  QString owner;                    // "Reformer": whose insides
  TokenGroup tokens;                // of a cell of a matrix: queries of its row, keys of its column
  std::vector<std::string> chosen;  // names of the groups that were clicked: one, or two for such a cell

  friend bool operator==(const SelectedGroup&, const SelectedGroup&) = default;
};
using SelectedGroupPtr = std::shared_ptr<const SelectedGroup>;  // null: none

// "Reformer, bucket 7 of round 2: 18 tokens".
[[nodiscard]] QString groupSentence(const SelectedGroup& group);

}  // namespace attnscope
