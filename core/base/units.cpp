// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace attnscope {

namespace {

// Three significant digits, without a decimal point beyond 100.
std::string threeDigits(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) return fmt::format("{:.0f}", value);
  if (size >= 9.995) return fmt::format("{:.1f}", value);
  return fmt::format("{:.2f}", value);
}

}  // namespace

std::string bytesText(double bytes) {
  constexpr std::array units = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < units.size()) {
    bytes /= 1000.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : threeDigits(bytes) + " " + units[unit];
}

std::string countText(std::int64_t count) {
  std::string digits = std::to_string(count < 0 ? -count : count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return count < 0 ? fmt::format("-{}", digits) : digits;
}

std::string compactText(double count) {
  constexpr std::array units = {"", " k", " M", " G", " T", " P"};
  std::size_t unit = 0;
  while (std::abs(count) >= 999.5 && unit + 1 < units.size()) {
    count /= 1000.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:g}", count) : threeDigits(count) + units[unit];
}

std::string durationText(double seconds) {
  if (seconds < 1e-6) return threeDigits(seconds * 1e9) + " ns";
  if (seconds < 1e-3) return threeDigits(seconds * 1e6) + " \u00b5s";
  if (seconds < 1.0) return threeDigits(seconds * 1e3) + " ms";
  if (seconds < 120.0) return threeDigits(seconds) + " s";
  return fmt::format("{:.0f} min", seconds / 60.0);
}

std::string percentText(double share) {
  const double percent = 100.0 * share;
  if (percent != 0.0 && std::abs(percent) < 0.01) return fmt::format("{:.1e} %", percent);
  if (std::abs(percent) < 1.0) return fmt::format("{:.2f} %", percent);
  return fmt::format("{:.{}f} %", percent,
                     std::abs(percent) < 99.95 && percent != std::floor(percent) ? 1 : 0);
}

std::string numberText(double value) {
  return fmt::format("{:.4g}", value);
}

}  // namespace attnscope
