// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace attnscope {

// The one formatter of quantities for the window, the command line and exported files.
[[nodiscard]] std::string bytesText(double bytes);        // "1.2 GB" (powers of 1000)
[[nodiscard]] std::string countText(std::int64_t count);  // "1,048,576"
[[nodiscard]] std::string compactText(double count);      // "4.2 M"
[[nodiscard]] std::string durationText(double seconds);   // "3.4 ms"
[[nodiscard]] std::string percentText(double share);      // 0.0432 -> "4.3 %"
[[nodiscard]] std::string numberText(double value);       // up to 4 significant digits, no trailing zeros

}  // namespace attnscope
