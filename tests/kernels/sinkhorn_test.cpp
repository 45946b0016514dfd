// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse Sinkhorn attention: what its definition promises whatever the input.
#include <Eigen/Dense>
#include <QTest>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/mechanisms/assignment.h"
#include "core/mechanisms/block_sorting.h"
#include "kernels/explore.h"
#include "tests/support/against_oracle.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

Tensor traceOf(const PlannedCall& call, const std::string& name) {
  for (const NamedTensor& trace : call.plan->plan().trace)
    if (trace.name == name) return trace.tensor;
  return {};
}

// Noise that is no noise: G_uv = value(u, v) for all heads. It is how a test chooses the scores.
WeightSet scores(Index blocks, const std::function<double(Index, Index)>& value) {
  Tensor tensor(DType::F32, {blocks, blocks});
  for (Index u = 0; u < blocks; ++u)
    for (Index v = 0; v < blocks; ++v)
      tensor.mutableValues<float>()[static_cast<std::size_t>(u * blocks + v)] =
          static_cast<float>(value(u, v));
  return {{"gumbel", tensor}};
}

// The same values less `shift`: an lse without the weight of keys that are there twice.
Tensor shifted(const Tensor& tensor, double shift) {
  Tensor less(DType::F32, tensor.shape());
  for (std::size_t i = 0; i < tensor.values<float>().size(); ++i)
    less.mutableValues<float>()[i] = static_cast<float>(tensor.values<float>()[i] - shift);
  return less;
}

Tensor firstRows(const Tensor& tensor, Index rows) {
  std::vector<Index> shape = tensor.shape();
  const Index width = tensor.size() / shape[0] / shape[1];
  shape[1] = rows;
  Tensor cut(DType::F32, shape);
  for (Index h = 0; h < shape[0]; ++h)
    std::copy_n(tensor.slice<float>(h).begin(), rows * width, cut.mutableSlice<float>(h).begin());
  return cut;
}

}  // namespace

class SinkhornTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    const auto add = [](const std::string& spec, const std::string& source) {
      QTest::newRow((spec + " on " + source).c_str())
          << QString::fromStdString(spec) << QString::fromStdString(source);
    };
    for (const char* source : {"gaussian:n=1,d=4,heads=2", "clustered:n=70,d=8,heads=3,kv_heads=1",
                               "gaussian:n=96,d=16,dv=5,heads=2"}) {
      const bool one = std::string(source).find("n=1,") != std::string::npos;
      for (const char* spec :
           {"sinkhorn:score=net,noise=on,seed=3", "sinkhorn:score=net,temperature=30,hard=argmax",
            "sinkhorn:noise=on,iterations=1,temperature=0.1", "sinkhorn:noise=on,hard=argmax,temperature=5",
            "sinkhorn:block=1,iterations=3", "sinkhorn:scale=1,iterations=7"})
        for (const char* causal : {",causal=off", ",causal=on"}) add(std::string(spec) + causal, source);
      for (const char* spec :
           {"sinkhorn:hard=hungarian", "sinkhorn:hard=hungarian,noise=on,score=net", "sinkhorn:sortcut=1",
            "sinkhorn:sortcut=1,sortcut_own=on,score=net,temperature=20"})
        add(spec, source);
      if (one) continue;
      for (const char* spec :
           {"sinkhorn:block=9,hard=hungarian,temperature=0.05", "sinkhorn:block=40,hard=hungarian",
            "sinkhorn:sortcut=3,block=11", "sinkhorn:sortcut=3,block=11,sortcut_own=on,hard=argmax",
            "sinkhorn:sortcut=5,hard=hungarian,noise=on", "sinkhorn:sortcut=2,noise=on,temperature=0.02",
            "sinkhorn:block=9,noise=on,temperature=0.01", "sinkhorn:sortcut=4,block=15,temperature=0.01"})
        add(spec, source);
    }
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const std::string wrong = disagreement(spec.toStdString(), inputOf(source.toStdString()), {}, 5e-5);
    QVERIFY2(wrong.empty(), wrong.c_str());
  }

  // One block: every key is there twice, which changes nothing but the lse.
  void oneBlockIsFullAttention() {
    const AttentionInput input = inputOf("gaussian:n=37,d=8,heads=2");
    for (const char* causal : {"causal=off", "causal=on"}) {
      const RunResult sorted = ran(planned(std::string("sinkhorn:block=37,") + causal, input), input);
      const RunResult full = ran(planned(std::string("full:") + causal, input), input);
      QVERIFY(largestDifference(sorted.out, full.out) < 1e-5);
      // Causal: the first block has nothing before it.
      const double twice = std::string(causal) == "causal=on" ? 0.0 : std::numbers::ln2;
      QVERIFY(largestDifference(shifted(sorted.lse, twice), full.lse) < 1e-5);
    }
  }

  void identityIsLocalAttention_data() {
    QTest::addColumn<int>("n");
    QTest::addColumn<QString>("hard");
    for (const int n : {48, 43, 41})
      for (const char* hard : {"none", "argmax", "hungarian"})
        QTest::addRow("%d, %s", n, hard) << n << QString(hard);
  }
  void identityIsLocalAttention() {
    QFETCH(int, n);
    QFETCH(QString, hard);
    const AttentionInput input = inputOf("gaussian:d=8,heads=2,n=" + std::to_string(n));
    const WeightSet stay = scores(6, [](Index u, Index v) { return u == v ? 1000.0 : 0.0; });
    const RunResult sorted =
        ran(planned("sinkhorn:block=8,noise=on,hard=" + hard.toStdString(), input, stay), input);
    const RunResult local = ran(planned("memory-compressed:kind=local,block=8", input), input);
    // A soft identity is none where the last block is short: the others fill the rows that it lacks.
    const Index kept = hard == "none" ? n / 8 * 8 : n;
    QVERIFY(largestDifference(firstRows(sorted.out, kept), firstRows(local.out, kept)) < 1e-5);
    QVERIFY(largestDifference(firstRows(shifted(sorted.lse, std::numbers::ln2), kept),
                              firstRows(local.lse, kept)) < 1e-5);
  }

  // All blocks of a hard permutation, cut nowhere: every token once, the last short block included.
  void sortCutOfAPermutationIsFullAttention() {
    for (const char* source : {"gaussian:n=64,d=8,heads=2", "gaussian:n=61,d=8,heads=2"}) {
      const AttentionInput input = inputOf(source);
      const RunResult cut = ran(planned("sinkhorn:block=8,sortcut=8,hard=hungarian,noise=on", input), input);
      const RunResult full = ran(planned("full", input), input);
      QVERIFY(largestDifference(cut.out, full.out) < 1e-5);
      QVERIFY(largestDifference(cut.lse, full.lse) < 1e-5);
    }
  }

  void balancingBalances_data() {
    QTest::addColumn<double>("temperature");
    QTest::addColumn<int>("iterations");
    QTest::addColumn<double>("rowError");
    // Measured values of the specification for 16 blocks, with room for another draw.
    QTest::newRow("0.75, 7") << 0.75 << 7 << 0.3;
    QTest::newRow("0.75, 20") << 0.75 << 20 << 0.05;
    QTest::newRow("3, 20") << 3.0 << 20 << 1e-5;
  }
  void balancingBalances() {
    QFETCH(double, temperature);
    QFETCH(int, iterations);
    QFETCH(double, rowError);
    const AttentionInput input = inputOf("gaussian:n=256,d=16,heads=2");
    const PlannedCall call = planned("sinkhorn:noise=on,temperature=" + std::to_string(temperature) +
                                         ",iterations=" + std::to_string(iterations),
                                     input);
    const Tensor errors = traceOf(call, "sort_errors");
    QCOMPARE(errors.dim(1), Index{2 * iterations});
    for (Index h = 0; h < 2; ++h) {
      const auto of = errors.slice<float>(h);
      float last = std::numeric_limits<float>::infinity();
      for (std::size_t half = 0; 2 * half < of.size(); ++half) {
        QVERIFY(of[2 * half + half % 2] <
                1e-12F);  // rows, then columns, are exact when they were just scaled
        const float other = of[2 * half + 1 - half % 2];
        if (half % 2 == 1) {
          QVERIFY(other <= last + 1e-12F);
          last = other;
        }
      }
      QVERIFY(last < rowError);
    }
    for (const float p : traceOf(call, "sort_matrix").values<float>()) QVERIFY(p > 0.0F);
  }

  // P after every half-iteration: the definition with plain exponentials, which these scores allow.
  void keepsEveryHalfIteration() {
    const AttentionInput input = inputOf("gaussian:n=70,d=8,heads=2");
    const PlannedCall call = planned("sinkhorn:block=9,temperature=0.9,iterations=6", input);
    const Tensor halves = traceOf(call, "sort_iterations");
    const Tensor errors = traceOf(call, "sort_errors");
    QCOMPARE(halves.shape()[1], Index{12});
    QCOMPARE(halves.shape()[2], Index{8});
    for (Index h = 0; h < 2; ++h) {
      Eigen::Matrix<double, 8, 8> p;
      const auto raw = traceOf(call, "sort_scores").slice<float>(h);
      for (Index at = 0; at < 64; ++at)
        p(at / 8, at % 8) = std::exp(double{raw[static_cast<std::size_t>(at)]} / 0.9);
      for (Index half = 0; half < 12; ++half) {
        if (half % 2 == 0)
          p = (p.rowwise().sum().cwiseInverse().asDiagonal() * p).eval();
        else
          p = (p * p.colwise().sum().cwiseInverse().asDiagonal()).eval();
        const auto kept = halves.slice<float>(h).subspan(static_cast<std::size_t>(half * 64), 64);
        for (Index at = 0; at < 64; ++at)
          QVERIFY(std::abs(p(at / 8, at % 8) - double{kept[static_cast<std::size_t>(at)]}) < 1e-6);
        const auto error = errors.slice<float>(h).subspan(static_cast<std::size_t>(2 * half), 2);
        QVERIFY(std::abs((p.rowwise().sum().array() - 1.0).abs().maxCoeff() - double{error[0]}) < 1e-6);
        QVERIFY(std::abs((p.colwise().sum().array() - 1.0).abs().maxCoeff() - double{error[1]}) < 1e-6);
      }
      const auto last = halves.slice<float>(h).last(64);
      const auto soft = traceOf(call, "sort_soft").slice<float>(h);
      QVERIFY(std::equal(last.begin(), last.end(), soft.begin()));
    }
    // 512 blocks of 2 heads would be 21 million cells: left out; causal sorting has no iterations.
    QVERIFY(traceOf(planned("sinkhorn:block=1", inputOf("gaussian:n=512,d=4,heads=2")), "sort_iterations")
                .empty());
    QVERIFY(traceOf(planned("sinkhorn:causal=on", input), "sort_iterations").empty());
  }

  // A constant added to a row of the scores is scaled away at once, one added to a column in the limit.
  void constantsOfRowsAndColumnsDoNotMatter() {
    const AttentionInput input = inputOf("gaussian:n=60,d=8,heads=1");
    const std::string spec = "sinkhorn:block=10,noise=on,temperature=2,iterations=200";
    const auto plain = [](Index u, Index v) { return std::sin(static_cast<double>(3 * u + 7 * v)); };
    const Tensor out = outputOf(spec, input, scores(6, plain));
    const auto rows = [&](Index u, Index v) { return plain(u, v) + static_cast<double>(u); };
    const auto columns = [&](Index u, Index v) { return plain(u, v) - 2.0 * static_cast<double>(v); };
    const auto skewed = [&](Index u, Index v) { return plain(u, v) + static_cast<double>(u * v); };
    QVERIFY(largestDifference(out, outputOf(spec, input, scores(6, rows))) < 1e-5);
    QVERIFY(largestDifference(out, outputOf(spec, input, scores(6, columns))) < 1e-5);
    QVERIFY(largestDifference(out, outputOf(spec, input, scores(6, skewed))) > 1e-3);
  }

  // Cold and long enough, every row of the balanced matrix is led by the permutation of largest total score
  // (a second one that is almost as good keeps a share).
  void coldIsTheBestPermutation() {
    const AttentionInput input = inputOf("gaussian:n=80,d=8,heads=2");
    const PlannedCall call = planned("sinkhorn:block=10,noise=on,temperature=0.02,iterations=1000", input);
    const Tensor noise = call.plan->plan().params.front().make();
    for (Index h = 0; h < 2; ++h) {
      const auto raw = traceOf(call, "sort_scores").slice<float>(h);
      std::vector<double> total(raw.begin(), raw.end());
      for (std::size_t i = 0; i < total.size(); ++i)
        total[i] += static_cast<double>(noise.slice<float>(h)[i]);
      const auto best = bestPermutation(total, 8);
      QVERIFY(best);
      const auto matrix = traceOf(call, "sort_matrix").slice<float>(h);
      for (std::size_t u = 0; u < 8; ++u)
        QVERIFY(matrix[u * 8 + static_cast<std::size_t>((*best)[u])] > 0.5F);
    }
  }

  // Where the short last block takes all of a row, its place is shared by the others as their logarithms say,
  // even if their shares have left double's range.
  void othersTakeTheShortBlocksPlace() {
    Balanced balanced;
    balanced.matrix = {0.0, 0.0, 1.0, 0.25, 0.5, 0.25, 1.0, 0.0, 0.0};
    balanced.logs = {-801.0, -800.0, 0.0, std::log(0.25), std::log(0.5), std::log(0.25), 0.0, -900.0, -800.0};
    const std::vector<double> shares = withoutLastBlock(balanced, 3);
    const double first = 1.0 / (1.0 + std::exp(1.0));
    const std::vector<double> expected{first, 1.0 - first, 0.0, 1.0 / 3.0, 2.0 / 3.0, 0.0, 1.0, 0.0, 0.0};
    for (std::size_t i = 0; i < expected.size(); ++i) QVERIFY(std::abs(shares[i] - expected[i]) < 1e-12);
  }

  // On ragged lengths a cold mix keeps the sum of every row that is made, whatever the last block takes.
  void coldRaggedRowsKeepTheirSum() {
    const AttentionInput input = inputOf("gaussian:n=73,d=8,heads=2,seed=5");
    const PlannedCall call = planned("sinkhorn:block=10,noise=on,temperature=0.01,iterations=30", input);
    const Tensor whole = traceOf(call, "sort_matrix");
    const Tensor composed = call.plan->plan().slotComposition();
    Index led = 0;  // rows of P that the last block leads so far that nothing else is left in float32
    for (Index h = 0; h < 2; ++h)
      for (Index u = 0; u < 8; ++u) {
        const auto row = whole.slice<float>(h).subspan(static_cast<std::size_t>(u * 8), 8);
        const double kept = std::accumulate(row.begin(), row.end(), 0.0);
        if (std::accumulate(row.begin(), row.end() - 1, 0.0) == 0.0) ++led;
        for (Index t = 0; t < 10; ++t) {
          const auto slot = composed.slice<float>(h).subspan(static_cast<std::size_t>((u * 10 + t) * 73), 73);
          QVERIFY(std::abs(std::accumulate(slot.begin(), slot.end(), 0.0) - kept) < 1e-6);
        }
      }
    QVERIFY(led > 0);
  }

  // Equal scores everywhere: ties go to the smaller index.
  void tiesGoToTheSmallerIndex() {
    AttentionInput input = inputOf("gaussian:n=24,d=4,heads=1");
    input.q = Tensor::zeros(DType::F32, {1, 24, 4});
    for (const char* hard : {"argmax", "hungarian"}) {
      const Tensor matrix =
          traceOf(planned(std::string("sinkhorn:block=4,hard=") + hard, input), "sort_matrix");
      for (Index u = 0; u < 6; ++u)
        for (Index v = 0; v < 6; ++v)
          QCOMPARE(matrix.values<float>()[static_cast<std::size_t>(u * 6 + v)],
                   v == (std::string(hard) == "argmax" ? 0 : u) ? 1.0F : 0.0F);
    }
  }

  // Causal rows do not move, to the last bit, when later tokens change or are appended.
  void causalIsPrefixStable_data() {
    QTest::addColumn<QString>("options");
    for (const char* options : {"", ",score=net", ",hard=argmax", ",temperature=0.1"})
      QTest::newRow(*options == '\0' ? "plain" : options) << QString(options);
  }
  void causalIsPrefixStable() {
    QFETCH(QString, options);
    const std::string spec = "sinkhorn:block=7,causal=on" + options.toStdString();
    const AttentionInput input = inputOf("gaussian:n=60,d=8,heads=1");
    AttentionInput changed = inputOf("gaussian:n=60,d=8,heads=1,seed=9");
    constexpr Index kKept = 39;
    const auto mixed = [](const Tensor& first, const Tensor& rest) {
      std::vector<float> values(rest.values<float>().begin(), rest.values<float>().end());
      std::copy_n(first.values<float>().begin(), kKept * first.dim(2), values.begin());
      return Tensor::fromFloats(first.shape(), values);
    };
    changed.q = mixed(input.q, changed.q);
    changed.k = mixed(input.k, changed.k);
    changed.v = mixed(input.v, changed.v);
    // A net's width is the number of blocks: appending needs the same net.
    const WeightSet net = options.contains("net")
                              ? WeightSet{{"sort_w2", planned(spec, input).plan->plan().params[2].make()},
                                          {"sort_b2", planned(spec, input).plan->plan().params[3].make()}}
                              : WeightSet{};
    const Tensor whole = outputOf(spec, input, net);
    const auto shorter = truncateTokens(input, kKept);
    QVERIFY(shorter);
    for (const Tensor& other : {outputOf(spec, changed, net), outputOf(spec, *shorter, net)}) {
      const auto a = whole.values<float>().first(static_cast<std::size_t>(kKept * 8));
      const auto b = other.values<float>().first(static_cast<std::size_t>(kKept * 8));
      for (std::size_t i = 0; i < a.size(); ++i) QVERIFY(std::abs(a[i] - b[i]) < 1e-6F);
    }
    QVERIFY(largestDifference(whole, outputOf(spec, changed, net)) > 1e-2);
  }

  void tensorsFromAFile() {
    const AttentionInput input = inputOf("clustered:n=50,d=6,heads=2");
    Tensor wide(DType::F32, {6, 11});  // eight blocks use the first eight columns
    Tensor bias(DType::F32, {2, 11});
    for (std::size_t i = 0; i < 66; ++i)
      wide.mutableValues<float>()[i] = static_cast<float>(std::sin(static_cast<double>(i)));
    for (std::size_t i = 0; i < 22; ++i) bias.mutableValues<float>()[i] = 0.1F * static_cast<float>(i % 7);
    const WeightSet weights{{"sort_w2", wide}, {"sort_b2", bias}};
    const std::string wrong = disagreement("sinkhorn:block=7,score=net,temperature=4", input, weights);
    QVERIFY2(wrong.empty(), wrong.c_str());
    QVERIFY(contains(messageOf("sinkhorn:block=4,score=net", input, weights), "or longer"));
  }

  void refusals() {
    const AttentionInput input = inputOf("gaussian:n=30,d=4,heads=1");
    QVERIFY(contains(messageOf("sinkhorn:hard=hungarian,causal=on", input), "Use hard=argmax"));
    QVERIFY(contains(messageOf("sinkhorn:sortcut=1,causal=on", input), "Use sortcut=0"));
    QVERIFY(contains(messageOf("sinkhorn:block=10,sortcut=4", input), "nearest valid value is 3"));
    QVERIFY(contains(messageOf("sinkhorn", inputOf("gaussian:n=9,nk=12,d=4,heads=1")), "as many queries"));
  }

  // Of many blocks the half-iterations are not kept but made again, several blocks in a cell.
  void manyBlocksBalanceInCoarseCells() {
    const auto run =
        explore(*parseMechanismSpec("sinkhorn:block=1,iterations=2,temperature=0.8,hard=argmax,noise=on"),
                inputOf("gaussian:n=515,d=4,heads=8"), cpuBackend());
    QVERIFY(run);
    QVERIFY(traceOf((*run)->call, "sort_iterations").empty());
    const auto panels = (*run)->insides(1);
    QVERIFY(panels);
    const auto raw = traceOf((*run)->call, "sort_scores").slice<float>(1);
    Tensor gumbel;
    for (const ParamTensor& tensor : (*run)->call.plan->plan().params)
      if (tensor.name == "gumbel") gumbel = tensor.make();
    QVERIFY(!gumbel.empty());
    Eigen::MatrixXd p(515, 515);
    for (Index u = 0; u < 515; ++u)
      for (Index v = 0; v < 515; ++v) {
        const auto at = static_cast<std::size_t>(u * 515 + v);
        p(u, v) = std::exp((double{raw[at]} + double{gumbel.slice<float>(1)[at]}) / 0.8);
      }
    int seen = 0;
    for (const InsidePanel& panel : *panels) {
      if (panel.series != "Half-iterations") continue;
      if (seen % 2 == 0)
        p = (p.rowwise().sum().cwiseInverse().asDiagonal() * p).eval();
      else
        p = (p * p.colwise().sum().cwiseInverse().asDiagonal()).eval();
      QCOMPARE(panel.values.dim(0), Index{172});  // of 3 x 3 blocks, 2 in the last
      const auto cells = panel.values.values<float>();
      for (const Index r : {0, 80, 171})
        for (const Index c : {0, 99, 171}) {
          const Index high = std::min<Index>(3, 515 - 3 * r);
          const double share =
              p.block(3 * r, 3 * c, high, std::min<Index>(3, 515 - 3 * c)).sum() / static_cast<double>(high);
          QVERIFY(std::abs(share - double{cells[static_cast<std::size_t>(r * 172 + c)]}) < 1e-6);
        }
      QVERIFY(panel.caption.find("3 x 3 blocks") != std::string::npos);
      ++seen;
    }
    QCOMPARE(seen, 4);
  }

  void insides() {
    const AttentionInput input = inputOf("gaussian:n=58,d=8,heads=2");
    for (const char* spec :
         {"sinkhorn:block=8", "sinkhorn:block=8,causal=on", "sinkhorn:block=8,hard=argmax"}) {
      const auto run = explore(*parseMechanismSpec(spec), input, cpuBackend());
      QVERIFY(run);
      const auto panels = (*run)->insides(1);
      QVERIFY(panels);
      const bool causal = (*run)->call.plan->plan().causal;
      const Tensor halves = causal ? Tensor() : traceOf((*run)->call, "sort_iterations");
      QCOMPARE(panels->size(), causal ? std::size_t{5} : 6U + static_cast<std::size_t>(halves.dim(1)));
      const auto named = [&](const std::string& title) -> const InsidePanel* {
        for (const InsidePanel& panel : *panels)
          if (panel.title == title) return &panel;
        return nullptr;
      };
      QVERIFY(named("P, balanced") && named("P, rounded") && named("Blocks, sorted") && named("Sums of P"));
      QCOMPARE(named("P, balanced")->values.dim(0), Index{8});
      // A half-iteration as it is kept, and the errors beside it.
      if (!causal) {
        const InsidePanel* columns = named("Iteration 2, columns");
        QVERIFY(columns && named("Iteration 1, rows"));
        QVERIFY(named("Iteration " + std::to_string(halves.dim(1) / 2) + ", columns"));
        // What was just scaled sums to 1, and the other side is off by what the caption says.
        for (const double sum : columns->columnSums) QVERIFY(std::abs(sum - 1.0) < 1e-5);
        const Tensor errors = traceOf((*run)->call, "sort_errors");
        double off = 0.0;
        for (const double sum : columns->rowSums) off = std::max(off, std::abs(sum - 1.0));
        QVERIFY(std::abs(off - static_cast<double>(errors.slice<float>(1)[2 * 3])) < 1e-5);
        const auto kept = halves.slice<float>(1).subspan(3 * 64, 64);
        QVERIFY(std::equal(kept.begin(), kept.end(), columns->values.values<float>().begin()));
        QVERIFY(contains(columns->caption, "row sums are off"));
      }
      // The strip below shows the blocks that the rounded matrix brings.
      const auto rounded = named("P, rounded")->values.values<float>();
      const auto tokens = named("Blocks, sorted")->stripToken.values<std::int32_t>();
      for (Index u = 0; u < 8; ++u)
        for (Index v = 0; v < 8; ++v)
          if (rounded[static_cast<std::size_t>(u * 8 + v)] == 1.0F)
            QCOMPARE(tokens[static_cast<std::size_t>(64 + u * 8)], static_cast<std::int32_t>(8 * v));
    }
  }
};

QTEST_APPLESS_MAIN(SinkhornTest)
#include "sinkhorn_test.moc"
