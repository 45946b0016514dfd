// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/document.h"

#include <algorithm>

#include "ui/state/state_command.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

bool sameMechanisms(const std::vector<MechanismSpec>& a, const std::vector<MechanismSpec>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const MechanismSpec& x, const MechanismSpec& y) { return x.id == y.id; });
}

}  // namespace

int sortingColumn(const DocumentState& state) {
  const auto found = std::find_if(state.views.begin(), state.views.end(),
                                  [](const ColumnView& view) { return view.sortBy >= 0; });
  return found == state.views.end() ? -1 : static_cast<int>(found - state.views.begin());
}

int baselineColumn(const DocumentState& state) {
  const auto found = std::find_if(state.views.begin(), state.views.end(),
                                  [](const ColumnView& view) { return view.baseline; });
  return found == state.views.end() ? -1 : static_cast<int>(found - state.views.begin());
}

MechanismSpec callSpec(const DocumentState& state, int column) {
  MechanismSpec spec = state.columns[static_cast<std::size_t>(column)];
  if (!spec.options.causalGiven && state.causal != CausalChoice::AsPaper) {
    spec.options.causalGiven = true;
    spec.options.causal = state.causal == CausalChoice::On;
  }
  if (!spec.options.scale) spec.options.scale = state.scale;
  if (!spec.options.seedGiven) spec.options.seed = state.seed;
  return spec;
}

Document::Document(QObject* parent) : QObject(parent) {
  m_undo.setUndoLimit(500);
}

void Document::push(const QString& name, DocumentState next, const QString& mergeKey, int gesture) {
  next.views.resize(next.columns.size());
  m_undo.push(new StateCommand(this, name, m_state, std::move(next), mergeKey, gesture));
}

void Document::apply(const DocumentState& next) {
  const DocumentState old = std::exchange(m_state, next);
  if (m_selected >= columnCount()) m_selected = std::max(0, columnCount() - 1);
  if (!sameMechanisms(old.columns, m_state.columns)) {
    Q_EMIT columnsChanged();
    Q_EMIT selectionChanged(m_selected);
  } else {
    for (int i = 0; i < columnCount(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!(old.columns[at] == m_state.columns[at])) Q_EMIT columnChanged(i);
    }
  }
  if (old.views != m_state.views) Q_EMIT viewsChanged();
  if (old.source != m_state.source || old.layer != m_state.layer) Q_EMIT inputChanged();
  if (old.head != m_state.head) Q_EMIT headChanged();
  if (old.causal != m_state.causal || old.scale != m_state.scale || old.seed != m_state.seed)
    Q_EMIT optionsChanged();
  if (!sameStyle(old.style, m_state.style)) Q_EMIT styleChanged();
  if (!(old.rows == m_state.rows)) Q_EMIT rowsChanged();
  if (old.reachLayers != m_state.reachLayers) Q_EMIT reachChanged();
  Q_EMIT changed();
}

void Document::setState(const DocumentState& state, const QString& stepName) {
  if (!state.columns.empty()) push(stepName, state);
}

void Document::setSource(const QString& source, Index layer) {
  if (source == m_state.source && layer == m_state.layer) return;
  DocumentState next = m_state;
  next.source = source;
  next.layer = layer;
  if (source != m_state.source) next.head = 0;
  push(tr("open %1").arg(source), next);
}

void Document::setLayer(Index layer, int gesture) {
  if (layer == m_state.layer || layer < 0) return;
  DocumentState next = m_state;
  next.layer = layer;
  push(tr("layer %1").arg(layer), next, QStringLiteral("layer"), gesture);
}

void Document::setHead(Index head, int gesture) {
  if (head == m_state.head || head < 0) return;
  DocumentState next = m_state;
  next.head = head;
  push(tr("head %1").arg(head), next, QStringLiteral("head"), gesture);
}

int Document::addColumn(const MechanismSpec& spec) {
  if (columnCount() >= kMaxColumns) {
    replaceColumn(m_selected, spec);
    return m_selected;
  }
  DocumentState next = m_state;
  next.columns.push_back(spec);
  push(tr("add %1").arg(toQ(spec.id)), next);
  selectColumn(columnCount() - 1);
  return columnCount() - 1;
}

void Document::replaceColumn(int column, const MechanismSpec& spec) {
  if (column < 0 || column >= columnCount()) return;
  DocumentState next = m_state;
  MechanismSpec& target = next.columns[static_cast<std::size_t>(column)];
  if (target == spec) return;
  const QString name = tr("replace %1 by %2").arg(toQ(target.id), toQ(spec.id));
  target = spec;
  push(name, next);
}

void Document::removeColumn(int column) {
  if (columnCount() <= 1 || column < 0 || column >= columnCount()) return;
  DocumentState next = m_state;
  const QString name = tr("remove %1").arg(toQ(next.columns[static_cast<std::size_t>(column)].id));
  next.columns.erase(next.columns.begin() + column);
  next.views.erase(next.views.begin() + column);
  if (m_selected > column) --m_selected;
  push(name, next);
}

void Document::moveColumn(int from, int to) {
  if (from == to || from < 0 || to < 0 || from >= columnCount() || to >= columnCount()) return;
  DocumentState next = m_state;
  const MechanismSpec moved = next.columns[static_cast<std::size_t>(from)];
  const ColumnView view = next.views[static_cast<std::size_t>(from)];
  next.columns.erase(next.columns.begin() + from);
  next.views.erase(next.views.begin() + from);
  next.columns.insert(next.columns.begin() + to, moved);
  next.views.insert(next.views.begin() + to, view);
  push(tr("move %1").arg(toQ(moved.id)), next);
  selectColumn(to);
}

void Document::setColumns(const std::vector<MechanismSpec>& columns, const QString& stepName) {
  if (columns.empty() || columns == m_state.columns) return;
  DocumentState next = m_state;
  next.columns.assign(columns.begin(),
                      columns.begin() + std::min<std::ptrdiff_t>(kMaxColumns, std::ssize(columns)));
  push(stepName, next);
}

void Document::pinBaseline(int column) {
  if (column >= columnCount() || column == baselineColumn(m_state)) return;
  DocumentState next = m_state;
  for (ColumnView& view : next.views) view.baseline = false;
  if (column >= 0) next.views[static_cast<std::size_t>(column)].baseline = true;
  push(column >= 0 ? tr("pin %1 as the baseline").arg(toQ(next.columns[static_cast<std::size_t>(column)].id))
                   : tr("no baseline"),
       next);
}

void Document::setOwnZoom(int column, bool own) {
  if (column < 0 || column >= columnCount() || m_state.views[static_cast<std::size_t>(column)].ownZoom == own)
    return;
  DocumentState next = m_state;
  next.views[static_cast<std::size_t>(column)].ownZoom = own;
  push(own ? tr("zoom one column alone") : tr("zoom all columns together"), next);
}

void Document::setOwnScale(int column, bool own) {
  if (column < 0 || column >= columnCount() ||
      m_state.views[static_cast<std::size_t>(column)].ownScale == own)
    return;
  DocumentState next = m_state;
  next.views[static_cast<std::size_t>(column)].ownScale = own;
  push(own ? tr("colour one column by its own weights") : tr("colour all columns alike"), next);
}

void Document::sortBy(int column, int order) {
  if (column >= columnCount()) return;
  DocumentState next = m_state;
  for (ColumnView& view : next.views) view.sortBy = -1;
  if (column >= 0) next.views[static_cast<std::size_t>(column)].sortBy = std::max(0, order);
  if (next.views == m_state.views) return;
  push(column >= 0 ? tr("sort as %1").arg(toQ(next.columns[static_cast<std::size_t>(column)].id))
                   : tr("sort as in the text"),
       next);
}

void Document::toggleLabel(const QString& name) {
  ViewStyle style = m_state.style;
  if (!style.hidden.removeOne(name)) style.hidden << name;
  style.hidden.sort();
  setStyle(style);
}

void Document::setParam(int column, const std::string& id, const std::string& text, int gesture) {
  if (column < 0 || column >= columnCount()) return;
  DocumentState next = m_state;
  MechanismSpec& spec = next.columns[static_cast<std::size_t>(column)];
  const auto it = spec.params.find(id);
  if (it != spec.params.end() && it->second == text) return;
  spec.params[id] = text;
  push(tr("%1: %2 = %3").arg(toQ(spec.id), toQ(id), toQ(text)), next,
       QStringLiteral("%1/%2").arg(column).arg(toQ(id)), gesture);
}

void Document::resetParam(int column, const std::string& id) {
  if (column < 0 || column >= columnCount()) return;
  DocumentState next = m_state;
  MechanismSpec& spec = next.columns[static_cast<std::size_t>(column)];
  if (spec.params.erase(id) == 0) return;
  push(tr("%1: default %2").arg(toQ(spec.id), toQ(id)), next);
}

void Document::resetParams(int column) {
  if (column < 0 || column >= columnCount()) return;
  DocumentState next = m_state;
  MechanismSpec& spec = next.columns[static_cast<std::size_t>(column)];
  if (spec.params.empty()) return;
  spec.params.clear();
  push(tr("%1: all defaults").arg(toQ(spec.id)), next);
}

void Document::setCausal(CausalChoice causal) {
  if (causal == m_state.causal) return;
  DocumentState next = m_state;
  next.causal = causal;
  push(tr("causal mask"), next);
}

void Document::setScale(std::optional<double> scale) {
  if (scale == m_state.scale) return;
  DocumentState next = m_state;
  next.scale = scale;
  push(tr("scale of the logits"), next);
}

void Document::setSeed(std::uint64_t seed) {
  if (seed == m_state.seed) return;
  DocumentState next = m_state;
  next.seed = seed;
  push(tr("seed %1").arg(seed), next);
}

void Document::setStyle(const ViewStyle& style, int gesture) {
  if (sameStyle(style, m_state.style)) return;
  DocumentState next = m_state;
  next.style = style;
  push(tr("colours of the maps"), next, QStringLiteral("style"), gesture);
}

void Document::setRowVisible(PanelKind kind, bool visible) {
  DocumentState next = m_state;
  next.rows.of(kind) = visible;
  if (next.rows.none() || next.rows == m_state.rows) {
    Q_EMIT rowsChanged();  // puts a check box back that asked for an empty wall
    return;
  }
  push(visible ? tr("show a row") : tr("hide a row"), next);
}

void Document::setReachLayers(Index layers) {
  if (layers == m_state.reachLayers || layers < 1) return;
  DocumentState next = m_state;
  next.reachLayers = layers;
  push(tr("reach over %1 layers").arg(layers), next);
}

void Document::selectColumn(int column) {
  if (column == m_selected || column < 0 || column >= columnCount()) return;
  m_selected = column;
  Q_EMIT selectionChanged(column);
}

}  // namespace attnscope
