// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRectF>
#include <functional>
#include <memory>
#include <vector>

#include "core/analysis/reach.h"
#include "core/base/job_context.h"
#include "core/plan/pattern.h"
#include "core/plan/token_order.h"
#include "kernels/effective.h"

namespace attnscope {

struct Exploration;

// Whole cells, rows from row0 and columns from col0, shown with outRows x outCols numbers.
struct CellWindow {
  Index row0 = 0;
  Index rows = 0;
  Index col0 = 0;
  Index cols = 0;
  Index outRows = 0;
  Index outCols = 0;

  [[nodiscard]] bool isEmpty() const { return rows < 1 || cols < 1 || outRows < 1 || outCols < 1; }
  [[nodiscard]] QRectF rect() const {
    return {static_cast<double>(col0), static_cast<double>(row0), static_cast<double>(cols),
            static_cast<double>(rows)};
  }
  friend bool operator==(const CellWindow&, const CellWindow&) = default;
};

// The whole cells that cover a viewport, with one number a cell or one a pixel, whichever is fewer.
[[nodiscard]] CellWindow cellWindow(const QRectF& viewport, Index rows, Index cols, Index pixelRows,
                                    Index pixelCols);

// What a square can be asked for. May be used from any thread.
struct NumberSource {
  using Weights =
      std::function<Result<Tensor>(const CellWindow&, EffectiveMatrix::Reduce, const JobContext&)>;
  PatternPtr support;  // columns [tokens | slots]; null: do not count
  Index tokens = 0;
  Index slotCount = 0;
  Weights weights;  // null: no weights wanted
  // Where numbers are kept as tiles: what they belong to (TileKey::source; 0: not kept), the matrix that
  // `weights` reads, and what it takes off where it gives differences.
  std::uint64_t id = 0;
  Index head = 0;
  std::shared_ptr<const EffectiveMatrix> matrix;
  std::shared_ptr<const EffectiveMatrix> baseline;
};
[[nodiscard]] NumberSource supportSource(const Exploration& exploration, Index head);
[[nodiscard]] NumberSource reachSource(std::shared_ptr<const Reach> reach);
[[nodiscard]] NumberSource weightSource(std::shared_ptr<const Exploration> exploration, Index head);
// The map less that of a baseline on the same input.
[[nodiscard]] NumberSource differenceSource(std::shared_ptr<const Exploration> exploration,
                                            std::shared_ptr<const Exploration> baseline, Index head);

// The same without the pairs of some reasons, by label.
[[nodiscard]] NumberSource withoutLabels(NumberSource source, const std::vector<bool>& hidden);
// The same with queries and keys in another order; slots stay. Weights are not kept as tiles then.
[[nodiscard]] NumberSource inOrder(NumberSource source, std::shared_ptr<const TokenOrder> order);

}  // namespace attnscope
