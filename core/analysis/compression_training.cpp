// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/compression_training.h"

#include <cmath>
#include <utility>

namespace attnscope {

namespace {

using Matrix = Eigen::MatrixXd;

// Rows t, t + rate, t + 2 rate, ...: the t-th row of every block.
Matrix rowsOfTap(const Matrix& rows, Index t, Index rate) {
  Matrix part(rows.rows() / rate, rows.cols());
  for (Eigen::Index b = 0; b < part.rows(); ++b) part.row(b) = rows.row(b * rate + t);
  return part;
}

Matrix compressed(const Matrix& rows, const std::vector<Matrix>& taps, const Eigen::RowVectorXd& bias) {
  const auto rate = static_cast<Index>(taps.size());
  Matrix made = bias.replicate(rows.rows() / rate, 1);
  for (Index t = 0; t < rate; ++t) made += rowsOfTap(rows, t, rate) * taps[static_cast<std::size_t>(t)];
  return made;
}

// Gradient of the taps and the bias from that of the slots.
void tapGradient(const Matrix& rows, const Matrix& ofSlots, std::vector<Matrix>& taps,
                 Eigen::RowVectorXd& bias, Index rate) {
  taps.clear();
  for (Index t = 0; t < rate; ++t) taps.emplace_back(rowsOfTap(rows, t, rate).transpose() * ofSlots);
  bias = ofSlots.colwise().sum();
}

Matrix softmaxRows(Matrix logits) {
  for (Eigen::Index i = 0; i < logits.rows(); ++i) {
    logits.row(i) = (logits.row(i).array() - logits.row(i).maxCoeff()).exp();
    logits.row(i) /= logits.row(i).sum();
  }
  return logits;
}

Matrix attentionWeights(const CompressionTask& task, const Matrix& keys) {
  return softmaxRows(task.scale * (task.queries * keys.transpose()));
}

Matrix readOf(const CompressionTask& task) {
  return attentionWeights(task, task.keys) * task.values;
}

// Sum of squares of rows less slot decoder[t], and the gradients of it.
double decodingError(const Matrix& rows, const Matrix& made, const std::vector<Matrix>& decoder, double unit,
                     Matrix& ofSlots, std::vector<Matrix>& ofDecoder) {
  const auto rate = static_cast<Index>(decoder.size());
  double sum = 0.0;
  ofSlots = Matrix::Zero(made.rows(), made.cols());
  ofDecoder.clear();
  for (Index t = 0; t < rate; ++t) {
    const Matrix& back = decoder[static_cast<std::size_t>(t)];
    const Matrix error = made * back - rowsOfTap(rows, t, rate);
    sum += error.squaredNorm();
    ofSlots += 2.0 * unit * error * back.transpose();
    ofDecoder.emplace_back(2.0 * unit * made.transpose() * error);
  }
  return unit * sum;
}

// What is trained, and the gradient of it.
struct State {
  CompressionTaps taps;
  CompressionDecoder decoder;
};

double lossOf(const CompressionTask& task, CompressionLoss loss, const State& at, State& gradient) {
  return loss == CompressionLoss::AttentionReconstruction
             ? attentionReconstructionLoss(task, at.taps, &gradient.taps)
             : autoEncodingLoss(task, at.taps, at.decoder, &gradient.taps, &gradient.decoder);
}

// Every block of numbers that a loss trains, in one order.
std::vector<Eigen::Map<Eigen::VectorXd>> blocksOf(State& state, CompressionLoss loss) {
  std::vector<Eigen::Map<Eigen::VectorXd>> blocks;
  const auto add = [&](auto& matrix) { blocks.emplace_back(matrix.data(), matrix.size()); };
  for (Matrix& tap : state.taps.k) add(tap);
  for (Matrix& tap : state.taps.v) add(tap);
  add(state.taps.kBias);
  add(state.taps.vBias);
  if (loss == CompressionLoss::AttentionReconstruction) return blocks;
  for (Matrix& back : state.decoder.k) add(back);
  for (Matrix& back : state.decoder.v) add(back);
  return blocks;
}

// Adam: steps of a size that hardly depends on how large the gradient is, so that one rate serves all inputs.
class Adam {
 public:
  void step(State& state, State& gradient, CompressionLoss loss) {
    const auto values = blocksOf(state, loss);
    const auto slopes = blocksOf(gradient, loss);
    if (m_first.empty())
      for (const auto& slope : slopes) {
        m_first.emplace_back(Eigen::VectorXd::Zero(slope.size()));
        m_second.emplace_back(Eigen::VectorXd::Zero(slope.size()));
      }
    ++m_count;
    for (std::size_t p = 0; p < values.size(); ++p) {
      m_first[p] = kMean * m_first[p] + (1.0 - kMean) * slopes[p];
      m_second[p] = kSquare * m_second[p] + (1.0 - kSquare) * slopes[p].cwiseAbs2();
      auto value = values[p];
      value.array() -= kRate * (m_first[p].array() / (1.0 - std::pow(kMean, m_count))) /
                       ((m_second[p].array() / (1.0 - std::pow(kSquare, m_count))).sqrt() + 1e-12);
    }
  }

 private:
  static constexpr double kRate = 0.001;
  static constexpr double kMean = 0.9;
  static constexpr double kSquare = 0.99;
  std::vector<Eigen::VectorXd> m_first;
  std::vector<Eigen::VectorXd> m_second;
  int m_count = 0;
};

}  // namespace

CompressionTaps meanCompression(Index rate, Index d, Index dV) {
  const auto count = static_cast<std::size_t>(rate);
  return {std::vector<Matrix>(count, Matrix::Identity(d, d) / static_cast<double>(rate)),
          std::vector<Matrix>(count, Matrix::Identity(dV, dV) / static_cast<double>(rate)),
          Eigen::RowVectorXd::Zero(d), Eigen::RowVectorXd::Zero(dV)};
}

CompressionDecoder copyingDecoder(Index rate, Index d, Index dV) {
  const auto count = static_cast<std::size_t>(rate);
  return {std::vector<Matrix>(count, Matrix::Identity(d, d)),
          std::vector<Matrix>(count, Matrix::Identity(dV, dV))};
}

Matrix reconstructionDifference(const CompressionTask& task, const Matrix& slotKeys,
                                const Matrix& slotValues) {
  return attentionWeights(task, slotKeys) * slotValues - (task.read.size() > 0 ? task.read : readOf(task));
}

double attentionReconstructionLoss(const CompressionTask& task, const CompressionTaps& taps,
                                   CompressionTaps* gradient) {
  const Matrix target = task.read.size() > 0 ? task.read : readOf(task);
  const Matrix keys = compressed(task.keys, taps.k, taps.kBias);
  const Matrix values = compressed(task.values, taps.v, taps.vBias);
  const Matrix weights = attentionWeights(task, keys);
  const Matrix error = weights * values - target;
  const double unit = 1.0 / static_cast<double>(error.size());
  if (gradient != nullptr) {
    const Matrix ofOut = 2.0 * unit * error;
    const Matrix ofWeights = ofOut * values.transpose();
    const Eigen::VectorXd mean = (ofWeights.array() * weights.array()).rowwise().sum();
    const Matrix ofLogits = weights.array() * (ofWeights.colwise() - mean).array();
    tapGradient(task.keys, task.scale * (ofLogits.transpose() * task.queries), gradient->k, gradient->kBias,
                task.rate);
    tapGradient(task.values, weights.transpose() * ofOut, gradient->v, gradient->vBias, task.rate);
  }
  return unit * error.squaredNorm();
}

double autoEncodingLoss(const CompressionTask& task, const CompressionTaps& taps,
                        const CompressionDecoder& decoder, CompressionTaps* gradient,
                        CompressionDecoder* decoderGradient) {
  const double unit = 1.0 / static_cast<double>(task.keys.size() + task.values.size());
  Matrix ofKeys;
  Matrix ofValues;
  CompressionDecoder ofDecoder;
  const double loss = decodingError(task.keys, compressed(task.keys, taps.k, taps.kBias), decoder.k, unit,
                                    ofKeys, ofDecoder.k) +
                      decodingError(task.values, compressed(task.values, taps.v, taps.vBias), decoder.v, unit,
                                    ofValues, ofDecoder.v);
  if (gradient != nullptr) {
    tapGradient(task.keys, ofKeys, gradient->k, gradient->kBias, task.rate);
    tapGradient(task.values, ofValues, gradient->v, gradient->vBias, task.rate);
  }
  if (decoderGradient != nullptr) *decoderGradient = std::move(ofDecoder);
  return loss;
}

Result<CompressionTraining> trainCompression(const CompressionTask& given, CompressionLoss loss,
                                             const CompressionTaps& taps, const CompressionDecoder& decoder,
                                             int steps, const JobContext& job) {
  CompressionTask task = given;
  task.read = readOf(task);
  State at{taps, decoder};
  State gradient;
  Adam adam;
  CompressionTraining training;
  for (int s = 0; s <= steps; ++s) {
    if (job.isCancelled()) return cancelled();
    training.curve.push_back(lossOf(task, loss, at, gradient));
    if (s < steps) adam.step(at, gradient, loss);
  }
  training.taps = std::move(at.taps);
  training.decoder = std::move(at.decoder);
  return training;
}

}  // namespace attnscope
