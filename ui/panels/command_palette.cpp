// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/command_palette.h"

#include <QAction>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QMenu>
#include <QMenuBar>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

namespace attnscope {

namespace {

QString plain(QString text) {
  return text.remove(QLatin1Char('&')).remove(QStringLiteral("…"));
}

}  // namespace

CommandPalette::CommandPalette(const QMenuBar* menus, QWidget* parent)
    : QDialog(parent), m_search(new QLineEdit(this)), m_list(new QListWidget(this)) {
  setWindowTitle(tr("Commands"));
  resize(520, 380);
  m_search->setPlaceholderText(tr("Type a few letters of a command"));
  m_search->setAccessibleName(tr("Find a command"));
  m_list->setAccessibleName(tr("Commands"));
  m_list->setUniformItemSizes(true);
  m_list->setSpacing(1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(10, 10, 10, 10);
  layout->addWidget(m_search);
  layout->addWidget(m_list, 1);
  for (const QAction* top : menus->actions())
    if (top->menu()) collect(top->menu(), plain(top->text()));
  m_search->installEventFilter(this);
  connect(m_search, &QLineEdit::textChanged, this, &CommandPalette::filter);
  connect(m_list, &QListWidget::itemActivated, this, &CommandPalette::runCurrent);
  filter({});
}

void CommandPalette::collect(const QMenu* menu, const QString& path) {
  for (QAction* action : menu->actions()) {
    if (action->isSeparator()) continue;
    const QString name = QStringLiteral("%1: %2").arg(path, plain(action->text()));
    if (action->menu())
      collect(action->menu(), name);
    else if (action->isEnabled())
      m_entries.push_back({name, action});
  }
}

void CommandPalette::filter(const QString& text) {
  m_list->clear();
  const QStringList words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
  for (std::size_t i = 0; i < m_entries.size(); ++i) {
    const Entry& entry = m_entries[i];
    const bool fits = std::all_of(words.begin(), words.end(), [&entry](const QString& word) {
      return entry.name.contains(word, Qt::CaseInsensitive);
    });
    if (!fits || !entry.action) continue;
    const QString keys = entry.action->shortcut().toString(QKeySequence::NativeText);
    auto* item = new QListWidgetItem(
        keys.isEmpty() ? entry.name : QStringLiteral("%1    [%2]").arg(entry.name, keys), m_list);
    item->setData(Qt::UserRole, static_cast<int>(i));
  }
  m_list->setCurrentRow(0);
}

void CommandPalette::runCurrent() {
  const QListWidgetItem* item = m_list->currentItem();
  if (!item) return;
  const QPointer<QAction> action =
      m_entries[static_cast<std::size_t>(item->data(Qt::UserRole).toInt())].action;
  accept();
  if (action) QTimer::singleShot(0, action, &QAction::trigger);  // after this dialog is gone
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_search && event->type() == QEvent::KeyPress) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (key == Qt::Key_Down || key == Qt::Key_Up) {
      const int step = key == Qt::Key_Down ? 1 : -1;
      m_list->setCurrentRow(std::clamp(m_list->currentRow() + step, 0, std::max(0, m_list->count() - 1)));
      return true;
    }
    if (key == Qt::Key_Return || key == Qt::Key_Enter) {
      runCurrent();
      return true;
    }
  }
  return QDialog::eventFilter(watched, event);
}

}  // namespace attnscope
