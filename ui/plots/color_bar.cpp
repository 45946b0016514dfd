// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/color_bar.h"

#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "core/base/units.h"
#include "ui/plots/axis_ticks.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/qcp_support.h"

namespace attnscope {

namespace {

bool isLog(const ValueScale& scale) {
  return scale.kind == ValueScale::Kind::Log && scale.low > 0.0 && scale.low < scale.high;
}

// "10⁻³" for a power of ten, "0.3" for what can be read so, else "1.2·10⁻⁶".
QString valueText(double value) {
  const QString sign = value < 0.0 ? QStringLiteral("−") : QString();
  const double exponent = std::log10(std::abs(value));
  const bool power = std::abs(exponent - std::round(exponent)) < 1e-9;
  if (exponent > -2.5 && exponent < 2.5) return QString::fromStdString(numberText(value));
  if (power) return sign + powerOfTen(static_cast<int>(std::lround(exponent)));
  const auto decade = static_cast<int>(std::floor(exponent));
  const std::string digits = numberText(std::abs(value) / std::pow(10.0, decade));
  return sign + QString::fromStdString(digits) + QStringLiteral("·") + powerOfTen(decade);
}

// Powers of ten on the upper half of a diverging scale, apart from each other and from its ends.
std::vector<ColorBarTick> divergingDecades(const ValueScale& scale) {
  std::vector<ColorBarTick> ticks;
  double last = 1.0;
  for (int e = static_cast<int>(std::floor(std::log10(scale.high))); std::pow(10.0, e) > scale.low; --e) {
    const double position = scale.position(std::pow(10.0, e));
    if (position > last - 0.11) continue;
    if (position < 0.61) break;
    ticks.push_back({position, valueText(std::pow(10.0, e))});
    last = position;
  }
  return ticks;
}

std::vector<ColorBarTick> logTicks(const ValueScale& scale) {
  std::vector<ColorBarTick> ticks{{0.0, QStringLiteral("≤ ") + valueText(scale.low)}};
  const int first = static_cast<int>(std::floor(std::log10(scale.low) + 1e-9)) + 1;
  const int last = static_cast<int>(std::ceil(std::log10(scale.high) - 1e-9)) - 1;
  const int step = std::max(1, (last - first + 4) / 4);
  for (int e = first; e <= last; e += step)
    if (scale.position(std::pow(10.0, e)) > 0.1)
      ticks.push_back({scale.position(std::pow(10.0, e)), valueText(std::pow(10.0, e))});
  if (ticks.size() > 1 && ticks.back().position > 0.88) ticks.pop_back();
  ticks.push_back({1.0, valueText(scale.high)});
  return ticks;
}

// The colour of pairs that are not read, at the bottom of `area`; returns how wide its name is.
double paintUnread(QPainter& painter, const QRectF& area, double thick, const PlotMetrics& metrics,
                   const PlotTheme& theme) {
  const QFontMetricsF font(metrics.font);
  const QRectF swatch(area.left() + metrics.line, area.bottom() - 0.9 * metrics.em, thick, 0.8 * metrics.em);
  painter.fillRect(swatch, theme.plotBackground);
  paintFrame(painter, swatch, theme.frame, metrics.line);
  const QString unread = QStringLiteral("not read");
  painter.setPen(theme.secondaryText);
  painter.drawText(QPointF(swatch.right() + 2.0 * metrics.gap,
                           swatch.center().y() + 0.5 * (font.ascent() - font.descent())),
                   unread);
  return font.horizontalAdvance(unread);
}

}  // namespace

std::vector<ColorBarTick> colorBarTicks(const ValueScale& scale) {
  if (scale.kind == ValueScale::Kind::RowMax && !scale.diverging)
    return {{0.0, QStringLiteral("0")}, {0.5, QStringLiteral("0.5")}, {1.0, QStringLiteral("row max")}};
  if (scale.diverging) {
    const QString top =
        scale.kind == ValueScale::Kind::RowMax ? QStringLiteral("row max") : valueText(scale.high);
    std::vector<ColorBarTick> ticks{{0.0, QStringLiteral("−") + top}, {0.5, QStringLiteral("0")}, {1.0, top}};
    if (isLog(scale))
      for (const ColorBarTick& tick : divergingDecades(scale)) ticks.push_back(tick);
    return ticks;
  }
  if (isLog(scale)) return logTicks(scale);
  std::vector<ColorBarTick> ticks;
  for (int i = 0; i <= 4; ++i)
    ticks.push_back({0.25 * i, i == 0 ? QStringLiteral("0") : valueText(0.25 * i * scale.high)});
  return ticks;
}

QString scaleTitle(const ValueScale& scale, BarContent content) {
  const QString what =
      content == BarContent::Weight ? QStringLiteral("weight") : QStringLiteral("difference");
  switch (scale.kind) {
    case ValueScale::Kind::Linear:
      return QStringLiteral("%1, linear scale").arg(what);
    case ValueScale::Kind::Log:
      return QStringLiteral("%1, log scale").arg(what);
    case ValueScale::Kind::RowMax:
      return QStringLiteral("%1 / largest of its row").arg(what);
  }
  return {};
}

int colorBarWidth(const PlotMetrics& metrics, const ValueScale& scale, BarRoom room) {
  const QFontMetricsF font(metrics.font);
  double widest = font.horizontalAdvance(QStringLiteral("not read")) - room.lead;
  for (const ColorBarTick& tick : colorBarTicks(scale))
    widest = std::max(widest, font.horizontalAdvance(tick.text));
  const double title = room.title ? metrics.gap + 1.1 * metrics.em : 0.0;
  return static_cast<int>(std::ceil(0.9 * metrics.em + widest + 2.0 * metrics.gap + title));
}

QRectF colorBarRect(const QRectF& area, const PlotMetrics& metrics, BarContent content) {
  const double below =
      content == BarContent::Weight ? 1.6 * metrics.em : 0.0;  // the swatch of what is not read
  return {area.left() + metrics.line, area.top(), std::round(0.9 * metrics.em),
          std::max(10.0, area.height() - below)};
}

void paintColorBar(QPainter& painter, const QRectF& area, const ViewStyle& choices,
                   const PlotMetrics& metrics, const PlotTheme& theme, BarContent content, BarRoom room) {
  ViewStyle style = choices;
  style.scale.diverging = style.scale.diverging || content == BarContent::Difference;
  const QFontMetricsF font(metrics.font);
  const QRectF bar = colorBarRect(area, metrics, content);
  const std::span<const Rgb> map =
      style.scale.diverging ? divergingMap() : colorMap(style.colorMap.toStdString());
  QImage strip(1, 256, QImage::Format_RGB32);
  for (int i = 0; i < 256; ++i) {
    const Rgb c = map[static_cast<std::size_t>(255 - i)];
    strip.setPixel(0, i, qRgb(c.r, c.g, c.b));
  }
  const QRectF whole(0.0, 0.0, 1.0, 256.0);
  drawCells(painter, strip, whole, whole, bar, metrics.enlarge > 0 ? 8 : 0);
  paintFrame(painter, bar, theme.frame, metrics.line);
  painter.setFont(metrics.font);
  double widest = 0.0;
  for (const ColorBarTick& tick : colorBarTicks(style.scale)) {
    const double y = bar.bottom() - tick.position * bar.height();
    painter.fillRect(QRectF(bar.right() + metrics.line, y - 0.5 * metrics.line, metrics.gap, metrics.line),
                     theme.frame);
    painter.setPen(theme.secondaryText);
    const double baseline = y + 0.5 * (font.ascent() - font.descent());
    painter.drawText(QPointF(bar.right() + 2.0 * metrics.gap, baseline), tick.text);
    widest = std::max(widest, font.horizontalAdvance(tick.text));
  }
  if (content == BarContent::Weight)
    widest = std::max(
        widest, paintUnread(painter, area.adjusted(-room.lead, 0.0, 0.0, 0.0), bar.width(), metrics, theme));
  if (!room.title) return;
  QString title = scaleTitle(style.scale, content);
  // What a pixel of several cells shows.
  if (style.scale.kind != ValueScale::Kind::RowMax)
    title.prepend(style.reduce == EffectiveMatrix::Reduce::Mean ? QStringLiteral("mean ")
                                                                : QStringLiteral("largest "));
  if (font.horizontalAdvance(title) > bar.height()) title = title.section(QStringLiteral(", "), -1);
  title = font.elidedText(title, Qt::ElideRight, bar.height());
  painter.save();
  painter.translate(bar.right() + 3.0 * metrics.gap + widest + font.ascent() - 0.5 * metrics.gap,
                    bar.center().y());
  painter.rotate(-90.0);
  painter.setPen(theme.text);
  painter.drawText(QPointF(-0.5 * font.horizontalAdvance(title), 0.0), title);
  painter.restore();
}

}  // namespace attnscope
