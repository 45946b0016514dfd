// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/row_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace attnscope {

namespace {

Index tokenAt(const Order& order, Index position) {
  return order ? (*order)[static_cast<std::size_t>(position)] : position;
}

// What the wanted row weighs, buffer by buffer, from the output back to the values.
class BackWalk {
 public:
  explicit BackWalk(const InsidesRequest& request)
      : m_request(request), m_plan(request.plan.plan()), m_weights(m_plan.buffers.size()) {}

  Result<std::vector<double>> from(Index query) {
    weightsAt(m_plan.out)[static_cast<std::size_t>(query)] = 1.0;
    for (auto step = m_plan.steps.rbegin(); step != m_plan.steps.rend(); ++step) {
      if (const auto* attend = std::get_if<AttendStep>(&*step)) ATTN_TRY(through(*attend));
      if (const auto* gather = std::get_if<GatherStep>(&*step)) through(*gather);
    }
    return weightsAt(kValue);
  }

 private:
  std::vector<double>& weightsAt(BufferId id) {
    const auto at = static_cast<std::size_t>(id);
    m_weights[at].resize(static_cast<std::size_t>(m_plan.buffers[at].rows), 0.0);
    return m_weights[at];
  }

  void through(const GatherStep& step) {
    const std::vector<double>& above = weightsAt(step.out);
    const SparseRows& rows = *step.heads[static_cast<std::size_t>(m_request.head)];
    for (std::size_t i = 0; i < above.size(); ++i)
      for (auto e = rows.begin[i]; e < rows.begin[i + 1]; ++e) {
        const SparseRows::Entry& entry = rows.entries[static_cast<std::size_t>(e)];
        weightsAt(step.in[static_cast<std::size_t>(entry.input)])[static_cast<std::size_t>(entry.row)] +=
            above[i] * static_cast<double>(entry.weight);
      }
  }

  Status through(const AttendStep& step) {
    const std::vector<double>& above = weightsAt(step.out);
    std::vector<double>& below = weightsAt(step.v);
    const HeadAttend& head = step.heads[static_cast<std::size_t>(m_request.head)];
    for (Index p = 0; p < head.pattern->rows(); ++p) {
      const double weight = above[static_cast<std::size_t>(tokenAt(head.queryOrder, p))];
      if (weight == 0.0) continue;
      if (!m_request.job.advance(0)) return cancelled();
      spread(step, head, p, weight, below);
    }
    return {};
  }

  void spread(const AttendStep& step, const HeadAttend& head, Index position, double weight,
              std::vector<double>& below) {
    const AttentionInput& input = m_request.input;
    const auto d = static_cast<std::size_t>(m_plan.shape.d);
    const float* q = input.q.slice<float>(m_request.head).data() +
                     static_cast<std::size_t>(tokenAt(head.queryOrder, position)) * d;
    const float* keys = input.k.slice<float>(input.kvHead(m_request.head)).data();
    m_shares.clear();
    double largest = -std::numeric_limits<double>::infinity();
    head.pattern->row(position, m_runs);
    for (const Run& run : m_runs)
      for (Index at = run.begin; at < run.end; at += run.stride) {
        const auto j = static_cast<std::size_t>(tokenAt(head.keyOrder, at));
        double logit = 0.0;
        for (std::size_t c = 0; c < d; ++c) logit += static_cast<double>(q[c]) * keys[j * d + c];
        m_shares.emplace_back(j, step.scale * logit);
        largest = std::max(largest, m_shares.back().second);
      }
    double sum = 0.0;
    for (auto& share : m_shares) sum += share.second = std::exp(share.second - largest);
    for (const auto& [j, share] : m_shares) below[j] += weight * share / sum;
  }

  const InsidesRequest& m_request;
  const Plan& m_plan;
  std::vector<std::vector<double>> m_weights;  // by buffer, on its rows
  RunList m_runs;
  std::vector<std::pair<std::size_t, double>> m_shares;
};

}  // namespace

Result<std::vector<double>> rowWeights(const InsidesRequest& request, Index query) {
  return BackWalk(request).from(query);
}

}  // namespace attnscope
