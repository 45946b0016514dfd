// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/plots/panel.h"

namespace attnscope {

// A place of the grid. A panel would ask for the height of a full square; the wall would rather shrink its
// squares than scroll, so the layout sees only the least size.
class PanelCell final : public QWidget {
 public:
  PanelCell(Panel* panel, QWidget* parent) : QWidget(parent), m_panel(panel) { panel->setParent(this); }
  [[nodiscard]] QSize sizeHint() const override { return {220, 220}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {128, 60}; }

 protected:
  void resizeEvent(QResizeEvent*) override { m_panel->setGeometry(rect()); }

 private:
  Panel* m_panel;
};

}  // namespace attnscope
