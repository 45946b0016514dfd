// SPDX-License-Identifier: GPL-3.0-or-later

// The legend of SquareView: reasons with their counts, hidden and shown by a click.
#include <QHelpEvent>
#include <QToolTip>
#include <numeric>

#include "core/base/units.h"
#include "core/raster/count_tiles.h"
#include "ui/jobs/guarded.h"
#include "ui/plots/square_support.h"
#include "ui/plots/square_view.h"

namespace attnscope {

void SquareView::countLabels() {
  m_countPool.setMaxThreadCount(1);
  m_countJob.start([pattern = m_base.support](
                       const JobContext& job) { return guarded([&] { return labelPairs(*pattern, job); }); },
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
  const double cells = static_cast<double>(content.queries) * static_cast<double>(content.keys);
  for (std::size_t i = 0; i < counted.size(); ++i) {
    const std::uint64_t pairs = i < m_labelPairs.size() ? m_labelPairs[i] : 0;
    counted[i].name +=
        QStringLiteral(" ") + QString::fromStdString(percentText(static_cast<double>(pairs) / cells));
  }
  const PlotMetrics& look = metrics();
  const double width = m_square->layout().legend.width();
  if (legendHeight(counted, width, look) <= look.legend) content.legend = std::move(counted);
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
  if (event->type() != QEvent::ToolTip || m_kind != PanelKind::Pattern || !m_exploration)
    return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  if (const auto entry = legendEntryAt(m_square->layout().legend, legend(), metrics(), help->pos()))
    QToolTip::showText(help->globalPos(), labelText(*entry), this);
  else
    QToolTip::hideText();
  return true;
}

}  // namespace attnscope
