// SPDX-License-Identifier: GPL-3.0-or-later
// The Sparse Transformer and blockwise attention: pictures checked by hand against the papers' definitions,
// counts in closed form, and what two layers reach.
#include <QTest>

#include "tests/support/pattern_reach.h"

using namespace attnscope;
using namespace attnscope::testing;

class PatternsFixedTest : public QObject {
  Q_OBJECT

 private slots:
  void sparsePictures() {
    QCOMPARE(picture("sparse:stride=4", sourceOf(16)), std::string("1...............\n"
                                                                   "11..............\n"
                                                                   "111.............\n"
                                                                   "1111............\n"
                                                                   "21111...........\n"
                                                                   ".21111..........\n"
                                                                   "..21111.........\n"
                                                                   "...21111........\n"
                                                                   "2...21111.......\n"
                                                                   ".2...21111......\n"
                                                                   "..2...21111.....\n"
                                                                   "...2...21111....\n"
                                                                   "2...2...21111...\n"
                                                                   ".2...2...21111..\n"
                                                                   "..2...2...21111.\n"
                                                                   "...2...2...21111\n"));
    QCOMPARE(picture("sparse:pattern=fixed,stride=4,summary=1", sourceOf(18)),
             std::string("1.................\n"
                         "11................\n"
                         "111...............\n"
                         "1111..............\n"
                         "...21.............\n"
                         "...211............\n"
                         "...2111...........\n"
                         "...21111..........\n"
                         "...2...21.........\n"
                         "...2...211........\n"
                         "...2...2111.......\n"
                         "...2...21111......\n"
                         "...2...2...21.....\n"
                         "...2...2...211....\n"
                         "...2...2...2111...\n"
                         "...2...2...21111..\n"
                         "...2...2...2...21.\n"
                         "...2...2...2...211\n"));
    // The second set alone: rows 0 and 1 have no summary column before them and read themselves.
    QCOMPARE(picture("sparse:pattern=fixed,mode=split,stride=4,summary=2", sourceOf(16, 2), 1),
             std::string("3...............\n"
                         ".3..............\n"
                         "..2.............\n"
                         "..22............\n"
                         "..22............\n"
                         "..22............\n"
                         "..22..2.........\n"
                         "..22..22........\n"
                         "..22..22........\n"
                         "..22..22........\n"
                         "..22..22..2.....\n"
                         "..22..22..22....\n"
                         "..22..22..22....\n"
                         "..22..22..22....\n"
                         "..22..22..22..2.\n"
                         "..22..22..22..22\n"));
  }

  void sparseTwoWayPictures() {
    std::string expected;
    for (const char* row :
         {"1111...2...2...2\n", "...21111...2...2\n", "...2...21111...2\n", "...2...2...21111\n"})
      for (int i = 0; i < 4; ++i) expected += row;
    QCOMPARE(picture("sparse:pattern=fixed,stride=4,summary=1,causal=off", sourceOf(16)), expected);
    const std::string strided = picture("sparse:stride=5,causal=off", sourceOf(16));
    QCOMPARE(strided.substr(0, 17), std::string("111112....2....2\n"));
    QCOMPARE(strided.substr(17 * 7, 17), std::string("..21111111112...\n"));
    QCOMPARE(strided.substr(17 * 15, 17), std::string("2....2....211111\n"));
  }

  // Queries stand at the end of the keys.
  void sparseCross() {
    QCOMPARE(picture("sparse:stride=3", "gaussian:n=4,nk=10,d=1,heads=1"), std::string("2..2111...\n"
                                                                                       ".2..2111..\n"
                                                                                       "..2..2111.\n"
                                                                                       "2..2..2111\n"));
  }

  // n = a l + r: |A1| = n l - l(l - 1)/2, |A2| = l a(a + 1)/2 + r(a + 1), and they share the diagonal.
  void sparseStridedCounts() {
    for (const auto& [n, l] :
         std::vector<std::pair<Index, Index>>{{16, 4}, {100, 7}, {1000, 32}, {4096, 64}, {65536, 256}}) {
      const Index a = n / l;
      const Index r = n % l;
      const Index near = n * l - l * (l - 1) / 2;
      const Index far = l * a * (a + 1) / 2 + r * (a + 1);
      const std::string stride = ",stride=" + std::to_string(l);
      QCOMPARE(pairs("sparse:mode=merged" + stride, sourceOf(n)), near + far - n);
      QCOMPARE(pairs("sparse:mode=split" + stride, sourceOf(n, 2), 0), near);
      QCOMPARE(pairs("sparse:mode=split" + stride, sourceOf(n, 2), 1), far);
      QCOMPARE(pairs("sparse:mode=interleaved,layer=3" + stride, sourceOf(n)), far);
    }
  }

  void sparseFixedCounts() {
    for (const auto& [n, l, c] :
         std::vector<std::array<Index, 3>>{{16, 4, 1}, {100, 7, 3}, {1024, 32, 4}, {65536, 256, 32}}) {
      const std::string sizes = ",stride=" + std::to_string(l) + ",summary=" + std::to_string(c);
      const Index a = n / l;
      const Index r = n % l;
      Index merged = 0;
      for (Index i = 0; i < n; ++i) merged += i % l + 1 + c * (i / l);
      QCOMPARE(pairs("sparse:pattern=fixed" + sizes, sourceOf(n)), merged);
      QCOMPARE(pairs("sparse:pattern=fixed,mode=interleaved" + sizes, sourceOf(n)),
               a * l * (l + 1) / 2 + r * (r + 1) / 2);
      if (r != 0) continue;
      QCOMPARE(merged, a * l * (l + 1) / 2 + c * l * a * (a - 1) / 2);
      QCOMPARE(pairs("sparse:pattern=fixed,mode=interleaved,layer=1" + sizes, sourceOf(n)),
               c * l * a * (a - 1) / 2 + a * c * (c + 1) / 2 + (l - c));  // l - c rows read themselves
    }
  }

  // The reason for sorting by residue: a strided set in its natural order would touch every tile below the
  // diagonal.
  void sparseTilesAreFull() {
    for (const char* spec : {"sparse:stride=256", "sparse:pattern=fixed,stride=256,summary=32"}) {
      const PlannedCall call = planned(spec, sourceOf(65536));
      QVERIFY(call.plan->executedTiles(0) * kTile * kTile < 2 * call.plan->pairs(0));
    }
  }

  void sparseReach() {
    const Index n = 50;
    for (const char* stride : {"1", "7", "8", "50"}) {
      const std::string spec = std::string("sparse:mode=split,stride=") + stride;
      const Reach near = reach(spec, sourceOf(n, 2), 0);
      const Reach far = reach(spec, sourceOf(n, 2), 1);
      QVERIFY(after(near, far) == triangle(n));
      QVERIFY(after(far, near) == triangle(n));
      QCOMPARE(near == triangle(n), std::string(stride) == "50");
      QCOMPARE(far == triangle(n), std::string(stride) == "1");
    }
    const std::string fixed = "sparse:pattern=fixed,mode=split,stride=7,summary=2";
    const Reach near = reach(fixed, sourceOf(n, 2), 0, true);
    const Reach far = reach(fixed, sourceOf(n, 2), 1, true);
    QVERIFY(after(near, far) == triangle(n));
    QVERIFY(after(far, near) != triangle(n));
    for (const char* merged : {"sparse:stride=7", "sparse:pattern=fixed,stride=7,summary=2"}) {
      const Reach once = reach(merged, sourceOf(n));
      QVERIFY(after(once, once) == triangle(n));
    }
  }

  // Heads take different summary columns; the second group alone leaves the columns to its right
  // unsummarised.
  void sparseSubBlocks() {
    const std::string spec = "sparse:pattern=fixed,stride=8,summary=2,sub_blocks=3";
    const std::string source = sourceOf(40, 4);
    const PlannedCall call = planned(spec, source);
    QVERIFY(call.plan->sameSupport(0, 3));
    QVERIFY(!call.plan->sameSupport(0, 1));
    QCOMPARE(reach(spec, source, 0)[39].count(31), std::size_t{1});
    QCOMPARE(reach(spec, source, 1)[39].count(29), std::size_t{1});
    const Reach second = reach(spec, source, 1);
    QVERIFY(after(second, second) != triangle(40));
    const auto input = attnscope::testing::inputOf(source);
    QVERIFY(contains(messageOf("sparse:pattern=fixed,stride=8,summary=4,sub_blocks=3", input),
                     "nearest valid value is summary=2"));
    QCOMPARE(planned("sparse:pattern=fixed,summary=40", source).params.integer("stride"), Index{40});
  }

  void blockwisePictures() {
    QCOMPARE(picture("blockwise:blocks=3", sourceOf(16, 3), 1), std::string("......22222.....\n"
                                                                            "......22222.....\n"
                                                                            "......22222.....\n"
                                                                            "......22222.....\n"
                                                                            "......22222.....\n"
                                                                            "......22222.....\n"
                                                                            "...........22222\n"
                                                                            "...........22222\n"
                                                                            "...........22222\n"
                                                                            "...........22222\n"
                                                                            "...........22222\n"
                                                                            "222222..........\n"
                                                                            "222222..........\n"
                                                                            "222222..........\n"
                                                                            "222222..........\n"
                                                                            "222222..........\n"));
    std::string own;
    for (const auto& [row, count] : std::vector<std::pair<std::string, int>>{
             {"111111..........\n", 6}, {"......11111.....\n", 5}, {"...........11111\n", 5}})
      for (int i = 0; i < count; ++i) own += row;
    QCOMPARE(picture("blockwise:blocks=3", sourceOf(16, 3), 0), own);
  }

  void blockwiseCountsAndReach() {
    for (const Index n : {64, 4096, 65536})
      for (const Index g : {1, 2, 4, 8})
        QCOMPARE(pairs("blockwise:blocks=" + std::to_string(g), sourceOf(n, 2), 1), n * n / g);
    QVERIFY(reach("blockwise:blocks=1", sourceOf(30)) == square(30));
    // All shifts together are full attention's support; each is disjoint from the others.
    Reach all(30);
    for (Index h = 0; h < 4; ++h) {
      const Reach one = reach("blockwise:blocks=4", sourceOf(30, 4), h);
      for (std::size_t i = 0; i < 30; ++i)
        for (const Index j : one[i]) QVERIFY(all[i].insert(j).second);
    }
    QVERIFY(all == square(30));
    // With the residual, L layers of shift 1 reach blocks b ... b + L; all of them after g - 1.
    const Reach own = reach("blockwise:blocks=4", sourceOf(32, 2), 0);
    Reach step = reach("blockwise:blocks=4", sourceOf(32, 2), 1);
    for (std::size_t i = 0; i < 32; ++i) step[i].insert(own[i].begin(), own[i].end());
    Reach deep = step;
    for (std::size_t layers = 1; layers < 4; ++layers, deep = after(step, deep))
      for (const auto& row : deep) QCOMPARE(row.size(), 8 * std::min<std::size_t>(4, layers + 1));
  }

  // Causal: head t reads exactly block b - t, or nothing.
  void blockwiseCausal() {
    for (Index t = 1; t < 4; ++t) {
      const Reach found = reach("blockwise:blocks=4,causal=on", sourceOf(32, 4), t);
      for (Index i = 0; i < 32; ++i) {
        std::set<Index> expected;
        for (Index j = (i / 8 - t) * 8; j < (i / 8 - t + 1) * 8; ++j)
          if (j >= 0) expected.insert(j);
        QVERIFY(found[static_cast<std::size_t>(i)] == expected);
      }
    }
  }

  void blockwiseSplitsAndFiles() {
    const auto input = attnscope::testing::inputOf(sourceOf(12, 3));
    const PlannedCall call = planned("blockwise:blocks=3,split=1+2", input);
    QVERIFY(call.plan->sameSupport(1, 2) && !call.plan->sameSupport(0, 1));
    QCOMPARE(planned("blockwise:blocks=4", attnscope::testing::inputOf(sourceOf(64, 8))).params.list("split"),
             (IndexList{5, 1, 1, 1}));
    QVERIFY(contains(messageOf("blockwise:blocks=3,split=1+1", input), "nearest valid value is 2+1"));
    QVERIFY(contains(messageOf("blockwise:blocks=3,split=3+3", input), "nearest valid value is 3+0"));
    QVERIFY(contains(messageOf("blockwise:blocks=2,split=1+1+1", input), "nearest valid value is 2+1"));
    Tensor wide(DType::I64, {3});
    wide.mutableValues<std::int64_t>()[0] = 2;
    wide.mutableValues<std::int64_t>()[1] = 0;
    wide.mutableValues<std::int64_t>()[2] = 1;
    const PlannedCall given = planned("blockwise:blocks=3", input, {{"permutations", wide}});
    QVERIFY(reachOf(*given.plan->support(2))[0] == (std::set<Index>{8, 9, 10, 11}));
    const std::vector<std::int32_t> twice{0, 1, 1};
    const std::vector<std::int32_t> outside{0, 1, 3};
    QVERIFY(contains(messageOf("blockwise:blocks=3", input, {{"permutations", Tensor::fromInts({3}, twice)}}),
                     "block 1 twice"));
    QVERIFY(
        contains(messageOf("blockwise:blocks=3", input, {{"permutations", Tensor::fromInts({3}, outside)}}),
                 "from 0 to 2"));
  }

  // Each says something about itself, at every head, without being run.
  void insides() {
    const auto input = attnscope::testing::inputOf(sourceOf(60, 2));
    for (const char* spec : {"sparse", "sparse:pattern=fixed,mode=split", "blockwise", "image",
                             "image:kind=2d", "image:kind=2d,causal=off", "bigbird"}) {
      const PlannedCall call = planned(spec, input);
      for (Index head = 0; head < 2; ++head) {
        const auto panels = call.mechanism->insides({input, call.params, *call.plan, head, {}, JobContext{}});
        QVERIFY(panels && !panels->empty());
        for (const InsidePanel& panel : *panels) {
          QVERIFY(!panel.title.empty() && !panel.caption.empty());
          if (panel.kind == InsidePanel::Kind::Matrix)
            QVERIFY(panel.values.rank() == 2 && !panel.values.empty());
        }
      }
    }
  }
};

QTEST_APPLESS_MAIN(PatternsFixedTest)
#include "patterns_fixed_test.moc"
