// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/tensor.h"
#include "core/params/mechanism_spec.h"
#include "ui/plots/panel.h"
#include "ui/plots/view_style.h"

namespace attnscope {

// Whether a query may read later keys: what each paper does, or the same for all columns.
enum class CausalChoice { AsPaper, On, Off };

// Views in the order in which the wall and figures stack them, and what the command line calls them.
struct RowName {
  PanelKind kind;
  const char* id;
};
inline constexpr std::array<RowName, 5> kRowOrder{{{PanelKind::Pattern, "pattern"},
                                                   {PanelKind::Map, "map"},
                                                   {PanelKind::Difference, "difference"},
                                                   {PanelKind::Reach, "reach"},
                                                   {PanelKind::Insides, "insides"}}};
// Place of a view in that order.
[[nodiscard]] constexpr std::size_t rowOf(PanelKind kind) {
  std::size_t row = 0;
  while (kRowOrder[row].kind != kind) ++row;
  return row;
}

struct RowChoice {
  bool pattern = true;
  bool map = true;
  bool insides = true;
  bool reach = false;
  bool difference = false;

  [[nodiscard]] bool& of(PanelKind kind) {
    switch (kind) {
      case PanelKind::Pattern:
        return pattern;
      case PanelKind::Map:
        return map;
      case PanelKind::Reach:
        return reach;
      case PanelKind::Difference:
        return difference;
      case PanelKind::Insides:
        break;
    }
    return insides;
  }
  [[nodiscard]] bool shows(PanelKind kind) const { return RowChoice(*this).of(kind); }
  [[nodiscard]] bool none() const { return !pattern && !map && !insides && !reach && !difference; }
  friend bool operator==(const RowChoice&, const RowChoice&) = default;
};

// What a column has for itself on a wall that otherwise shares everything.
struct ColumnView {
  bool ownZoom = false;  // its viewport does not follow the others
  int sortBy = -1;  // its how manieth order all columns stand in (tokenOrders()); -1, or in one column only
  bool baseline = false;  // pinned: the others are compared with it; one column at most
  bool ownScale = false;  // the colours of its map and difference follow its own weights
  friend bool operator==(const ColumnView&, const ColumnView&) = default;
};

// Everything that the user decided and nothing that was computed from it. A small value: undo keeps whole
// copies.
struct DocumentState {
  QString source = QStringLiteral("sample");  // what openSource() takes
  Index layer = 0;
  Index head = 0;
  std::vector<MechanismSpec> columns;  // 1 to kMaxColumns, from left to right
  std::vector<ColumnView> views;       // one a column
  CausalChoice causal = CausalChoice::AsPaper;
  std::optional<double> scale;  // empty: 1/sqrt(d), or what the mechanism says
  std::uint64_t seed = 0;
  ViewStyle style;
  RowChoice rows;
  Index reachLayers = 4;  // of the view of reach: 1 to 12
};

inline constexpr int kMaxColumns = 6;

// The column whose order the wall stands in, or -1: the order of the text.
[[nodiscard]] int sortingColumn(const DocumentState& state);
// The pinned column, or -1: then columns are compared with full attention.
[[nodiscard]] int baselineColumn(const DocumentState& state);

// What is asked of the core for a column: its own choices, and the document's where it has none.
[[nodiscard]] MechanismSpec callSpec(const DocumentState& state, int column);

}  // namespace attnscope
