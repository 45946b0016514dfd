// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/message_bar.h"

#include <QAccessible>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QToolButton>

#include "ui/icons.h"
#include "ui/theme.h"

namespace attnscope {

MessageBar::MessageBar(QWidget* parent)
    : QWidget(parent),
      m_text(new QLabel(this)),
      m_action(new QPushButton(this)),
      m_close(new QToolButton(this)) {
  m_text->setWordWrap(true);
  m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  m_text->setObjectName(QStringLiteral("messageText"));
  m_action->setProperty("quiet", true);
  m_close->setIcon(glyphIcon(Glyph::Close));
  m_close->setToolTip(tr("Dismiss (Esc)"));
  m_close->setAccessibleName(tr("Dismiss the message"));
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(38, 6, 8, 6);
  layout->addWidget(m_text, 1);
  layout->addWidget(m_action);
  layout->addWidget(m_close);
  connect(m_close, &QToolButton::clicked, this, &MessageBar::dismiss);
  connect(m_action, &QPushButton::clicked, this, [this] {
    const auto run = m_run;
    dismiss();
    if (run) run();
  });
  hide();
}

void MessageBar::display(const QString& sentence, bool warning) {
  m_warning = warning;
  m_text->setText(sentence);
  m_text->setTextFormat(Qt::PlainText);
  setAccessibleName(sentence);
  show();
  update();
  QAccessibleEvent event(this, QAccessible::Alert);
  QAccessible::updateAccessibility(&event);
}

void MessageBar::showError(const QString& sentence) {
  m_action->hide();
  display(sentence, true);
}

void MessageBar::showNote(const QString& sentence, const QString& actionText, std::function<void()> action) {
  m_action->setText(actionText);
  m_action->setVisible(!actionText.isEmpty());
  m_run = std::move(action);
  display(sentence, false);
}

void MessageBar::dismiss() {
  hide();
}

QString MessageBar::text() const {
  return isHidden() ? QString() : m_text->text();
}

void MessageBar::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape) return dismiss();
  QWidget::keyPressEvent(event);
}

void MessageBar::paintEvent(QPaintEvent*) {
  const Chrome chrome = Chrome::of(palette());
  QPainter painter(this);
  const QColor mark = m_warning ? chrome.warning : chrome.accent;
  painter.fillRect(rect(), m_warning ? chrome.warningSoft : chrome.accentSoft);
  painter.fillRect(QRect(0, 0, 3, height()), mark);
  painter.fillRect(QRect(0, height() - 1, width(), 1), chrome.border);
  drawGlyph(painter, m_warning ? Glyph::Warning : Glyph::Info, QRectF(14, height() / 2.0 - 8, 16, 16), mark);
}

}  // namespace attnscope
