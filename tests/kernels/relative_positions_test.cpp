// SPDX-License-Identifier: GPL-3.0-or-later
// Transformer-XL where several of its parameters act together, and what its definition promises.
#include <QTest>
#include <cmath>

#include "kernels/explore.h"
#include "tests/support/segment_calls.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

const std::string kDemo = ",init=demo,seed=5";

// The same token sequence again and again.
AttentionInput repeated(Index period, Index times) {
  AttentionInput input = inputOf("gaussian:n=" + std::to_string(period * times) + ",d=8,heads=2");
  for (Tensor* tensor : {&input.q, &input.k, &input.v}) {
    Tensor copy(DType::F32, tensor->shape());
    for (Index h = 0; h < copy.dim(0); ++h) {
      const auto from = tensor->slice<float>(h);
      auto to = copy.mutableSlice<float>(h);
      const auto block = static_cast<std::size_t>(period * copy.dim(2));
      for (std::size_t at = 0; at < to.size(); ++at) to[at] = from[at % block];
    }
    *tensor = copy;
  }
  return input;
}

}  // namespace

class RelativePositionsTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    for (const char* sizes : {"segment=1,memory=0", "segment=7,memory=3", "segment=8,memory=24",
                              "segment=40,memory=5", "segment=96,memory=96", "segment=96,memory=0"})
      for (const char* more :
           {"", ",clamp=1", ",clamp=9", ",same_length=on", ",same_length=on,clamp=4", ",term_a=off",
            ",term_b=off", ",term_c=off", ",term_d=off,clamp=3", ",term_a=off,term_c=off",
            ",term_b=off,term_d=off", ",term_a=off,term_b=off,term_c=off", ",scale=0.1",
            ",term_a=off,term_b=off,term_c=off,term_d=off"}) {
        const std::string spec = std::string("transformer-xl:") + sizes + more + kDemo;
        QTest::newRow(spec.c_str()) << QString::fromStdString(spec);
      }
    QTest::newRow("recency") << "transformer-xl:init=recency,clamp=17";
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    for (const char* source : {"clustered:n=37,d=6,heads=2,dv=3", "clustered:n=96,d=8,heads=4,kv_heads=2"}) {
      const AttentionInput input = inputOf(source);
      std::string text = spec.toStdString();
      if (input.shape().nK < 96)  // what the user gives beyond n is refused
        for (const char* large : {"=96", "=40"})
          for (auto at = text.find(large); at != std::string::npos; at = text.find(large))
            text.replace(at, 3, "=37");
      compareWithOracle(planned(text, input), input);
    }
  }

  // With everything in memory, where the text is cut makes no difference.
  void anySegmentIsTheSameWhenAllIsRemembered() {
    const AttentionInput input = inputOf("clustered:n=50,d=8,heads=2");
    const Tensor whole = outOf("transformer-xl:segment=50,memory=0" + kDemo, input);
    for (const int segment : {1, 3, 16, 49})
      QVERIFY(largestDifference(whole,
                                outOf("transformer-xl:memory=50,segment=" + std::to_string(segment) + kDemo,
                                      input)) < 1e-5);
  }

  // Positions that do not bend the scores leave causal attention, and no step for them.
  void withoutTensorsItIsCausalAttention() {
    const AttentionInput input = inputOf("clustered:n=50,d=8,heads=2");
    const PlannedCall call = planned("transformer-xl:memory=50,segment=7", input);
    QCOMPARE(call.plan->plan().steps.size(), std::size_t{1});
    QVERIFY(largestDifference(outOf("full:causal=on", input),
                              outOf("transformer-xl:memory=50,segment=7", input)) < 1e-6);
    QVERIFY(largestDifference(outOf("full:causal=on", input),
                              outOf("transformer-xl:memory=50,segment=7" + kDemo, input)) > 0.01);
  }

  // Only distances count: equal tokens behind equal memory read the same wherever they stand.
  void placeInTheTextDoesNotMatter() {
    const AttentionInput input = repeated(12, 5);
    const Tensor out = outOf("transformer-xl:segment=12,memory=12" + kDemo, input);
    for (Index h = 0; h < 2; ++h) {
      const auto rows = out.slice<float>(h);
      const std::size_t block = 12 * 8;
      double first = 0.0;
      for (std::size_t at = 0; at < block; ++at) {
        first = std::max(first, static_cast<double>(std::abs(rows[at] - rows[block + at])));
        for (std::size_t s = 2; s < 5; ++s)
          QVERIFY(std::abs(rows[block + at] - rows[s * block + at]) < 1e-5F);
      }
      QVERIFY(first > 0.01);  // the first segment has no memory yet
    }
  }

  void spanEndsWhereItShould() {
    AttentionInput input = inputOf("clustered:n=40,d=8,heads=1");
    const std::string spec = "transformer-xl:segment=8,memory=5" + kDemo;
    const Tensor before = outOf(spec, input);
    // Segment 3 starts at 24 and remembers 19 .. 23.
    const auto changed = [&](Index token) {
      AttentionInput other = input;
      other.v = Tensor::fromFloats(input.v.shape(), input.v.values<float>());
      other.v.mutableValues<float>()[static_cast<std::size_t>(token * 8)] += 3.0F;
      const Tensor after = outOf(spec, other);
      bool moved = false;
      for (std::size_t at = 24 * 8; at < 32 * 8; ++at)
        moved = moved || before.values<float>()[at] != after.values<float>()[at];
      return moved;
    };
    QVERIFY(!changed(18));
    QVERIFY(changed(19));
    QVERIFY(!changed(32));
  }

  void countsMatchTheClosedForm() {
    for (const auto& [length, memory] : {std::pair<Index, Index>{8, 5}, {7, 30}, {64, 0}, {10, 64}}) {
      Index expected = 0;
      for (Index start = 0; start < 64; start += length) {
        const Index l = std::min<Index>(length, 64 - start);
        expected += l * std::min(memory, start) + l * (l + 1) / 2;
      }
      const std::string sizes = "segment=" + std::to_string(length) + ",memory=" + std::to_string(memory);
      const std::string source = "gaussian:n=64,d=2";
      QCOMPARE(pairs("transformer-xl:" + sizes, source), expected);
      QCOMPARE(pairs("transformer-xl:clamp=6," + sizes + kDemo, source), expected);
      Index window = 0;
      for (Index i = 0; i < 64; ++i) window += std::min(i + 1, memory + 1);
      QCOMPARE(pairs("transformer-xl:same_length=on," + sizes, source), window);
    }
  }

  // Tensors of a user, one for all heads.
  void tensorsFromFiles() {
    const AttentionInput input = inputOf("clustered:n=30,d=4,heads=3");
    std::vector<float> projection;
    for (int i = 0; i < 16; ++i) projection.push_back(std::sin(1.0F + static_cast<float>(i)));
    const std::vector<float> bias{0.5F, -1.0F, 2.0F, 0.25F};
    const WeightSet weights{{"rel_proj", Tensor::fromFloats({4, 4}, projection)},
                            {"content_bias", Tensor::fromFloats({4}, bias)},
                            {"position_bias", Tensor::fromFloats({4}, bias)}};
    for (const char* spec :
         {"transformer-xl", "transformer-xl:clamp=5,segment=9,memory=4", "compressive:segment=6,memory=4",
          "compressive:distance=centre,segment=6,memory=4"})
      compareWithOracle(planned(spec, input, weights), input);
    QVERIFY(
        contains(messageOf("transformer-xl", input, {{"rel_proj", Tensor::fromFloats({8, 2}, projection)}}),
                 "(3, 4, 4)"));
  }

  void refusals() {
    const AttentionInput odd = inputOf("gaussian:n=8,d=5");
    const AttentionInput cross = inputOf("gaussian:n=8,nk=9,d=4");
    for (const char* id : {"transformer-xl", "compressive"}) {
      QVERIFY(contains(messageOf(id, odd), "d = 4 or 6"));
      QVERIFY(contains(messageOf(id, cross), "as many queries as keys"));
      QVERIFY(contains(messageOf(std::string(id) + ":causal=off", inputOf("gaussian:n=8,d=4")), "causal"));
    }
  }

  // The map before the shift holds the map after it: row i, distance i - j stands K - 1 - (i - j) from the
  // left.
  void shiftMovesRowsOverTheirKeys() {
    const AttentionInput input = inputOf("clustered:n=40,d=8,heads=2");
    const auto run = explore(*parseMechanismSpec("transformer-xl:segment=10,memory=15,term_d=off" + kDemo),
                             input, cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(1);
    QVERIFY(panels);
    const InsidePanel* before = panelNamed(*panels, "Before the shift");
    const InsidePanel* after = panelNamed(*panels, "(b) content to distance");
    QVERIFY(before != nullptr && after != nullptr);
    const Index rows = after->values.dim(0);
    const Index cols = after->values.dim(1);
    QCOMPARE(rows, 10);
    QCOMPARE(cols, 25);
    const auto at = [cols](const InsidePanel& panel, Index r, Index c) {
      return panel.values.values<float>()[static_cast<std::size_t>(r * cols + c)];
    };
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c <= cols - rows + r; ++c)
        QCOMPARE(at(*after, r, c), at(*before, r, rows - 1 - r + c));
    // What the map says is what the call computed: the terms of a row give its log-sum-exp.
    const InsidePanel* content = panelNamed(*panels, "(a) content");
    const InsidePanel* biases = panelNamed(*panels, "Global biases");
    QVERIFY(content != nullptr && biases != nullptr);
    double sum = 0.0;
    for (Index c = 0; c < cols; ++c)
      sum += std::exp(at(*content, rows - 1, c) + at(*after, rows - 1, c) +
                      biases->curves[0].y[static_cast<std::size_t>(cols - 1 - c)]);
    QVERIFY(std::abs(std::log(sum) - (*run)->lse.slice<float>(1)[39]) < 1e-4);
  }

  void reachGrowsByOneMemoryALayer() {
    const auto run = explore(*parseMechanismSpec("transformer-xl:segment=8,memory=16"),
                             inputOf("gaussian:n=128,d=2"), cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(0);
    QVERIFY(panels);
    const InsidePanel* reach = panelNamed(*panels, "Reach over layers");
    QVERIFY(reach != nullptr);
    // L divides M: N M + i + 1 tokens, i the place in the segment.
    for (std::size_t layer = 0; layer < 7; ++layer)
      QCOMPARE(reach->curves[0].y[layer], 16.0 * static_cast<double>(layer + 1) + 7.0 + 1.0);
  }
};

QTEST_APPLESS_MAIN(RelativePositionsTest)
#include "relative_positions_test.moc"
