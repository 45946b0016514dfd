// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace attnscope {

// The text as one field of a line of CSV (RFC 4180): quoted where it must be, quotes doubled.
[[nodiscard]] std::string csvField(const std::string& text);

}  // namespace attnscope
