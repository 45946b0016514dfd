// SPDX-License-Identifier: GPL-3.0-or-later
// The attention on [tokens | slots] that `compute --trace` writes: what the matrix on the tokens is made of,
// and for notes their own rows against the definition.
#include <QTest>
#include <cmath>

#include "core/base/rng.h"
#include "tests/support/against_oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using attnscope::testing::inputOf;
using attnscope::testing::planned;

namespace {

Tensor extendedOf(const PlannedCall& call, const AttentionInput& input) {
  const auto matrix = extendedMatrix(cpuBackend(), *call.plan, input, {});
  if (!matrix) qFatal("%s", matrix.error().message.c_str());
  return *matrix;
}

float cell(const Tensor& tensor, Index h, Index i, Index j) {
  return tensor.slice<float>(tensor.dim(0) == 1 ? 0 : h)[static_cast<std::size_t>(i * tensor.dim(2) + j)];
}

AttentionInput sentences() {
  AttentionInput input = inputOf("clustered:d=8,heads=2,seed=3,n=23");
  input.segments = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4};
  return input;
}

Tensor paramOf(const PlannedCall& call, const std::string& name) {
  for (const ParamTensor& param : call.plan->plan().params)
    if (param.name == name) return param.make();
  return {};
}

// Weights of note a of the head, from the definition: notes and tokens in one softmax, labels by distance
// among notes and by membership between a note and a token.
std::vector<double> noteRow(const PlannedCall& call, const RunResult& run, const AttentionInput& input,
                            Index h, Index a) {
  const Index n = input.shape().nK;
  const Index count = call.plan->slotCount();
  const Index d = input.shape().d;
  const bool labelled = call.spec.id == "etc";
  const Index clip = labelled ? call.params.integer("clip") : 0;
  const bool own = labelled && call.params.flag("hard_g2l");
  const Tensor vectors = paramOf(call, "label_vectors_global");
  const Tensor biases = paramOf(call, "label_bias_global");
  std::vector<double> row(static_cast<std::size_t>(n + count), 0.0);
  double total = 0.0;
  for (Index j = 0; j < n + count; ++j) {
    const bool note = j >= n;
    const bool linked = !note && input.segments[static_cast<std::size_t>(j)] == a;
    if (own && !note && !linked) continue;
    const Index x = j - n - a;
    const Index label = !note    ? 2 * clip + (linked ? 2 : 1)
                        : x >= 0 ? std::min(x, clip)
                                 : clip + std::min(-x, clip);
    double logit = clip > 0 ? double{biases.slice<float>(h)[static_cast<std::size_t>(label)]} : 0.0;
    for (Index c = 0; c < d; ++c) {
      const double q = cell(run.buffers.at("q_global"), h, a, c);
      const double k = note ? cell(run.buffers.at("k_global"), h, j - n, c) : cell(input.k, h, j, c);
      logit += q * (k + (clip > 0 ? double{cell(vectors, h, label, c)} : 0.0));
    }
    total += row[static_cast<std::size_t>(j)] = std::exp(logit / std::sqrt(static_cast<double>(d)));
  }
  for (double& weight : row) weight /= total;
  return row;
}

}  // namespace

class ExtendedMatrixTest : public QObject {
  Q_OBJECT

 private slots:
  void isWhatTheMatrixIsMadeOf_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec :
         {"etc:radius=3,init=demo", "bigbird:variant=etc,block=3,random=1", "memory-compressed",
          "memory-compressed:causal=on", "compressive:segment=6,memory=6", "sinkhorn", "sinkhorn:causal=on",
          "linformer:k=5", "set:inducing=4"})
      QTest::newRow(spec) << spec;
  }
  void isWhatTheMatrixIsMadeOf() {
    QFETCH(QString, spec);
    const AttentionInput input = sentences();
    const PlannedCall call = planned(spec.toStdString(), input);
    const Plan& plan = call.plan->plan();
    QVERIFY(plan.slotCount > 0);
    const Tensor extended = extendedOf(call, input);
    QCOMPARE(extended.shape()[2], 23 + plan.slotCount);
    QCOMPARE(extended.shape()[1], 23 + (plan.slotOut == kNoBuffer ? 0 : plan.slotCount));
    const auto matrix = executedMatrix(cpuBackend(), *call.plan, input, {});
    QVERIFY(matrix);
    const Tensor made = plan.slotComposition();
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < extended.dim(1); ++i) {
        double sum = 0.0;
        for (Index j = 0; j < extended.dim(2); ++j) sum += cell(extended, h, i, j);
        QVERIFY(std::abs(sum - 1.0) < 1e-5);
        for (Index j = 0; j < 23 && i < 23; ++j) {
          double weight = cell(extended, h, i, j);
          for (Index s = 0; s < plan.slotCount; ++s)
            weight += double{cell(extended, h, i, 23 + s)} * cell(made, h, s, j);
          QVERIFY(std::abs(weight - cell(*matrix, h, i, j)) < 1e-5);
        }
      }
  }

  void rowsOfNotesAreTheDefinition_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec :
         {"etc:radius=3", "etc:radius=3,init=demo", "etc:radius=3,init=demo,clip=2,hard_g2l=on",
          "bigbird:variant=etc,random=1,block=3"})
      QTest::newRow(spec) << spec;
  }
  void rowsOfNotesAreTheDefinition() {
    QFETCH(QString, spec);
    AttentionInput input = sentences();
    if (spec.startsWith("bigbird"))  // a given block is that of the notes, too
      for (std::size_t j = 0; j < 23; ++j) input.segments[j] = static_cast<std::int32_t>(j / 3);
    const PlannedCall call = planned(spec.toStdString(), input);
    const RunResult run = attnscope::testing::ran(call, input);
    const Tensor extended = extendedOf(call, input);
    const Tensor& out = run.buffers.at("out_global");
    for (Index h = 0; h < 2; ++h)
      for (Index a = 0; a < call.plan->slotCount(); ++a) {
        const auto expected = noteRow(call, run, input, h, a);
        std::vector<double> value(8, 0.0);
        for (Index j = 0; j < extended.dim(2); ++j) {
          const double weight = expected[static_cast<std::size_t>(j)];
          QVERIFY(std::abs(weight - cell(extended, h, 23 + a, j)) < 1e-5);
          QVERIFY(weight != 0.0 || cell(extended, h, 23 + a, j) == 0.0F);
          for (Index c = 0; c < 8; ++c)
            value[static_cast<std::size_t>(c)] +=
                weight * (j < 23 ? cell(input.v, h, j, c) : cell(run.buffers.at("v_global"), h, j - 23, c));
        }
        for (Index c = 0; c < 8; ++c)
          QVERIFY(std::abs(value[static_cast<std::size_t>(c)] - double{cell(out, h, a, c)}) < 1e-5);
      }
  }
};

QTEST_APPLESS_MAIN(ExtendedMatrixTest)
#include "extended_matrix_test.moc"
