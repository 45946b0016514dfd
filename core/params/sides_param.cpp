// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/params/sides_param.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace attnscope {

namespace {

// The grid of n cells whose height is closest to what was asked for.
Grid nearestGrid(Index n, const Grid& asked) {
  Grid nearest{1, n};
  for (Index height = 1; height <= n; ++height)
    if (n % height == 0 && std::abs(height - asked.height) < std::abs(nearest.height - asked.height))
      nearest = {height, n / height};
  return nearest;
}

Result<std::string> canonicalSides(const std::string& id, Index minimum, const std::string& text) {
  if (text == kAutoSides) return text;
  const auto sides = parseSides(text);
  if (!sides || sides->height < minimum || sides->width < minimum)
    return fail(
        ErrorKind::Usage,
        fmt::format(
            "Parameter '{}' is '{}', but must be a height and a width of at least {}, written as 8x32, or "
            "auto.",
            id, text, minimum));
  return sidesText(*sides);
}

}  // namespace

std::optional<Grid> parseSides(const std::string& text) {
  const std::size_t cross = text.find('x');
  if (cross == std::string::npos) return std::nullopt;
  Grid sides;
  const auto number = [&](std::size_t begin, std::size_t end, Index& value) {
    const auto [stop, code] = std::from_chars(text.data() + begin, text.data() + end, value);
    return code == std::errc{} && stop == text.data() + end && value >= 0 && value <= Index{1} << 30;
  };
  if (!number(0, cross, sides.height) || !number(cross + 1, text.size(), sides.width)) return std::nullopt;
  return sides;
}

std::string sidesText(const Grid& sides) {
  return fmt::format("{}x{}", sides.height, sides.width);
}

Grid squarestGrid(Index n) {
  Grid grid{1, n};
  for (Index height = 1; height * height <= n; ++height)
    if (n % height == 0) grid = {height, n / height};
  return grid;
}

ParamSpec sidesParam(std::string id, std::string symbol, std::string help, Index minimum,
                     std::string defaultText) {
  ParamSpec spec;
  spec.kind = ParamKind::Text;
  spec.canonical = [id, minimum](const std::string& text, const Shape&) {
    return canonicalSides(id, minimum, text);
  };
  spec.id = std::move(id);
  spec.symbol = std::move(symbol);
  spec.help = std::move(help);
  spec.minimum = static_cast<double>(minimum);
  spec.defaultValue = [](const Shape&) { return ParamValue{std::string(kAutoSides)}; };
  spec.defaultText = std::move(defaultText);
  return spec;
}

ParamSpec gridParam(std::string help) {
  ParamSpec spec = sidesParam("grid", "H\u00d7W", std::move(help), 1,
                              "auto: the picture's own, else the divisors of n closest to a square");
  spec.canonical = [](const std::string& text, const Shape& shape) -> Result<std::string> {
    ATTN_ASSIGN(canonical, canonicalSides("grid", 1, text));
    const auto sides = parseSides(canonical);
    if (!sides || sides->height * sides->width == shape.nK) return canonical;
    return fail(
        ErrorKind::Usage,
        fmt::format(
            "Parameter 'grid' is {}, which has {} cells, but must have one for each of the {} tokens. The "
            "nearest valid value is {}.",
            canonical, sides->height * sides->width, shape.nK, sidesText(nearestGrid(shape.nK, *sides))));
  };
  spec.examples = [](const Shape& shape) {
    const Grid wide = squarestGrid(shape.nK);
    return std::vector<std::string>{kAutoSides, sidesText(wide), sidesText({wide.width, wide.height}),
                                    sidesText({1, shape.nK}), sidesText({shape.nK, 1})};
  };
  return spec;
}

}  // namespace attnscope
