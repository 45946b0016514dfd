// SPDX-License-Identifier: GPL-3.0-or-later
// Fixed patterns where several of their parameters act together, against the dense oracle: support cell by
// cell, output and lse. (definition_test changes one parameter at a time.)
#include <QTest>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference/oracle.h"
#include "tests/support/pattern_reach.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

const std::vector<std::string> kSquare{"gaussian:n=1,d=4,heads=2", "gaussian:n=37,d=8,heads=5",
                                       "gaussian:n=96,d=8,heads=4,kv_heads=2"};
const std::vector<std::string> kCross{"gaussian:n=23,nk=61,d=8,heads=4", "gaussian:n=61,nk=23,d=8,heads=4"};

std::vector<std::string> sparseSpecs() {
  std::vector<std::string> specs;
  for (const char* pattern :
       {"strided,stride=1", "strided,stride=7", "strided,stride=8", "strided,stride=20", "fixed,stride=1",
        "fixed,stride=7,summary=2", "fixed,stride=8,summary=2,sub_blocks=3",
        "fixed,stride=20,summary=1,sub_blocks=20", "fixed,stride=20,summary=20"})
    for (const char* mode : {"merged", "split", "interleaved,layer=0", "interleaved,layer=1"})
      specs.push_back(std::string("sparse:pattern=") + pattern + ",mode=" + mode);
  return specs;
}

std::vector<std::string> imageSpecs() {
  return {"image:query_block=1,memory=0", "image:query_block=5,memory=12", "image:query_block=12,memory=5",
          "image:query_block=20,memory=20"};
}

std::vector<std::string> rectangleSpecs() {
  std::vector<std::string> specs;
  for (const char* grid : {"6x16", "16x6", "1x96"})
    for (const char* block : {"1x1", "1x5", "1x4"})
      for (const char* flange : {"0x0", "1x3", "7x1", "auto"})
        specs.push_back(std::string("image:kind=2d,grid=") + grid + ",block=" + block + ",flange=" + flange);
  for (const char* block : {"2x4", "4x3", "5x6", "6x16"})
    for (const char* flange : {"0x0", "1x3", "7x1", "auto"})
      specs.push_back(std::string("image:kind=2d,grid=6x16,block=") + block + ",flange=" + flange);
  return specs;
}

void compare(const PlannedCall& call, const AttentionInput& input) {
  const auto oracle = runOracle(call, input);
  QVERIFY(oracle);
  for (Index h = 0; h < input.shape().heads; ++h) {
    const Reach drawn = reachOf(*call.plan->support(h));
    const auto& specified = oracle->support[static_cast<std::size_t>(h)];
    Index count = 0;
    for (Index i = 0; i < input.shape().nQ; ++i)
      for (Index j = 0; j < input.shape().nK; ++j) {
        const bool inSet = specified[static_cast<std::size_t>(i * input.shape().nK + j)] != 0;
        count += inSet ? 1 : 0;
        if (drawn[static_cast<std::size_t>(i)].contains(j) != inSet)
          QFAIL(qPrintable(QString("head %1, pair (%2, %3): specified %4").arg(h).arg(i).arg(j).arg(inSet)));
      }
    QCOMPARE(call.plan->pairs(h), count);  // no pair is executed twice
  }
  const auto run = cpuBackend().run(*call.plan, input, {}, {});
  QVERIFY(run);
  const auto near = [](const Tensor& a, const Tensor& b) {
    const auto x = a.values<float>();
    const auto y = b.values<float>();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                      [](float u, float v) { return u == v || std::abs(u - v) < 2e-5F; });
  };
  QVERIFY(near(run->out, oracle->out));
  QVERIFY(near(run->lse, oracle->lse));
}

}  // namespace

class FixedPatternsTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    const auto add = [](const std::vector<std::string>& specs, const std::vector<std::string>& sources,
                        bool causalToo) {
      for (const std::string& source : sources)
        for (const std::string& spec : specs)
          for (const char* causal : {",causal=off", ",causal=on"}) {
            if (!causalToo && causal == std::string(",causal=on")) continue;
            const std::string text = spec + causal;
            QTest::newRow((text + " on " + source).c_str())
                << QString::fromStdString(text) << QString::fromStdString(source);
          }
    };
    add(sparseSpecs(), {kSquare[1], kSquare[2]}, true);
    add(sparseSpecs(), kCross, true);
    add({"sparse:pattern=fixed,mode=split", "blockwise:blocks=1", "image:kind=2d"}, {kSquare[0]}, true);
    add(imageSpecs(), {kSquare[1], kSquare[2]}, true);
    add(imageSpecs(), kCross, true);
    add(rectangleSpecs(), {kSquare[2]}, true);
    add({"image:kind=2d,grid=auto", "image:kind=2d,grid=37x1,block=5x1,flange=3x2"}, {kSquare[1]}, true);
    add({"blockwise:blocks=3,split=1+1+2", "blockwise:blocks=23,split=0+1+1+0+2",
         "blockwise:blocks=7,split=4"},
        kCross, true);
    add({"blockwise:blocks=3,split=1+1+2", "blockwise:blocks=96"}, {kSquare[2]}, true);
    add({"bigbird:block=3,random=0", "bigbird:block=3,random=4", "bigbird:block=1,random=32",
         "bigbird:block=7,random=1", "bigbird:block=5,random=3,seed=9"},
        {kSquare[1], kSquare[2]}, false);
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const AttentionInput input = inputOf(source.toStdString());
    compare(planned(spec.toStdString(), input), input);
  }

  // A picture's own grid, and decisions that come from a file.
  void gridsAndFiles() {
    AttentionInput picture = inputOf(kSquare[2]);
    picture.grid = Grid{12, 8};
    for (const char* spec : {"image:kind=2d", "image:kind=2d,block=5x3,flange=2x1,causal=off"})
      compare(planned(spec, picture), picture);
    const std::vector<std::int32_t> permutation{2, 0, 3, 1};
    compare(planned("blockwise:causal=on", picture, {{"permutations", Tensor::fromInts({4}, permutation)}}),
            picture);
    const std::vector<std::int32_t> blocks{-1, -1, 2, 4, 0, 2, 6, 6, 1, 7, 1, 2, 5, 5, -1, -1};
    compare(
        planned("bigbird:block=12,random=2", picture, {{"random_blocks", Tensor::fromInts({8, 2}, blocks)}}),
        picture);
  }
};

QTEST_APPLESS_MAIN(FixedPatternsTest)
#include "fixed_patterns_test.moc"
