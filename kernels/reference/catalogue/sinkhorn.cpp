// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

constexpr Index kMostPermuted = 20;  // blocks of which all permutations are tried

struct Blocks {
  Index size;
  Index count;
  Index n;

  [[nodiscard]] bool has(Index v, Index t) const { return v * size + t < n; }
};

// Sum over the rows [begin, end), times a factor.
void pool(const dense::Matrix& x, Index begin, Index end, double factor, dense::Matrix& out, Index row) {
  for (Index j = begin; j < end; ++j)
    for (Index c = 0; c < x.cols; ++c) out.at(row, c) += factor * x.at(j, c);
}

dense::Matrix pooled(const dense::Matrix& x, const Blocks& blocks, bool mean) {
  dense::Matrix out(blocks.count, x.cols);
  for (Index u = 0; u < blocks.count; ++u) {
    const Index end = std::min((u + 1) * blocks.size, x.rows);
    pool(x, u * blocks.size, end, mean ? 1.0 / static_cast<double>(end - u * blocks.size) : 1.0, out, u);
  }
  return out;
}

dense::Matrix reluLayer(const dense::Matrix& x, const dense::Matrix& w, std::span<const float> bias) {
  dense::Matrix y = dense::multiply(x, w);
  for (Index r = 0; r < y.rows; ++r)
    for (Index c = 0; c < y.cols; ++c)
      y.at(r, c) = std::max(0.0, y.at(r, c) + static_cast<double>(bias[static_cast<std::size_t>(c)]));
  return y;
}

dense::Matrix rawScores(const OracleRequest& request, const Blocks& blocks) {
  const auto q = dense::queries(request);
  const bool net = request.params.choice("score") == "net";
  dense::Matrix x = pooled(q, blocks, !net);
  if (request.options.causal) {
    x = dense::Matrix(blocks.count, q.cols);
    for (Index u = 0; u < blocks.count; ++u)
      pool(q, 0, u * blocks.size + 1, 1.0 / static_cast<double>(u * blocks.size + 1), x, u);
  }
  if (net) {
    const auto tensor = [&](const char* name) { return request.tensors.at(name); };
    const auto hidden = reluLayer(x, dense::headOf(tensor("sort_w1"), request.head),
                                  tensor("sort_b1").slice<float>(request.head));
    return reluLayer(hidden, dense::headOf(tensor("sort_w2"), request.head),
                     tensor("sort_b2").slice<float>(request.head));
  }
  const auto y = pooled(dense::keys(request), blocks, true);
  dense::Matrix scores(blocks.count, blocks.count);
  for (Index u = 0; u < blocks.count; ++u)
    for (Index v = 0; v < blocks.count; ++v)
      scores.at(u, v) = dense::dot(x, u, y, v) / std::sqrt(static_cast<double>(q.cols));
  return scores;
}

// Subtracts log sum exp from the cells (u(a), v(a)), a < count.
template <class Cell>
void normalise(Index count, const Cell& cell) {
  double top = -std::numeric_limits<double>::infinity();
  for (Index a = 0; a < count; ++a) top = std::max(top, cell(a));
  double sum = 0.0;
  for (Index a = 0; a < count; ++a) sum += std::exp(cell(a) - top);
  for (Index a = 0; a < count; ++a) cell(a) -= top + std::log(sum);
}

// Logarithms of P.
dense::Matrix balanced(const OracleRequest& request, const Blocks& blocks) {
  dense::Matrix raw = rawScores(request, blocks);
  dense::Matrix log(blocks.count, blocks.count);
  for (Index u = 0; u < blocks.count; ++u)
    for (Index v = 0; v < blocks.count; ++v) {
      double score = raw.at(u, v);
      if (request.params.flag("noise"))
        score += dense::headOf(request.tensors.at("gumbel"), request.head).at(u, v);
      log.at(u, v) = score / request.params.real("temperature");
    }
  const bool causal = request.options.causal;
  for (Index t = 0; t < (causal ? 1 : request.params.integer("iterations")); ++t) {
    for (Index u = 0; u < blocks.count; ++u)
      normalise(causal ? u : blocks.count, [&](Index v) -> double& { return log.at(u, v); });
    for (Index v = 0; v < blocks.count && !causal; ++v)
      normalise(blocks.count, [&](Index u) -> double& { return log.at(u, v); });
  }
  for (Index u = 0; u < blocks.count; ++u)
    for (Index v = u; v < blocks.count && causal; ++v)
      log.at(u, v) = -std::numeric_limits<double>::infinity();
  return log;
}

// The first (by row) of the best permutations, from the best value of every set of columns left for the last
// rows: 2^n n.
dense::Matrix bestOfAllPermutations(const dense::Matrix& p) {
  const auto n = static_cast<std::size_t>(p.rows);
  const std::size_t all = (std::size_t{1} << n) - 1;
  std::vector<double> best(all + 1, 0.0);  // by the set of columns that are taken by the first rows
  for (std::size_t taken = all; taken-- > 0;) {
    const int row = __builtin_popcountll(taken);
    best[taken] = -1.0;
    for (std::size_t v = 0; v < n; ++v)
      if (const std::size_t bit = std::size_t{1} << v; (taken & bit) == 0)
        best[taken] = std::max(best[taken], p.at(row, static_cast<Index>(v)) + best[taken | bit]);
  }
  dense::Matrix hard(p.rows, p.cols);
  std::size_t taken = 0;
  for (Index u = 0; u < p.rows; ++u) {
    std::size_t v = 0;
    while ((taken & (std::size_t{1} << v)) != 0 ||
           p.at(u, static_cast<Index>(v)) + best[taken | (std::size_t{1} << v)] < best[taken] - 1e-11)
      ++v;
    hard.at(u, static_cast<Index>(v)) = 1.0;
    taken |= std::size_t{1} << v;
  }
  return hard;
}

dense::Matrix largestOfEachRow(const dense::Matrix& p) {
  dense::Matrix hard(p.rows, p.cols);
  for (Index u = 0; u < p.rows; ++u) {
    Index best = 0;
    for (Index v = 1; v < p.cols; ++v)
      if (p.at(u, v) > p.at(u, best)) best = v;
    if (p.at(u, best) > 0.0) hard.at(u, best) = 1.0;
  }
  return hard;
}

dense::Matrix exponentials(const dense::Matrix& logs) {
  dense::Matrix p(logs.rows, logs.cols);
  for (std::size_t i = 0; i < p.cells.size(); ++i) p.cells[i] = std::exp(logs.cells[i]);
  return p;
}

// As executed: in float32, without its subnormal numbers.
void freezeShares(dense::Matrix& p) {
  for (double& cell : p.cells)
    cell = cell < std::numeric_limits<float>::min() ? 0.0 : static_cast<double>(static_cast<float>(cell));
}

// P for rows that all blocks have, and for those that the last one lacks: there the others make up for it.
struct Shares {
  dense::Matrix whole;
  dense::Matrix cut;
};

Result<Shares> sharesOf(const OracleRequest& request, const Blocks& blocks) {
  dense::Matrix logs = balanced(request, blocks);
  const std::string& hard = request.params.choice("hard");
  if (hard == "hungarian" && blocks.count > kMostPermuted)
    return fail(ErrorKind::Compute,
                "sinkhorn: the reference tries all permutations and takes at most 20 blocks with "
                "hard=hungarian. Use larger blocks.");
  Shares shares{exponentials(logs), dense::Matrix(blocks.count, blocks.count)};
  if (hard != "none") {
    shares.whole = hard == "argmax" ? largestOfEachRow(shares.whole) : bestOfAllPermutations(shares.whole);
    shares.cut = shares.whole;
  } else {
    for (Index u = 0; u < blocks.count; ++u) {
      double rho = 0.0;
      for (Index v = 0; v < blocks.count; ++v) rho += shares.whole.at(u, v);
      if (rho == 0.0) continue;
      normalise(blocks.count - 1, [&](Index v) -> double& { return logs.at(u, v); });
      for (Index v = 0; v + 1 < blocks.count; ++v) shares.cut.at(u, v) = rho * std::exp(logs.at(u, v));
    }
  }
  for (Index u = 0; u < blocks.count; ++u) shares.cut.at(u, blocks.count - 1) = 0.0;
  freezeShares(shares.whole);
  freezeShares(shares.cut);
  return shares;
}

// The mix as a matrix on the tokens: row u B + t is slot t of mixed block u. `filled` says which are made of
// something.
dense::Matrix mixMatrix(const Shares& shares, const Blocks& blocks, std::vector<std::uint8_t>& filled) {
  dense::Matrix mix(blocks.count * blocks.size, blocks.n);
  for (Index u = 0; u < blocks.count; ++u)
    for (Index t = 0; t < blocks.size; ++t) {
      const dense::Matrix& p = blocks.has(blocks.count - 1, t) ? shares.whole : shares.cut;
      double sum = 0.0;
      for (Index v = 0; v < blocks.count; ++v) {
        sum += p.at(u, v);
        if (blocks.has(v, t)) mix.at(u * blocks.size + t, v * blocks.size + t) = p.at(u, v);
      }
      filled.push_back(sum > 0.0 ? 1 : 0);
    }
  return mix;
}

}  // namespace

// One softmax over [tokens | slots], with the sorting as one dense matrix.
Result<OracleHead> sinkhornOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const Index n = q.rows;
  const Index size = request.params.integer("block");
  const Blocks blocks{size, (n + size - 1) / size, n};
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  ATTN_ASSIGN(shares, sharesOf(request, blocks));
  std::vector<std::uint8_t> filled;
  const auto mix = mixMatrix(shares, blocks, filled);
  const auto mixedKeys = dense::multiply(mix, k);
  const Index sortcut = request.params.integer("sortcut");
  const Index slots = (sortcut > 0 ? sortcut : blocks.count) * size;
  dense::Matrix logits(n, n + slots);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
    for (Index s = 0; s < slots; ++s) logits.at(i, n + s) = scale * dense::dot(q, i, mixedKeys, s);
  }
  const bool own = sortcut == 0 || request.params.flag("sortcut_own");
  const auto allowed = [&](Index i, Index j) {
    if (j < n) return own && i / size == j / size && !(request.options.causal && j > i);
    const Index slot = j - n;
    return filled[static_cast<std::size_t>(slot)] != 0 && (sortcut > 0 || slot / size == i / size);
  };
  dense::Softmax softmax = dense::softmax(logits, allowed);
  dense::Matrix onTokens(n, n);
  OracleHead head;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n + slots; ++j) head.support.push_back(allowed(i, j) ? 1 : 0);
    for (Index j = 0; j < n; ++j) {
      onTokens.at(i, j) = softmax.weights.at(i, j);
      for (Index s = 0; s < slots; ++s) onTokens.at(i, j) += softmax.weights.at(i, n + s) * mix.at(s, j);
    }
  }
  head.out = dense::multiply(onTokens, dense::values(request)).cells;
  head.matrix = std::move(onTokens.cells);
  head.lse = std::move(softmax.lse);
  head.slotCount = slots;
  return head;
}

}  // namespace attnscope
