// SPDX-License-Identifier: GPL-3.0-or-later
// The Image Transformer and Big Bird: pictures checked by hand against the papers' definitions, counts in
// closed form, and the random blocks.
#include <QTest>

#include "tests/support/pattern_reach.h"

using namespace attnscope;
using namespace attnscope::testing;

class PatternsBlocksTest : public QObject {
  Q_OBJECT

 private slots:
  void imagePictures() {
    QCOMPARE(picture("image:query_block=5,memory=3", sourceOf(16)), std::string("1...............\n"
                                                                                "11..............\n"
                                                                                "111.............\n"
                                                                                "1111............\n"
                                                                                "11111...........\n"
                                                                                "..2221..........\n"
                                                                                "..22211.........\n"
                                                                                "..222111........\n"
                                                                                "..2221111.......\n"
                                                                                "..22211111......\n"
                                                                                ".......2221.....\n"
                                                                                ".......22211....\n"
                                                                                ".......222111...\n"
                                                                                ".......2221111..\n"
                                                                                ".......22211111.\n"
                                                                                "............2221\n"));
    // A grid of 4 x 5 in blocks of 2 x 2, the last column of blocks clipped: token 12 is row 2, column 2.
    QCOMPARE(picture("image:kind=2d,grid=4x5,block=2x2,flange=1x1", sourceOf(20)),
             std::string("1...................\n"
                         "11..................\n"
                         ".21...2.............\n"
                         ".211..2.............\n"
                         "...21...2...........\n"
                         "11...1..............\n"
                         "11...11.............\n"
                         ".211..21............\n"
                         ".211..211...........\n"
                         "...21...21..........\n"
                         ".....222..1.........\n"
                         ".....222..11........\n"
                         "......2222.21...2...\n"
                         "......2222.211..2...\n"
                         "........22...21...2.\n"
                         ".....222..11...1....\n"
                         ".....222..11...11...\n"
                         "......2222.211..21..\n"
                         "......2222.211..211.\n"
                         "........22...21...21\n"));
  }

  // n = a l_q + r: a l_q(l_q + 1)/2 + r(r + 1)/2 + l_q sum_b min(b l_q, l_p) + r min(a l_q, l_p).
  void imageLineCounts() {
    for (const auto& [n, q, p] :
         std::vector<std::array<Index, 3>>{{16, 5, 3}, {100, 10, 35}, {1000, 32, 32}, {65536, 256, 512}}) {
      const Index a = n / q;
      const Index r = n % q;
      Index expected = a * q * (q + 1) / 2 + r * (r + 1) / 2 + r * std::min(a * q, p);
      for (Index b = 0; b < a; ++b) expected += q * std::min(b * q, p);
      QCOMPARE(pairs("image:query_block=" + std::to_string(q) + ",memory=" + std::to_string(p), sourceOf(n)),
               expected);
    }
    QVERIFY(reach("image:query_block=30,memory=0", sourceOf(30)) == triangle(30));
    const Reach sliding = reach("image:query_block=1,memory=4", sourceOf(30));
    for (std::size_t i = 0; i < 30; ++i) {
      QCOMPARE(sliding[i].size(), std::min<std::size_t>(i + 1, 5));
      QCOMPARE(*sliding[i].begin(), std::max<Index>(0, static_cast<Index>(i) - 4));
    }
  }

  // Rank p in its block, away from the edges: h_m(w_q + 2 w_m) + h_q w_m + p + 1 keys.
  void imageRectangleCounts() {
    const Index side = 256, h = 16, w = 8, up = 16, across = 12;
    const PlannedCall call =
        planned("image:kind=2d,grid=256x256,block=16x8,flange=16x12", sourceOf(side * side));
    Index expected = 0;
    for (Index y0 = 0; y0 < side; y0 += h)
      for (Index x0 = 0; x0 < side; x0 += w) {
        const Index left = std::min(across, x0);
        const Index right = std::min(across, side - x0 - w);
        expected += h * w * (std::min(up, y0) * (left + w + right) + h * left) + h * w * (h * w + 1) / 2;
      }
    QCOMPARE(call.plan->pairs(0), expected);
    const Index y = 128, x = 128;
    for (Index rank = 0; rank < h * w; rank += 37) {
      const Index token = (y + rank / w) * side + x + rank % w;
      QCOMPARE(rowCount(*call.plan->support(0), token), up * (w + 2 * across) + h * across + rank + 1);
    }
    QVERIFY(call.plan->executedTiles(0) * kTile * kTile < 3 * call.plan->pairs(0));
  }

  void imageLimits() {
    QVERIFY(reach("image:kind=2d,grid=5x6,block=5x6", sourceOf(30)) == triangle(30));
    const Reach rows = reach("image:kind=2d,grid=5x6,block=1x6,flange=0x0", sourceOf(30));
    for (Index i = 0; i < 30; ++i) {
      std::set<Index> expected;
      for (Index j = i / 6 * 6; j <= i; ++j) expected.insert(j);
      QVERIFY(rows[static_cast<std::size_t>(i)] == expected);
    }
    // Two-way: every query of a block reads the same keys.
    const Reach blocks = reach("image:kind=2d,grid=6x6,block=3x2,flange=1x2,causal=off", sourceOf(36));
    QVERIFY(blocks[0] == blocks[13] && blocks[0] != blocks[2]);
    QCOMPARE(blocks[14].size(), std::size_t{24});  // 4 rows, all 6 columns
  }

  void imageGrids() {
    auto input = attnscope::testing::inputOf(sourceOf(24));
    QVERIFY(contains(messageOf("image:kind=2d,grid=5x5", input), "nearest valid value is 4x6"));
    QVERIFY(contains(messageOf("image:kind=2d,grid=wide", input), "written as 8x32"));
    QVERIFY(contains(messageOf("image:kind=2d,grid=4x6,block=5x2", input), "nearest valid value is 4x2"));
    const auto cross = attnscope::testing::inputOf("gaussian:n=4,nk=6,d=1,heads=1");
    QVERIFY(contains(messageOf("image:kind=2d", cross), "Use kind=1d"));
    const auto ownBlock = [&] {
      return planned("image:kind=2d,flange=0x0,causal=off", input).plan->pairs(0);
    };
    QCOMPARE(ownBlock(), Index{4 * 6 * 6});  // 4 x 6 in blocks of 2 x 3
    input.grid =
        Grid{3, 8};  // a picture keeps its own shape: 2 x 3 blocks again, but clipped below and on the right
    QCOMPARE(ownBlock(), Index{2 * 36 + 16 + 2 * 9 + 4});
  }

  void bigbirdPicture() {
    const std::vector<std::int32_t> given{-1, 3, 5, 5, 1, 2, -1};
    const auto input = attnscope::testing::inputOf(sourceOf(20));
    const PlannedCall call =
        planned("bigbird:block=3,random=1", input, {{"random_blocks", Tensor::fromInts({7, 1}, given)}});
    QCOMPARE(asciiPattern(*call.plan->support(0)), std::string("33333333333333333333\n"
                                                               "33333333333333333333\n"
                                                               "33333333333333333333\n"
                                                               "111111111444......22\n"
                                                               "111111111444......22\n"
                                                               "111111111444......22\n"
                                                               "222111111111...44422\n"
                                                               "222111111111...44422\n"
                                                               "222111111111...44422\n"
                                                               "222...11111111144422\n"
                                                               "222...11111111144422\n"
                                                               "222...11111111144422\n"
                                                               "222444...11111111122\n"
                                                               "222444...11111111122\n"
                                                               "222444...11111111122\n"
                                                               "222...444...11111111\n"
                                                               "222...444...11111111\n"
                                                               "222...444...11111111\n"
                                                               "33333333333333333333\n"
                                                               "33333333333333333333\n"));
  }

  // N(7 + r) - 12 - 2r blocks of b x b.
  void bigbirdCounts() {
    for (const auto& [n, b, r] : std::vector<std::array<Index, 3>>{
             {80, 5, 2}, {320, 10, 0}, {1024, 16, 3}, {4096, 64, 3}, {65536, 64, 3}}) {
      const Index blocks = n / b;
      const std::string spec = "bigbird:block=" + std::to_string(b) + ",random=" + std::to_string(r);
      QCOMPARE(pairs(spec, sourceOf(n)), b * b * (blocks * (7 + r) - 12 - 2 * r));
    }
    QCOMPARE(pairs("bigbird", sourceOf(4096)), Index{2547712});
  }

  void bigbirdPlans() {
    const auto input = attnscope::testing::inputOf(sourceOf(60, 2));
    const auto plan = [&](const std::string& spec) {
      return planned(spec, input).plan->plan().params.front().make();
    };
    const Tensor two = plan("bigbird:block=3,random=2");
    const Tensor three = plan("bigbird:block=3,random=3");
    const Tensor other = plan("bigbird:block=3,random=2,seed=1");
    QVERIFY(std::ranges::equal(two.values<std::int32_t>(),
                               plan("bigbird:block=3,random=2").values<std::int32_t>()));
    QVERIFY(!std::ranges::equal(two.values<std::int32_t>(), other.values<std::int32_t>()));
    QVERIFY(!std::ranges::equal(two.slice<std::int32_t>(0), two.slice<std::int32_t>(1)));
    for (Index h = 0; h < 2; ++h)
      for (Index row = 0; row < 20; ++row) {
        std::set<Index> seen{0, row - 1, row, row + 1, 19};
        const std::size_t fixed = seen.size();
        for (Index a = 0; a < 3; ++a) {
          const Index block = three.slice<std::int32_t>(h)[static_cast<std::size_t>(row * 3 + a)];
          if (a < 2)
            QCOMPARE(Index{two.slice<std::int32_t>(h)[static_cast<std::size_t>(row * 2 + a)]}, block);
          seen.insert(block);
        }
        if (row == 0 || row == 19) continue;
        QCOMPARE(seen.size(), fixed + 3);  // distinct, and none that the row reads anyway
        QVERIFY(*seen.rbegin() == 19 && *seen.begin() == 0);
      }
  }

  // Few blocks are full attention, r = N - 5 nearly, and two hops reach everything.
  void bigbirdLimits() {
    const PlannedCall few = planned("bigbird:block=10,random=2", sourceOf(60));
    QCOMPARE(few.plan->pairs(0), Index{3600});
    QCOMPARE(few.plan->plan().labels.front().name, std::string("fallback"));
    QVERIFY(contains(few.plan->plan().note, "full attention"));
    const Reach most = reach("bigbird:block=4,random=7", sourceOf(48));
    for (Index i = 0; i < 48; ++i) {
      const bool besideTheEnds =
          i / 4 == 1 || i / 4 == 10;  // these have one block more to choose from: one is left out
      QCOMPARE(most[static_cast<std::size_t>(i)].size(), std::size_t{besideTheEnds ? 44U : 48U});
    }
    const Reach once = reach("bigbird:block=4,random=0", sourceOf(60));
    QVERIFY(after(once, once) == square(60));
    for (Index i = 0; i < 60; ++i)
      for (Index j = 0; j < 60; ++j) {
        const Index a = i / 4, b = j / 4;
        const bool expected = std::abs(a - b) <= 1 || a == 0 || a == 14 || b == 0 || b == 14;
        QCOMPARE(once[static_cast<std::size_t>(i)].contains(j), expected);
      }
  }

  void bigbirdFiles() {
    const auto input = attnscope::testing::inputOf(sourceOf(32));
    // Neighbours, the ends and a block named twice count once.
    const std::vector<std::int32_t> overlapping{-1, -1, 2, 4, 0, 2, 6, 6, 1, 7, 1, 2, 5, 5, -1, -1};
    const PlannedCall call = planned("bigbird:block=4,random=2", input,
                                     {{"random_blocks", Tensor::fromInts({8, 2}, overlapping)}});
    const auto keys = reachOf(*call.plan->support(0));
    QCOMPARE(keys[4].size(), std::size_t{4 * 5});   // 0 1 2 7, 4
    QCOMPARE(keys[8].size(), std::size_t{4 * 5});   // 0 1 2 3 7
    QCOMPARE(keys[12].size(), std::size_t{4 * 6});  // 0 2 3 4 7, 6
    Index sum = 0;
    for (const auto& row : keys) sum += static_cast<Index>(row.size());
    QCOMPARE(call.plan->pairs(0), sum);
    std::vector<std::int32_t> wrong = overlapping;
    wrong[2] = 8;
    QVERIFY(contains(
        messageOf("bigbird:block=4,random=2", input, {{"random_blocks", Tensor::fromInts({8, 2}, wrong)}}),
        "from 0 to 7"));
    QVERIFY(contains(messageOf("bigbird:causal=on", input), "no causal form"));
  }
};

QTEST_APPLESS_MAIN(PatternsBlocksTest)
#include "patterns_blocks_test.moc"
