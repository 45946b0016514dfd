// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace attnscope {

struct Rgb {
  std::uint8_t r = 0;
  std::uint8_t g = 0;
  std::uint8_t b = 0;
  friend bool operator==(const Rgb&, const Rgb&) = default;
};

// Perceptually uniform maps of 256 colours. Sequential: viridis, cividis, magma, inferno, grey. Diverging:
// vik-like blue-white-red. Data palettes do not follow the theme.
[[nodiscard]] std::span<const std::string> colorMapNames();
[[nodiscard]] std::span<const Rgb> colorMap(const std::string& name);  // 256 entries; viridis if unknown
[[nodiscard]] std::span<const Rgb> divergingMap();                     // 256 entries

// Okabe and Ito's colours for categories, safe for colour-blind readers; cycles after eight with lighter
// tints.
[[nodiscard]] Rgb categoryColor(std::size_t index);

// How values become positions in a colour map.
struct ValueScale {
  enum class Kind { Linear, Log, RowMax };
  Kind kind = Kind::Log;
  double low = 1e-4;       // drawn with the first colour
  double high = 1.0;       // drawn with the last colour
  bool diverging = false;  // then from -high to +high, and low is the linear threshold of the log scale
  // Position 0..1 of a finite value.
  [[nodiscard]] double position(double value) const;
};

}  // namespace attnscope
