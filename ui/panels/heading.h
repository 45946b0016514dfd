// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace attnscope {

// Small spaced capitals above a group of controls.
[[nodiscard]] QLabel* makeHeading(const QString& text, QWidget* parent = nullptr);
// Text in the quiet colour, wrapped.
[[nodiscard]] QLabel* makeNote(const QString& text, QWidget* parent = nullptr);

}  // namespace attnscope
