// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/params/param_spec.h"
#include "core/plan/plan.h"

namespace attnscope {

// Tokens as a box of two or three axes, the last one fastest: height x width, or height x width x depth.
struct AxisGrid {
  std::vector<Index> sides;

  [[nodiscard]] std::size_t axes() const { return sides.size(); }
  [[nodiscard]] Index cells() const;
  [[nodiscard]] Index stride(std::size_t axis) const;  // tokens from one cell to the next along an axis
  [[nodiscard]] Index coordinate(Index token, std::size_t axis) const {
    return token / stride(axis) % sides[axis];
  }
};

// "8x32" or "8x32x3"; nothing if the text is not of this form or a side is 0.
[[nodiscard]] std::optional<AxisGrid> parseAxisGrid(const std::string& text);
[[nodiscard]] std::string axisGridText(const AxisGrid& grid);

// A parameter "grid" whose sides multiply to the number of keys, or "auto".
[[nodiscard]] ParamSpec axisGridParam(std::string help);

// Tokens sorted so that each line along an axis is contiguous: a line is then a dense square of pairs on the
// diagonal, and not one lonely cell every `stride` columns. Null for the fastest axis, where they already
// are.
[[nodiscard]] Order lineOrder(const AxisGrid& grid, std::size_t axis);

}  // namespace attnscope
