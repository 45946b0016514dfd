// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>

#include "core/base/error.h"

namespace attnscope {

// Writes a file that appears whole or not at all. Error (Output): which file, why, what to do.
[[nodiscard]] Status saveFile(const QString& path, const QByteArray& bytes);

}  // namespace attnscope
