// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QMenuBar;
class QWidget;

namespace attnscope {

// What the program is, its version and its licence.
void showAbout(QWidget* parent);
// Every shortcut of the menus and the keys of the pictures.
void showShortcuts(const QMenuBar* menus, QWidget* parent);

}  // namespace attnscope
