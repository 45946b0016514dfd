// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/fidelity.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace attnscope {

namespace {

constexpr Index kRowsAtOnce = 64;

// What one row contributes.
struct RowFidelity {
  double mass = 0.0;
  double recall = 0.0;
  double variation = 0.0;
  double keys = 0.0;
  double fullKeys = 0.0;
};

// Indices of the k largest weights, ties to the smaller index; weights of 0 do not count.
std::vector<Index> largest(std::span<const float> row, Index k) {
  std::vector<Index> order;
  for (std::size_t j = 0; j < row.size(); ++j)
    if (row[j] > 0.0F) order.push_back(static_cast<Index>(j));
  const Index kept = std::min(k, static_cast<Index>(order.size()));
  const auto before = [&](Index a, Index b) {
    const float x = row[static_cast<std::size_t>(a)];
    const float y = row[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), before);
  order.resize(static_cast<std::size_t>(kept));
  std::sort(order.begin(), order.end());
  return order;
}

double effectiveKeys(std::span<const float> row) {
  double sum = 0.0;
  double squares = 0.0;
  for (const float w : row) {
    sum += w;
    squares += static_cast<double>(w) * w;
  }
  return squares > 0.0 ? sum * sum / squares : 0.0;
}

RowFidelity compareRow(std::span<const float> p, std::span<const float> w, const Pattern& support, Index i,
                       Index topK) {
  RowFidelity row;
  for (std::size_t j = 0; j < p.size(); ++j)
    row.variation += 0.5 * std::abs(static_cast<double>(p[j]) - w[j]);
  const std::vector<Index> truth = largest(p, topK);
  const std::vector<Index> found = largest(w, topK);
  std::vector<Index> common;
  std::set_intersection(truth.begin(), truth.end(), found.begin(), found.end(), std::back_inserter(common));
  row.recall = truth.empty() ? 1.0 : static_cast<double>(common.size()) / static_cast<double>(truth.size());
  RunList runs;
  support.row(i, runs);
  const auto tokens = static_cast<Index>(p.size());
  for (const Run& run : runs)
    for (Index j = run.begin; j < std::min(run.end, tokens); j += run.stride)
      row.mass += p[static_cast<std::size_t>(j)];
  row.keys = effectiveKeys(w);
  row.fullKeys = effectiveKeys(p);
  return row;
}

double outputError(const Tensor& full, const Tensor& other) {
  const auto a = full.values<float>();
  const auto b = other.values<float>();
  double difference = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(a[i]) * a[i];
  }
  return size > 0.0 ? std::sqrt(difference / size)
                    : (difference > 0.0 ? std::numeric_limits<double>::infinity() : 0.0);
}

void add(RowFidelity& sum, const RowFidelity& row) {
  sum.mass += row.mass;
  sum.recall += row.recall;
  sum.variation += row.variation;
  sum.keys += row.keys;
  sum.fullKeys += row.fullKeys;
}

}  // namespace

MechanismSpec fullFor(const PlannedCall& call) {
  MechanismSpec full;
  full.id = "full";
  full.options.causal = call.options.causal;
  full.options.causalGiven = true;
  return full;
}

Result<Fidelity> compareWithFull(const Exploration& full, const Exploration& other, Index topK,
                                 const JobContext& job) {
  if (full.input.digest != other.input.digest || full.call.options.causal != other.call.options.causal)
    return fail(ErrorKind::Usage,
                "A comparison with full attention needs the same input and the same mask on both sides.");
  const Shape shape = full.input.shape();
  RowFidelity sum;
  job.beginPhase(static_cast<double>(shape.heads * ((shape.nQ + kRowsAtOnce - 1) / kRowsAtOnce)));
  for (Index h = 0; h < shape.heads; ++h) {
    const Pattern& support = *other.call.plan->support(h);
    for (Index begin = 0; begin < shape.nQ; begin += kRowsAtOnce) {
      const Index rows = std::min(kRowsAtOnce, shape.nQ - begin);
      ATTN_ASSIGN(p, full.matrix->block(h, begin, rows, 0, shape.nK, job));
      ATTN_ASSIGN(w, other.matrix->block(h, begin, rows, 0, shape.nK, job));
      std::vector<RowFidelity> parts(static_cast<std::size_t>(rows));
      tbb::parallel_for(Index{0}, rows, [&](Index r) {
        parts[static_cast<std::size_t>(r)] =
            compareRow(p.slice<float>(r), w.slice<float>(r), support, begin + r, topK);
      });
      for (const RowFidelity& part : parts) add(sum, part);
      if (!job.advance()) return cancelled();
    }
  }
  const auto count = static_cast<double>(shape.heads * shape.nQ);
  Fidelity fidelity;
  fidelity.capturedMass =
      other.call.plan->slotCount() > 0 ? std::numeric_limits<double>::quiet_NaN() : sum.mass / count;
  fidelity.recall = sum.recall / count;
  fidelity.totalVariation = sum.variation / count;
  fidelity.effectiveKeys = sum.keys / count;
  fidelity.fullEffectiveKeys = sum.fullKeys / count;
  fidelity.outputError = outputError(full.out, other.out);
  fidelity.topK = topK;
  return fidelity;
}

}  // namespace attnscope
