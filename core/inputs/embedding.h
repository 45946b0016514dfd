// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"

namespace attnscope {

// How rows of token vectors become Q, K and V without a trained model:
//
//   x = row(head, position) + strength(head) * sinusoid(position)
//   q = W x,  k = W x,  v = U x
//
// W is one random orthogonal matrix per key head (the same for q and k, so that q.k = x.x: alike attends to
// alike), U the first d_v rows and d columns of another. Query heads that share a key head share its W.
// Where n_q and n_k differ, the shorter one holds the last tokens of the same sequence.
struct Embedding {
  Shape shape;
  std::uint64_t seed = 0;
  std::string owner;  // names the random streams: "clustered"
  // Writes the d entries of one token; `position` counts from 0 in the longer sequence. Called from many
  // threads. The key of group g is the row of that group's first query head.
  std::function<void(Index queryHead, Index position, std::span<float> row)> row;
  std::vector<float> positionStrength;  // one a query head
};

// Fills q, k and v (not yet finishInput). Parallel; stops on cancel.
[[nodiscard]] Result<AttentionInput> embed(const Embedding& embedding, const JobContext& job);

// The sinusoidal position of Vaswani et al.: pairs sin, cos with wavelengths from 2 pi to 10000 * 2 pi.
void sinusoid(Index position, std::span<float> row);

// Scales a row to length 1 (a zero row stays zero).
void normalise(std::span<float> row);

// Runs body(i) for i in [0, count) on all cores, one unit of `job` each. False when the job was cancelled.
[[nodiscard]] bool parallelUnits(Index count, const JobContext& job, const std::function<void(Index)>& body);

}  // namespace attnscope
