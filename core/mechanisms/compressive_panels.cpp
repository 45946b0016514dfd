// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/compressive_panels.h"
namespace attnscope {
Result<std::vector<InsidePanel>> compressivePanels(const InsidesRequest&) {
  return std::vector<InsidePanel>{};
}
}  // namespace attnscope
