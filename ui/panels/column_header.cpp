// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/column_header.h"

#include <QApplication>
#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolButton>

#include "ui/icons.h"
#include "ui/plots/view_style.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kPad = 8;
constexpr int kBadge = 19;

QFont nameFont() {
  QFont font = QApplication::font();
  font.setPointSizeF(font.pointSizeF() * 1.04);
  font.setWeight(QFont::DemiBold);
  return font;
}

// With half a pixel to spare: rounded, a name that fits would be cut short.
bool isWithin(const QString& name, const QFont& font, int room) {
  return QFontMetricsF(font).horizontalAdvance(name) + 0.5 <= room;
}

// Upright and wide where there is room, else narrower letters of the same height.
QFont fittingFont(const QString& name, int room) {
  QFont font = nameFont();
  for (const int stretch : {int{QFont::SemiCondensed}, int{QFont::Condensed}}) {
    if (isWithin(name, font, room)) break;
    font.setStretch(stretch);
  }
  return font;
}

bool nameFits(const QString& name, int room) {
  return isWithin(name, fittingFont(name, room), room);
}

}  // namespace

ColumnHeader::ColumnHeader(int column, QWidget* parent)
    : QWidget(parent), m_column(column), m_remove(new QToolButton(this)) {
  setFocusPolicy(Qt::StrongFocus);
  setCursor(Qt::PointingHandCursor);
  m_remove->setIcon(glyphIcon(Glyph::Close));
  m_remove->setIconSize({14, 14});
  m_remove->setCursor(Qt::ArrowCursor);
  m_remove->setObjectName(QStringLiteral("remove_%1").arg(columnLetter(column)));
  connect(m_remove, &QToolButton::clicked, this, &ColumnHeader::removeAsked);
}

void ColumnHeader::setName(const QString& name, const QString& parameters) {
  m_name = name;
  m_parameters = parameters;
  m_remove->setToolTip(tr("Remove %1").arg(name));
  m_remove->setAccessibleName(tr("Remove %1").arg(name));
  setAccessibleName(tr("Column %1, %2").arg(columnLetter(m_column)).arg(name));
  fitName();
}

void ColumnHeader::setCost(const QString& first, const QString& second, const QString& shorter) {
  m_first = first;
  m_second = second;
  m_shorter = shorter;
  describe();
  update();
}

void ColumnHeader::setWarning(const QString& sentence) {
  m_warning = sentence;
  fitName();
}

void ColumnHeader::setSelected(bool selected) {
  if (m_selected == selected) return;
  m_selected = selected;
  fitName();
}

void ColumnHeader::setRemovable(bool removable) {
  m_removable = removable;
  fitName();
}

// Where the name may stand: between the badge and the marks.
int ColumnHeader::nameRoom(bool besideCross) const {
  const int marks = int{m_baseline} + int{m_ownZoom} + int{m_sorts};
  return width() - kPad - (besideCross ? 22 : 0) - 18 * marks - (kPad + kBadge + 8);
}

void ColumnHeader::fitName() {
  const bool asked = m_selected || hasFocus() || m_remove->hasFocus() || underMouse();
  m_remove->setVisible(m_removable && (asked || nameFits(shownName(), nameRoom(true))));
  const bool whole = nameFits(shownName(), nameRoom(m_remove->isVisibleTo(this)));
  setToolTip(!m_warning.isEmpty() ? m_warning : whole ? QString() : shownName());
  update();
}

void ColumnHeader::setMarks(bool baseline, bool ownZoom, bool sorts) {
  m_sorts = sorts;
  m_baseline = baseline;
  m_ownZoom = ownZoom;
  describe();
  fitName();
}

// For screen readers: what is drawn on the card below the name.
void ColumnHeader::describe() {
  QStringList said{m_first, m_second};
  if (m_baseline) said << tr("the baseline");
  if (m_ownZoom) said << tr("zooms alone");
  if (m_sorts) said << tr("all columns stand in its order");
  said.removeAll(QString());
  setAccessibleDescription(said.join(QStringLiteral(", ")));
}

void ColumnHeader::setStandIn(const QString& name) {
  if (m_standIn == name) return;
  m_standIn = name;
  fitName();
}

QSize ColumnHeader::sizeHint() const {
  const int small = QFontMetrics(smallFont()).height();
  return {180, 8 + std::max(kBadge, QFontMetrics(nameFont()).height()) + 3 + 2 * small + 5};
}

QSize ColumnHeader::minimumSizeHint() const {
  return {120, sizeHint().height()};
}

void ColumnHeader::resizeEvent(QResizeEvent*) {
  m_remove->setGeometry(width() - kPad - 20, 6, 22, 22);
  fitName();
}

void ColumnHeader::enterEvent(QEnterEvent* event) {
  QWidget::enterEvent(event);
  fitName();
}

void ColumnHeader::leaveEvent(QEvent* event) {
  QWidget::leaveEvent(event);
  fitName();
}

void ColumnHeader::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  fitName();
}

void ColumnHeader::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  fitName();
}

void ColumnHeader::paintEvent(QPaintEvent*) {
  const Chrome chrome = Chrome::of(palette());
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF card = QRectF(rect()).adjusted(1.5, 1.5, -1.5, -1.5);
  if (m_selected || hasFocus()) {
    painter.setPen(QPen(hasFocus() ? chrome.accent : chrome.border, 1.0));
    painter.setBrush(m_selected ? chrome.panel : QColor(Qt::transparent));
    painter.drawRoundedRect(card, 6, 6);
  }
  const int line = std::max(kBadge, QFontMetrics(nameFont()).height());
  drawBadge(painter, QRectF(kPad, 8 + (line - kBadge) / 2.0, kBadge, kBadge), m_column);
  painter.setPen(chrome.text);
  const int left = kPad + kBadge + 8;
  int right = width() - kPad - (m_remove->isVisibleTo(this) ? 22 : 0);
  for (const auto& [marked, glyph] : {std::pair{m_ownZoom, Glyph::Unlinked},
                                      std::pair{m_baseline, Glyph::Pin}, std::pair{m_sorts, Glyph::Sorted}}) {
    if (!marked) continue;
    right -= 18;
    drawGlyph(painter, glyph, QRectF(right, 8 + (line - 15) / 2.0, 15, 15), chrome.accent);
  }
  const int free = right - left;
  const QString& name = shownName();
  const QFont font = fittingFont(name, free);
  if (!m_standIn.isEmpty()) painter.setPen(chrome.accent);
  painter.setFont(font);
  painter.drawText(QRect(left, 8, free, line), Qt::AlignLeft | Qt::AlignVCenter,
                   QFontMetrics(font).elidedText(name, Qt::ElideRight, free));
  const int nameWidth = QFontMetrics(font).horizontalAdvance(name);
  painter.setFont(smallFont());
  const QFontMetrics small(smallFont());
  painter.setPen(chrome.secondary);
  if (free - nameWidth > 50)
    painter.drawText(QRect(left + nameWidth + 8, 9, free - nameWidth - 8, line),
                     Qt::AlignLeft | Qt::AlignVCenter,
                     small.elidedText(m_parameters, Qt::ElideRight, free - nameWidth - 8));
  const int top = 8 + line + 3;
  const int whole = width() - 2 * kPad;
  if (!m_warning.isEmpty()) {
    painter.setPen(chrome.warning);
    painter.drawText(QRect(kPad, top, whole, 2 * small.height()),
                     Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap,
                     small.elidedText(m_warning, Qt::ElideRight, 2 * whole - 30));
    return;
  }
  // Narrower letters before fewer words.
  const auto draw = [&](const QString& text, const QString& shorter, int y) {
    QFont letters = smallFont();
    if (!isWithin(text, letters, whole)) letters.setStretch(QFont::SemiCondensed);
    const bool fits = shorter.isEmpty() || isWithin(text, letters, whole);
    painter.setFont(letters);
    painter.drawText(QRect(kPad, y, whole, small.height()), Qt::AlignLeft,
                     QFontMetrics(letters).elidedText(fits ? text : shorter, Qt::ElideRight, whole));
  };
  draw(m_first, m_shorter, top);
  draw(m_second, {}, top + small.height());
}

void ColumnHeader::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton) Q_EMIT clicked();
}

void ColumnHeader::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Space:
    case Qt::Key_Return:
    case Qt::Key_Enter:
      Q_EMIT clicked();
      return;
    case Qt::Key_Delete:
      Q_EMIT removeAsked();
      return;
    default:
      QWidget::keyPressEvent(event);
  }
}

void ColumnHeader::contextMenuEvent(QContextMenuEvent* event) {
  Q_EMIT menuAsked(event->globalPos());
}

}  // namespace attnscope
