// SPDX-License-Identifier: GPL-3.0-or-later
// Every primitive of a plan but attention (cuda_attend_test) by itself, on the emulated CUDA device against
// the CPU backend: also those that no mechanism of the catalogue uses, on lengths around the sides of tiles.
#include <fmt/format.h>

#include <QTest>

#include "tests/support/step_case.h"

using namespace attnscope;
using attnscope::testing::Case;
using attnscope::testing::compare;
using attnscope::testing::Numbers;

namespace {

#define VERIFY_SAME(...)                          \
  do {                                            \
    const QString wrong = compare(__VA_ARGS__);   \
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong)); \
  } while (false)

void addLengths() {
  QTest::addColumn<int>("n");
  for (const int n : {1, 63, 64, 65, 130}) QTest::newRow(std::to_string(n).c_str()) << n;
}

SparseRows sparseRows(Numbers& numbers, Index rows, const std::vector<Index>& inputRows) {
  SparseRows sparse;
  sparse.begin.push_back(0);
  for (Index i = 0; i < rows; ++i) {
    for (Index e = numbers.below(4); e > 0; --e) {
      const Index input = numbers.below(static_cast<Index>(inputRows.size()));
      sparse.entries.push_back(
          {static_cast<std::int32_t>(input),
           static_cast<std::int32_t>(numbers.below(inputRows[static_cast<std::size_t>(input)])),
           0.25F * static_cast<float>(1 + numbers.below(7))});
    }
    sparse.begin.push_back(static_cast<std::int64_t>(sparse.entries.size()));
  }
  return sparse;
}

}  // namespace

class CudaStepsTest : public QObject {
  Q_OBJECT

 private slots:
  void merge_data() { addLengths(); }
  void merge() {
    QFETCH(int, n);
    Case made(2, n, n, 8, 40);
    MergeStep step;
    for (int p = 0; p < 3; ++p) {
      step.outs.push_back(made.constant(p == 0   ? "o0"
                                        : p == 1 ? "o1"
                                                 : "o2",
                                        made.numbers.tensor({2, n, 40})));
      Tensor lse = made.numbers.tensor({2, n, 1}, 30.0F);
      auto values = lse.mutableValues<float>();
      for (std::size_t i = 0; i < values.size(); ++i)  // some parts, and some rows in all parts, read nothing
        if (i % 5 == 0 || made.numbers.below(3) == 0) values[i] = -std::numeric_limits<float>::infinity();
      step.lses.push_back(made.constant(p == 0 ? "l0" : p == 1 ? "l1" : "l2", lse));
    }
    step.out = made.plan.addBuffer("out", n, 40);
    step.lse = made.plan.addBuffer("lse", n, 1);
    made.plan.out = step.out;
    made.plan.steps.emplace_back(step);
    VERIFY_SAME(made);
  }

  void project_data() { addLengths(); }
  void project() {
    QFETCH(int, n);
    Case made(2, n, n, 9, 70);
    const auto add = [&](const char* name, Index rows, LengthWeight weight) {
      ProjectStep step;
      step.in = kValue;
      step.out = made.plan.addBuffer(name, rows, 70);
      step.weight = std::move(weight);
      made.plan.steps.emplace_back(step);
    };
    add("dense", 67, made.numbers.tensor({2, 67, n + 4}));
    add("shared", 3, made.numbers.tensor({1, 3, n}));
    const std::vector<Index> bounds{0, n / 3, n / 3, n};
    add("mean", 3, SegmentReduce{SegmentReduce::Kind::Mean, bounds});
    add("max", 3, SegmentReduce{SegmentReduce::Kind::Max, bounds});
    add("first", 3, SegmentReduce{SegmentReduce::Kind::First, bounds});
    const Index block = 7;
    const Index blocks = (n + block - 1) / block;
    Tensor mix = made.numbers.tensor({2, 3, blocks});
    Tensor cut = made.numbers.tensor({2, 3, blocks});
    const auto cells = cut.mutableValues<float>();
    for (std::size_t last = static_cast<std::size_t>(blocks) - 1; last < cells.size();
         last += static_cast<std::size_t>(blocks))
      cells[last] = 0.0F;
    add("mix", 3 * block, BlockMix{mix, block, n % block == 0 ? Tensor() : cut});
    VERIFY_SAME(made);
  }

  // A long sum keeps its digits.
  void longProject() {
    Case made(1, 1, 1500, 4, 3);
    ProjectStep step;
    step.in = kValue;
    step.out = made.plan.addBuffer("dense", 2, 3);
    step.weight = made.numbers.tensor({1, 2, 1500});
    made.plan.steps.emplace_back(step);
    VERIFY_SAME(made);
  }

  void convolve_data() { addLengths(); }
  void convolve() {
    QFETCH(int, n);
    for (const bool biased : {true, false}) {
      Case made(2, n, n, 6, 6);
      ConvolveStep step;
      step.in = kValue;
      step.out = made.plan.addBuffer("out", (n + 3) / 4 + 2, 6);
      step.weight = made.numbers.tensor({2, 4, 6, 6});
      if (biased) step.bias = made.numbers.tensor({2, 6});
      made.plan.steps.emplace_back(step);
      VERIFY_SAME(made);
      RunOptions identity;
      identity.identity = IdentitySlab{2, 6, false};
      VERIFY_SAME(made, identity);
    }
  }

  void normaliseAndFeatures_data() { addLengths(); }
  void normaliseAndFeatures() {
    QFETCH(int, n);
    Case made(2, n, n, 33, 5);
    auto query = made.input.q.mutableValues<float>();
    std::fill_n(query.begin(), 33, 0.0F);
    for (const auto kind : {NormaliseRowsStep::Kind::Unit, NormaliseRowsStep::Kind::Standard}) {
      NormaliseRowsStep step;
      step.kind = kind;
      step.out = made.plan.addBuffer(kind == NormaliseRowsStep::Kind::Unit ? "unit" : "standard", n, 33);
      made.plan.steps.emplace_back(step);
    }
    for (const Feature feature :
         {Feature::Elu1, Feature::Exp, Feature::Relu, Feature::Relu2, Feature::Poly2}) {
      FeatureMapStep step;
      step.feature = feature;
      step.out = made.plan.addBuffer(fmt::format("feature {}", static_cast<int>(feature)), n,
                                     featureWidth(feature, 33));
      made.plan.steps.emplace_back(step);
    }
    VERIFY_SAME(made);
  }

  void rowsOfRows_data() { addLengths(); }
  void rowsOfRows() {
    QFETCH(int, n);
    Case made(2, n, n, 10, 10);
    GatherStep gather;
    gather.in = {kQuery, kValue};
    gather.out = made.plan.addBuffer("gathered", n + 5, 10);
    for (int h = 0; h < 2; ++h)
      gather.heads.push_back(std::make_shared<const SparseRows>(sparseRows(made.numbers, n + 5, {n, n})));
    made.plan.steps.emplace_back(gather);
    AffineStep affine;
    affine.out = made.plan.addBuffer("affine", n, 70);
    affine.weight = made.numbers.tensor({2, 10, 70});
    affine.bias = made.numbers.tensor({1, 70});
    affine.relu = true;
    made.plan.steps.emplace_back(affine);
    AffineStep bias;
    bias.out = made.plan.addBuffer("bias", n, 10);
    bias.bias = made.numbers.tensor({2, 10});
    made.plan.steps.emplace_back(bias);
    ConcatStep concat;
    concat.in = {kQuery, affine.out, kValue};
    concat.factors = {1.0, -0.5, 2.0};
    concat.out = made.plan.addBuffer("concat", n, 90);
    made.plan.steps.emplace_back(concat);
    RotateStep rotate;
    rotate.in = kKey;
    rotate.out = made.plan.addBuffer("rotated", n, 10);
    for (Index i = 0; i < n; ++i) rotate.positions.push_back(static_cast<double>(i * 100000 - 7));
    made.plan.steps.emplace_back(rotate);
    VERIFY_SAME(made);
  }

  void randomFeatures_data() { addLengths(); }
  void randomFeatures() {
    QFETCH(int, n);
    using Kind = RandomFeatureStep::Kind;
    Case made(2, n, n, 10, 5);
    for (const Kind kind : {Kind::Positive, Kind::Hyperbolic, Kind::Trig, Kind::Relu})
      for (const auto side : {RandomFeatureStep::Side::Query, RandomFeatureStep::Side::Key}) {
        RandomFeatureStep step;
        step.in = kKey;
        step.kind = kind;
        step.side = side;
        step.inputScale = 0.6;
        step.eps = 1e-3;
        step.omega = made.numbers.tensor({2, 67, 10});
        step.out = made.plan.addBuffer(fmt::format("features {}", made.plan.steps.size()), n,
                                       randomFeatureWidth(kind, 67));
        made.plan.steps.emplace_back(step);
      }
    VERIFY_SAME(made);
  }

  void linear_data() {
    QTest::addColumn<int>("nQ");
    QTest::addColumn<int>("nK");
    QTest::addColumn<bool>("causal");
    QTest::addColumn<bool>("exponents");
    const int lengths[][2] = {{1, 1},     {63, 63},  {64, 64},  {65, 65},
                              {130, 130}, {40, 100}, {100, 40}, {70, 200}};
    for (const auto& [nQ, nK] : lengths)
      for (const bool causal : {false, true})
        for (const bool exponents : {false, true})
          QTest::newRow(qPrintable(QString("%1 x %2%3%4")
                                       .arg(nQ)
                                       .arg(nK)
                                       .arg(causal ? " causal" : "")
                                       .arg(exponents ? " exponents" : "")))
              << nQ << nK << causal << exponents;
  }
  void linear() {
    QFETCH(int, nQ);
    QFETCH(int, nK);
    QFETCH(bool, causal);
    QFETCH(bool, exponents);
    Case made(2, nQ, nK, 70, 67);
    LinearAttendStep step;
    Tensor queries = made.numbers.tensor({2, nQ, 70}, exponents ? 20.0F : 1.0F);
    Tensor keys = made.numbers.tensor({1, nK, 70}, exponents ? 20.0F : 1.0F);
    if (!exponents)
      for (Tensor* features : {&queries, &keys})
        for (float& x : features->mutableValues<float>()) x = std::abs(x);
    step.phiQ = made.constant("phiQ", queries);
    step.phiK = made.constant("phiK", keys);
    step.out = made.plan.addBuffer("out", nQ, 67);
    step.denominator = made.plan.addBuffer("denominator", nQ, 1);
    step.causal = causal;
    step.exponents = exponents;
    step.eps = 1e-3;
    made.plan.out = step.out;
    made.plan.steps.emplace_back(step);
    VERIFY_SAME(made);
  }

  // Blocks of keys that are longer than a tile.
  void linearInLongChunks() {
    for (const bool exponents : {false, true}) {
      Case made(1, 300, 310, 4, 3);
      LinearAttendStep step;
      step.chunk = 130;
      step.phiQ = made.constant("phiQ", made.numbers.tensor({1, 300, 40}, exponents ? 20.0F : 0.0F));
      step.phiK = made.constant("phiK", made.numbers.tensor({1, 310, 40}, exponents ? 20.0F : 0.0F));
      if (!exponents)
        for (const BufferId id : {step.phiQ, step.phiK})
          for (auto& [held, tensor] : made.plan.constants)
            if (held == id)
              for (float& x : tensor.mutableValues<float>())
                x = static_cast<float>(1 + made.numbers.below(9));
      step.out = made.plan.addBuffer("out", 300, 3);
      step.denominator = made.plan.addBuffer("denominator", 300, 1);
      step.causal = true;
      step.exponents = exponents;
      made.plan.out = step.out;
      made.plan.steps.emplace_back(step);
      VERIFY_SAME(made);
    }
  }
};

QTEST_APPLESS_MAIN(CudaStepsTest)
#include "cuda_steps_test.moc"
