// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/panel_message.h"

#include <QFontMetrics>
#include <QPainter>
#include <QPushButton>
#include <algorithm>

namespace attnscope {

namespace {

constexpr int kLongestLine = 24;  // in heights of the font; longer ones are hard to read
constexpr int kTall = 100000;

void paintWarning(QPainter& painter, const QRectF& area) {
  painter.setRenderHint(QPainter::Antialiasing, true);
  painter.setPen(Qt::NoPen);
  painter.setBrush(QColor(0xd5, 0x5e, 0x00));
  painter.drawPolygon(
      QPolygonF{QPointF(area.center().x(), area.top()), area.bottomRight(), area.bottomLeft()});
  painter.setBrush(Qt::white);
  const double x = area.center().x();
  painter.drawRect(QRectF(x - 1.0, area.top() + 0.38 * area.height(), 2.0, 0.32 * area.height()));
  painter.drawRect(QRectF(x - 1.0, area.top() + 0.78 * area.height(), 2.0, 2.0));
  painter.setBrush(Qt::NoBrush);
}

}  // namespace

PanelMessage::PanelMessage(QWidget* parent) : QWidget(parent) {
  setTheme(PlotTheme::light());
}

void PanelMessage::setTheme(const PlotTheme& theme) {
  m_theme = theme;
  m_metrics = plotMetrics(theme, 0.0, 9999, 9999, false);
  place();
}

void PanelMessage::say(Kind kind, const QString& sentence) {
  m_kind = kind;
  m_sentence = sentence;
  if (kind == Kind::Refused && !m_button) {
    m_button = new QPushButton(tr("Compute"), this);
    connect(m_button, &QPushButton::clicked, this, &PanelMessage::asked);
  }
  if (m_button) m_button->setAccessibleDescription(sentence);
  setAccessibleName(sentence);
  place();
}

PanelMessage::Layout PanelMessage::layOut(QSize size) const {
  const PlotMetrics& look = m_metrics;
  // In a narrow panel the sentence needs the margin of the plots.
  const int left = size.width() < 16 * look.em ? 2 * look.gap : look.left;
  const int wide = std::clamp(size.width() - left - 2 * look.gap, 1, kLongestLine * look.em);
  const int mark = m_kind == Kind::Error ? look.em + look.gap : 0;
  const bool button = m_kind == Kind::Refused && m_button;
  const QSize buttonSize = button ? m_button->sizeHint() : QSize();
  const int below = button ? buttonSize.height() + 2 * look.gap : 0;
  const int lines = QFontMetrics(look.font)
                        .boundingRect(QRect(0, 0, wide, kTall), Qt::AlignLeft | Qt::TextWordWrap, m_sentence)
                        .height();
  const int room = size.height() - mark - below - 2 * look.gap;
  const int text = std::max(look.em, std::min(lines, room));
  // A little above the middle, where the eye looks for it.
  const int top = std::max(look.gap, (size.height() - mark - text - below) * 2 / 5);
  Layout layout;
  if (mark > 0) layout.mark = QRect(left, top, look.em, look.em);
  layout.text = QRect(left, top + mark, wide, text);
  if (button) layout.button = QRect(QPoint(left, top + mark + text + 2 * look.gap), buttonSize);
  return layout;
}

int PanelMessage::heightForWidth(int width) const {
  const Layout layout = layOut({width, kTall});
  const int end = layout.button.isEmpty() ? layout.text.bottom() : layout.button.bottom();
  const int begin = layout.mark.isEmpty() ? layout.text.top() : layout.mark.top();
  return end - begin + 1 + 2 * m_metrics.em;
}

// As many words as have room.
QString PanelMessage::shortened(const QRect& room) const {
  const QFontMetrics font(m_metrics.font);
  const auto fits = [&](const QString& text) {
    return font.boundingRect(QRect(0, 0, room.width(), kTall), Qt::AlignLeft | Qt::TextWordWrap, text)
               .height() <= room.height();
  };
  QString text = m_sentence;
  while (!fits(text) && text.contains(QLatin1Char(' ')))
    text = text.section(QLatin1Char(' '), 0, -2) + QStringLiteral("…");
  return text;
}

void PanelMessage::place() {
  const Layout layout = layOut(size());
  if (m_button) {
    m_button->setVisible(!layout.button.isEmpty());
    if (!layout.button.isEmpty()) m_button->setGeometry(layout.button);
  }
  setToolTip(shortened(layout.text) == m_sentence ? QString() : m_sentence);
  update();
}

void PanelMessage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  place();
}

void PanelMessage::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  const Layout layout = layOut(size());
  if (!layout.mark.isEmpty()) paintWarning(painter, layout.mark);
  const bool quiet = m_kind == Kind::Note || m_kind == Kind::Busy;
  painter.setPen(quiet ? m_theme.secondaryText : m_theme.text);
  painter.setFont(m_metrics.font);
  painter.drawText(layout.text, Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, shortened(layout.text));
}

}  // namespace attnscope
