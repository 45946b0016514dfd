// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// Learning to compress old rows, in double, for one head of one eviction: the two auxiliary losses of Rae et
// al. (arXiv 1911.05507, section 3.2), as mean squares. Queries, keys and values are data: gradients reach
// the taps of the compression (and the decoder) and nothing else.

// m queries and the e old rows that leave, e a multiple of the rate.
struct CompressionTask {
  Eigen::MatrixXd queries;  // (m, d)
  Eigen::MatrixXd keys;     // (e, d)
  Eigen::MatrixXd values;   // (e, d_v)
  double scale = 1.0;
  Index rate = 1;
  Eigen::MatrixXd read = {};  // (m, d_v): what the queries read of the old rows; computed where it is empty
};

// Slot b is bias + sum_t row_{b rate + t} taps[t], for keys and for values.
struct CompressionTaps {
  std::vector<Eigen::MatrixXd> k;
  std::vector<Eigen::MatrixXd> v;
  Eigen::RowVectorXd kBias;
  Eigen::RowVectorXd vBias;
};
[[nodiscard]] CompressionTaps meanCompression(Index rate, Index d, Index dV);

// Row t of a block is slot decoder[t]: the way back, for the auto-encoding loss only.
struct CompressionDecoder {
  std::vector<Eigen::MatrixXd> k;
  std::vector<Eigen::MatrixXd> v;
};
[[nodiscard]] CompressionDecoder copyingDecoder(Index rate, Index d, Index dV);

// What the queries read of the slots less what they read of the old rows, (m, d_v): the
// attention-reconstruction loss is the mean of its squares. Content only; no mask, no positions.
[[nodiscard]] Eigen::MatrixXd reconstructionDifference(const CompressionTask& task,
                                                       const Eigen::MatrixXd& slotKeys,
                                                       const Eigen::MatrixXd& slotValues);

// What content-only attention reads of the old rows, less what it reads of their slots; no mask, no
// positions.
[[nodiscard]] double attentionReconstructionLoss(const CompressionTask& task, const CompressionTaps& taps,
                                                 CompressionTaps* gradient = nullptr);
// The old rows less what the decoder makes of their slots.
[[nodiscard]] double autoEncodingLoss(const CompressionTask& task, const CompressionTaps& taps,
                                      const CompressionDecoder& decoder, CompressionTaps* gradient = nullptr,
                                      CompressionDecoder* decoderGradient = nullptr);

enum class CompressionLoss { AttentionReconstruction, AutoEncoding };

struct CompressionTraining {
  std::vector<double> curve;  // loss before the first step and after each
  CompressionTaps taps;
  CompressionDecoder decoder;
};
// Gradient descent (Adam) on the taps, and on the decoder where the loss has one.
[[nodiscard]] Result<CompressionTraining> trainCompression(const CompressionTask& task, CompressionLoss loss,
                                                           const CompressionTaps& taps,
                                                           const CompressionDecoder& decoder, int steps,
                                                           const JobContext& job = {});

}  // namespace attnscope
