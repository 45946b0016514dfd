// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/scaling_figure.h"

#include <qcustomplot.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/bench/sweep_file.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/qcp_support.h"

namespace attnscope {

namespace {

struct CurveEnd {
  QStringList lines;
  QColor color;
  double y = 0.0;         // where the curve ends, in pixels
  double baseline = 0.0;  // where its name stands
};

struct Extent {
  double n0 = INFINITY;
  double n1 = 0.0;
  double s0 = INFINITY;
  double s1 = 0.0;
  void include(const SweepPoint& point) {
    n0 = std::min(n0, static_cast<double>(point.n));
    n1 = std::max(n1, static_cast<double>(point.n));
    s0 = std::min(s0, point.low > 0.0 ? point.low : point.median);
    s1 = std::max(s1, std::max(point.high, point.median));
  }
};

bool isMeasured(const SweepPoint& point) {
  return point.skipped.empty() && point.median > 0.0 && point.n > 0;
}

// 1,024 -> "1k", 65,536 -> "64k": lengths of a sweep are powers of two.
QString lengthText(double n) {
  if (n >= 1048576.0) return QString::number(n / 1048576.0, 'g', 3) + QLatin1Char('M');
  if (n >= 1024.0) return QString::number(n / 1024.0, 'g', 3) + QLatin1Char('k');
  return QString::number(n, 'g', 4);
}

std::vector<AxisTick> lengthTicks(const Extent& extent, double pixels, double minPixels) {
  std::vector<AxisTick> ticks;
  const int first = static_cast<int>(std::ceil(std::log2(extent.n0) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log2(extent.n1) + 1e-9));
  const int step =
      std::max(1, static_cast<int>(std::ceil(minPixels * (last - first + 1) / std::max(1.0, pixels))));
  for (int p = first; p <= last; p += step) ticks.push_back({std::exp2(p), lengthText(std::exp2(p))});
  return ticks;
}

// "10 ms": ticks are powers of ten.
QString timeText(int exponent) {
  static const std::array<const char*, 4> units{"s", "ms", "µs", "ns"};
  const int unit = std::clamp((2 - exponent) / 3, 0, 3);
  const double value = std::pow(10.0, exponent + 3 * unit);
  return QString::number(value, 'g', 6) + QLatin1Char(' ') +
         QString::fromUtf8(units[static_cast<std::size_t>(unit)]);
}

std::vector<AxisTick> timeTicks(const Extent& extent) {
  std::vector<AxisTick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(extent.s0)));
  const int last = static_cast<int>(std::ceil(std::log10(extent.s1)));
  for (int e = first; e <= last; ++e) {
    const double seconds = std::pow(10.0, e);
    ticks.push_back({seconds, timeText(e)});
  }
  return ticks;
}

// Names stand at the height of their curve's end, moved apart where they would touch.
void spread(std::vector<CurveEnd>& ends, double lineHeight, double top, double bottom) {
  std::sort(ends.begin(), ends.end(), [](const CurveEnd& a, const CurveEnd& b) { return a.y < b.y; });
  double next = top;
  for (CurveEnd& end : ends) {
    end.baseline = std::max(end.y, next);
    next = end.baseline + lineHeight;
  }
  double limit = bottom;
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    end->baseline = std::min(end->baseline, limit);
    limit = end->baseline - lineHeight;
  }
}

// Name above exponent, where both in a line would take the plot's room. Returns the widest line.
double breakNames(std::vector<CurveEnd>& ends, const QStringList& names, const QFontMetricsF& font) {
  double widest = 0.0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const QString name = names[static_cast<qsizetype>(i)];
    const QString exponent = ends[i].lines.first().mid(name.size()).trimmed();
    ends[i].lines = exponent.isEmpty() ? QStringList{name} : QStringList{name, exponent};
    for (const QString& line : ends[i].lines) widest = std::max(widest, font.horizontalAdvance(line));
  }
  return widest;
}

QColor colorOf(const ScalingContent& content, std::size_t spec) {
  return static_cast<qsizetype>(spec) < content.colors.size() ? content.colors[static_cast<qsizetype>(spec)]
                                                              : categoryQColor(spec);
}

// Medians as a line with discs; quartiles as thin bars where they can be seen.
void addCurve(QCustomPlot& plot, QCPAxisRect& rect, const std::vector<SweepPoint>& points, std::size_t spec,
              const QColor& color, const PlotMetrics& metrics) {
  QCPAxis* x = rect.axis(QCPAxis::atBottom);
  QCPAxis* y = rect.axis(QCPAxis::atLeft);
  QCPGraph* graph = plot.addGraph(x, y);
  auto* bars = new QCPErrorBars(x, y);
  bars->setDataPlottable(graph);
  bars->setPen(QPen(color, metrics.line));
  bars->setWhiskerWidth(0.5 * metrics.em);
  bars->setSymbolGap(0.4 * metrics.em);
  QVector<double> ns, medians, minus, plus;
  for (const SweepPoint& point : points) {
    if (point.spec != spec || !isMeasured(point)) continue;
    ns << static_cast<double>(point.n);
    medians << point.median;
    minus << std::max(0.0, point.median - point.low);
    plus << std::max(0.0, point.high - point.median);
  }
  graph->setData(ns, medians);
  bars->setData(minus, plus);
  graph->setAdaptiveSampling(false);
  graph->setPen(QPen(color, 1.5 * metrics.line));
  graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, color, color, 0.42 * metrics.em));
}

}  // namespace

namespace {

double theoryValue(Theory theory, const SweepPoint& point) {
  switch (theory) {
    case Theory::Pairs:
      return point.pairs;
    case Theory::Flops:
      return point.flops;
    case Theory::Bytes:
      return point.bytes;
    case Theory::None:
      break;
  }
  return 0.0;
}

// What is counted at each length, times the seconds that one unit took at the last measured one.
void addTheory(QCustomPlot& plot, QCPAxisRect& rect, const ScalingContent& content, std::size_t spec,
               const QColor& color, const PlotMetrics& metrics) {
  const SweepPoint* last = nullptr;
  for (const SweepPoint& point : content.points)
    if (point.spec == spec && isMeasured(point) && theoryValue(content.theory, point) > 0.0) last = &point;
  if (last == nullptr) return;
  const double unit = last->median / theoryValue(content.theory, *last);
  QVector<double> ns, seconds;
  for (const SweepPoint& point : content.points) {
    const double counted = theoryValue(content.theory, point);
    if (point.spec != spec || !(counted > 0.0)) continue;
    ns << static_cast<double>(point.n);
    seconds << unit * counted;
  }
  QCPGraph* graph = plot.addGraph(rect.axis(QCPAxis::atBottom), rect.axis(QCPAxis::atLeft));
  graph->setData(ns, seconds);
  graph->setPen(QPen(color, metrics.line, Qt::DotLine));
}

void addOverlay(QCustomPlot& plot, QCPAxisRect& rect, const ScalingContent& content, std::size_t spec,
                const QColor& color, const PlotMetrics& metrics, const QColor& background) {
  QVector<double> ns, medians;
  for (const SweepPoint& point : content.overlay) {
    if (point.spec != spec || !isMeasured(point)) continue;
    ns << static_cast<double>(point.n);
    medians << point.median;
  }
  QCPGraph* graph = plot.addGraph(rect.axis(QCPAxis::atBottom), rect.axis(QCPAxis::atLeft));
  graph->setData(ns, medians);
  graph->setPen(QPen(color, metrics.line, Qt::DashLine));
  graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(color, metrics.line),
                                         QBrush(background), 0.42 * metrics.em));
}

// Seconds of a curve at a length between its points, on a straight line through the logarithms.
double secondsAt(const std::vector<SweepPoint>& points, std::size_t spec, double n) {
  const SweepPoint* below = nullptr;
  for (const SweepPoint& point : points) {
    if (point.spec != spec || !isMeasured(point)) continue;
    const auto at = static_cast<double>(point.n);
    if (at >= n && below != nullptr) {
      const double from = std::log(static_cast<double>(below->n));
      const double share = (std::log(n) - from) / (std::log(at) - from);
      return std::exp((1.0 - share) * std::log(below->median) + share * std::log(point.median));
    }
    below = &point;
  }
  return NAN;
}

}  // namespace

Theory theoryOf(const std::string& name) {
  return name == "pairs"   ? Theory::Pairs
         : name == "flops" ? Theory::Flops
         : name == "bytes" ? Theory::Bytes
                           : Theory::None;
}

QString scalingLabel(const QString& name, const std::vector<SweepPoint>& points, std::size_t spec) {
  const auto fit = fitOfCurve(points, spec);
  if (!fit) return name;
  const QString exponent = QString::number(fit->exponent, 'f', 2);
  // Three points leave one degree of freedom: an interval wider than the exponent says nothing.
  if (!(fit->halfWidth < 1.0)) return QStringLiteral("%1  n^%2").arg(name, exponent);
  return QStringLiteral("%1  n^%2 ± %3").arg(name, exponent, QString::number(fit->halfWidth, 'f', 2));
}

void buildScaling(QCustomPlot& plot, const ScalingContent& content, const PlotMetrics& metrics,
                  const PlotTheme& theme, QSize size) {
  plot.clearPlottables();
  plot.setBackground(QBrush(theme.background));
  const QFontMetricsF font(metrics.font);
  Extent extent;
  std::vector<CurveEnd> ends;
  double widest = 0.0;
  for (const SweepPoint& point : content.points)
    if (isMeasured(point)) extent.include(point);
  for (const SweepPoint& point : content.overlay) extent.include(point);
  for (qsizetype i = 0; i < content.names.size(); ++i) {
    const QString text = scalingLabel(content.names[i], content.points, static_cast<std::size_t>(i));
    ends.push_back({{text}, colorOf(content, static_cast<std::size_t>(i)), NAN, 0.0});
    widest = std::max(widest, font.horizontalAdvance(text));
  }
  const bool twoLines = widest > 0.36 * size.width();
  if (twoLines) widest = breakNames(ends, content.names, font);
  const bool any = extent.n1 > 0.0;
  const int left = static_cast<int>(font.horizontalAdvance(QStringLiteral("100 ms"))) + 3 * metrics.gap;
  const int right = static_cast<int>(std::min(widest, 0.45 * size.width())) + 3 * metrics.gap;
  const int below = 2 * metrics.em + 3 * metrics.gap;
  const QRect area(left, metrics.top, std::max(20, size.width() - left - right),
                   std::max(20, size.height() - metrics.top - below));
  QCPAxisRect* rect = placeAxisRects(plot, size, {area}).front();
  styleAxes(*rect, metrics, theme);
  QCPAxis* x = rect->axis(QCPAxis::atBottom);
  QCPAxis* y = rect->axis(QCPAxis::atLeft);
  for (QCPAxis* axis : {x, y}) {
    axis->setScaleType(QCPAxis::stLogarithmic);
    axis->grid()->setVisible(true);
    QColor faint = theme.frame;
    faint.setAlpha(110);
    axis->grid()->setPen(QPen(faint, 0.7 * metrics.line));
    axis->grid()->setZeroLinePen(Qt::NoPen);
  }
  if (any) {
    x->setRange(extent.n0 / 1.15, extent.n1 * 1.15);
    y->setRange(extent.s0 / 1.6, extent.s1 * 1.6);
    setTicks(*x, lengthTicks(extent, area.width(),
                             font.horizontalAdvance(QStringLiteral("256k")) + 2 * metrics.gap));
    setTicks(*y, timeTicks(extent));
  } else {
    x->setRange(256, 65536);
    y->setRange(1e-4, 1.0);
    setTicks(*x, {});
    setTicks(*y, {});
  }
  for (std::size_t i = 0; i < ends.size(); ++i)
    addCurve(plot, *rect, content.points, i, ends[i].color, metrics);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    addTheory(plot, *rect, content, i, ends[i].color, metrics);
    addOverlay(plot, *rect, content, i, ends[i].color, metrics, theme.background);
  }

  // Positions are known once the rect has its place, and the ranges are set: log axes by hand.
  const double lowY = std::log(y->range().lower);
  const double highY = std::log(y->range().upper);
  const auto toY = [=](double s) {
    return area.top() + (highY - std::log(s)) / (highY - lowY) * area.height();
  };
  const double lowX = std::log(x->range().lower);
  const double highX = std::log(x->range().upper);
  const auto toX = [=](double n) {
    return area.left() + (std::log(n) - lowX) / (highX - lowX) * area.width();
  };
  std::vector<QPointF> crosses;
  std::vector<QColor> crossColors;
  for (const SweepPoint& point : content.points) {
    if (point.spec >= ends.size()) continue;
    if (isMeasured(point)) {
      ends[point.spec].y = toY(point.median);
    } else if (any && point.n > 0 && static_cast<double>(point.n) <= x->range().upper) {
      crosses.emplace_back(toX(static_cast<double>(point.n)), area.top() + 0.6 * metrics.em);
      crossColors.push_back(ends[point.spec].color);
    }
  }
  std::vector<QPointF> meetings;
  for (const CurveCrossing& crossing : crossingsOf(content.points, ends.size()))
    meetings.emplace_back(toX(crossing.n), toY(secondsAt(content.points, crossing.before, crossing.n)));
  std::erase_if(ends, [](const CurveEnd& end) { return !std::isfinite(end.y); });
  spread(ends, (twoLines ? 2.1 : 1.05) * metrics.em, area.top() + 0.5 * metrics.em,
         area.bottom() - 0.5 * metrics.em);
  addPainted(plot, QStringLiteral("legend"), [=, names = ends](QPainter& painter) {
    const QFontMetricsF text(metrics.font);
    paintFrame(painter, area, theme.frame, metrics.line);
    painter.setFont(metrics.font);
    for (const CurveEnd& end : names) {
      painter.setPen(QPen(end.color, metrics.line));
      painter.drawLine(QPointF(area.right() + 2.0 * metrics.line, end.y),
                       QPointF(area.right() + 2.0 * metrics.gap, end.baseline));
      painter.setPen(theme.text);
      double line = end.baseline + 0.5 * (text.ascent() - text.descent()) -
                    0.5 * static_cast<double>(end.lines.size() - 1) * metrics.em;
      for (const QString& words : end.lines) {
        painter.drawText(QPointF(area.right() + 2.5 * metrics.gap, line),
                         text.elidedText(words, Qt::ElideRight, right - 2.5 * metrics.gap));
        line += metrics.em;
      }
    }
    for (std::size_t i = 0; i < crosses.size(); ++i) {
      const double arm = 0.25 * metrics.em;
      painter.setPen(QPen(crossColors[i], 1.5 * metrics.line));
      painter.drawLine(crosses[i] - QPointF(arm, arm), crosses[i] + QPointF(arm, arm));
      painter.drawLine(crosses[i] - QPointF(arm, -arm), crosses[i] + QPointF(arm, -arm));
    }
    painter.setPen(QPen(theme.text, metrics.line));
    painter.setBrush(Qt::NoBrush);
    for (const QPointF& meeting : meetings)
      painter.drawEllipse(meeting, 0.45 * metrics.em, 0.45 * metrics.em);
    painter.setPen(theme.secondaryText);
    const QString title = any ? QStringLiteral("sequence length n") : QStringLiteral("Nothing measured yet");
    painter.drawText(QPointF(area.center().x() - 0.5 * text.horizontalAdvance(title),
                             area.bottom() + metrics.em + 2.0 * metrics.gap + text.ascent()),
                     title);
  });
}

}  // namespace attnscope
