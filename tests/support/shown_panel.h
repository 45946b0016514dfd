// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// A panel of the wall on screen, for tests of the window's parts.
#include <QWheelEvent>
#include <QtTest>

#include "core/inputs/recipes.h"
#include "core/params/mechanism_spec.h"
#include "kernels/backend_registry.h"
#include "kernels/explore.h"
#include "ui/plots/panel.h"
#include "ui/state/view_link.h"

namespace attnscope::testing {

inline constexpr Index kLength = 64;

inline std::shared_ptr<const Exploration> exploration(const std::string& spec) {
  const auto input = makeRecipe("clustered:n=64,d=8,heads=1");
  const auto parsed = parseMechanismSpec(spec);
  const auto backend = findBackend("cpu");
  if (!input || !parsed || !backend) qFatal("the fixture is broken");
  const auto result = explore(*parsed, *input, **backend);
  if (!result) qFatal("%s", result.error().message.c_str());
  return *result;
}

// The widget that shows the cells and takes the events.
inline QWidget* squareOf(Panel& panel) {
  return panel.findChild<QWidget*>(QStringLiteral("square"));
}

// The middle of cell (query, key) while everything is visible.
inline QPoint cellCenter(const Panel& panel, Index query, Index key) {
  const QRectF area(panel.cellArea());
  return QPointF(area.left() + (static_cast<double>(key) + 0.5) * area.width() / kLength,
                 area.top() + (static_cast<double>(query) + 0.5) * area.height() / kLength)
      .toPoint();
}

inline QColor grabbedAt(Panel& panel, QPoint at) {
  const QImage image = panel.grab().toImage();
  return image.pixelColor((QPointF(at) * image.devicePixelRatio()).toPoint());
}

inline void wheel(QWidget* widget, QPoint at, int delta) {
  QWheelEvent event(at, widget->mapToGlobal(at), QPoint(), QPoint(0, delta), Qt::NoButton, Qt::NoModifier,
                    Qt::NoScrollPhase, false);
  QCoreApplication::sendEvent(widget, &event);
}

struct Shown {
  explicit Shown(PanelKind kind, const std::string& spec) : panel(kind, &link) {
    link.setBounds(kLength, kLength);
    panel.resize(320, panel.heightForWidth(320));
    panel.show();
    panel.setExploration(exploration(spec), 0);
    if (!QTest::qWaitFor([this] { return panel.isSettled(); })) qFatal("the panel does not settle");
  }
  ViewLink link;
  Panel panel;
};

}  // namespace attnscope::testing
