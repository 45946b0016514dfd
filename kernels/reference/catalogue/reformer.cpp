// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

// argmax [xR; -xR] of one row, summed in index order, first maximum.
Index hashRow(const dense::Matrix& q, Index i, const Tensor& rotations, Index head, Index round) {
  const Index d = rotations.dim(2);
  const Index half = rotations.dim(3);
  const auto r = rotations.slice<float>(head).subspan(static_cast<std::size_t>(round * d * half));
  Index best = 0;
  double bestScore = -std::numeric_limits<double>::infinity();
  for (Index sign = 0; sign < 2; ++sign)
    for (Index a = 0; a < half; ++a) {
      double sum = 0.0;
      for (Index c = 0; c < d; ++c)
        sum += q.at(i, c) * static_cast<double>(r[static_cast<std::size_t>(c * half + a)]);
      const double score = sign == 0 ? sum : -sum;
      if (score > bestScore) {
        bestScore = score;
        best = sign * half + a;
      }
    }
  return best;
}

struct Round {
  std::vector<Index> bucket;
  std::vector<Index> chunk;  // of each token
};

Round hashRound(const OracleRequest& request, const dense::Matrix& q, Index round) {
  Round result;
  const auto one = request.tensors.find("rotations");
  for (Index i = 0; i < q.rows; ++i) {
    if (one != request.tensors.end()) {
      result.bucket.push_back(hashRow(q, i, one->second, request.head, round));
    } else {
      const Tensor& first = request.tensors.at("rotations_1");
      result.bucket.push_back(hashRow(q, i, first, request.head, round) +
                              2 * first.dim(3) *
                                  hashRow(q, i, request.tensors.at("rotations_2"), request.head, round));
    }
  }
  std::vector<Index> order(static_cast<std::size_t>(q.rows));
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    return result.bucket[static_cast<std::size_t>(a)] < result.bucket[static_cast<std::size_t>(b)];
  });
  result.chunk.resize(order.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank)
    result.chunk[static_cast<std::size_t>(order[rank])] =
        static_cast<Index>(rank) / request.params.integer("chunk");
  return result;
}

// Is j in A_i of round r?
bool isCandidate(const OracleRequest& request, const std::vector<Round>& rounds, std::size_t r, Index i,
                 Index j) {
  if (request.options.causal && j > i) return false;
  const bool restricted = request.params.flag("restrict_to_bucket");
  const auto at = [](const std::vector<Index>& values, Index t) {
    return values[static_cast<std::size_t>(t)];
  };
  if (restricted && at(rounds[r].bucket, i) != at(rounds[r].bucket, j)) return false;
  const Index back = request.params.integer("look_back");
  const Index ahead = request.params.integer("look_ahead");
  const Index mine = at(rounds[r].chunk, i);
  const Index theirs = at(rounds[r].chunk, j);
  if (theirs >= mine - back && theirs <= mine + ahead) return true;
  if (restricted || !request.params.flag("wrap")) return false;
  // Chunks of all rounds on a ring: chunk c of round r' is number r' C + c.
  const Index chunks = *std::max_element(rounds[r].chunk.begin(), rounds[r].chunk.end()) + 1;
  const auto ring = chunks * static_cast<Index>(rounds.size());
  for (Index step = -back; step <= ahead; ++step) {
    if (mine + step >= 0 && mine + step < chunks) continue;
    const Index number = ((static_cast<Index>(r) * chunks + mine + step) % ring + ring) % ring;
    if (at(rounds[static_cast<std::size_t>(number / chunks)].chunk, j) == number % chunks) return true;
  }
  return false;
}

}  // namespace

// The softmax over the union of the rounds' candidates, pair (i, j) counted N_ij times unless deduplicated.
// No sorting, no chunks of work, no merging: the other side of the identity that the paper's section 2 rests
// on.
Result<OracleHead> reformerOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto v = dense::values(request);
  const Index n = q.rows;
  dense::Matrix unit = q;
  for (Index j = 0; j < n; ++j) {
    const double length = std::sqrt(dense::dot(q, j, q, j));
    for (Index c = 0; c < q.cols; ++c) unit.at(j, c) = length > 0.0 ? q.at(j, c) / length : 0.0;
  }
  std::vector<Round> rounds;
  for (Index r = 0; r < request.params.integer("rounds"); ++r) rounds.push_back(hashRound(request, q, r));
  const double scale = request.options.scale.value_or(1.0);
  const std::string& self = request.params.choice("self");
  dense::Matrix count(n, n);
  for (Index i = 0; i < n; ++i) {
    bool alone = true;
    for (Index j = 0; j < n; ++j) {
      for (std::size_t r = 0; r < rounds.size(); ++r)
        count.at(i, j) += isCandidate(request, rounds, r, i, j) ? 1.0 : 0.0;
      alone = alone && (j == i || count.at(i, j) == 0.0);
    }
    if (self == "fallback" && !alone) count.at(i, i) = 0.0;
  }
  dense::Matrix logits(n, n);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      logits.at(i, j) = scale * dense::dot(q, i, unit, j) - (self == "penalty" && i == j ? 1e5 : 0.0);
      if (!request.params.flag("dedup") && count.at(i, j) > 0.0) logits.at(i, j) += std::log(count.at(i, j));
    }
  const auto allowed = [&](Index i, Index j) { return count.at(i, j) > 0.0; };
  return dense::fromWeights(dense::softmax(logits, allowed), v, allowed);
}

}  // namespace attnscope
