// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// The insides of a Performer: its directions, its features, the running sums, its denominators, and how its
// error falls with their number.
[[nodiscard]] Result<std::vector<InsidePanel>> performerPanels(const InsidesRequest& request);

// Relative mean square error of one kernel entry with one direction, independent draws, from x.y and the
// squared norms: the closed forms of the paper's lemmas. To be divided by m.
struct KernelEntry {
  double dot = 0.0;
  double xx = 0.0;
  double yy = 0.0;
};
[[nodiscard]] double relativeEntryError(RandomFeatureStep::Kind kind, const KernelEntry& entry);

}  // namespace attnscope
