// SPDX-License-Identifier: GPL-3.0-or-later
// Synthesizer: what its logits depend on, their rank, the mixture's two ends, and weights from files.
#include <QTest>
#include <cmath>
#include <numeric>

#include "core/analysis/spectrum.h"
#include "core/base/rng.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/against_oracle.h"
#include "tests/support/pattern_reach.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

const std::vector<std::string> kModes{"dense", "random", "factorised-random", "factorised-dense"};

std::string specOf(const std::string& mode, const std::string& more = {}) {
  return "synthesizer:mode=" + mode + more;
}

Tensor normals(const std::string& name, std::vector<Index> shape, double deviation) {
  const RandomStream stream(5, "synthesizer test", name);
  Tensor tensor(DType::F32, std::move(shape));
  stream.fillNormals({0, 0, 0}, tensor.mutableValues<float>());
  for (float& x : tensor.mutableValues<float>()) x *= static_cast<float>(deviation);
  return tensor;
}

// A tensor with some rows of every head changed.
Tensor changed(const Tensor& tensor, Index row0, Index row1) {
  Tensor result(DType::F32, tensor.shape());
  const auto from = tensor.values<float>();
  auto to = result.mutableValues<float>();
  for (std::size_t at = 0; at < from.size(); ++at) {
    const Index row = static_cast<Index>(at) / tensor.dim(2) % tensor.dim(1);
    to[at] = from[at] + (row >= row0 && row < row1 ? 1.0F : 0.0F);
  }
  return result;
}

bool rowMoved(const Tensor& a, const Tensor& b, Index row) {
  for (Index h = 0; h < a.dim(0); ++h)
    for (Index c = row * a.dim(2); c < (row + 1) * a.dim(2); ++c)
      if (a.slice<float>(h)[static_cast<std::size_t>(c)] != b.slice<float>(h)[static_cast<std::size_t>(c)])
        return true;
  return false;
}

// The logits of head 0 as they were executed: log(weight) + lse. For calls without underflow.
Tensor executedLogits(const std::string& spec, const AttentionInput& input, const WeightSet& weights = {}) {
  const PlannedCall call = planned(spec, input, weights);
  const auto run = cpuBackend().run(*call.plan, input, {}, {});
  const auto matrix = executedMatrix(cpuBackend(), *call.plan, input, {});
  Tensor logits(DType::F32, {input.shape().nQ, input.shape().nK});
  for (Index i = 0; i < logits.dim(0); ++i)
    for (Index j = 0; j < logits.dim(1); ++j) {
      const auto at = static_cast<std::size_t>(i * logits.dim(1) + j);
      logits.mutableValues<float>()[at] =
          std::log(matrix->slice<float>(0)[at]) + run->lse.slice<float>(0)[static_cast<std::size_t>(i)];
    }
  return logits;
}

double deviationOf(const Tensor& tensor) {
  double sum = 0.0;
  for (const float x : tensor.values<float>()) sum += static_cast<double>(x) * x;
  return std::sqrt(sum / static_cast<double>(tensor.size()));
}

// Weights as a model that knew longer inputs would leave them; per head or shared.
WeightSet longerWeights(const std::string& mode, const Shape& s) {
  const Index more = 7;
  if (mode == "dense")
    return {{"w1", normals("w1", {s.d, 11}, 0.5)},
            {"b1", normals("b1", {s.heads, 11}, 0.5)},
            {"w2", normals("w2", {s.heads, 11, s.nK + more}, 0.4)},
            {"b2", normals("b2", {s.nK + more}, 1.0)}};
  if (mode == "random") return {{"logits", normals("logits", {s.heads, s.nQ + more, s.nK + 3}, 1.5)}};
  if (mode == "factorised-random")
    return {{"logits_a", normals("logits_a", {s.nQ + 2, 5}, 0.8)},
            {"logits_b", normals("logits_b", {s.heads, s.nK + more, 5}, 0.8)}};
  return {{"w_a", normals("w_a", {s.heads, s.d, 5}, 0.3)},
          {"b_a", normals("b_a", {5}, 0.3)},
          {"w_b", normals("w_b", {s.d, (s.nK + 9) / 5}, 0.3)},
          {"b_b", normals("b_b", {s.heads, (s.nK + 9) / 5}, 0.3)}};
}

}  // namespace

class SynthesizerTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("mode");
    QTest::addColumn<QString>("source");
    QTest::addColumn<bool>("fromFile");
    for (const char* source :
         {"clustered:n=67,d=6,dv=5,heads=4,kv_heads=2", "gaussian:n=23,nk=70,d=8,heads=2",
          "gaussian:n=70,nk=23,d=8,heads=2", "gaussian:n=1,d=3,heads=1"})
      for (const std::string& mode : kModes)
        for (const char* alpha : {"0", "0.3", "1"})
          for (const char* causal : {"off", "on"})
            for (const bool fromFile : {false, true}) {
              std::string spec =
                  specOf(mode, std::string(",alpha=") + alpha + ",causal=" + causal + ",scale=0.6");
              if (fromFile && mode == "factorised-random") {
                if (inputOf(source).shape().nK < 5) continue;  // no table of rank 5
                spec += ",rank=5";
              }
              QTest::newRow((spec + (fromFile ? " file " : " ") + source).c_str())
                  << QString::fromStdString(spec) << QString::fromStdString(mode) << QString(source)
                  << fromFile;
            }
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    QFETCH(QString, mode);
    QFETCH(QString, source);
    QFETCH(bool, fromFile);
    const AttentionInput input = inputOf(source.toStdString());
    const WeightSet weights = fromFile ? longerWeights(mode.toStdString(), input.shape()) : WeightSet{};
    const PlannedCall call = planned(spec.toStdString(), input, weights);
    for (const ParamTensor& param : call.plan->plan().params)
      QCOMPARE(param.origin == "file", weights.contains(param.name));
    const auto oracle = runOracle(call, input);
    const auto run = cpuBackend().run(*call.plan, input, {}, {});
    const auto executed = executedMatrix(cpuBackend(), *call.plan, input, {});
    QVERIFY(oracle && run && executed);
    QVERIFY(largestDifference(run->out, oracle->out) < 3e-5);
    const auto expected = oracle->matrix.values<double>();
    const auto found = executed->values<float>();
    for (std::size_t at = 0; at < expected.size(); ++at) QVERIFY(std::abs(found[at] - expected[at]) < 1e-5);
    const EffectiveMatrix effective(call.plan, input, *run);
    const auto drawn = effective.block(0, 0, input.shape().nQ, 0, input.shape().nK);
    for (std::size_t at = 0; at < drawn->values<float>().size(); ++at)
      QVERIFY(std::abs(drawn->values<float>()[at] - expected[at]) < 1e-5);
  }

  // alpha = 0 is ordinary attention, to the bit; at alpha = 1 no key is read.
  void endsOfTheMixture() {
    const AttentionInput input = inputOf("clustered:n=66,d=16,heads=2");
    AttentionInput otherKeys = input;
    otherKeys.k = normals("other keys", input.k.shape(), 1.0);
    for (const std::string& mode : kModes)
      for (const char* causal : {",causal=off", ",causal=on"}) {
        QCOMPARE(largestDifference(outputOf(specOf(mode, std::string(",alpha=0") + causal), input),
                                   outputOf(std::string("full:") + (causal + 1), input)),
                 0.0);
        const std::string pure = specOf(mode, causal);
        QCOMPARE(largestDifference(outputOf(pure, input), outputOf(pure, otherKeys)), 0.0);
        const std::string half = specOf(mode, std::string(",alpha=0.5") + causal);
        QVERIFY(largestDifference(outputOf(half, input), outputOf(half, otherKeys)) > 1e-2);
      }
  }

  // Tables serve every input: neither queries nor keys matter. Dense rows come from their own token alone.
  void whatTheWeightsDependOn() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=2");
    AttentionInput other = input;
    other.q = changed(input.q, 7, 8);
    for (const std::string& mode : kModes) {
      const bool table = mode == "random" || mode == "factorised-random";
      const Tensor before = outputOf(specOf(mode), input);
      const Tensor after = outputOf(specOf(mode), other);
      for (Index i = 0; i < 40; ++i) QCOMPARE(rowMoved(before, after, i), !table && i == 7);
    }
  }

  void outputIsLinearInTheValues() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=1");
    AttentionInput other = input;
    AttentionInput sum = input;
    other.v = normals("v", input.v.shape(), 1.0);
    sum.v = Tensor(DType::F32, input.v.shape());
    for (std::size_t at = 0; at < sum.v.values<float>().size(); ++at)
      sum.v.mutableValues<float>()[at] = 2.0F * input.v.values<float>()[at] - other.v.values<float>()[at];
    for (const std::string& mode : kModes) {
      const auto a = outputOf(specOf(mode), input);
      const auto b = outputOf(specOf(mode), other);
      const auto c = outputOf(specOf(mode), sum);
      for (std::size_t at = 0; at < c.values<float>().size(); ++at)
        QVERIFY(std::abs(c.values<float>()[at] - (2.0F * a.values<float>()[at] - b.values<float>()[at])) <
                1e-4F);
    }
  }

  // Of B, not of its softmax.
  void rankOfTheFactorisedTable() {
    const AttentionInput input = inputOf("gaussian:n=40,d=4,heads=1");
    for (const std::size_t rank : {1U, 3U, 8U}) {
      const auto sigma =
          singularValues(executedLogits(specOf("factorised-random", ",rank=" + std::to_string(rank)), input));
      QVERIFY(sigma[rank - 1] > 1.0);
      QVERIFY(sigma[rank] < 1e-3 * sigma[0]);
    }
    QVERIFY(singularValues(executedLogits(specOf("random"), input))[39] > 1e-3);
  }

  // A row folded to a x b has rank 1, and every pair of entries of the two vectors is used: a = 4, b = 11.
  void foldedRowsHaveRankOne() {
    const AttentionInput input = inputOf("gaussian:n=43,d=6,heads=1");
    const Tensor logits = executedLogits(specOf("factorised-dense"), input);
    const auto cells = logits.values<float>();
    for (Index i = 0; i < 43; ++i) {
      const auto at = [&](Index j) {
        return static_cast<double>(cells[static_cast<std::size_t>(i * 43 + j)]);
      };
      for (Index r = 1; r < 4; ++r)
        for (Index c = 1; c < (r == 3 ? 10 : 11); ++c)
          QVERIFY(std::abs(at(0) * at(r * 11 + c) - at(c) * at(r * 11)) < 2e-4 * (1.0 + std::abs(at(0))));
      std::set<float> distinct(cells.begin() + i * 43, cells.begin() + (i + 1) * 43);
      QVERIFY(distinct.size() > 40);
    }
    const PlannedCall call = planned(specOf("factorised-dense"), input);
    const Plan& plan = call.plan->plan();
    QCOMPARE(plan.params[0].make().dim(2), Index{4});
    QCOMPARE(plan.params[2].make().dim(2), Index{11});
  }

  void causalOutputsKeepTheirPrefix() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=1");
    AttentionInput later = input;
    later.q = changed(input.q, 25, 40);
    later.k = changed(input.k, 25, 40);
    later.v = changed(input.v, 25, 40);
    for (const std::string& mode : kModes)
      for (const char* alpha : {"1", "0.5"}) {
        const std::string spec = specOf(mode, std::string(",causal=on,alpha=") + alpha);
        const Tensor before = outputOf(spec, input);
        const Tensor after = outputOf(spec, later);
        for (Index i = 0; i < 40; ++i) QCOMPARE(rowMoved(before, after, i), i >= 25);
      }
  }

  // One more token, decoded alone, is the last row of the whole run.
  void decodingIsTheLastRow() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=1");
    AttentionInput last = input;
    last.q = Tensor::fromFloats({1, 1, 8}, input.q.values<float>().last(8));
    for (const char* mode : {"dense", "factorised-dense"}) {
      const std::string spec = specOf(mode, ",causal=on,alpha=0.7");
      const Tensor whole = outputOf(spec, input);
      const Tensor step = outputOf(spec, last);
      for (std::size_t c = 0; c < 8; ++c)
        QVERIFY(std::abs(step.values<float>()[c] - whole.values<float>()[39 * 8 + c]) < 1e-5F);
    }
  }

  // R = Q K^T / sqrt(d) is full attention, and a constant in a row of logits changes nothing.
  void tablesFromFiles() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=2");
    Tensor logits(DType::F32, {2, 40, 40});
    Tensor shifted(DType::F32, {2, 40, 40});
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < 40; ++i)
        for (Index j = 0; j < 40; ++j) {
          const auto q = input.q.slice<float>(h).subspan(static_cast<std::size_t>(i * 8), 8);
          const auto k = input.k.slice<float>(h).subspan(static_cast<std::size_t>(j * 8), 8);
          const double dot = std::inner_product(q.begin(), q.end(), k.begin(), 0.0) / std::sqrt(8.0);
          const auto at = static_cast<std::size_t>(i * 40 + j);
          logits.mutableSlice<float>(h)[at] = static_cast<float>(dot);
          shifted.mutableSlice<float>(h)[at] = static_cast<float>(dot + 0.5 * static_cast<double>(i));
        }
    const Tensor full = outputOf("full", input);
    QVERIFY(largestDifference(outputOf(specOf("random"), input, {{"logits", logits}}), full) < 1e-5);
    QVERIFY(largestDifference(outputOf(specOf("random"), input, {{"logits", shifted}}), full) < 2e-5);
  }

  // Drawn tables are equally sharp at every rank; a seed chooses them, and one more head leaves the others.
  void draws() {
    const AttentionInput input = inputOf("gaussian:n=96,d=8,heads=2");
    const AttentionInput one = inputOf("gaussian:n=96,d=8,heads=1");
    const auto drawn = [&](const std::string& more, const AttentionInput& from) {
      return planned(specOf("random", more), from).plan->plan().params[0].make();
    };
    QVERIFY(std::abs(deviationOf(drawn("", input)) - 2.0) < 0.05);
    QCOMPARE(
        largestDifference(drawn("", one), Tensor::fromFloats({1, 96, 96}, drawn("", input).slice<float>(0))),
        0.0);
    QVERIFY(largestDifference(drawn(",seed=1", one), drawn("", one)) > 1.0);
    for (const char* rank : {"4", "8", "64"})
      QVERIFY(std::abs(deviationOf(
                           executedLogits(specOf("factorised-random", std::string(",rank=") + rank), one)) -
                       2.0) < 0.4);
  }

  void refusals() {
    const AttentionInput input = inputOf("gaussian:n=40,d=4,heads=2");
    const auto refused = [&](const std::string& mode, const WeightSet& weights) {
      return messageOf(specOf(mode), input, weights);
    };
    QVERIFY(contains(refused("random", {{"logits", normals("x", {39, 40}, 1.0)}}), "(2, 40, 40) or longer"));
    QVERIFY(contains(refused("dense", {{"w2", normals("x", {4, 39}, 1.0)}}), "(2, 4, 40) or longer"));
    const std::string layers =
        refused("dense", {{"w1", normals("x", {4, 6}, 1.0)}, {"b1", normals("y", {5}, 1.0)}});
    QVERIFY2(contains(layers, "'b1'") && contains(layers, "(2, 6)"), layers.c_str());
    QVERIFY(contains(refused("factorised-random", {{"logits_b", normals("x", {40, 9}, 1.0)}}), "(2, 40, 8)"));
    const std::string small = refused(
        "factorised-dense", {{"w_a", normals("x", {4, 3}, 1.0)}, {"w_b", normals("y", {4, 13}, 1.0)}});
    QVERIFY2(contains(small, "nearest valid b is 14"), small.c_str());
    QVERIFY(contains(messageOf(specOf("dense", ",alpha=1.5"), input), "alpha"));
    QVERIFY(contains(messageOf(specOf("factorised-random", ",rank=41"), input), "40"));
  }

  // The picture of B is what was executed.
  void insidesShowTheLogits() {
    const AttentionInput input = inputOf("gaussian:n=40,d=6,heads=1");
    for (const std::string& mode : kModes) {
      const PlannedCall call = planned(specOf(mode), input);
      const auto panels = call.mechanism->insides(
          {input, call.params, *call.plan, 0, [](const std::string&) { return Tensor(); }, {}});
      QVERIFY(panels);
      QVERIFY(panels->size() >= 3 && panels->size() <= 5);
      QVERIFY(largestDifference((*panels)[0].values, executedLogits(specOf(mode), input)) < 1e-3);
      const auto& overlap = panels->back().curves[0].y;
      QCOMPARE(overlap.size(), std::size_t{40});
      for (const double share : overlap) QVERIFY(share > 0.0 && share <= 1.0);
    }
  }
};

QTEST_APPLESS_MAIN(SynthesizerTest)
#include "synthesizer_test.moc"
