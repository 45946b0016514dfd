// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/icons.h"

#include <QApplication>
#include <QIconEngine>
#include <QPainter>
#include <QPainterPath>
#include <QPalette>

#include "ui/plots/view_style.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

class GlyphEngine final : public QIconEngine {
 public:
  explicit GlyphEngine(Glyph glyph) : m_glyph(glyph) {}

  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
    const auto group = mode == QIcon::Disabled ? QPalette::Disabled : QPalette::Active;
    drawGlyph(*painter, m_glyph, rect, QApplication::palette().color(group, QPalette::WindowText));
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
    QPixmap pixmap(size);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    paint(&painter, QRect(QPoint(), size), mode, state);
    return pixmap;
  }
  [[nodiscard]] QIconEngine* clone() const override { return new GlyphEngine(*this); }

 private:
  Glyph m_glyph;
};

// All paths live in a square of 16 units.
QPainterPath glyphPath(Glyph glyph) {
  QPainterPath p;
  const auto line = [&p](double x1, double y1, double x2, double y2) {
    p.moveTo(x1, y1);
    p.lineTo(x2, y2);
  };
  switch (glyph) {
    case Glyph::Close:
      line(4.5, 4.5, 11.5, 11.5);
      line(11.5, 4.5, 4.5, 11.5);
      break;
    case Glyph::Add:
      line(8, 3.5, 8, 12.5);
      line(3.5, 8, 12.5, 8);
      break;
    case Glyph::Search:
      p.addEllipse(QPointF(7, 7), 4.2, 4.2);
      line(10.2, 10.2, 13.4, 13.4);
      break;
    case Glyph::Info:
      p.addEllipse(QPointF(8, 8), 6, 6);
      line(8, 7.4, 8, 11.2);
      line(8, 4.9, 8, 5.0);
      break;
    case Glyph::Warning:
      p.moveTo(8, 2.2);
      p.lineTo(14.4, 13.4);
      p.lineTo(1.6, 13.4);
      p.closeSubpath();
      line(8, 6.4, 8, 9.6);
      line(8, 11.5, 8, 11.6);
      break;
    case Glyph::ChevronDown:
      line(4.5, 6.5, 8, 10);
      p.lineTo(11.5, 6.5);
      break;
    case Glyph::ChevronUp:
      line(4.5, 10, 8, 6.5);
      p.lineTo(11.5, 10);
      break;
    case Glyph::Reset:
      p.arcMoveTo(QRectF(3, 3, 10, 10), 120);
      p.arcTo(QRectF(3, 3, 10, 10), 120, 300);
      line(3.2, 2.4, 5.2, 3.9);
      p.lineTo(4.4, 6.4);
      break;
    case Glyph::Undo:
    case Glyph::Redo:
      p.moveTo(5.6, 3.2);
      p.lineTo(2.8, 6);
      p.lineTo(5.6, 8.8);
      p.moveTo(2.8, 6);
      p.lineTo(9.6, 6);
      p.arcTo(QRectF(6.2, 6, 6.8, 6.8), 90, -180);
      p.lineTo(6, 12.8);
      break;
    case Glyph::Open:
      p.moveTo(2, 13);
      p.lineTo(2, 3.5);
      p.lineTo(6.2, 3.5);
      p.lineTo(7.8, 5.2);
      p.lineTo(13, 5.2);
      p.lineTo(13, 7.4);
      p.moveTo(2, 13);
      p.lineTo(4.4, 7.4);
      p.lineTo(15, 7.4);
      p.lineTo(12.6, 13);
      p.closeSubpath();
      break;
    case Glyph::Export:
      line(8, 10.4, 8, 2.6);
      line(4.9, 5.6, 8, 2.5);
      p.lineTo(11.1, 5.6);
      p.moveTo(2.8, 9.6);
      p.lineTo(2.8, 13.2);
      p.lineTo(13.2, 13.2);
      p.lineTo(13.2, 9.6);
      break;
    case Glyph::Pin:
      line(5, 2.6, 11, 2.6);
      p.moveTo(6.2, 2.6);
      p.lineTo(5.6, 7);
      p.lineTo(3.8, 9);
      p.lineTo(12.2, 9);
      p.lineTo(10.4, 7);
      p.lineTo(9.8, 2.6);
      line(8, 9, 8, 13.8);
      break;
    case Glyph::Unlinked:
      p.addRoundedRect(QRectF(1.6, 5.2, 5.2, 5.6), 2.4, 2.4);
      p.addRoundedRect(QRectF(9.2, 5.2, 5.2, 5.6), 2.4, 2.4);
      line(8, 2.4, 8, 4.4);
      line(8, 11.6, 8, 13.6);
      break;
    case Glyph::Sorted:
      line(2.6, 3.6, 6.2, 3.6);
      line(2.6, 8, 8.6, 8);
      line(2.6, 12.4, 11, 12.4);
      line(12.6, 2.8, 12.6, 10);
      p.moveTo(10.6, 8.2);
      p.lineTo(12.6, 10.2);
      p.lineTo(14.6, 8.2);
      break;
  }
  return p;
}

}  // namespace

QIcon glyphIcon(Glyph glyph) {
  return QIcon(new GlyphEngine(glyph));
}

void drawGlyph(QPainter& painter, Glyph glyph, const QRectF& square, const QColor& color) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.translate(square.topLeft());
  painter.scale(square.width() / 16.0, square.height() / 16.0);
  if (glyph == Glyph::Redo) {
    painter.translate(16, 0);
    painter.scale(-1, 1);
  }
  painter.setPen(QPen(color, 1.4, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.setBrush(Qt::NoBrush);
  painter.drawPath(glyphPath(glyph));
  painter.restore();
}

void drawBadge(QPainter& painter, const QRectF& square, int column) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  const QColor color = columnColor(column);
  painter.setPen(Qt::NoPen);
  painter.setBrush(color);
  painter.drawRoundedRect(square, square.width() * 0.22, square.width() * 0.22);
  QFont font = QApplication::font();
  font.setPixelSize(static_cast<int>(square.height() * 0.66));
  font.setWeight(QFont::Bold);
  painter.setFont(font);
  painter.setPen(readableOn(color));
  painter.drawText(square, Qt::AlignCenter, columnLetter(column));
  painter.restore();
}

}  // namespace attnscope
