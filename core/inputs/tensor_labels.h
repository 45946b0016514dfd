// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/base/error.h"
#include "core/inputs/attention_input.h"
#include "core/io/array_file.h"

namespace attnscope {

// Fills tokens, grid and segments from the arrays or the metadata of a file, where it has them. Lists for a
// whole batch (a list of lists, or strings of shape (batch, n)) give the entry `batch`. Counts are checked by
// finishInput.
[[nodiscard]] Status readLabels(const ArrayFile& file, Index batch, AttentionInput& input);

// One short text, from the metadata or an array of one string; "" where there is none.
[[nodiscard]] Result<std::string> readText(const ArrayFile& file, const std::string& key);

}  // namespace attnscope
