// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMenu>
#include <vector>

#include "ui/plots/legend.h"

namespace attnscope {

// All entries of a legend below each other, for where it has no room for all of them. Entries that can be
// chosen have boxes, and the menu stays open while they are ticked. Deletes itself when it closes.
class LegendMenu final : public QMenu {
  Q_OBJECT

 public:
  // `notes` stand at the right, one an entry.
  LegendMenu(const std::vector<LegendEntry>& entries, const QStringList& notes, bool choosable,
             QWidget* parent);

 Q_SIGNALS:
  void entryToggled(int entry);

 protected:
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
};

}  // namespace attnscope
