// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/raster/color_map.h"

#include <algorithm>
#include <cmath>

#include "core/raster/color_tables.h"

namespace attnscope {

namespace {

// Okabe and Ito without black, which is what axes and text are drawn in. Blue and orange come first since
// most patterns have two labels and that pair is the easiest to tell apart.
constexpr std::array<Rgb, 8> kCategories{{{0, 114, 178},
                                          {230, 159, 0},
                                          {0, 158, 115},
                                          {204, 121, 167},
                                          {213, 94, 0},
                                          {86, 180, 233},
                                          {240, 228, 66},
                                          {136, 136, 136}}};

Rgb tint(Rgb color, double towardsWhite) {
  const auto mix = [&](std::uint8_t c) {
    return static_cast<std::uint8_t>(std::lround(c + (255.0 - c) * towardsWhite));
  };
  return {mix(color.r), mix(color.g), mix(color.b)};
}

}  // namespace

std::span<const std::string> colorMapNames() {
  static const std::vector<std::string> names{"viridis", "cividis", "magma", "inferno", "grey"};
  return names;
}

std::span<const Rgb> colorMap(const std::string& name) {
  if (name == "cividis") return kCividisTable;
  if (name == "magma") return kMagmaTable;
  if (name == "inferno") return kInfernoTable;
  if (name == "grey") return kGreyTable;
  return kViridisTable;
}

std::span<const Rgb> divergingMap() {
  return kDivergingTable;
}

Rgb categoryColor(std::size_t index) {
  const std::size_t cycle = (index / kCategories.size()) % 3;
  return tint(kCategories[index % kCategories.size()], 0.35 * static_cast<double>(cycle));
}

double ValueScale::position(double value) const {
  const double top = high > 0.0 ? high : 1.0;
  const bool log = kind == Kind::Log && low > 0.0 && low < top;
  if (diverging) {
    const double size = std::min(std::abs(value) / top, 1.0);
    // Symmetric logarithm that is linear through 0 and reaches 1 at `high`.
    const double bent = log ? std::log1p(size * top / low) / std::log1p(top / low) : size;
    return 0.5 + std::copysign(0.5 * bent, value);
  }
  if (log) {
    if (value <= low) return 0.0;
    return std::min(std::log(value / low) / std::log(top / low), 1.0);
  }
  // Linear scales start at 0 whatever `low` is: it is the floor of the logarithm only.
  return std::clamp(value / top, 0.0, 1.0);
}

}  // namespace attnscope
