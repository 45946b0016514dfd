// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QUndoStack>

#include "ui/plots/panel.h"
#include "ui/state/document_state.h"

namespace attnscope {

// The open document: one setter for each decision of the user, each of them one step of the undo stack.
// Setters that change nothing leave no step. Views read state() and listen; nobody else writes. GUI thread
// only.
class Document final : public QObject {
  Q_OBJECT

 public:
  explicit Document(QObject* parent = nullptr);

  [[nodiscard]] const DocumentState& state() const { return m_state; }
  [[nodiscard]] QUndoStack* undoStack() { return &m_undo; }
  [[nodiscard]] int columnCount() const { return static_cast<int>(m_state.columns.size()); }
  [[nodiscard]] int selectedColumn() const { return m_selected; }

  // Consecutive changes of one thing that carry the same gesture (not 0) are one undo step: a drag of a
  // slider.
  [[nodiscard]] int newGesture() { return ++m_lastGesture; }

  // Everything at once, as one step: what a session holds.
  void setState(const DocumentState& state, const QString& stepName);
  void setSource(const QString& source, Index layer = 0);
  void setLayer(Index layer, int gesture = 0);
  void setHead(Index head, int gesture = 0);

  // Adds at the right end; with kMaxColumns on the wall it replaces the selected column. Returns where it
  // went.
  int addColumn(const MechanismSpec& spec);
  void replaceColumn(int column, const MechanismSpec& spec);
  void removeColumn(int column);  // the last one stays
  void moveColumn(int from, int to);
  void setColumns(const std::vector<MechanismSpec>& columns, const QString& stepName);
  void pinBaseline(int column);  // -1: none, compare with full attention
  void setOwnZoom(int column, bool own);
  void setOwnScale(int column, bool own);
  void sortBy(int column, int order);     // column -1: as in the text
  void toggleLabel(const QString& name);  // hides or shows a reason in all patterns

  void setParam(int column, const std::string& id, const std::string& text, int gesture = 0);
  void resetParam(int column, const std::string& id);
  void resetParams(int column);

  void setCausal(CausalChoice causal);
  void setScale(std::optional<double> scale);
  void setSeed(std::uint64_t seed);
  void setStyle(const ViewStyle& style, int gesture = 0);
  void setRowVisible(PanelKind kind, bool visible);  // one row always stays
  void setReachLayers(Index layers);

  // Which column the parameter form edits. Not a step: nothing is lost by it.
  void selectColumn(int column);

 Q_SIGNALS:
  void inputChanged();  // source or layer
  void headChanged();
  void columnsChanged();           // which mechanisms stand where
  void columnChanged(int column);  // parameters of one column
  void viewsChanged();             // baseline, or who zooms or is coloured alone
  void optionsChanged();           // causal, scale, seed
  void styleChanged();
  void rowsChanged();
  void reachChanged();  // number of layers
  void selectionChanged(int column);
  void changed();  // after any of the above but selectionChanged

 private:
  friend class StateCommand;
  void push(const QString& name, DocumentState next, const QString& mergeKey = {}, int gesture = 0);
  void apply(const DocumentState& next);

  DocumentState m_state;
  QUndoStack m_undo;
  int m_selected = 0;
  int m_lastGesture = 0;
};

}  // namespace attnscope
