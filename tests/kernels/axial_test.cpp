// SPDX-License-Identifier: GPL-3.0-or-later
// Axial attention: what each mode reaches and costs, what it must agree with, and what the decoder must not
// see.
#include <QTest>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/against_oracle.h"
#include "tests/support/pattern_reach.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

// Rows of (H, n, d) in another order: row i of the result is row from(i).
Tensor reordered(const Tensor& tensor, const std::function<Index(Index)>& from) {
  Tensor result(DType::F32, tensor.shape());
  const Index d = tensor.dim(2);
  for (Index h = 0; h < tensor.dim(0); ++h)
    for (Index i = 0; i < tensor.dim(1); ++i)
      std::copy_n(tensor.slice<float>(h).data() + from(i) * d, d,
                  result.mutableSlice<float>(h).data() + i * d);
  return result;
}

// The same input with one row of a tensor (H, n, d) changed.
Tensor changedAt(const Tensor& tensor, Index row) {
  Tensor result = reordered(tensor, [](Index i) { return i; });
  for (Index h = 0; h < tensor.dim(0); ++h)
    for (Index c = 0; c < tensor.dim(2); ++c)
      result.mutableSlice<float>(h)[static_cast<std::size_t>(row * tensor.dim(2) + c)] += 3.0F;
  return result;
}

std::vector<bool> rowsThatMove(const Tensor& a, const Tensor& b) {
  std::vector<bool> moved(static_cast<std::size_t>(a.dim(1)), false);
  const Index d = a.dim(2);
  for (Index h = 0; h < a.dim(0); ++h)
    for (Index at = 0; at < a.dim(1) * d; ++at)
      if (a.slice<float>(h)[static_cast<std::size_t>(at)] != b.slice<float>(h)[static_cast<std::size_t>(at)])
        moved[static_cast<std::size_t>(at / d)] = true;
  return moved;
}

std::vector<double> rowSums(const std::string& spec, const AttentionInput& input) {
  const auto matrix = executedMatrix(cpuBackend(), *planned(spec, input).plan, input, {});
  std::vector<double> sums;
  for (Index i = 0; i < input.shape().nQ; ++i) {
    sums.push_back(0.0);
    for (Index j = 0; j < input.shape().nK; ++j)
      sums.back() += matrix->slice<float>(0)[static_cast<std::size_t>(i * input.shape().nK + j)];
  }
  return sums;
}

void compareWithOracle(const PlannedCall& call, const AttentionInput& input) {
  const auto oracle = runOracle(call, input);
  const auto run = cpuBackend().run(*call.plan, input, {}, {});
  const auto executed = executedMatrix(cpuBackend(), *call.plan, input, {});
  QVERIFY(oracle && run && executed);
  QVERIFY(largestDifference(run->out, oracle->out) < 3e-5);
  for (Index h = 0; h < input.shape().heads; ++h) {
    const Reach drawn = reachOf(*call.plan->support(h));
    const auto expected = oracle->matrix.slice<double>(h);
    const auto found = executed->slice<float>(h);
    for (std::size_t at = 0; at < expected.size(); ++at) {
      if (std::abs(found[at] - expected[at]) > 1e-5) QFAIL("a weight differs");
      const auto i = at / static_cast<std::size_t>(input.shape().nK);
      const auto j = static_cast<Index>(at) % input.shape().nK;
      if (drawn[i].contains(j) != (oracle->support[static_cast<std::size_t>(h)][at] != 0))
        QFAIL("a pair is drawn wrongly");
    }
  }
}

const std::vector<const char*> kModes{"row", "col", "row_col", "col_row", "sum"};

}  // namespace

class AxialTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    for (const char* grid : {"6x16", "16x6", "1x96", "96x1", "4x8x3", "2x3x16", "8x12x1", "1x1x96", "96x1x1"})
      for (const char* mode : {"row", "col", "row_col", "col_row", "sum", "decoder"})
        for (const char* causal : {"off", "on"}) {
          if (mode == std::string("decoder") && std::string(grid).find('x') != std::string(grid).rfind('x'))
            continue;
          const std::string spec =
              std::string("axial:grid=") + grid + ",mode=" + mode + ",causal=" + causal + ",scale=0.7";
          QTest::newRow(spec.c_str()) << QString::fromStdString(spec);
        }
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    const AttentionInput input = inputOf("gaussian:n=96,d=8,dv=5,heads=4,kv_heads=2");
    compareWithOracle(planned(spec.toStdString(), input), input);
  }

  // The grid that a picture brings along counts before the squarest one.
  void takesThePicturesGrid() {
    AttentionInput picture = inputOf("gaussian:n=96,d=8,heads=1");
    picture.grid = Grid{3, 32};
    QCOMPARE(outputOf("axial", picture).values<float>()[0],
             outputOf("axial:grid=3x32", picture).values<float>()[0]);
    QVERIFY(largestDifference(outputOf("axial", picture), outputOf("axial:grid=8x12", picture)) > 1e-3);
    compareWithOracle(planned("axial", picture), picture);
  }

  // A grid of one line: the axis along it is full attention, the other one changes nothing.
  void oneLineIsFullAttention() {
    const AttentionInput input = inputOf("gaussian:n=67,d=16,heads=2");
    for (const char* causal : {"off", "on"}) {
      const std::string tail = std::string(",causal=") + causal;
      const Tensor full = outputOf(std::string("full:causal=") + causal, input);
      for (const char* spec :
           {"axial:grid=1x67,mode=row", "axial:grid=67x1,mode=col", "axial:grid=1x67,mode=row_col",
            "axial:grid=67x1,mode=row_col", "axial:grid=1x67,mode=col_row", "axial:grid=1x67x1,mode=row_col"})
        QVERIFY2(largestDifference(outputOf(spec + tail, input), full) < 1e-5, spec);
      QVERIFY(largestDifference(outputOf("axial:grid=1x67,mode=col" + tail, input), input.v) == 0.0);
    }
  }

  // Turning the picture on its side swaps the axes, and row_col becomes col_row.
  void transposingSwapsTheAxes() {
    const AttentionInput input = inputOf("gaussian:n=60,d=8,heads=2");
    const Index height = 5;
    const Index width = 12;
    const auto turned = [&](Index i) { return i % height * width + i / height; };
    AttentionInput other = input;
    other.q = reordered(input.q, turned);
    other.k = reordered(input.k, turned);
    other.v = reordered(input.v, turned);
    const std::vector<std::pair<const char*, const char*>> pairs{
        {"row", "col"}, {"col", "row"}, {"row_col", "col_row"}, {"col_row", "row_col"}, {"sum", "sum"}};
    for (const auto& [mode, swapped] : pairs)
      for (const char* causal : {",causal=off", ",causal=on"}) {
        const Tensor expected =
            reordered(outputOf(std::string("axial:grid=5x12,mode=") + mode + causal, input), turned);
        const Tensor found = outputOf(std::string("axial:grid=12x5,mode=") + swapped + causal, other);
        QVERIFY2(largestDifference(expected, found) < 1e-5, mode);
      }
  }

  // A third axis of one cell changes nothing, and the depth alone is the row of a folded grid.
  void thirdAxis() {
    const AttentionInput input = inputOf("gaussian:n=72,d=8,heads=1");
    for (const char* mode : {"row", "col", "row_col", "col_row"})
      QVERIFY(largestDifference(outputOf(std::string("axial:grid=6x12x1,mode=") + mode, input),
                                outputOf(std::string("axial:grid=6x12,mode=") + mode, input)) < 1e-6);
    // Depth, then rows, then columns: the first two are what row_col does inside each plane of one height.
    const auto once = outputOf("axial:grid=24x3,mode=row", input);
    AttentionInput next = input;
    next.v = once;
    next.v = outputOf("axial:grid=6x4x3,mode=row", next);
    QVERIFY(largestDifference(outputOf("axial:grid=6x4x3,mode=col", next),
                              outputOf("axial:grid=6x4x3,mode=row_col", input)) < 1e-5);
  }

  // n N_a pairs unmasked, n (N_a + 1) / 2 masked, for each stage.
  void pairsOfEachStage() {
    const Index n = 60;
    const AttentionInput input = inputOf("gaussian:n=60,d=4,heads=1");
    const auto executed = [&](const std::string& spec) { return planned(spec, input).plan->pairs(0); };
    QCOMPARE(executed("axial:grid=5x12,mode=row"), n * 12);
    QCOMPARE(executed("axial:grid=5x12,mode=col"), n * 5);
    QCOMPARE(executed("axial:grid=5x12,mode=row_col"), n * 17);
    QCOMPARE(executed("axial:grid=5x12,mode=row_col,causal=on"), n * (13 + 6) / 2);
    QCOMPARE(executed("axial:grid=5x12,mode=decoder"), n * 12 + n * 6 / 2 + n * 13 / 2);
    QCOMPARE(executed("axial:grid=5x4x3"), n * 12);
  }

  // Columns are as dense for the machine as rows.
  void columnsAreFullTiles() {
    const AttentionInput input = inputOf("gaussian:n=4096,d=1,heads=1");
    const Index rows = planned("axial:grid=64x64,mode=row", input).plan->executedTiles(0);
    QCOMPARE(rows, Index{64});
    QCOMPARE(planned("axial:grid=64x64,mode=col", input).plan->executedTiles(0), rows);
  }

  // A cross after one layer of the sum, the whole rectangle after two stages.
  void reachOfTheModes() {
    const auto sizes = [](const std::string& spec) {
      std::set<std::size_t> found;
      for (const auto& keys : reach(spec, sourceOf(60))) found.insert(keys.size());
      return found;
    };
    QCOMPARE(sizes("axial:grid=5x12,mode=sum"), std::set<std::size_t>{16});
    QCOMPARE(sizes("axial:grid=5x12,mode=row_col"), std::set<std::size_t>{60});
    QCOMPARE(sizes("axial:grid=5x4x3,mode=sum"), std::set<std::size_t>{10});
    QCOMPARE(sizes("axial:grid=5x4x3,mode=col_row"), std::set<std::size_t>{60});
    const Reach masked = reach("axial:grid=5x12,mode=row_col,causal=on", sourceOf(60));
    for (Index i = 0; i < 60; ++i)
      QCOMPARE(static_cast<Index>(masked[static_cast<std::size_t>(i)].size()), (i / 12 + 1) * (i % 12 + 1));
    // Two stages reach what two layers of one axis each reach.
    QCOMPARE(masked, after(reach("axial:grid=5x12,mode=row,causal=on", sourceOf(60)),
                           reach("axial:grid=5x12,mode=col,causal=on", sourceOf(60))));
  }

  // Every pair says which axis it comes from.
  void labelsNameTheAxis() {
    QCOMPARE(picture("axial:grid=2x3,mode=sum", sourceOf(6)),
             std::string("1112..\n111.2.\n111..2\n2..111\n.2.111\n..2111\n"));
    QCOMPARE(picture("axial:grid=2x3,mode=row_col", sourceOf(6)),
             std::string("111233\n111323\n111332\n233111\n323111\n332111\n"));
    QCOMPARE(picture("axial:grid=2x3,mode=decoder", sourceOf(6)),
             std::string("......\n1.....\n11....\n222...\n2221..\n22211.\n"));
  }

  void rowsSumToTheNumberOfReads() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=1");
    for (const double sum : rowSums("axial:grid=5x8,mode=row_col", input))
      QVERIFY(std::abs(sum - 1.0) < 1e-5);
    for (const double sum : rowSums("axial:grid=5x8,mode=sum,causal=on", input))
      QVERIFY(std::abs(sum - 2.0) < 1e-5);
    QCOMPARE(rowSums("axial:grid=5x8,mode=decoder", input)[0], 0.0);
  }

  // What the decoder's outputs depend on: the values of exactly the earlier pixels, and no later query or
  // key.
  void decoderSeesTheEarlierPixelsOnly() {
    const AttentionInput input = inputOf("gaussian:n=20,d=6,heads=2");
    const std::string spec = "axial:grid=4x5,mode=decoder";
    const Tensor before = outputOf(spec, input);
    for (Index j = 0; j < 20; ++j) {
      AttentionInput values = input;
      values.v = changedAt(input.v, j);
      const auto moved = rowsThatMove(before, outputOf(spec, values));
      for (Index i = 0; i < 20; ++i) QCOMPARE(bool(moved[static_cast<std::size_t>(i)]), i > j);
      AttentionInput matches = input;
      matches.q = changedAt(input.q, j);
      matches.k = changedAt(input.k, j);
      const auto later = rowsThatMove(before, outputOf(spec, matches));
      for (Index i = 0; i < j; ++i) QVERIFY(!later[static_cast<std::size_t>(i)]);
    }
  }

  // Masked stages: outputs stay where they are when later tokens change.
  void maskedStagesAreCausal() {
    const AttentionInput input = inputOf("gaussian:n=20,d=6,heads=1");
    for (const char* mode : kModes) {
      const std::string spec = std::string("axial:grid=4x5,causal=on,mode=") + mode;
      const Tensor before = outputOf(spec, input);
      AttentionInput changed = input;
      changed.q = changedAt(input.q, 12);
      changed.k = changedAt(input.k, 12);
      changed.v = changedAt(input.v, 12);
      const auto moved = rowsThatMove(before, outputOf(spec, changed));
      for (Index i = 0; i < 12; ++i) QVERIFY2(!moved[static_cast<std::size_t>(i)], mode);
      QVERIFY2(moved[12], mode);
    }
  }

  void refusals() {
    const AttentionInput input = inputOf("gaussian:n=72,d=4,heads=1");
    QVERIFY(contains(messageOf("axial:grid=6x4x3,mode=decoder", input), "grid=6x12"));
    QVERIFY(contains(messageOf("axial:grid=7x12", input), "nearest valid value is 6x12"));
    QVERIFY(contains(messageOf("axial:grid=6x5x3", input), "nearest valid value is 6x4x3"));
    for (const char* bad : {"72", "6x", "x12", "6x4x3x1", "0x72", "6x12a", "-6x-12"})
      QVERIFY(contains(messageOf(std::string("axial:grid=") + bad, input), "two or three sides"));
    QVERIFY(contains(messageOf("axial", inputOf("gaussian:n=9,nk=12,d=4")), "as many queries as keys"));
  }

  // The picture of one pixel is its row of the matrix.
  void insidesShowTheRow() {
    const AttentionInput input = inputOf("gaussian:n=40,d=8,heads=2");
    for (const char* mode : {"row", "row_col", "sum", "decoder"}) {
      const PlannedCall call = planned(std::string("axial:grid=5x8,mode=") + mode, input);
      const auto run = cpuBackend().run(*call.plan, input, {}, {});
      const auto matrix = executedMatrix(cpuBackend(), *call.plan, input, {});
      const auto buffer = [&](const std::string& name) { return run->buffers.at(name); };
      const auto panels = call.mechanism->insides({input, call.params, *call.plan, 1, buffer, {}});
      QVERIFY(panels);
      QCOMPARE(panels->size(), std::size_t{mode == std::string("decoder") ? 5U : 3U});
      const Index query = 2 * 8 + 4;
      const auto drawn = (*panels)[1].values.values<float>();
      for (std::size_t j = 0; j < 40; ++j)
        QVERIFY(std::abs(drawn[j] - matrix->slice<float>(1)[static_cast<std::size_t>(query) * 40 + j]) <
                1e-5F);
    }
  }
};

QTEST_APPLESS_MAIN(AxialTest)
#include "axial_test.moc"
