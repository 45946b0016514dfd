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

}  // namespace attnscope
