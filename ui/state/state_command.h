// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QUndoCommand>

#include "ui/state/document_state.h"

namespace attnscope {

class Document;

// One decision: the whole state before and after it. Comparing and copying a state costs microseconds, and a
// command that holds both cannot forget to put something back.
class StateCommand final : public QUndoCommand {
 public:
  StateCommand(Document* document, const QString& name, DocumentState before, DocumentState after,
               QString mergeKey, int gesture);
  void undo() override;
  void redo() override;
  [[nodiscard]] int id() const override { return m_gesture == 0 ? -1 : 1; }
  bool mergeWith(const QUndoCommand* other) override;

 private:
  Document* m_document;
  DocumentState m_before;
  DocumentState m_after;
  QString m_mergeKey;
  int m_gesture;
};

}  // namespace attnscope
