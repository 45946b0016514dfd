// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/shortcut_priority.h"

#include <QAction>
#include <QApplication>
#include <QKeyEvent>
#include <QWidget>
#include <algorithm>
#include <array>

namespace attnscope {

namespace {

bool editsText(const QKeyEvent& key) {
  constexpr std::array kEditing{QKeySequence::SelectAll, QKeySequence::Copy, QKeySequence::Cut,
                                QKeySequence::Paste,     QKeySequence::Undo, QKeySequence::Redo};
  return std::any_of(kEditing.begin(), kEditing.end(),
                     [&key](QKeySequence::StandardKey standard) { return key.matches(standard); });
}

}  // namespace

ShortcutPriority::ShortcutPriority(QWidget* window) : QObject(window), m_window(window) {
  qApp->installEventFilter(this);
}

bool ShortcutPriority::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::ShortcutOverride) return false;
  const auto* field = qobject_cast<QWidget*>(watched);
  if (!field || field->window() != m_window) return false;
  const auto& key = static_cast<const QKeyEvent&>(*event);
  // What is typed without these is text.
  if ((key.modifiers() & (Qt::ControlModifier | Qt::AltModifier)) == Qt::NoModifier || editsText(key))
    return false;
  const QKeySequence typed(key.keyCombination());
  const QList<QAction*> actions = m_window->findChildren<QAction*>();
  const bool ours = std::any_of(actions.begin(), actions.end(), [&typed](const QAction* action) {
    return action->isEnabled() && action->shortcuts().contains(typed);
  });
  if (ours) event->ignore();
  return ours;
}

}  // namespace attnscope
