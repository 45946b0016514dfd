// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

class QWidget;

namespace attnscope {

// The shortcuts of a window's actions win over what a text field in it makes of the same keys (on X11 Ctrl+E
// and Ctrl+K move and delete in a line). Those that edit text (select all, copy, cut, paste, undo, redo) stay
// with the field. An event filter of the application.
class ShortcutPriority final : public QObject {
 public:
  explicit ShortcutPriority(QWidget* window);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QWidget* m_window;
};

}  // namespace attnscope
