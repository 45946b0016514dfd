// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace attnscope {

// The text as one word of a POSIX shell: as it is where that is safe, else in single quotes.
[[nodiscard]] std::string shellWord(const std::string& text);

}  // namespace attnscope
