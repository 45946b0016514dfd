// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <string>

namespace attnscope {

// The two directions between the core's UTF-8 and Qt's strings.
[[nodiscard]] inline QString toQ(const std::string& text) {
  return QString::fromStdString(text);
}
[[nodiscard]] inline std::string toStd(const QString& text) {
  return text.toStdString();
}

// A piece of text of any script as part of a left-to-right sentence: what is written from the right is
// isolated (U+2068 ... U+2069), so that it does not draw numbers and signs beside it to its other side.
[[nodiscard]] QString isolated(const QString& piece);

}  // namespace attnscope
