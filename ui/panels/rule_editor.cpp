// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/rule_editor.h"

#include <QFontDatabase>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/heading.h"
#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kLines = 4;

int characters(const TextFault& fault, std::size_t bytes) {
  return static_cast<int>(QString::fromUtf8(fault.text.data(), static_cast<qsizetype>(bytes)).size());
}

}  // namespace

RuleEditor::RuleEditor(const std::vector<TextPreset>& presets, QWidget* parent) : QWidget(parent) {
  m_edit = new QPlainTextEdit(this);
  m_edit->setTabChangesFocus(true);
  QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setPointSizeF(this->font().pointSizeF());
  m_edit->setFont(font);
  m_edit->setTabChangesFocus(true);
  m_edit->setUndoRedoEnabled(false);  // the document's undo has these steps too
  m_edit->setFixedHeight(kLines * QFontMetrics(font).lineSpacing() + 14);
  m_edit->installEventFilter(this);

  m_examples = new QPushButton(tr("Examples"), this);
  m_examples->setProperty("quiet", true);
  m_examples->setToolTip(tr("Rules to start from"));
  auto* menu = new QMenu(m_examples);
  menu->setToolTipsVisible(true);
  for (const TextPreset& preset : presets) {
    QAction* action = menu->addAction(toQ(preset.name));
    action->setToolTip(toQ(preset.text));
    connect(action, &QAction::triggered, this,
            [this, text = toQ(preset.text)] { Q_EMIT presetChosen(text); });
  }
  m_examples->setMenu(menu);
  m_examples->setVisible(!presets.empty());
  m_copy = new QPushButton(tr("Copy mask_mod"), this);
  m_copy->setProperty("quiet", true);
  m_copy->setObjectName(QStringLiteral("copyMaskMod"));
  m_copy->setToolTip(
      tr("Copies the rule as a Python function for PyTorch's FlexAttention, with its numbers filled in"));
  m_status = makeNote({}, this);
  m_status->setObjectName(QStringLiteral("ruleStatus"));
  m_status->setTextFormat(Qt::PlainText);

  auto* buttons = new QHBoxLayout;
  buttons->setSpacing(4);
  buttons->addWidget(m_examples);
  buttons->addWidget(m_copy);
  buttons->addStretch(1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(3);
  layout->addWidget(m_edit);
  layout->addWidget(m_status);
  layout->addLayout(buttons);

  connect(m_edit, &QPlainTextEdit::textChanged, this, [this] {
    if (!m_showing) Q_EMIT edited(text());
  });
  connect(m_copy, &QPushButton::clicked, this, &RuleEditor::maskModAsked);
}

QString RuleEditor::text() const {
  QString text = m_edit->toPlainText();
  for (QChar& c : text)
    if (c == QLatin1Char('\n') || c == QLatin1Char('\t') || c == QChar::LineSeparator) c = QLatin1Char(' ');
  return text;
}

void RuleEditor::showText(const QString& wanted) {
  if (text() == wanted) return;
  m_showing = true;
  m_edit->setPlainText(wanted);
  m_edit->moveCursor(QTextCursor::End);
  m_showing = false;
}

void RuleEditor::showFault(const std::optional<TextFault>& fault) {
  QList<QTextEdit::ExtraSelection> marks;
  if (fault && toQ(fault->text) == text()) {
    QTextEdit::ExtraSelection mark;
    mark.format.setUnderlineStyle(QTextCharFormat::WaveUnderline);
    mark.format.setUnderlineColor(Chrome::of(palette()).warning);
    mark.format.setBackground(Chrome::of(palette()).warningSoft);
    const int length = static_cast<int>(text().size());
    int begin = std::min(characters(*fault, std::min(fault->begin, fault->text.size())), length);
    const int end = std::min(characters(*fault, std::min(fault->end, fault->text.size())), length);
    if (begin == end) begin = std::max(0, end - 1);  // something is missing at the end: the last character
    mark.cursor = QTextCursor(m_edit->document());
    mark.cursor.setPosition(begin);
    mark.cursor.setPosition(end, QTextCursor::KeepAnchor);
    marks << mark;
  }
  m_edit->setExtraSelections(marks);
}

void RuleEditor::setStatus(const QString& sentence, bool warning) {
  m_status->setText(sentence);
  m_status->setStyleSheet(warning ? QStringLiteral("color: %1").arg(Chrome::of(palette()).warning.name())
                                  : QString());
  m_status->setVisible(!sentence.isEmpty());
}

void RuleEditor::setCopyEnabled(bool enabled) {
  m_copy->setEnabled(enabled);
}

bool RuleEditor::eventFilter(QObject* object, QEvent* event) {
  // Undo and redo are the window's, also while the cursor is in the text.
  if (event->type() == QEvent::ShortcutOverride) {
    auto* key = static_cast<QKeyEvent*>(event);
    if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
      event->ignore();
      return true;
    }
  }
  return QWidget::eventFilter(object, event);
}

}  // namespace attnscope
