// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/pair_table.h"

#include <QPainter>
#include <cmath>

#include "core/base/units.h"
#include "ui/icons.h"
#include "ui/plots/view_style.h"
#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kBadge = 18;
constexpr int kWeightRight = 78;
constexpr int kRankRight = 116;
constexpr int kBecause = 127;
constexpr int kPad = 5;

QString because(const ColumnReading& reading) {
  if (!reading.error.isEmpty()) return reading.error;
  if (reading.throughSlots) return QObject::tr("through slots at most; the pass, which has not run, knows");
  if (!reading.available && !reading.patternOnly) return QObject::tr("not computed");
  const QString label = toQ(reading.reason.label);
  const QString why = toQ(reading.reason.why);
  QString text = label.isEmpty() ? why : why.isEmpty() ? label : QStringLiteral("%1: %2").arg(label, why);
  if (reading.reason.read && reading.reason.multiplicity > 1)
    text += QObject::tr(" (counted %1 times)").arg(reading.reason.multiplicity);
  if (text.isEmpty()) text = QObject::tr(reading.reason.read ? "read" : "not read");
  if (reading.patternOnly && reading.reason.read) text += QObject::tr(" (weight unknown: no pass has run)");
  return text;
}

QString weightText(const ColumnReading& reading) {
  if (reading.patternOnly && (reading.reason.read || reading.throughSlots)) return QStringLiteral("?");
  if (!reading.available || (!reading.reason.read && reading.weight == 0.0)) return QStringLiteral("–");
  const double size = std::abs(reading.weight);
  if (size != 0.0 && size < 1e-4) return QString::number(reading.weight, 'e', 1);
  return QString::number(reading.weight, 'f', size >= 0.1 ? 3 : 4);
}

}  // namespace

PairTable::PairTable(QWidget* parent) : QWidget(parent) {
  QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
}

void PairTable::setReading(const RowReading& reading) {
  m_reading = reading;
  setAccessibleDescription(text());
  updateGeometry();
  update();
}

QString PairTable::text() const {
  QStringList lines;
  for (std::size_t i = 0; i < m_reading.columns.size(); ++i) {
    const ColumnReading& column = m_reading.columns[i];
    lines << tr("%1: %2, rank %3, because %4")
                 .arg(columnLetter(static_cast<int>(i)))
                 .arg(weightText(column))
                 .arg(column.rank > 0 ? toQ(countText(column.rank)) : tr("none"), because(column));
  }
  return lines.join(QLatin1Char('\n'));
}

int PairTable::rowHeight(int row, int width) const {
  const QFontMetrics small(smallFont());
  const QRect needed = small.boundingRect(QRect(0, 0, std::max(40, width - kBecause), 1000), Qt::TextWordWrap,
                                          because(m_reading.columns[static_cast<std::size_t>(row)]));
  return std::max(kBadge, needed.height()) + 2 * kPad;
}

int PairTable::heightForWidth(int width) const {
  int height = QFontMetrics(smallFont()).height() + 4;
  for (int row = 0; row < static_cast<int>(m_reading.columns.size()); ++row) height += rowHeight(row, width);
  return height;
}

QSize PairTable::sizeHint() const {
  return {260, heightForWidth(std::max(240, width()))};
}

void PairTable::paintEvent(QPaintEvent*) {
  const Chrome chrome = Chrome::of(palette());
  QPainter painter(this);
  const QFont small = smallFont();
  painter.setFont(small);
  painter.setPen(chrome.secondary);
  const int header = QFontMetrics(small).height();
  painter.drawText(QRect(0, 0, kWeightRight, header), Qt::AlignRight, tr("weight"));
  painter.drawText(QRect(0, 0, kRankRight, header), Qt::AlignRight, tr("rank"));
  painter.drawText(QRect(kBecause, 0, width() - kBecause, header), Qt::AlignLeft, tr("because"));
  int top = header + 4;
  for (int row = 0; row < static_cast<int>(m_reading.columns.size()); ++row) {
    const ColumnReading& reading = m_reading.columns[static_cast<std::size_t>(row)];
    const int height = rowHeight(row, width());
    painter.setPen(chrome.border);
    painter.drawLine(0, top, width(), top);
    drawBadge(painter, QRectF(1, top + kPad, kBadge, kBadge), row);
    const int base = top + kPad;
    painter.setFont(font());
    painter.setPen(reading.reason.read ? chrome.text : chrome.secondary);
    painter.drawText(QRect(0, base, kWeightRight, kBadge), Qt::AlignRight | Qt::AlignVCenter,
                     weightText(reading));
    painter.drawText(QRect(0, base, kRankRight, kBadge), Qt::AlignRight | Qt::AlignVCenter,
                     reading.rank > 0 ? QString::number(reading.rank) : QStringLiteral("–"));
    painter.setFont(small);
    painter.drawText(
        QRect(kBecause, base, width() - kBecause, height - 2 * kPad),
        Qt::AlignLeft | (height > kBadge + 2 * kPad ? Qt::AlignTop : Qt::AlignVCenter) | Qt::TextWordWrap,
        because(reading));
    top += height;
  }
}

}  // namespace attnscope
