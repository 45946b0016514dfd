// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "core/raster/color_map.h"

namespace attnscope {

using ColorTable = std::array<Rgb, 256>;
extern const ColorTable kViridisTable;
extern const ColorTable kCividisTable;
extern const ColorTable kMagmaTable;
extern const ColorTable kInfernoTable;
extern const ColorTable kGreyTable;
extern const ColorTable kDivergingTable;

}  // namespace attnscope
