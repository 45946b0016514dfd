// SPDX-License-Identifier: GPL-3.0-or-later
#include <qcustomplot.h>

#include <QResizeEvent>

#include "ui/plots/panel.h"
#include "ui/plots/qcp_support.h"
#include "ui/plots/scaling_figure.h"

namespace attnscope {

class ScalingPlot::Impl {
 public:
  explicit Impl(ScalingPlot* widget) : owner(widget), theme(PlotTheme::light()) {}

  // A sweep has tens of points and arrives one a second: a fresh plot is simpler than an updated one.
  void rebuild() {
    retirePlot(plot);
    plot = makeBarePlot(owner);
    plot->setGeometry(owner->rect());
    buildScaling(*plot, content, plotMetrics(theme, 0.0, 99, 99, false), theme, owner->size());
    plot->show();
  }

  ScalingPlot* owner;
  QCustomPlot* plot = nullptr;
  PlotTheme theme;
  ScalingContent content;
};

ScalingPlot::ScalingPlot(QWidget* parent) : QWidget(parent), m_impl(std::make_unique<Impl>(this)) {
  setAccessibleName(tr("Measured time against sequence length"));
  setMinimumSize(220, 140);
  m_impl->rebuild();
}

ScalingPlot::~ScalingPlot() = default;

void ScalingPlot::setTheme(const PlotTheme& theme) {
  m_impl->theme = theme;
  m_impl->rebuild();
}

void ScalingPlot::clear() {
  m_impl->content.points.clear();
  m_impl->rebuild();
}

void ScalingPlot::setCurves(const QStringList& names, const QList<QColor>& colors) {
  m_impl->content.names = names;
  m_impl->content.colors = colors;
  m_impl->rebuild();
}

void ScalingPlot::setPoints(const std::vector<SweepPoint>& points) {
  m_impl->content.points = points;
  QStringList words;
  for (qsizetype i = 0; i < m_impl->content.names.size(); ++i)
    words << scalingLabel(m_impl->content.names[i], points, static_cast<std::size_t>(i));
  setAccessibleDescription(words.join(QStringLiteral("; ")));
  m_impl->rebuild();
}

void ScalingPlot::setOverlay(const std::vector<SweepPoint>& points) {
  m_impl->content.overlay = points;
  m_impl->rebuild();
}

void ScalingPlot::setTheory(const std::string& name) {
  m_impl->content.theory = theoryOf(name);
  m_impl->rebuild();
}

void ScalingPlot::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  m_impl->rebuild();
}

}  // namespace attnscope
