// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "kernels/effective.h"

// Pictures of a matrix by its two ways, from the device and on the CPU.
namespace attnscope::testing {

// The same matrix without what the device left of its pass.
inline EffectiveMatrix onCpu(std::shared_ptr<const FrozenPlan> plan, const AttentionInput& input,
                             RunResult run) {
  run.weights = nullptr;
  return {std::move(plan), input, std::move(run)};
}

struct Picture {
  std::string name;
  Tensor numbers;
};

// Ragged rectangles of all heads by every question that can be asked: cells, levels of both axes, borders
// that do not divide, single rows.
inline Result<std::vector<Picture>> picturesOf(const EffectiveMatrix& matrix) {
  using Reduce = EffectiveMatrix::Reduce;
  std::vector<Picture> pictures;
  const Index rows = matrix.rows();
  const Index cols = matrix.cols();
  for (Index head = 0; head < matrix.heads(); ++head) {
    const Index row0 = rows > 4 ? 3 : 0;
    const Index col0 = cols > 6 ? 5 : 0;
    ATTN_ASSIGN(block, matrix.block(head, row0, rows - row0, col0, cols - col0));
    pictures.push_back({"cells", std::move(block)});
    for (const Reduce reduce : {Reduce::Max, Reduce::Mean}) {
      const std::string how = reduce == Reduce::Max ? "largest" : "mean";
      for (const auto& [down, across] : {std::pair{0, 3}, std::pair{2, 0}, std::pair{3, 1}, std::pair{1, 7},
                                         std::pair{7, 2}, std::pair{8, 8}}) {
        ATTN_ASSIGN(tile, matrix.tile(head, row0, rows - row0, down, col0, cols - col0, across, reduce));
        pictures.push_back(
            {how + " of 2^" + std::to_string(down) + " x 2^" + std::to_string(across), std::move(tile)});
      }
      const Index outRows = (rows + 2) / 3;
      const Index outCols = (cols + 6) / 7;
      ATTN_ASSIGN(uneven, matrix.reduced(head, 0, rows, 0, cols, outRows, outCols, reduce));
      pictures.push_back({how + " of uneven cells", std::move(uneven)});
      ATTN_ASSIGN(stretched, matrix.reduced(head, 0, rows, 0, cols, 2 * rows + 1, cols + 3, reduce));
      pictures.push_back({how + " of more numbers than cells", std::move(stretched)});
      const std::vector<Index> some{rows - 1, 0, rows / 2};
      ATTN_ASSIGN(sampled, matrix.sampledRows(head, some, 0, cols, outCols, reduce));
      pictures.push_back({how + " of single rows", std::move(sampled)});
    }
  }
  return pictures;
}

// Where pictures differ, in words; empty: nowhere. Zeros have to be the same ones, but for weights that
// float32 can only just hold.
inline QString pictureDifference(const std::vector<Picture>& found, const std::vector<Picture>& expected,
                                 double relative) {
  if (found.size() != expected.size()) return "not as many pictures";
  for (std::size_t p = 0; p < found.size(); ++p) {
    const auto a = found[p].numbers.values<float>();
    const auto b = expected[p].numbers.values<float>();
    if (found[p].numbers.shape() != expected[p].numbers.shape()) return "shapes differ";
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
      const double size = std::abs(static_cast<double>(b[i]));
      const bool sameZero = (a[i] == 0.0F) == (b[i] == 0.0F);
      if (!(difference <= relative * size + 1e-35) || !(sameZero || difference < 1e-35))
        return QString("%1 [%2], number %3: %4, on the CPU %5")
            .arg(found[p].name.c_str())
            .arg(p)
            .arg(i)
            .arg(static_cast<double>(a[i]), 0, 'g', 9)
            .arg(static_cast<double>(b[i]), 0, 'g', 9);
    }
  }
  return {};
}

// How far a weight may be off, relatively: a logit and a log-sum-exp of size L are off by some eps L, and a
// weight relatively by as much. Sums of thousands of weights round in another order beside.
inline double weightTolerance(const RunResult& run, const AttentionInput& input) {
  double largest = 1.0;
  for (const auto& [name, tensor] : run.buffers)
    if (name.find("lse") != std::string::npos)
      for (const float x : tensor.values<float>())
        if (std::isfinite(x) && x > -1e4F) largest = std::max(largest, static_cast<double>(std::abs(x)));
  for (const Tensor* tensor : {&input.q, &input.k})
    for (const float x : tensor->values<float>()) largest = std::max(largest, std::abs(double{x}));
  return 32.0 * 0x1p-24 * (8.0 + largest);
}

}  // namespace attnscope::testing
