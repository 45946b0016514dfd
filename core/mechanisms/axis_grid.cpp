// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/axis_grid.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "core/mechanisms/catalogue_support.h"
#include "core/params/sides_param.h"

namespace attnscope {

namespace {

constexpr Index kLongestSide = Index{1} << 20;  // three of them still multiply without overflow

Index nearestDivisor(Index n, Index asked) {
  Index nearest = 1;
  for (Index divisor = 1; divisor <= n; ++divisor)
    if (n % divisor == 0 && std::abs(divisor - asked) < std::abs(nearest - asked)) nearest = divisor;
  return nearest;
}

// Side by side the nearest divisor of what is left; the last side takes the rest.
AxisGrid nearestGrid(Index n, const AxisGrid& asked) {
  AxisGrid nearest;
  for (std::size_t axis = 0; axis + 1 < asked.axes(); ++axis) {
    nearest.sides.push_back(nearestDivisor(n, asked.sides[axis]));
    n /= nearest.sides.back();
  }
  nearest.sides.push_back(n);
  return nearest;
}

Result<std::string> canonicalGrid(const std::string& text, const Shape& shape) {
  if (text == kAutoSides) return text;
  const auto grid = parseAxisGrid(text);
  if (!grid)
    return fail(ErrorKind::Usage,
                fmt::format("Parameter 'grid' is '{}', but must be two or three sides of at least 1, written "
                            "as 8x32 or 8x32x3, or auto.",
                            text));
  if (grid->cells() == shape.nK) return axisGridText(*grid);
  return fail(
      ErrorKind::Usage,
      fmt::format("Parameter 'grid' is {}, which has {} cells, but must have one for each of the {} "
                  "tokens. The nearest valid value is {}.",
                  axisGridText(*grid), grid->cells(), shape.nK, axisGridText(nearestGrid(shape.nK, *grid))));
}

}  // namespace

Index AxisGrid::cells() const {
  Index product = 1;
  for (const Index side : sides) product *= side;
  return product;
}

Index AxisGrid::stride(std::size_t axis) const {
  Index product = 1;
  for (std::size_t after = axis + 1; after < sides.size(); ++after) product *= sides[after];
  return product;
}

std::optional<AxisGrid> parseAxisGrid(const std::string& text) {
  AxisGrid grid;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (true) {
    Index side = 0;
    const auto [stop, code] = std::from_chars(at, end, side);
    if (code != std::errc{} || side < 1 || side > kLongestSide) return std::nullopt;
    grid.sides.push_back(side);
    if (stop == end) break;
    if (*stop != 'x' || grid.axes() == 3) return std::nullopt;
    at = stop + 1;
  }
  if (grid.axes() < 2) return std::nullopt;
  return grid;
}

std::string axisGridText(const AxisGrid& grid) {
  return fmt::format("{}", fmt::join(grid.sides, "x"));
}

ParamSpec axisGridParam(std::string help) {
  ParamSpec spec;
  spec.id = "grid";
  spec.symbol = "H\u00d7W";
  spec.kind = ParamKind::Text;
  spec.help = std::move(help);
  spec.minimum = 1.0;
  spec.defaultValue = [](const Shape&) { return ParamValue{std::string(kAutoSides)}; };
  spec.defaultText = "auto: the picture's own, else the divisors of n closest to a square";
  spec.canonical = canonicalGrid;
  spec.examples = [](const Shape& shape) {
    const Grid wide = squarestGrid(shape.nK);
    const Grid halves = squarestGrid(wide.width);
    return std::vector<std::string>{kAutoSides,
                                    fmt::format("{}x{}", wide.width, wide.height),
                                    fmt::format("1x{}", shape.nK),
                                    fmt::format("{}x1", shape.nK),
                                    fmt::format("{}x{}x{}", halves.height, wide.height, halves.width),
                                    fmt::format("{}x{}x1", wide.width, wide.height)};
  };
  return spec;
}

Order lineOrder(const AxisGrid& grid, std::size_t axis) {
  const Index stride = grid.stride(axis);
  if (stride == 1) return nullptr;
  const Index side = grid.sides[axis];
  std::vector<std::int32_t> order;
  order.reserve(static_cast<std::size_t>(grid.cells()));
  for (Index outer = 0; outer < grid.cells(); outer += side * stride)
    for (Index inner = 0; inner < stride; ++inner)
      for (Index c = 0; c < side; ++c) order.push_back(static_cast<std::int32_t>(outer + c * stride + inner));
  return makeOrder(std::move(order));
}

}  // namespace attnscope
