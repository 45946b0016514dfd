// SPDX-License-Identifier: GPL-3.0-or-later
// Compressive Transformer where several of its parameters act together, and what its definition promises.
#include <fmt/format.h>

#include <QTest>
#include <cmath>

#include "core/analysis/compression_training.h"
#include "kernels/explore.h"
#include "tests/support/segment_calls.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

const std::string kDemo = ",init=demo,seed=5";

Tensor traceOf(const PlannedCall& call, const std::string& name) {
  for (const NamedTensor& trace : call.plan->plan().trace)
    if (trace.name == name) return trace.tensor;
  return {};
}

// All tokens alike in k and v, queries as drawn.
AttentionInput constantRows(const std::string& source) {
  AttentionInput input = inputOf(source);
  for (Tensor* tensor : {&input.k, &input.v}) {
    Tensor copy(DType::F32, tensor->shape());
    const auto width = static_cast<std::size_t>(copy.dim(2));
    for (Index h = 0; h < copy.dim(0); ++h)
      for (std::size_t at = 0; at < copy.slice<float>(h).size(); ++at)
        copy.mutableSlice<float>(h)[at] = tensor->slice<float>(h)[at % width];
    *tensor = copy;
  }
  return input;
}

}  // namespace

class CompressiveTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    const auto add = [](const std::string& spec) {
      QTest::newRow(spec.c_str()) << QString::fromStdString(spec);
    };
    // c divides L and M; divides neither; more leaves than a drawer holds; memory of one block less one row.
    for (const char* sizes :
         {"rate=3,segment=6,memory=6,compressed=4", "rate=3,segment=7,memory=8,compressed=5",
          "rate=2,segment=11,memory=1,compressed=3", "rate=5,segment=4,memory=4,compressed=2",
          "rate=1,segment=5,memory=0,compressed=9", "rate=4,segment=3,memory=10,compressed=60"})
      for (const char* function : {"mean", "max", "conv", "most-used", "dilated"})
        for (const char* evict : {"all", "floor"})
          for (const char* distance : {"buffer", "centre"})
            add(std::string("compressive:") + sizes + ",function=" + function + ",evict=" + evict +
                ",distance=" + distance + kDemo);
    for (const char* function : {"mean", "most-used"})
      for (const char* terms : {"term_a=off", "term_b=off", "term_c=off,term_d=off", "term_b=off,term_d=off"})
        add(std::string("compressive:segment=6,function=") + function + "," + terms + kDemo);
    add("compressive:function=most-used,init=recency,segment=9,memory=6,rate=4");
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    for (const char* source : {"clustered:n=61,d=6,heads=2,dv=4,kv_heads=1", "clustered:n=65,d=8,heads=2"}) {
      const AttentionInput input = inputOf(source);
      compareWithOracle(planned(spec.toStdString(), input), input, 1e-4);
    }
  }

  // One row to a slot squeezes nothing: Transformer-XL with both drawers as its memory.
  void rateOneIsTransformerXl() {
    const AttentionInput input = inputOf("clustered:n=70,d=8,heads=2");
    for (const char* distance : {"buffer", "centre"})
      for (const char* evict : {"all", "floor"})
        for (const char* function : {"mean", "max", "most-used"}) {
          const std::string spec =
              std::string("compressive:rate=1,segment=9,memory=7,compressed=11,distance=") + distance +
              ",evict=" + evict + ",function=" + function + kDemo;
          QVERIFY(largestDifference(outOf(spec, input),
                                    outOf("transformer-xl:segment=9,memory=18" + kDemo, input)) < 2e-5);
        }
  }

  void withoutSlotsItIsTransformerXl() {
    const AttentionInput input = inputOf("clustered:n=70,d=8,heads=2");
    QCOMPARE(planned("compressive:compressed=0", input).plan->slotCount(), 0);
    QVERIFY(largestDifference(outOf("compressive:rate=3,segment=9,memory=12,compressed=0" + kDemo, input),
                              outOf("transformer-xl:segment=9,memory=12" + kDemo, input)) < 2e-6);
    // Where c does not divide L, whole blocks leave and the memory is shorter for a while.
    QVERIFY(largestDifference(outOf("compressive:rate=3,segment=8,memory=12,compressed=0" + kDemo, input),
                              outOf("transformer-xl:segment=8,memory=12" + kDemo, input)) > 0.01);
  }

  void convolutionsStartAsTheMean() {
    const AttentionInput input = inputOf("clustered:n=70,d=8,heads=2,dv=3");
    for (const char* sizes : {"rate=3,segment=6", "rate=3,segment=8,evict=floor"}) {
      const Tensor mean = outOf(std::string("compressive:") + sizes, input);
      for (const char* function : {"conv", "dilated"})
        QVERIFY(largestDifference(mean, outOf(std::string("compressive:function=") + function + "," + sizes,
                                              input)) < 2e-6);
      for (const char* function : {"max", "most-used"})
        QVERIFY(largestDifference(mean, outOf(std::string("compressive:function=") + function + "," + sizes,
                                              input)) > 1e-3);
    }
  }

  // Rows that are all alike are not changed by any way of squeezing them.
  void constantRowsStayThemselves() {
    const AttentionInput input = constantRows("clustered:n=50,d=8,heads=2");
    for (const char* function : {"mean", "max", "conv", "most-used", "dilated"}) {
      const std::string spec = std::string("compressive:segment=6,memory=6,function=") + function;
      QVERIFY(planned(spec, input).plan->slotCount() > 0);
      const Tensor out = outOf(spec, input);
      for (Index h = 0; h < 2; ++h)
        for (std::size_t at = 0; at < 50 * 8; ++at)
          QVERIFY(std::abs(out.slice<float>(h)[at] - input.v.slice<float>(h)[at % 8]) < 1e-5F);
    }
  }

  // Slots, memory and segment tile the past of a segment: nothing twice, nothing left out but what is older.
  void coverageHasNoGaps() {
    for (const char* sizes :
         {"rate=3,segment=6,memory=9,compressed=4", "rate=3,segment=7,memory=8,compressed=4",
          "rate=4,segment=3,memory=3,compressed=5"}) {
      const AttentionInput input = inputOf("gaussian:n=80,d=2");
      const PlannedCall call = planned(std::string("compressive:") + sizes, input);
      const Tensor tokens = traceOf(call, "slot_tokens");
      const Index rate = call.params.integer("rate");
      const Index length = call.params.integer("segment");
      const Index memory = call.params.integer("memory");
      for (Index t = 0; t < 80; ++t) {
        std::vector<int> seen(80, 0);
        Index slotsRead = 0;
        Index remembered = 0;
        RunList runs;
        call.plan->support(0)->row(t, runs);
        for (const Run& run : runs)
          for (Index j = run.begin; j < run.end; ++j) {
            if (j < 80) {
              ++seen[static_cast<std::size_t>(j)];
              remembered += j < t / length * length ? 1 : 0;
              continue;
            }
            ++slotsRead;
            const auto slot =
                tokens.values<std::int32_t>().subspan(static_cast<std::size_t>(2 * (j - 80)), 2);
            for (Index x = slot[0]; x < slot[1]; ++x) ++seen[static_cast<std::size_t>(x)];
          }
        const Index start = t / length * length;
        QVERIFY(remembered <= memory);
        if (start > memory + rate) QVERIFY(remembered > memory - rate);
        const Index first = std::max<Index>(0, start - remembered - rate * call.params.integer("compressed"));
        QCOMPARE(start - remembered - rate * slotsRead, first);
        for (Index j = 0; j < 80; ++j)
          QCOMPARE(seen[static_cast<std::size_t>(j)], j >= first && j <= t ? 1 : 0);
      }
    }
  }

  // The paper's own count: of 7 rows that leave, two blocks of 3 are kept and the newest row is lost.
  void floorLosesTheRest() {
    const AttentionInput input = inputOf("gaussian:n=29,d=2");
    const PlannedCall call = planned("compressive:rate=3,segment=7,memory=7,evict=floor", input);
    const Tensor tokens = traceOf(call, "slot_tokens");
    const std::vector<std::int32_t> expected{0, 3, 3, 6, 7, 10, 10, 13, 14, 17, 17, 20};
    QCOMPARE(tokens.dim(1), 6);
    for (std::size_t i = 0; i < expected.size(); ++i) QCOMPARE(tokens.values<std::int32_t>()[i], expected[i]);
    QVERIFY(largestDifference(
                call.plan->plan().slotComposition(),
                planned("compressive:rate=3,segment=7,memory=7", input).plan->plan().slotComposition()) >
            0.1);
  }

  void mostUsedRowsAreTheMostUsed() {
    // One key draws all queries: it is kept at every eviction that it takes part in, the others are equal and
    // the older ones stay.
    AttentionInput input = constantRows("gaussian:n=24,d=2,heads=1");
    input.q = Tensor(DType::F32, {1, 24, 2});
    input.k = Tensor::zeros(DType::F32, {1, 24, 2});
    for (float& x : input.q.mutableValues<float>()) x = 1.0F;
    for (const Index token : {5, 9})
      input.k.mutableValues<float>()[static_cast<std::size_t>(2 * token)] = 4.0F;
    const PlannedCall call = planned("compressive:rate=3,segment=6,memory=6,function=most-used", input);
    const Tensor tokens = traceOf(call, "slot_tokens");
    QCOMPARE(tokens.dim(1), 4);
    const std::vector<std::int32_t> expected{0, 5, 6, 9};
    for (std::size_t b = 0; b < 4; ++b) QCOMPARE(tokens.values<std::int32_t>()[2 * b], expected[b]);
    compareWithOracle(call, input);
  }

  void refusesMemoryShorterThanABlock() {
    const std::string message =
        messageOf("compressive:rate=4,memory=2,segment=8", inputOf("gaussian:n=32,d=2"));
    QVERIFY(contains(message, "rate - 1 = 3"));
    QVERIFY(contains(message, "memory=3, or rate=3"));
    QCOMPARE(messageOf("compressive:rate=4,memory=3,segment=8", inputOf("gaussian:n=32,d=2")),
             std::string("accepted"));
  }

  // Parts of the memory are paler the older they are, and the legend says how old.
  void agesAreDrawn() {
    const auto run =
        explore(*parseMechanismSpec("compressive:rate=3,segment=6,memory=24,compressed=4" + kDemo),
                inputOf("clustered:n=66,d=8,heads=2"), cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(0);
    QVERIFY(panels);
    const InsidePanel* line = panelNamed(*panels, "Segments over time");
    QVERIFY(line != nullptr);
    const auto last = line->stripGroup.slice<std::int32_t>(10);
    const auto nameAt = [&](Index token) {
      return line->barNames.at(static_cast<std::size_t>(last[static_cast<std::size_t>(token)]));
    };
    QCOMPARE(nameAt(60), std::string("own"));
    QCOMPARE(nameAt(59), std::string("age 1"));
    QCOMPARE(nameAt(53), std::string("age 2"));
    QCOMPARE(nameAt(47), std::string("age 3+"));
    QCOMPARE(nameAt(36), std::string("age 3+"));
    QVERIFY(nameAt(35).find("slot") != std::string::npos);
  }

  // What the panels say is what the call did.
  void panelsTellWhatHappened() {
    const AttentionInput input = inputOf("clustered:n=66,d=8,heads=2");
    const auto run = explore(
        *parseMechanismSpec("compressive:rate=3,segment=6,memory=6,compressed=4,function=most-used" + kDemo),
        input, cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(1);
    QVERIFY(panels);
    const InsidePanel* line = panelNamed(*panels, "Segments over time");
    const InsidePanel* mass = panelNamed(*panels, "Attention by zone");
    const InsidePanel* sight = panelNamed(*panels, "Sight");
    const InsidePanel* use = panelNamed(*panels, "Use of the rows that leave");
    QVERIFY(line != nullptr && mass != nullptr && sight != nullptr && use != nullptr);
    QCOMPARE(line->stripGroup.dim(0), 11);
    QCOMPARE(line->stripGroup.dim(1), 66);
    // The last row: its own 6 tokens, 6 in memory, one copied token for each of 4 slots.
    std::vector<int> counts(4, 0);
    for (const std::int32_t group : line->stripGroup.slice<std::int32_t>(10))
      if (group >= 0) ++counts[static_cast<std::size_t>(group)];
    QCOMPARE(counts, (std::vector<int>{6, 6, 2, 2}));
    QCOMPARE(line->barNames, (std::vector<std::string>{"own", "age 1", "slot", "next slot"}));
    const auto matrix = (*run)->matrix->block(1, 0, 66, 0, 66);
    QVERIFY(matrix);
    std::vector<double> expected(3, 0.0);
    for (Index t = 18; t < 66; ++t)  // the first slots are made once tokens 6 .. 11 overflow the memory
      for (Index j = 0; j <= t; ++j) {
        const Index start = t / 6 * 6;
        const std::size_t zone = j >= start ? 2 : j >= start - 6 ? 1 : 0;
        if (t >= 12) expected[zone] += (*matrix).values<float>()[static_cast<std::size_t>(t * 66 + j)];
      }
    for (Index t = 12; t < 18; ++t)
      for (Index j = 0; j <= t; ++j)
        expected[j >= 12  ? 2
                 : j >= 6 ? 1
                          : 0] += (*matrix).values<float>()[static_cast<std::size_t>(t * 66 + j)];
    for (std::size_t zone = 0; zone < 3; ++zone)
      QVERIFY(std::abs(mass->bars[zone] - expected[zone] / 54.0) < 1e-4);
    QCOMPARE(sight->curves[2].y.back(), 6.0 + 6.0 + 4.0);
    QCOMPARE(use->bars.size(), std::size_t{6});
    QCOMPARE(std::count_if(use->barNames.begin(), use->barNames.end(),
                           [](const std::string& name) { return name.ends_with('+'); }),
             2);
  }

  // Training is a picture: it lowers the loss of what it shows, and the call stays as it was.
  void trainingChangesNothingElse() {
    const AttentionInput input = inputOf("clustered:n=96,d=16,heads=2");
    for (const char* function : {"mean", "conv"}) {
      const std::string spec = std::string("compressive:rate=3,segment=24,function=") + function;
      const auto run = explore(*parseMechanismSpec(spec), input, cpuBackend());
      QVERIFY(run);
      const auto panels = (*run)->insides(0);
      QVERIFY(panels);
      const InsidePanel* training = panelNamed(*panels, "Training");
      QVERIFY(training != nullptr);
      QCOMPARE(training->curves.size(), std::size_t{2});
      for (const InsidePanel::Curve& curve : training->curves) {
        QCOMPARE(curve.y.size(), std::size_t{101});
        QCOMPARE(curve.y.front(), 1.0);
        QVERIFY(curve.y.back() < 0.9);
      }
      QCOMPARE(largestDifference((*run)->out, outOf(spec, input)), 0.0);
    }
  }

  // The map of what compression changes, by hand: softmax over the 9 tokens that leave, and over means of
  // three.
  void reconstructionIsWhatCompressionChanges() {
    const AttentionInput input = inputOf("clustered:n=45,d=4,heads=2,dv=3");
    const auto run =
        explore(*parseMechanismSpec("compressive:rate=3,segment=9,memory=9"), input, cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(1);
    QVERIFY(panels);
    const InsidePanel* map = panelNamed(*panels, "Reconstruction");
    QVERIFY(map != nullptr && map->diverging);
    QCOMPARE(map->values.shape()[0], Index{9});
    QCOMPARE(map->values.shape()[1], Index{3});
    // What leaves after the last segment nobody reads: the last to leave are 18 .. 26, after 27 .. 35 were
    // read.
    const auto row = [](const Tensor& tensor, Index i) {
      const auto cells = tensor.slice<float>(1).subspan(static_cast<std::size_t>(i * tensor.dim(2)));
      return Eigen::Map<const Eigen::RowVectorXf>(cells.data(), tensor.dim(2)).cast<double>().eval();
    };
    const auto readBy = [&](Index t, Index blocks) {
      const Index width = 9 / blocks;
      Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(3);
      double total = 0.0;
      for (Index b = 0; b < blocks; ++b) {
        Eigen::RowVectorXd key = Eigen::RowVectorXd::Zero(4);
        Eigen::RowVectorXd value = Eigen::RowVectorXd::Zero(3);
        for (Index j = 18 + b * width; j < 18 + (b + 1) * width; ++j) {
          key += row(input.k, j) / static_cast<double>(width);
          value += row(input.v, j) / static_cast<double>(width);
        }
        const double weight = std::exp(0.5 * row(input.q, t).dot(key));
        total += weight;
        sum += weight * value;
      }
      return (sum / total).eval();
    };
    for (Index t = 27; t < 36; ++t) {
      const Eigen::RowVectorXd expected = readBy(t, 3) - readBy(t, 9);
      for (Index c = 0; c < 3; ++c)
        QVERIFY(std::abs(expected[c] -
                         double{map->values.values<float>()[static_cast<std::size_t>((t - 27) * 3 + c)]}) <
                1e-5);
    }
    // The curve of the training begins at the mean of the squares.
    double squares = 0.0;
    for (const float x : map->values.values<float>()) squares += double{x} * double{x} / 27.0;
    const InsidePanel* training = panelNamed(*panels, "Training");
    QVERIFY(training != nullptr);
    QVERIFY2(contains(training->curves.front().name, fmt::format("attention: {:.3g} to", squares)),
             training->curves.front().name.c_str());
    QVERIFY(contains(map->caption, fmt::format("{:.3g}", squares)));
  }

  // Trained taps act through the slots and nowhere else: rows that see none are the same to the bit.
  void trainedTapsActThroughSlotsOnly() {
    const AttentionInput input = inputOf("clustered:n=60,d=4,heads=1");
    const std::string spec = "compressive:rate=3,segment=12,memory=12,function=conv";
    const auto rows = [](const Tensor& tensor, Index begin) {
      Eigen::MatrixXd matrix(12, 4);
      for (Index i = 0; i < 12; ++i)
        for (Index c = 0; c < 4; ++c)
          matrix(i, c) = tensor.values<float>()[static_cast<std::size_t>((begin + i) * 4 + c)];
      return matrix;
    };
    const CompressionTask task{rows(input.q, 12), rows(input.k, 0), rows(input.v, 0), 0.5, 3, {}};
    const auto training = trainCompression(task, CompressionLoss::AttentionReconstruction,
                                           meanCompression(3, 4, 4), copyingDecoder(3, 4, 4), 100);
    QVERIFY(training);
    const auto tensorOf = [](const std::vector<Eigen::MatrixXd>& taps) {
      std::vector<float> cells;
      for (const Eigen::MatrixXd& tap : taps)
        for (Index a = 0; a < 4; ++a)
          for (Index c = 0; c < 4; ++c) cells.push_back(static_cast<float>(tap(a, c)));
      return Tensor::fromFloats({3, 4, 4}, cells);
    };
    const WeightSet weights{{"conv_k", tensorOf(training->taps.k)}, {"conv_v", tensorOf(training->taps.v)}};
    compareWithOracle(planned(spec, input, weights), input);
    const Tensor before = outOf(spec, input);
    const Tensor after = outOf(spec, input, weights);
    const auto same = [&](std::size_t begin, std::size_t end) {
      const auto x = before.values<float>().subspan(4 * begin, 4 * (end - begin));
      return std::equal(x.begin(), x.end(),
                        after.values<float>().begin() + static_cast<std::ptrdiff_t>(4 * begin));
    };
    QVERIFY(same(0, 24));  // the first 12 tokens leave once tokens 12 .. 23 have been read
    QVERIFY(!same(24, 25));
  }

  void panelsOfEveryFunctionAndOfShortTexts() {
    for (const char* source : {"clustered:n=1,d=2", "clustered:n=5,d=2", "clustered:n=90,d=4,heads=2"})
      for (const char* function : {"mean", "conv", "max", "most-used", "dilated"})
        for (const char* init : {"zero", "demo"}) {
          const auto run =
              explore(*parseMechanismSpec(std::string("compressive:function=") + function + ",init=" + init),
                      inputOf(source), cpuBackend());
          QVERIFY(run);
          const auto panels = (*run)->insides(0);
          QVERIFY(panels);
          QVERIFY(panels->size() >= 3);
          for (const InsidePanel& panel : *panels) {
            QVERIFY(!panel.title.empty() && panel.caption.ends_with('.'));
            for (const double bar : panel.bars) QVERIFY(bar >= 0.0 && bar < 1.0 + 1e-5);
          }
        }
  }

  // Mixed channels have no exact matrix; the plan says so.
  void mixingIsSaid() {
    const AttentionInput input = inputOf("clustered:n=40,d=8,heads=1");
    QVERIFY(planned("compressive:function=conv,segment=6", input).plan->plan().exact);
    const PlannedCall mixed = planned("compressive:function=conv,segment=6" + kDemo, input);
    QVERIFY(!mixed.plan->plan().exact);
    QVERIFY(contains(mixed.plan->plan().note, "conv_v"));
  }
};

QTEST_APPLESS_MAIN(CompressiveTest)
#include "compressive_test.moc"
