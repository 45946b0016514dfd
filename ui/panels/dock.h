// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDockWidget>

namespace attnscope {

// A part of the window beside the wall. In its place it has no title bar, since its content has headings of
// its own; floating it has one, by which it is dragged or double-clicked back.
class Dock final : public QDockWidget {
  Q_OBJECT

 public:
  // `name` is what the window's state knows it by.
  Dock(const QString& name, const QString& title, QWidget* content, QWidget* window);
  // Takes it out of the window and puts it back; shows it in any case.
  [[nodiscard]] QAction* floatAction() const { return m_float; }

 private:
  void showTitle(bool floating);

  QAction* m_float;
};

}  // namespace attnscope
