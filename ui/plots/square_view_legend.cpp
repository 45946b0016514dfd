// SPDX-License-Identifier: GPL-3.0-or-later

// The legend of SquareView: reasons with their counts, hidden and shown by a click.
#include <QHelpEvent>
#include <QToolTip>
#include <numeric>

#include "core/base/units.h"
#include "core/raster/count_tiles.h"
#include "ui/plots/legend_menu.h"
#include "ui/plots/square_support.h"
#include "ui/plots/square_view.h"

namespace attnscope {

void SquareView::countLabels() {
  m_countPool.setMaxThreadCount(1);
  m_countJob.start([pattern = m_base.support](const JobContext& job) { return labelPairs(*pattern, job); },
                   [this](const Result<std::vector<std::uint64_t>>& pairs) {
                     if (pairs) {
                       m_labelPairs = *pairs;
                       updateLegend();
                     }
                     m_fresh = true;  // settled when the legend is painted
                     paintSoon();
                   });
}

void SquareView::updateLegend() {
  SquareContent& content = m_square->content;
  const Plan& plan = m_exploration->call.plan->plan();
  content.legend = patternLegend(plan, m_style.hidden);
  if (m_labelPairs.empty()) return;
  std::vector<LegendEntry> counted = content.legend;
  for (std::size_t i = 0; i < counted.size(); ++i) counted[i].name += QLatin1Char(' ') + labelShare(i);
  const LegendFit room = legendFit(m_square->layout().legend, counted, metrics());
  if (room.more.isEmpty() && !room.elided) content.legend = std::move(counted);
}

QRectF SquareView::legendEntryRect(std::size_t entry) const {
  // Where clicks on it count, found as the mouse finds it.
  const QRect area = m_square->layout().legend;
  QRect box;
  for (int y = area.top(); y <= area.bottom(); ++y)
    for (int x = area.left(); x <= area.right(); ++x)
      if (legendEntryAt(area, legend(), metrics(), QPointF(x, y)) == entry)
        box = box.united(QRect(x, y, 1, 1));
  return box;
}

QRectF SquareView::legendMoreRect() const {
  return legendFit(m_square->layout().legend, legend(), metrics()).more;
}

QString SquareView::labelShare(std::size_t label) const {
  if (m_labelPairs.empty()) return {};
  const SquareContent& content = m_square->content;
  const double cells = static_cast<double>(content.queries) * static_cast<double>(content.keys);
  const std::uint64_t pairs = label < m_labelPairs.size() ? m_labelPairs[label] : 0;
  return QString::fromStdString(percentText(static_cast<double>(pairs) / cells));
}

QString SquareView::moreText() const {
  QStringList names;
  for (std::size_t i = legendFit(m_square->layout().legend, legend(), metrics()).shown; i < legend().size();
       ++i)
    names << (m_kind == PanelKind::Pattern ? legend()[i].name + QLatin1Char(' ') + labelShare(i)
                                           : legend()[i].name)
                 .trimmed();
  return tr("%1. A click lists all.").arg(names.join(QStringLiteral(", ")));
}

void SquareView::openLegend() {
  if (!m_exploration || legend().empty()) return;
  const bool reasons = m_kind == PanelKind::Pattern;
  const Plan& plan = m_exploration->call.plan->plan();
  const std::vector<LegendEntry> entries = reasons ? patternLegend(plan, m_style.hidden) : legend();
  QStringList notes;
  if (reasons)
    for (std::size_t i = 0; i < entries.size(); ++i) notes << labelShare(i);
  auto* menu = new LegendMenu(entries, notes, reasons, this);
  connect(menu, &LegendMenu::entryToggled, this,
          [this, entries](int entry) { Q_EMIT labelClicked(entries[static_cast<std::size_t>(entry)].name); });
  const QRectF more = legendMoreRect();
  const QRect area = m_square->layout().legend;
  menu->popup(mapToGlobal(more.isEmpty() ? area.topLeft() : more.bottomLeft().toPoint()));
}

QString SquareView::labelText(std::size_t label) const {
  const Plan& plan = m_exploration->call.plan->plan();
  QString text = QStringLiteral("%1: %2.").arg(QString::fromStdString(plan.labels[label].name),
                                               QString::fromStdString(plan.labels[label].why));
  if (!m_labelPairs.empty()) {
    const std::uint64_t pairs = label < m_labelPairs.size() ? m_labelPairs[label] : 0;
    text +=
        QLatin1Char(' ') + tr("%1 pairs.").arg(QString::fromStdString(countText(static_cast<Index>(pairs))));
  }
  const bool hidden = m_style.hidden.contains(QString::fromStdString(plan.labels[label].name));
  return text + QLatin1Char(' ') + (hidden ? tr("A click shows them.") : tr("A click hides them."));
}

bool SquareView::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip || showsWeights(m_kind) || !m_exploration)
    return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const auto entry = legendEntryAt(m_square->layout().legend, legend(), metrics(), help->pos());
  if (legendMoreRect().contains(help->pos()))
    QToolTip::showText(help->globalPos(), moreText(), this);
  else if (entry && m_kind == PanelKind::Pattern)
    QToolTip::showText(help->globalPos(), labelText(*entry), this);
  else
    QToolTip::hideText();
  return true;
}

}  // namespace attnscope
