// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/state_command.h"

#include "ui/state/document.h"

namespace attnscope {

StateCommand::StateCommand(Document* document, const QString& name, DocumentState before, DocumentState after,
                           QString mergeKey, int gesture)
    : QUndoCommand(name),
      m_document(document),
      m_before(std::move(before)),
      m_after(std::move(after)),
      m_mergeKey(std::move(mergeKey)),
      m_gesture(gesture) {}

void StateCommand::undo() {
  m_document->apply(m_before);
}

void StateCommand::redo() {
  m_document->apply(m_after);
}

bool StateCommand::mergeWith(const QUndoCommand* other) {
  const auto* next = static_cast<const StateCommand*>(other);
  if (next->m_gesture != m_gesture || next->m_mergeKey != m_mergeKey) return false;
  m_after = next->m_after;
  setText(next->text());
  return true;
}

}  // namespace attnscope
