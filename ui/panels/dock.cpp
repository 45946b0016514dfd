// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/dock.h"

#include <QAction>

namespace attnscope {

Dock::Dock(const QString& name, const QString& title, QWidget* content, QWidget* window)
    : QDockWidget(title, window), m_float(new QAction(title, this)) {
  setObjectName(name);
  setWidget(content);
  m_float->setObjectName(name + QStringLiteral("Floats"));
  m_float->setCheckable(true);
  m_float->setToolTip(tr("As a window of its own, for instance on another screen"));
  connect(m_float, &QAction::triggered, this, [this](bool on) {
    show();
    setFloating(on);
  });
  // Later: a drag that is still going on holds the title bar.
  connect(this, &QDockWidget::topLevelChanged, this, &Dock::showTitle, Qt::QueuedConnection);
  showTitle(false);
}

void Dock::showTitle(bool floating) {
  m_float->setChecked(floating);
  if (floating == (titleBarWidget() == nullptr)) return;
  QWidget* before = titleBarWidget();
  setTitleBarWidget(floating ? nullptr : new QWidget(this));
  delete before;
}

}  // namespace attnscope
