// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>

#include "kernels/reference/relative.h"

namespace attnscope {

namespace {

using Row = std::vector<double>;

struct Slot {
  Row key;
  Row value;
  Row shares;  // on the tokens
  double centre = 0.0;
};

Row rowOf(const dense::Matrix& matrix, Index i) {
  return {matrix.cells.begin() + i * matrix.cols, matrix.cells.begin() + (i + 1) * matrix.cols};
}

// x W for the tap t of a tensor (H, taps, width, width).
Row tapped(const OracleRequest& request, const std::string& name, Index tap, const Row& x) {
  const Tensor& tensor = request.tensors.at(name);
  const auto width = x.size();
  const auto cells = tensor.slice<float>(request.head).subspan(static_cast<std::size_t>(tap) * width * width);
  Row y(width, 0.0);
  for (std::size_t a = 0; a < width; ++a)
    for (std::size_t c = 0; c < width; ++c) y[c] += x[a] * static_cast<double>(cells[a * width + c]);
  return y;
}

void addTo(Row& sum, const Row& x, double factor = 1.0) {
  for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += factor * x[c];
}

// The drawers, moved row by row as the algorithm of the paper does.
class Drawers {
 public:
  explicit Drawers(const OracleRequest& request)
      : m_request(request),
        m_q(dense::queries(request)),
        m_k(dense::keys(request)),
        m_v(dense::values(request)),
        m_logit(request),
        m_scale(request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(m_q.cols)))),
        m_rate(request.params.integer("rate")),
        m_function(request.params.choice("function")) {}

  OracleHead run() {
    const Index n = m_k.rows;
    const Index length = m_request.params.integer("segment");
    std::vector<std::vector<std::size_t>> slotsOfRow;
    std::vector<std::vector<Index>> tokensOfRow;
    for (Index start = 0; start < n; start += length) {
      const Index end = std::min(start + length, n);
      m_received.assign(static_cast<std::size_t>(n), 0.0);
      for (Index t = start; t < end; ++t) {
        std::vector<Index> tokens(m_memory.begin(), m_memory.end());
        for (Index j = start; j <= t; ++j) tokens.push_back(j);
        read(t, tokens, t - start);
        slotsOfRow.emplace_back(m_drawer.begin(), m_drawer.end());
        tokensOfRow.push_back(tokens);
      }
      for (Index j = start; j < end; ++j) m_memory.push_back(j);
      if (end < n) overflow();
    }
    m_head.slotCount = static_cast<Index>(m_slots.size());
    const auto cols = static_cast<std::size_t>(n) + m_slots.size();
    m_head.support.assign(static_cast<std::size_t>(n) * cols, 0);
    for (std::size_t i = 0; i < slotsOfRow.size(); ++i) {
      for (const Index j : tokensOfRow[i]) m_head.support[i * cols + static_cast<std::size_t>(j)] = 1;
      for (const std::size_t b : slotsOfRow[i])
        m_head.support[i * cols + static_cast<std::size_t>(n) + b] = 1;
    }
    return std::move(m_head);
  }

 private:
  // One softmax over what is in the drawers and the segment up to t.
  void read(Index t, const std::vector<Index>& tokens, Index place) {
    Row logits;
    const bool centre = m_request.params.choice("distance") == "centre";
    for (std::size_t s = 0; s < m_drawer.size(); ++s) {
      const Slot& slot = m_slots[m_drawer[s]];
      const std::size_t newer = m_drawer.size() - 1 - s;
      const double distance = centre ? static_cast<double>(t) - slot.centre
                                     : static_cast<double>(place) + static_cast<double>(m_memory.size()) +
                                           static_cast<double>(newer) + 1.0;
      dense::Matrix key(1, m_k.cols);
      key.cells = slot.key;
      logits.push_back(m_scale * m_logit(m_q, t, key, 0, distance));
    }
    for (const Index j : tokens)
      logits.push_back(m_scale * m_logit(m_q, t, m_k, j, static_cast<double>(t - j)));
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (const double logit : logits) sum += std::exp(logit - largest);
    Row out(static_cast<std::size_t>(m_v.cols), 0.0);
    Row weights(static_cast<std::size_t>(m_k.rows), 0.0);
    for (std::size_t at = 0; at < logits.size(); ++at) {
      const double weight = std::exp(logits[at] - largest) / sum;
      if (at < m_drawer.size()) {
        addTo(out, m_slots[m_drawer[at]].value, weight);
        addTo(weights, m_slots[m_drawer[at]].shares, weight);
      } else {
        const Index j = tokens[at - m_drawer.size()];
        addTo(out, rowOf(m_v, j), weight);
        weights[static_cast<std::size_t>(j)] += weight;
        m_received[static_cast<std::size_t>(j)] += weight;
      }
    }
    m_head.out.insert(m_head.out.end(), out.begin(), out.end());
    m_head.matrix.insert(m_head.matrix.end(), weights.begin(), weights.end());
    m_head.lse.push_back(largest + std::log(sum));
  }

  void overflow() {
    const Index size = static_cast<Index>(m_memory.size());
    const Index over = size - m_request.params.integer("memory");
    if (over <= 0) return;
    Index leaving = over;
    if (m_request.params.choice("evict") == "all")
      while (leaving % m_rate != 0) ++leaving;
    const std::vector<Index> old(m_memory.begin(), m_memory.begin() + leaving);
    m_memory.erase(m_memory.begin(), m_memory.begin() + leaving);
    const Index limit = m_request.params.integer("compressed");
    if (limit == 0) return;
    for (Slot& slot : compress(old)) {
      m_drawer.push_back(m_slots.size());
      m_slots.push_back(std::move(slot));
    }
    while (static_cast<Index>(m_drawer.size()) > limit) m_drawer.pop_front();
  }

  std::vector<Slot> compress(const std::vector<Index>& old) {
    if (m_function == "most-used") return mostUsed(old);
    const Index blocks = static_cast<Index>(old.size()) / m_rate;
    const std::vector<Row> bent =
        m_function == "dilated" ? dilated(old, blocks * m_rate) : std::vector<Row>{};
    std::vector<Slot> slots;
    for (Index b = 0; b < blocks; ++b) {
      Slot slot{Row(static_cast<std::size_t>(m_k.cols), 0.0), Row(static_cast<std::size_t>(m_v.cols), 0.0),
                Row(static_cast<std::size_t>(m_k.rows), 0.0), 0.0};
      if (m_function == "conv") {
        addBias(slot.key, "conv_k_bias");
        addBias(slot.value, "conv_v_bias");
      }
      if (m_function == "max")
        std::fill(slot.key.begin(), slot.key.end(), -std::numeric_limits<double>::infinity());
      for (Index t = 0; t < m_rate; ++t) {
        const auto place = static_cast<std::size_t>(b * m_rate + t);
        fold(slot, old[place], t, bent.empty() ? Row{} : bent[place]);
      }
      slots.push_back(std::move(slot));
    }
    return slots;
  }

  void addBias(Row& row, const std::string& name) const {
    const auto bias = m_request.tensors.at(name).slice<float>(m_request.head);
    for (std::size_t c = 0; c < row.size(); ++c) row[c] += static_cast<double>(bias[c]);
  }

  // Adds token j, the t-th of its block, to the slot.
  void fold(Slot& slot, Index j, Index t, const Row& bent) {
    const double part = 1.0 / static_cast<double>(m_rate);
    const Row key = rowOf(m_k, j);
    slot.centre += part * static_cast<double>(j);
    if (m_function == "conv") {
      addTo(slot.key, tapped(m_request, "conv_k", t, key));
      addTo(slot.value, tapped(m_request, "conv_v", t, rowOf(m_v, j)));
      for (std::size_t c = 0; c < slot.value.size(); ++c) {
        Row unit(slot.value.size(), 0.0);
        unit[c] = 1.0;
        slot.shares[static_cast<std::size_t>(j)] +=
            tapped(m_request, "conv_v", t, unit)[c] / static_cast<double>(unit.size());
      }
      return;
    }
    addTo(slot.value, rowOf(m_v, j), part);
    slot.shares[static_cast<std::size_t>(j)] = part;
    if (m_function == "mean") addTo(slot.key, key, part);
    if (m_function == "dilated") addTo(slot.key, bent, part);
    if (m_function == "max")
      for (std::size_t c = 0; c < key.size(); ++c) slot.key[c] = std::max(slot.key[c], key[c]);
  }

  // Two passes over the rows that leave together: taps at -1, 0, 1, then at -2, 0, 2.
  std::vector<Row> dilated(const std::vector<Index>& old, Index count) const {
    std::vector<Row> rows;
    for (Index p = 0; p < count; ++p) rows.push_back(rowOf(m_k, old[static_cast<std::size_t>(p)]));
    for (const Index gap : {Index{1}, Index{2}}) {
      std::vector<Row> next;
      for (Index p = 0; p < count; ++p) {
        next.emplace_back(static_cast<std::size_t>(m_k.cols), 0.0);
        for (Index tap = 0; tap < 3; ++tap) {
          const Index from = p + (tap - 1) * gap;
          if (from >= 0 && from < count)
            addTo(next.back(), tapped(m_request, gap == 1 ? "conv_k_1" : "conv_k_2", tap,
                                      rows[static_cast<std::size_t>(from)]));
        }
      }
      rows = std::move(next);
    }
    return rows;
  }

  std::vector<Slot> mostUsed(const std::vector<Index>& old) const {
    std::vector<Index> ranked = old;
    std::stable_sort(ranked.begin(), ranked.end(), [&](Index a, Index b) {
      return m_received[static_cast<std::size_t>(a)] > m_received[static_cast<std::size_t>(b)];
    });
    ranked.resize(old.size() / static_cast<std::size_t>(m_rate));
    std::sort(ranked.begin(), ranked.end());
    std::vector<Slot> slots;
    for (const Index j : ranked) {
      Slot slot{rowOf(m_k, j), rowOf(m_v, j), Row(static_cast<std::size_t>(m_k.rows), 0.0),
                static_cast<double>(j)};
      slot.shares[static_cast<std::size_t>(j)] = 1.0;
      slots.push_back(std::move(slot));
    }
    return slots;
  }

  const OracleRequest& m_request;
  dense::Matrix m_q, m_k, m_v;
  dense::RelativeLogit m_logit;
  double m_scale;
  Index m_rate;
  std::string m_function;
  std::deque<Index> m_memory;
  std::deque<std::size_t> m_drawer;  // of m_slots, oldest first
  std::vector<Slot> m_slots;         // all ever made
  Row m_received;                    // by token, from the segment being read
  OracleHead m_head;
};

}  // namespace

Result<OracleHead> compressiveOracle(const OracleRequest& request) {
  return Drawers(request).run();
}

}  // namespace attnscope
