// SPDX-License-Identifier: GPL-3.0-or-later
// The vector kernels err no more than twice as much as plain float32 loops do, both measured against the
// oracle in double: root mean square of the error over that of the output.
#include <QTest>
#include <cmath>
#include <vector>

#include "tests/support/against_oracle.h"

using namespace attnscope;
using attnscope::testing::inputOf;
using attnscope::testing::planned;
using attnscope::testing::ran;

namespace {

// What the oracle's output itself was rounded by, which both sides see.
constexpr double kRounding = 0x1p-24;

double relativeError(const Tensor& out, const Tensor& exact) {
  double errors = 0.0;
  double sizes = 0.0;
  for (std::size_t i = 0; i < exact.values<float>().size(); ++i) {
    const double size = exact.values<float>()[i];
    errors += std::pow(out.values<float>()[i] - size, 2.0);
    sizes += size * size;
  }
  return std::sqrt(errors / sizes);
}

float product(const float* x, const float* y, Index d) {
  float sum = 0.0F;
  for (Index c = 0; c < d; ++c) sum += x[c] * y[c];
  return sum;
}

// Softmax attention over the tokens that the plan's support lists, as one would first write it down.
Tensor plainSoftmax(const PlannedCall& call, const AttentionInput& input) {
  const Shape shape = input.shape();
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.d)));
  Tensor out = Tensor::zeros(DType::F32, {shape.heads, shape.nQ, shape.dV});
  for (Index h = 0; h < shape.heads; ++h) {
    const float* q = input.q.slice<float>(h).data();
    const float* k = input.k.slice<float>(input.kvHead(h)).data();
    const float* v = input.v.slice<float>(input.kvHead(h)).data();
    float* rows = out.mutableSlice<float>(h).data();
    for (Index i = 0; i < shape.nQ; ++i) {
      RunList runs;
      call.plan->support(h)->row(i, runs);
      std::vector<Index> keys;
      for (const Run& run : runs)
        for (Index j = run.begin; j < run.end; j += run.stride) keys.push_back(j);
      std::vector<float> weights;
      for (const Index j : keys)
        weights.push_back(scale * product(q + i * shape.d, k + j * shape.d, shape.d));
      const float largest = *std::max_element(weights.begin(), weights.end());
      float sum = 0.0F;
      for (float& weight : weights) sum += weight = std::exp(weight - largest);
      for (std::size_t t = 0; t < keys.size(); ++t)
        for (Index c = 0; c < shape.dV; ++c) rows[i * shape.dV + c] += weights[t] * v[keys[t] * shape.dV + c];
      for (Index c = 0; c < shape.dV; ++c) rows[i * shape.dV + c] /= sum;
    }
  }
  return out;
}

// Linear attention with elu(x) + 1, term by term.
Tensor plainLinear(const AttentionInput& input) {
  const Shape shape = input.shape();
  const auto phi = [](float x) { return x > 0.0F ? x + 1.0F : std::exp(x); };
  Tensor out = Tensor::zeros(DType::F32, {shape.heads, shape.nQ, shape.dV});
  for (Index h = 0; h < shape.heads; ++h) {
    const float* q = input.q.slice<float>(h).data();
    const float* k = input.k.slice<float>(input.kvHead(h)).data();
    const float* v = input.v.slice<float>(input.kvHead(h)).data();
    float* rows = out.mutableSlice<float>(h).data();
    std::vector<float> state(static_cast<std::size_t>(shape.d * shape.dV), 0.0F);
    std::vector<float> total(static_cast<std::size_t>(shape.d), 0.0F);
    for (Index j = 0; j < shape.nK; ++j)
      for (Index a = 0; a < shape.d; ++a) {
        const float feature = phi(k[j * shape.d + a]);
        total[static_cast<std::size_t>(a)] += feature;
        for (Index c = 0; c < shape.dV; ++c)
          state[static_cast<std::size_t>(a * shape.dV + c)] += feature * v[j * shape.dV + c];
      }
    for (Index i = 0; i < shape.nQ; ++i) {
      float denominator = 0.0F;
      for (Index a = 0; a < shape.d; ++a) {
        const float feature = phi(q[i * shape.d + a]);
        denominator += feature * total[static_cast<std::size_t>(a)];
        for (Index c = 0; c < shape.dV; ++c)
          rows[i * shape.dV + c] += feature * state[static_cast<std::size_t>(a * shape.dV + c)];
      }
      for (Index c = 0; c < shape.dV; ++c) rows[i * shape.dV + c] /= denominator;
    }
  }
  return out;
}

AttentionInput scaledInput(const QString& recipe, float size) {
  AttentionInput input = inputOf(recipe.toStdString());
  // Products of a query and a key grow with the square.
  for (Tensor* tensor : {&input.q, &input.k}) {
    std::vector<float> scaled(tensor->values<float>().begin(), tensor->values<float>().end());
    for (float& x : scaled) x *= size;
    *tensor = Tensor::fromFloats({tensor->dim(0), tensor->dim(1), tensor->dim(2)}, scaled);
  }
  return input;
}

}  // namespace

class AccuracyTest : public QObject {
  Q_OBJECT

 private slots:
  void twiceAPlainLoop_data();
  void twiceAPlainLoop();
};

void AccuracyTest::twiceAPlainLoop_data() {
  QTest::addColumn<QString>("spec");
  QTest::addColumn<QString>("recipe");
  QTest::addColumn<float>("size");
  for (const char* spec :
       {"full", "full:causal=on", "sparse", "blockwise", "image", "longformer", "bigbird", "linear"})
    for (const char* recipe :
         {"gaussian:n=65,d=16,heads=2", "gaussian:n=300,d=64,heads=1", "clustered:n=513,d=80,heads=1"})
      for (const float size : {0.1F, 1.0F, 4.0F})
        QTest::addRow("%s %s x %g", spec, recipe, static_cast<double>(size)) << spec << recipe << size;
}

void AccuracyTest::twiceAPlainLoop() {
  QFETCH(QString, spec);
  QFETCH(QString, recipe);
  QFETCH(float, size);
  const AttentionInput input = scaledInput(recipe, size);
  const PlannedCall call = planned(spec.toStdString(), input);
  const auto oracle = runOracle(call, input);
  QVERIFY(oracle);
  const bool linear = spec == "linear";
  if (!linear) QCOMPARE(call.plan->slotCount(), 0);
  const double plain = relativeError(linear ? plainLinear(input) : plainSoftmax(call, input), oracle->out);
  const double ours = relativeError(ran(call, input).out, oracle->out);
  QVERIFY2(ours <= 2.0 * plain + kRounding, qPrintable(QString("ours %1, plain %2").arg(ours).arg(plain)));
}

QTEST_APPLESS_MAIN(AccuracyTest)
#include "accuracy_test.moc"
