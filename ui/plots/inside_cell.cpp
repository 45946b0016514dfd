// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/inside_cell.h"

#include <qcustomplot.h>

#include <QLabel>
#include <QSlider>

#include "ui/plots/qcp_support.h"

namespace attnscope {

InsidesView::Cell::Cell(QWidget* parent)
    : plot(makeBarePlot(parent)), inside(std::make_shared<InsidePlot>(*plot)) {}

InsidesView::Cell::~Cell() {
  retirePlot(plot, inside);
  // Like the plot, not within the style sheet or the signal that leads here.
  for (QWidget* part : std::initializer_list<QWidget*>{slider, name, where}) {
    if (!part) continue;
    part->hide();
    part->deleteLater();
  }
}

void InsidesView::Cell::show(const InsidePanel& panel, const QRect& area) {
  inside->setPanel(panel);
  inside->update(area.size());
  plot->setGeometry(area);
  plot->setAccessibleName(QString::fromStdString(panel.title));
  plot->setAccessibleDescription(QString::fromStdString(panel.caption));
}

int InsidesView::Cell::addSwitch(QWidget* parent, const QString& series, int count, int member,
                                 const QRect& area, const PlotMetrics& look, const PlotTheme& theme) {
  slider = new QSlider(Qt::Horizontal, parent);
  slider->setRange(0, count - 1);
  slider->setValue(member);
  slider->setPageStep(1);
  slider->setAccessibleName(series);
  slider->setToolTip(series);
  slider->setObjectName(QStringLiteral("insideSeries"));
  name = new QLabel(series, parent);
  where = new QLabel(parent);
  nameMember(member);
  QPalette palette = name->palette();
  palette.setColor(QPalette::WindowText, theme.secondaryText);
  const int line = look.em + look.gap;
  const auto wide = [&](const QString& text) { return QFontMetrics(look.font).horizontalAdvance(text) + 2; };
  for (QLabel* label : {name, where}) {
    label->setFont(look.font);
    label->setPalette(palette);
  }
  const int last = wide(QStringLiteral("%1 / %1").arg(count));
  const int first = std::min(wide(series), area.width() / 3);
  const int left = area.left() + (isNarrowInside(area.width(), look) ? look.gap : look.left);
  name->setGeometry(left, area.top(), first, line);
  where->setGeometry(area.right() - last, area.top(), last, line);
  const int from = left + first + look.gap;
  slider->setGeometry(from, area.top(), std::max(20, where->x() - look.gap - from), line);
  for (QWidget* part : std::initializer_list<QWidget*>{slider, name, where}) part->show();
  return line + look.gap;
}

void InsidesView::Cell::nameMember(int member) const {
  where->setText(QStringLiteral("%1 / %2").arg(member + 1).arg(slider->maximum() + 1));
}

}  // namespace attnscope
