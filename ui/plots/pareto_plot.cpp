// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/pareto_plot.h"

#include <qcustomplot.h>

#include <algorithm>
#include <cmath>

#include "core/base/units.h"
#include "ui/plots/qcp_support.h"

namespace attnscope {

namespace {

struct Range {
  double low = 0.0;
  double high = 1.0;
};

// A little more than a power of two to each side, so that badges are not cut.
Range costRange(const std::vector<Trade>& trades) {
  Range range{INFINITY, 0.0};
  for (const Trade& trade : trades) {
    range.low = std::min(range.low, trade.cost);
    range.high = std::max(range.high, trade.cost);
  }
  return {range.low / 1.6, range.high * 1.6};
}

double largestError(const std::vector<Trade>& trades) {
  double largest = 0.0;
  for (const Trade& trade : trades) largest = std::max(largest, trade.error);
  return largest > 0.0 ? 1.15 * largest : 1.0;
}

std::vector<AxisTick> costTicks(const Range& range) {
  std::vector<AxisTick> ticks;
  const std::vector<double> steps =
      range.high / range.low > 100.0 ? std::vector<double>{1.0} : std::vector<double>{1.0, 2.0, 5.0};
  for (double power = std::pow(10.0, std::floor(std::log10(range.low))); power < range.high; power *= 10.0)
    for (const double step : steps)
      if (step * power >= range.low && step * power <= range.high)
        ticks.push_back({step * power, QString::fromStdString(compactText(step * power))});
  return ticks;
}

// From 0 in steps of 1, 2 or 5 times a power of ten, at most `most` of them.
std::vector<AxisTick> errorTicks(double top, double most) {
  double step = std::pow(10.0, std::floor(std::log10(top / std::max(1.0, most))));
  for (const double factor : {2.0, 2.5, 2.0, 2.0, 2.5, 2.0})
    if (top / step > most) step *= factor;
  std::vector<AxisTick> ticks;
  for (int i = 0; i * step <= top; ++i) ticks.push_back({i * step, QString::number(i * step, 'g', 3)});
  return ticks;
}

}  // namespace

std::vector<std::size_t> paretoFront(const std::vector<Trade>& trades) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < trades.size(); ++i) {
    const bool beaten = std::any_of(trades.begin(), trades.end(), [&](const Trade& other) {
      return other.cost <= trades[i].cost && other.error <= trades[i].error &&
             (other.cost < trades[i].cost || other.error < trades[i].error);
    });
    if (!beaten) front.push_back(i);
  }
  std::sort(front.begin(), front.end(),
            [&](std::size_t a, std::size_t b) { return trades[a].cost < trades[b].cost; });
  return front;
}

class ParetoPlot::Impl {
 public:
  explicit Impl(ParetoPlot* widget) : owner(widget) {}

  void rebuild() {
    retirePlot(plot);
    plot = makeBarePlot(owner);
    plot->setGeometry(owner->rect());
    build();
    plot->show();
  }

  void build() {
    const PlotMetrics metrics = plotMetrics(theme, 0.0, 99, 99, false);
    const QFontMetricsF font(metrics.font);
    plot->setBackground(QBrush(theme.background));
    const int left =
        static_cast<int>(font.horizontalAdvance(QStringLiteral("0.00"))) + 3 * metrics.gap + metrics.em;
    const QRect area(left, metrics.top, std::max(20, owner->width() - left - 4 * metrics.gap),
                     std::max(20, owner->height() - metrics.top - 2 * metrics.em - 3 * metrics.gap));
    QCPAxisRect* rect = placeAxisRects(*plot, owner->size(), {area}).front();
    styleAxes(*rect, metrics, theme);
    QCPAxis* x = rect->axis(QCPAxis::atBottom);
    QCPAxis* y = rect->axis(QCPAxis::atLeft);
    x->setScaleType(QCPAxis::stLogarithmic);
    const Range costs = trades.empty() ? Range{1e6, 1e9} : costRange(trades);
    const double top = largestError(trades);
    x->setRange(costs.low, costs.high);
    y->setRange(-0.06 * top, top);
    setTicks(*x, trades.empty() ? std::vector<AxisTick>{} : costTicks(costs));
    setTicks(*y,
             trades.empty() ? std::vector<AxisTick>{} : errorTicks(top, area.height() / (2.2 * metrics.em)));
    const auto place = [=](const Trade& trade) {
      const double along = std::log(trade.cost / costs.low) / std::log(costs.high / costs.low);
      return QPointF(area.left() + along * area.width(),
                     area.bottom() - (trade.error + 0.06 * top) / (1.06 * top) * area.height());
    };
    addPainted(*plot, QStringLiteral("legend"),
               [=, this](QPainter& painter) { paint(painter, metrics, area, place); });
  }

  template <class Place>
  void paint(QPainter& painter, const PlotMetrics& metrics, const QRect& area, const Place& place) const {
    const QFontMetricsF font(metrics.font);
    paintFrame(painter, area, theme.frame, metrics.line);
    painter.setFont(metrics.font);
    painter.setPen(theme.secondaryText);
    const QString title =
        trades.empty() ? QObject::tr("Nothing compared yet") : QObject::tr("FLOPs of a pass");
    painter.drawText(QPointF(area.center().x() - 0.5 * font.horizontalAdvance(title),
                             area.bottom() + metrics.em + 2.0 * metrics.gap + font.ascent()),
                     title);
    painter.save();
    painter.translate(metrics.em, area.center().y());
    painter.rotate(-90.0);
    const QString error = QObject::tr("output error");
    painter.drawText(QPointF(-0.5 * font.horizontalAdvance(error), 0.0), error);
    painter.restore();
    painter.setRenderHint(QPainter::Antialiasing, true);
    painter.setPen(QPen(theme.secondaryText, metrics.line, Qt::DashLine));
    QPolygonF line;
    for (const std::size_t i : paretoFront(trades)) line << place(trades[i]);
    painter.drawPolyline(line);
    std::vector<QRectF> taken;
    for (const Trade& trade : trades) taken.push_back(badgeAt(place(trade), metrics));
    for (std::size_t i = 0; i < trades.size(); ++i) {
      const QRectF badge = taken[i];
      painter.setPen(Qt::NoPen);
      painter.setBrush(columnColor(trades[i].column));
      painter.drawRoundedRect(badge, 3.0, 3.0);
      painter.setPen(Qt::white);
      painter.drawText(badge, Qt::AlignCenter, columnLetter(trades[i].column));
      const QSizeF size(font.horizontalAdvance(trades[i].name) + 1.0, 1.1 * metrics.em);
      const QRectF name = freePlace(badge, size, metrics.gap, area, taken);
      if (name.isEmpty()) continue;  // the letter says who it is
      taken.push_back(name);
      painter.setPen(theme.text);
      painter.drawText(name, Qt::AlignCenter, trades[i].name);
    }
  }

  [[nodiscard]] static QRectF badgeAt(QPointF at, const PlotMetrics& metrics) {
    const double size = 1.5 * metrics.em;
    return {at.x() - 0.5 * size, at.y() - 0.5 * size, size, size};
  }

  // Beside, above or below its badge, inside the frame and clear of everything else; empty if there is no
  // room.
  [[nodiscard]] static QRectF freePlace(const QRectF& badge, QSizeF size, double gap, const QRect& area,
                                        const std::vector<QRectF>& taken) {
    const double middle = badge.center().y() - 0.5 * size.height();
    const double centre = badge.center().x() - 0.5 * size.width();
    for (const QPointF corner :
         {QPointF(badge.right() + gap, middle), QPointF(badge.left() - gap - size.width(), middle),
          QPointF(centre, badge.top() - gap - size.height()), QPointF(centre, badge.bottom() + gap)}) {
      const QRectF place(corner, size);
      const bool clear = std::none_of(taken.begin(), taken.end(),
                                      [&](const QRectF& other) { return other.intersects(place); });
      if (clear && QRectF(area).contains(place)) return place;
    }
    return {};
  }

  ParetoPlot* owner;
  QCustomPlot* plot = nullptr;
  PlotTheme theme = PlotTheme::light();
  std::vector<Trade> trades;
};

ParetoPlot::ParetoPlot(QWidget* parent) : QWidget(parent), m_impl(std::make_unique<Impl>(this)) {
  setAccessibleName(tr("Output error against cost"));
  setMinimumSize(220, 120);
  m_impl->rebuild();
}

ParetoPlot::~ParetoPlot() = default;

void ParetoPlot::setTheme(const PlotTheme& theme) {
  m_impl->theme = theme;
  m_impl->rebuild();
}

void ParetoPlot::setTrades(std::vector<Trade> trades) {
  m_impl->trades = std::move(trades);
  QStringList words;
  for (const std::size_t i : paretoFront(m_impl->trades)) words << m_impl->trades[i].name;
  setAccessibleDescription(tr("Not beaten in both cost and error: %1").arg(words.join(QStringLiteral(", "))));
  m_impl->rebuild();
}

const std::vector<Trade>& ParetoPlot::trades() const {
  return m_impl->trades;
}

void ParetoPlot::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  m_impl->rebuild();
}

}  // namespace attnscope
