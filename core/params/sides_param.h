// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

#include "core/params/param_spec.h"

namespace attnscope {

// Parameters written as HxW: a grid, a block of it, a margin around the block. "auto" leaves the choice to
// the mechanism, which knows the input.
inline constexpr const char* kAutoSides = "auto";

// "8x32"; nothing if the text is not of this form or a side is negative.
[[nodiscard]] std::optional<Grid> parseSides(const std::string& text);
[[nodiscard]] std::string sidesText(const Grid& sides);

// The divisor pair of n that is closest to square, height <= width; 1 x n for a prime.
[[nodiscard]] Grid squarestGrid(Index n);

[[nodiscard]] ParamSpec sidesParam(std::string id, std::string symbol, std::string help, Index minimum,
                                   std::string defaultText);
// Sides whose product must be the number of keys.
[[nodiscard]] ParamSpec gridParam(std::string help);

}  // namespace attnscope
