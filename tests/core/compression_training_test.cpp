// SPDX-License-Identifier: GPL-3.0-or-later
// The auxiliary losses of the Compressive Transformer: gradients against finite differences, and what
// training does and does not do.
#include "core/analysis/compression_training.h"

#include <QTest>
#include <cmath>
#include <functional>

#include "core/inputs/input_document.h"

using namespace attnscope;

namespace {

Eigen::MatrixXd filled(Index rows, Index cols, double seed) {
  Eigen::MatrixXd matrix(rows, cols);
  for (Index i = 0; i < rows; ++i)
    for (Index c = 0; c < cols; ++c) matrix(i, c) = std::sin(seed + 1.7 * static_cast<double>(i * cols + c));
  return matrix;
}

struct Setting {
  CompressionTask task;
  CompressionTaps taps;
  CompressionDecoder decoder;
};

Setting bentSetting() {
  Setting s{{filled(5, 4, 0.1), filled(6, 4, 0.2), filled(6, 3, 0.3), 0.5, 3, {}},
            meanCompression(3, 4, 3),
            copyingDecoder(3, 4, 3)};
  for (std::size_t t = 0; t < 3; ++t) {
    const double seed = 1.0 + static_cast<double>(t);
    s.taps.k[t] += 0.3 * filled(4, 4, seed);
    s.taps.v[t] += 0.3 * filled(3, 3, 2.0 * seed);
    s.decoder.k[t] += 0.3 * filled(4, 4, 3.0 * seed);
    s.decoder.v[t] += 0.3 * filled(3, 3, 4.0 * seed);
  }
  s.taps.kBias = 0.2 * filled(1, 4, 5.0);
  s.taps.vBias = 0.2 * filled(1, 3, 6.0);
  return s;
}

// Central differences of `loss` in every cell of `values` against the gradient. The error is of the order of
// the step squared.
template <class Cells>
void checkGradient(Cells& values, const Cells& gradient, const std::function<double()>& loss) {
  constexpr double kStep = 1e-5;
  QCOMPARE(values.size(), gradient.size());
  for (Eigen::Index at = 0; at < values.size(); ++at) {
    double& cell = values.data()[at];
    const double kept = cell;
    cell = kept + kStep;
    const double above = loss();
    cell = kept - kStep;
    const double below = loss();
    cell = kept;
    QVERIFY2(std::abs((above - below) / (2.0 * kStep) - gradient.data()[at]) < 1e-8,
             qPrintable(QString("cell %1: %2 by differences, %3 claimed")
                            .arg(at)
                            .arg((above - below) / (2.0 * kStep))
                            .arg(gradient.data()[at])));
  }
}

// The first eviction of 24 rows of a clustered input, and the 24 queries after them.
CompressionTask clusteredTask() {
  const auto input = loadInput("clustered:n=48,d=16,heads=1");
  const auto rows = [](const Tensor& tensor, Index begin) {
    Eigen::MatrixXd matrix(24, tensor.dim(2));
    for (Index i = 0; i < 24; ++i)
      for (Index c = 0; c < tensor.dim(2); ++c)
        matrix(i, c) = tensor.values<float>()[static_cast<std::size_t>((begin + i) * tensor.dim(2) + c)];
    return matrix;
  };
  return {rows(input->q, 24), rows(input->k, 0), rows(input->v, 0), 0.25, 3, {}};
}

}  // namespace

class CompressionTrainingTest : public QObject {
  Q_OBJECT

 private slots:
  void attentionGradient() {
    Setting s = bentSetting();
    CompressionTaps gradient;
    (void)attentionReconstructionLoss(s.task, s.taps, &gradient);
    const auto loss = [&] { return attentionReconstructionLoss(s.task, s.taps); };
    for (std::size_t t = 0; t < 3; ++t) {
      checkGradient(s.taps.k[t], gradient.k[t], loss);
      checkGradient(s.taps.v[t], gradient.v[t], loss);
    }
    checkGradient(s.taps.kBias, gradient.kBias, loss);
    checkGradient(s.taps.vBias, gradient.vBias, loss);
    QVERIFY(gradient.k[0].norm() > 1e-4);
  }

  void autoEncodingGradient() {
    Setting s = bentSetting();
    CompressionTaps gradient;
    CompressionDecoder ofDecoder;
    (void)autoEncodingLoss(s.task, s.taps, s.decoder, &gradient, &ofDecoder);
    const auto loss = [&] { return autoEncodingLoss(s.task, s.taps, s.decoder); };
    for (std::size_t t = 0; t < 3; ++t) {
      checkGradient(s.taps.k[t], gradient.k[t], loss);
      checkGradient(s.taps.v[t], gradient.v[t], loss);
      checkGradient(s.decoder.k[t], ofDecoder.k[t], loss);
      checkGradient(s.decoder.v[t], ofDecoder.v[t], loss);
    }
    checkGradient(s.taps.kBias, gradient.kBias, loss);
    checkGradient(s.taps.vBias, gradient.vBias, loss);
  }

  // By hand: two rows, one query that does not care, a mean. The slot is their mean: nothing is lost in what
  // is read, and each row is 1 away from what the decoder copies.
  void lossesByHand() {
    CompressionTask task{
        Eigen::MatrixXd::Zero(1, 1), Eigen::MatrixXd(2, 1), Eigen::MatrixXd(2, 1), 1.0, 2, {}};
    task.keys << 1.0, 3.0;
    task.values << 4.0, 6.0;
    QCOMPARE(attentionReconstructionLoss(task, meanCompression(2, 1, 1)), 0.0);
    QCOMPARE(autoEncodingLoss(task, meanCompression(2, 1, 1), copyingDecoder(2, 1, 1)), 1.0);
    CompressionTaps shifted = meanCompression(2, 1, 1);
    shifted.vBias[0] = 0.5;
    QCOMPARE(attentionReconstructionLoss(task, shifted), 0.25);
  }

  void rowsThatAreAlikeLoseNothing() {
    CompressionTask task{
        filled(5, 4, 0.1), filled(1, 4, 0.2).replicate(6, 1), filled(1, 3, 0.3).replicate(6, 1), 0.5, 3, {}};
    QVERIFY(attentionReconstructionLoss(task, meanCompression(3, 4, 3)) < 1e-30);
    QVERIFY(autoEncodingLoss(task, meanCompression(3, 4, 3), copyingDecoder(3, 4, 3)) < 1e-30);
  }

  void hundredStepsLowerTheLoss() {
    const CompressionTask task = clusteredTask();
    const CompressionTaps start = meanCompression(3, 16, 16);
    const CompressionDecoder decoder = copyingDecoder(3, 16, 16);
    for (const CompressionLoss loss :
         {CompressionLoss::AttentionReconstruction, CompressionLoss::AutoEncoding}) {
      const auto training = trainCompression(task, loss, start, decoder, 100);
      QVERIFY(training);
      QCOMPARE(training->curve.size(), std::size_t{101});
      QVERIFY(training->curve.back() < 0.5 * training->curve.front());
      // The curve is of the taps that come with it.
      const double reached = loss == CompressionLoss::AutoEncoding
                                 ? autoEncodingLoss(task, training->taps, training->decoder)
                                 : attentionReconstructionLoss(task, training->taps);
      QVERIFY(std::abs(reached - training->curve.back()) < 1e-12);
      // The decoder takes no part in attention reconstruction.
      const bool same = training->decoder.k[0] == decoder.k[0] && training->decoder.v[2] == decoder.v[2];
      QCOMPARE(same, loss == CompressionLoss::AttentionReconstruction);
    }
  }

  void canBeCancelled() {
    const JobContext job;
    job.cancel();
    const CompressionTask task = clusteredTask();
    const auto training = trainCompression(task, CompressionLoss::AutoEncoding, meanCompression(3, 16, 16),
                                           copyingDecoder(3, 16, 16), 100, job);
    QVERIFY(!training);
    QCOMPARE(training.error().kind, ErrorKind::Cancelled);
  }
};

QTEST_APPLESS_MAIN(CompressionTrainingTest)
#include "compression_training_test.moc"
