// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/inside_plot.h"

#include <qcustomplot.h>

#include <algorithm>
#include <cmath>

#include "core/base/units.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/qcp_support.h"

namespace attnscope {

namespace {

constexpr int kCaptionLines = 4;
constexpr int kNarrow = 18;  // heights of the font

int captionHeight(const InsidePanel& panel, int width, const PlotMetrics& metrics) {
  const int names = legendHeight(stripLegend(panel), width, metrics);
  if (panel.caption.empty()) return names;
  const QFontMetrics font(metrics.font);
  const QRect box =
      font.boundingRect(QRect(0, 0, std::max(20, width), 10000), Qt::TextWordWrap | Qt::AlignLeft,
                        QString::fromStdString(panel.caption));
  // The picture keeps its room: a legend takes it from the sentence.
  return std::max(names, std::min(names + box.height(), kCaptionLines * metrics.em)) + metrics.gap;
}

// Rows of data below each other, what the axes below need included.
int belowPlot(const InsidePanel& panel, const PlotMetrics& metrics) {
  return metrics.em + 2 * metrics.gap + (panel.xTitle.empty() ? 0 : metrics.em + metrics.gap);
}

int headingHeight(const PlotMetrics& metrics) {
  return metrics.em + metrics.gap;
}

// For what is counted: there is no 1.5th token.
class WholeTicker final : public QCPAxisTicker {
 protected:
  double getTickStep(const QCPRange& range) override {
    return std::max(1.0, std::ceil(QCPAxisTicker::getTickStep(range)));
  }
  int getSubTickCount(double) override { return 0; }
};

bool areWhole(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v == std::floor(v); });
}

// As an axis writes numbers: no exponent before it is needed.
QSharedPointer<QCPAxisTicker> plainTicker(bool log, bool whole) {
  if (log) {
    QSharedPointer<QCPAxisTickerLog> ticker(new QCPAxisTickerLog);
    ticker->setSubTickCount(0);
    return ticker;
  }
  if (whole) return QSharedPointer<QCPAxisTicker>(new WholeTicker);
  QSharedPointer<QCPAxisTicker> ticker(new QCPAxisTicker);
  ticker->setTickCount(4);
  return ticker;
}

}  // namespace

bool isNarrowInside(int width, const PlotMetrics& metrics) {
  return width < kNarrow * metrics.em;
}

Index countOn(const InsidePanel::TokenAxis& axis, Index cells) {
  return axis.count > 0 ? axis.count : cells;
}

std::vector<LegendEntry> stripLegend(const InsidePanel& panel) {
  std::vector<LegendEntry> names;
  if (panel.kind != InsidePanel::Kind::Strips) return names;
  for (std::size_t color = 0; color < panel.barNames.size(); ++color)
    if (!panel.barNames[color].empty())
      names.push_back({QString::fromStdString(panel.barNames[color]), categoryQColor(color)});
  return names;
}

int insideHeight(const InsidePanel& panel, int width, const PlotMetrics& metrics) {
  const int side = std::max(40, width - metrics.left - metrics.right);
  return headingHeight(metrics) + side + belowPlot(panel, metrics) +
         captionHeight(panel, side + metrics.right, metrics);
}

InsidePlot::InsidePlot(QCustomPlot& plot) : m_plot(plot) {
  addPainted(plot, QStringLiteral("background"), [this](QPainter& painter) { paintData(painter); });
  addPainted(plot, QStringLiteral("legend"), [this](QPainter& painter) { paintAround(painter); });
  addPainted(plot, QStringLiteral("overlay"), [this](QPainter& painter) { paintMarks(painter); });
}

void InsidePlot::setLook(const PlotMetrics& metrics, const PlotTheme& theme, const ViewStyle& style) {
  m_metrics = metrics;
  m_theme = theme;
  m_style = style;
  m_plot.setBackground(QBrush(theme.background));
}

void InsidePlot::setPanel(const InsidePanel& panel) {
  m_panel = panel;
  m_scale = {};
  m_scale.kind = ValueScale::Kind::Linear;
  m_scale.diverging = panel.diverging;
  m_scale.high = 0.0;
  if (panel.values.rank() != 2 || panel.values.empty()) return;
  for (const float v : panel.values.values<float>())
    m_scale.high = std::max(m_scale.high, static_cast<double>(std::abs(v)));
}

void InsidePlot::setHeading(const QString& letter) {
  m_letter = letter;
}

void InsidePlot::update(QSize size) {
  m_size = size;
  const int top = abovePlot();
  if (m_panel.kind == InsidePanel::Kind::Strips) {
    // Names of strips are words: they get the room that they need, within reason.
    double widest = 0.0;
    for (const std::string& name : m_panel.stripNames)
      widest =
          std::max(widest, QFontMetricsF(m_metrics.font).horizontalAdvance(QString::fromStdString(name)));
    const int wanted = static_cast<int>(std::ceil(widest)) + 3 * m_metrics.gap + 2;
    m_metrics.left = std::max(m_metrics.left, std::min(wanted, size.width() * 2 / 5));
  } else if (isNarrow()) {
    m_metrics.left = static_cast<int>(std::ceil(numbersWidth())) + 3 * m_metrics.gap;
  } else if (!m_panel.yTitle.empty()) {
    m_metrics.left = std::max(m_metrics.left, std::min(roomForNumbers(), size.width() * 2 / 5));
  }
  const int width = std::max(20, size.width() - m_metrics.left - m_metrics.right);
  const int captionWidth = m_size.width() - 1 - static_cast<int>(textLeft(captionWish()));
  const int bar =
      m_panel.kind == InsidePanel::Kind::Matrix && matrixBarIsBelow() ? m_metrics.em + m_metrics.gap : 0;
  const int below = belowPlot(m_panel, m_metrics) + bar + captionHeight(m_panel, captionWidth, m_metrics);
  // Bars of sums stand above a matrix and to the right of it.
  const int sums = m_panel.rowSums.empty() && m_panel.columnSums.empty() ? 0 : 2 * m_metrics.em;
  int height = std::max(20, std::min(size.height() - top - below - sums, width - sums));
  // Strips are short: a few rows need no square.
  if (m_panel.kind == InsidePanel::Kind::Strips && m_panel.stripGroup.rank() == 2)
    height = std::min(
        height, static_cast<int>(m_panel.stripGroup.dim(0)) * (m_panel.stripsMove ? 12 : 4) * m_metrics.em);
  m_area = QRect(m_metrics.left, top + sums, std::max(20, width - sums), height);
  m_plot.clearPlottables();
  m_rect = placeAxisRects(m_plot, size, {m_area}).front();
  styleAxes(*m_rect, m_metrics, m_theme);
  build();
}

double InsidePlot::numbersWidth() const {
  if (m_panel.kind == InsidePanel::Kind::Scatter) return 0.0;
  double highest = 0.0;
  for (const InsidePanel::Curve& curve : m_panel.curves)
    for (const double y : curve.y) highest = std::max(highest, y);
  for (const double bar : m_panel.bars) highest = std::max(highest, bar);
  if (m_panel.kind == InsidePanel::Kind::Matrix && m_panel.values.rank() == 2)
    highest = std::max(10.0, static_cast<double>(countOn(m_panel.yTokens, m_panel.values.dim(0)) - 1));
  const QString widest =
      highest >= 10.0 ? QString::number(std::ceil(highest), 'f', 0) : QStringLiteral("0.75");
  return QFontMetricsF(m_metrics.font).horizontalAdvance(widest);
}

// Left of the vertical axis: its numbers, and the title beside them.
int InsidePlot::roomForNumbers() const {
  return static_cast<int>(std::ceil(numbersWidth())) + m_metrics.em + 4 * m_metrics.gap;
}

int InsidePlot::headingLines() const {
  return isNarrow() && headingWidth() > m_size.width() - 1.0 - m_metrics.gap ? 2 : 1;
}

int InsidePlot::abovePlot() const {
  const int title = isNarrow() && !m_panel.yTitle.empty() ? m_metrics.em : 0;
  return headingHeight(m_metrics) + (headingLines() - 1) * m_metrics.em + title;
}

void InsidePlot::build() {
  switch (m_panel.kind) {
    case InsidePanel::Kind::Matrix:
      return buildMatrix();
    case InsidePanel::Kind::Curves:
      return buildCurves();
    case InsidePanel::Kind::Bars:
      return buildBars();
    case InsidePanel::Kind::Scatter:
      return buildScatter();
    case InsidePanel::Kind::Strips:
      return buildStrips();
  }
}

void InsidePlot::fitRange(double x0, double x1, double y0, double y1, double margin) {
  bool wholeX = true;
  bool wholeY = areWhole(m_panel.bars);
  for (const InsidePanel::Curve& curve : m_panel.curves) {
    wholeX = wholeX && areWhole(curve.x);
    wholeY = wholeY && areWhole(curve.y);
  }
  // As many numbers as have room beside each other.
  const auto set = [margin](QCPAxis* axis, double low, double high, bool log, bool whole, double room) {
    axis->setTicker(plainTicker(log, whole));
    axis->ticker()->setTickCount(std::clamp(static_cast<int>(room), 2, 5));
    if (log && low > 0.0 && high > 0.0) {
      axis->setScaleType(QCPAxis::stLogarithmic);
      const double pad = std::pow(std::max(high / low, 1.01), margin);
      axis->setRange(low / pad, high * pad);
      axis->setNumberFormat(QStringLiteral("gb"));
      axis->setNumberPrecision(2);
      return;
    }
    const double pad = std::max(high - low, 1e-12) * margin;
    axis->setScaleType(QCPAxis::stLinear);
    axis->setRange(low - pad, high + (high > low ? pad : 1.0));
    axis->setNumberFormat(QStringLiteral("gb"));
    axis->setNumberPrecision(4);
  };
  const double label =
      QFontMetricsF(m_metrics.font).horizontalAdvance(QString::number(std::ceil(x1), 'f', 0)) + m_metrics.em;
  set(m_rect->axis(QCPAxis::atBottom), x0, x1, m_panel.logX, wholeX, m_area.width() / label);
  set(m_rect->axis(QCPAxis::atLeft), y0, y1, m_panel.logY, wholeY, m_area.height() / (1.8 * m_metrics.em));
}

void InsidePlot::buildMatrix() {
  if (m_panel.values.rank() != 2 || m_panel.values.empty()) return;
  ViewStyle style = m_style;
  style.scale = m_scale;
  const Rgb middle = divergingMap()[128];
  m_image = weightImage(m_panel.values, style,
                        m_panel.diverging ? QColor(middle.r, middle.g, middle.b) : m_theme.plotBackground);
  QCPAxis* x = m_rect->axis(QCPAxis::atBottom);
  QCPAxis* y = m_rect->axis(QCPAxis::atLeft);
  x->setRange(0.0, static_cast<double>(m_panel.values.dim(1)));
  y->setRange(0.0, static_cast<double>(m_panel.values.dim(0)));
  y->setRangeReversed(true);
  // Numbered by what the cells stand for.
  const auto number = [](QCPAxis& axis, Index things, double pixels, double room) {
    std::vector<AxisTick> ticks = cellTicks(0.0, static_cast<double>(things), things, pixels, room);
    for (AxisTick& tick : ticks) tick.position *= axis.range().upper / static_cast<double>(things);
    setTicks(axis, ticks);
  };
  const Index columns = countOn(m_panel.xTokens, m_panel.values.dim(1));
  const double label = QFontMetricsF(m_metrics.font).horizontalAdvance(QString::number(columns));
  number(*x, columns, m_area.width(), 1.7 * label + m_metrics.gap);
  number(*y, countOn(m_panel.yTokens, m_panel.values.dim(0)), m_area.height(), 2.2 * m_metrics.em);
}

void InsidePlot::buildCurves() {
  double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
  for (std::size_t c = 0; c < m_panel.curves.size(); ++c) {
    const InsidePanel::Curve& curve = m_panel.curves[c];
    QVector<double> xs;
    QVector<double> ys;
    for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i) {
      if (m_panel.logX && !(curve.x[i] > 0.0)) continue;
      if (m_panel.logY && !(curve.y[i] > 0.0)) continue;
      if (!std::isfinite(curve.x[i]) || !std::isfinite(curve.y[i])) continue;
      xs << curve.x[i];
      ys << curve.y[i];
      x0 = std::min(x0, curve.x[i]);
      x1 = std::max(x1, curve.x[i]);
      y0 = std::min(y0, curve.y[i]);
      y1 = std::max(y1, curve.y[i]);
    }
    QCPGraph* graph = m_plot.addGraph(m_rect->axis(QCPAxis::atBottom), m_rect->axis(QCPAxis::atLeft));
    graph->setData(xs, ys);
    graph->setAdaptiveSampling(m_metrics.enlarge == 0);
    graph->setPen(QPen(categoryQColor(c), (xs.size() > 2000 ? 1.0 : 1.5) * m_metrics.line));
    if (xs.size() == 1)  // no line goes through one point
      graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, 0.4 * m_metrics.em));
  }
  for (const InsidePanel::Marker& marker : m_panel.markers) {
    x0 = std::min(x0, marker.x);
    x1 = std::max(x1, marker.x);
  }
  if (x0 <= x1 && y0 <= y1) fitRange(x0, x1, m_panel.logY ? y0 : std::min(0.0, y0), y1, 0.04);
}

void InsidePlot::buildBars() {
  const auto count = static_cast<Index>(m_panel.bars.size());
  double high = 0.0;
  double low = 0.0;
  for (const double bar : m_panel.bars) {
    high = std::max(high, bar);
    low = std::min(low, bar);
  }
  auto* bars = new QCPBars(m_rect->axis(QCPAxis::atBottom), m_rect->axis(QCPAxis::atLeft));
  QVector<double> xs;
  QVector<double> ys;
  for (std::size_t i = 0; i < m_panel.bars.size(); ++i) {
    xs << static_cast<double>(i) + 0.5;
    ys << m_panel.bars[i];
  }
  bars->setData(xs, ys);
  bars->setWidth(0.8);
  bars->setPen(Qt::NoPen);
  bars->setBrush(categoryQColor(0));
  bars->setAntialiased(false);
  fitRange(0.0, 1.0, low, high > low ? high * 1.05 : low + 1.0, 0.0);
  QCPAxis* x = m_rect->axis(QCPAxis::atBottom);
  x->setScaleType(QCPAxis::stLinear);
  x->setRange(0.0, static_cast<double>(std::max<Index>(1, count)));
  const QFontMetricsF font(m_metrics.font);
  if (m_panel.barNames.size() == m_panel.bars.size() &&
      fitsTokens(x->range().upper, m_area.width(), 2.5 * m_metrics.em))
    setTicks(*x, tokenTicks(0.0, x->range().upper, m_panel.barNames, font,
                            m_area.width() / x->range().upper - m_metrics.gap));
  else
    setTicks(*x, cellTicks(0.0, x->range().upper, count, m_area.width(), 3.0 * m_metrics.em));
}

void InsidePlot::buildScatter() {
  double reach = 0.0;
  double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
  const auto include = [&](const Tensor& points) {
    if (points.rank() != 2) return;
    const auto values = points.values<float>();
    for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
      x0 = std::min(x0, static_cast<double>(values[i]));
      x1 = std::max(x1, static_cast<double>(values[i]));
      y0 = std::min(y0, static_cast<double>(values[i + 1]));
      y1 = std::max(y1, static_cast<double>(values[i + 1]));
    }
  };
  include(m_panel.points);
  if (m_panel.anchorsAreRays) {
    x0 = std::min(x0, 0.0), x1 = std::max(x1, 0.0), y0 = std::min(y0, 0.0), y1 = std::max(y1, 0.0);
  } else {
    include(m_panel.anchors);
  }
  if (!(x0 <= x1)) return;
  // The same unit on both axes: distances and angles are what these pictures are about.
  reach = 0.54 * std::max({x1 - x0, y1 - y0, 1e-9});
  const double cx = 0.5 * (x0 + x1);
  const double cy = 0.5 * (y0 + y1);
  const double aspect = static_cast<double>(m_area.width()) / std::max(1, m_area.height());
  m_rect->axis(QCPAxis::atBottom)->setRange(cx - reach * aspect, cx + reach * aspect);
  m_rect->axis(QCPAxis::atLeft)->setRange(cy - reach, cy + reach);
  for (const QCPAxis::AxisType type : {QCPAxis::atBottom, QCPAxis::atLeft}) {
    m_rect->axis(type)->setTicks(false);
    m_rect->axis(type)->setTickLabels(false);
  }
}

void InsidePlot::buildStrips() {
  if (m_panel.stripGroup.rank() != 2) return;
  QCPAxis* x = m_rect->axis(QCPAxis::atBottom);
  QCPAxis* y = m_rect->axis(QCPAxis::atLeft);
  const Index rows = m_panel.stripGroup.dim(0);
  const Index cells = m_panel.stripGroup.dim(1);
  x->setRange(0.0, static_cast<double>(std::max<Index>(1, cells)));
  y->setRange(0.0, static_cast<double>(std::max<Index>(1, rows)));
  y->setRangeReversed(true);
  const double label = QFontMetricsF(m_metrics.font).horizontalAdvance(QString::number(cells));
  setTicks(*x, cellTicks(0.0, x->range().upper, cells, m_area.width(), 1.7 * label + m_metrics.gap));
  if (static_cast<Index>(m_panel.stripNames.size()) == rows)
    setTicks(*y, tokenTicks(0.0, y->range().upper, m_panel.stripNames, QFontMetricsF(m_metrics.font),
                            m_metrics.left - 3.0 * m_metrics.gap));
  else
    setTicks(*y, cellTicks(0.0, y->range().upper, rows, m_area.height(), 1.2 * m_metrics.em));
  m_image = QImage(static_cast<int>(cells), static_cast<int>(rows), QImage::Format_RGB32);
  const auto groups = m_panel.stripGroup.values<std::int32_t>();
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cells; ++c) {
      const std::int32_t group = groups[static_cast<std::size_t>(r * cells + c)];
      const QColor color =
          group < 0 ? m_theme.plotBackground : categoryQColor(static_cast<std::size_t>(group));
      m_image.setPixel(static_cast<int>(c), static_cast<int>(r), color.rgb());
    }
}

}  // namespace attnscope
