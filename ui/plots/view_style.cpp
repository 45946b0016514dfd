// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/view_style.h"

#include <QObject>

#include <QPalette>
#include <array>

namespace attnscope {

PlotTheme PlotTheme::light() {
  PlotTheme theme;
  theme.background = QColor(0xff, 0xff, 0xff);
  theme.plotBackground = QColor(0xee, 0xf0, 0xf5);
  theme.text = QColor(0x1d, 0x23, 0x2e);
  theme.secondaryText = QColor(0x5d, 0x66, 0x75);
  theme.frame = QColor(0xc3, 0xc9, 0xd4);
  theme.crosshair = QColor(0x1d, 0x23, 0x2e);
  theme.accent = QColor(0x0b, 0x5f, 0xd8);
  theme.font = QFont(QStringLiteral("DejaVu Sans"), 9);
  return theme;
}

PlotTheme PlotTheme::dark() {
  PlotTheme theme = light();
  theme.background = QColor(0x16, 0x1a, 0x20);
  theme.plotBackground = QColor(0x23, 0x29, 0x33);
  theme.text = QColor(0xe8, 0xec, 0xf2);
  theme.secondaryText = QColor(0x9a, 0xa4, 0xb3);
  theme.frame = QColor(0x44, 0x4d, 0x5b);
  theme.crosshair = QColor(0xf4, 0xf6, 0xfa);
  theme.accent = QColor(0x5a, 0xa5, 0xff);
  return theme;
}

PlotTheme PlotTheme::forPalette(const QPalette& palette) {
  const QColor window = palette.color(QPalette::Window);
  PlotTheme theme = window.lightness() < 128 ? dark() : light();
  theme.background = window;
  theme.text = palette.color(QPalette::WindowText);
  return theme;
}

bool sameStyle(const ViewStyle& a, const ViewStyle& b) {
  return a.colorMap == b.colorMap && a.reduce == b.reduce && a.scale.kind == b.scale.kind &&
         a.scale.low == b.scale.low && a.scale.high == b.scale.high &&
         a.scale.diverging == b.scale.diverging && a.range == b.range && a.marginals == b.marginals &&
         a.hidden == b.hidden;
}

QChar columnLetter(int column) {
  return QChar(u'A' + column % 26);
}

QColor columnColor(int column) {
  // Okabe and Ito's colours in an order in which neighbours differ most: blue, vermillion, green, pink, ...
  static constexpr std::array<QRgb, 6> kColors{0xff0072b2, 0xffd55e00, 0xff009e73,
                                               0xffcc79a7, 0xffe69f00, 0xff56b4e9};
  return QColor::fromRgb(kColors[static_cast<std::size_t>(column < 0 ? 0 : column) % kColors.size()]);
}

ViewStyle ownScaleStyle(ViewStyle style, const WeightSummary& drawn) {
  if (style.range == ScaleRange::Fixed) style.range = ScaleRange::Percentiles;
  style.scale = fittedScale(style.scale, style.range, drawn);
  return style;
}

QString scaleNote(const ViewStyle& style) {
  if (style.scale.kind == ValueScale::Kind::RowMax) return {};  // every row has its own anyway
  return QObject::tr("own scale %1…%2")
      .arg(QString::number(style.scale.low, 'g', 2), QString::number(style.scale.high, 'g', 2));
}

}  // namespace attnscope
