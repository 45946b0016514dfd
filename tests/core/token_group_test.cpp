// SPDX-License-Identifier: GPL-3.0-or-later
// Sets of tokens as ranges.
#include <QTest>

#include "core/plan/token_group.h"

using namespace attnscope;

class TokenGroupTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void rangesAreSortedAndJoined() {
    QCOMPARE(rangesOf({5, 3, 4, -1, 9, 5}), (TokenRanges{{3, 6}, {9, 10}}));
    QVERIFY(rangesOf({}).empty() && rangesOf({-1, -1}).empty());
    QCOMPARE(rangeWithin(-3, 4, 10), (TokenRanges{{0, 4}}));
    QCOMPARE(rangeWithin(8, 14, 10), (TokenRanges{{8, 10}}));
    QVERIFY(rangeWithin(10, 14, 10).empty());
  }

  // Against plain loops.
  void rangesAnswerAsListsDo() {
    const std::vector<std::int32_t> tokens{0, 1, 2, 7, 9, 10, 31};
    const TokenRanges ranges = rangesOf(tokens);
    QCOMPARE(countOf(ranges), std::ssize(tokens));
    for (Index begin = 0; begin < 34; ++begin) {
      const auto found = [&](Index from, Index to) {
        return std::any_of(tokens.begin(), tokens.end(), [&](Index t) { return t >= from && t < to; });
      };
      QCOMPARE(contains(ranges, begin), found(begin, begin + 1));
      for (Index end = begin + 1; end < 35; ++end) QCOMPARE(meets(ranges, begin, end), found(begin, end));
    }
  }

  void labelsAndBlocksMakeGroups() {
    const std::vector<std::int32_t> labels{1, 1, 0, -1, 1};
    const auto groups = groupsByLabel(labels, 3, [](Index g) { return std::to_string(g); });
    QCOMPARE(groups.size(), std::size_t{3});
    QCOMPARE(groups[1].keys, (TokenRanges{{0, 2}, {4, 5}}));
    QCOMPARE(groups[1].queries, groups[1].keys);
    QVERIFY(groups[2].keys.empty());
    const auto blocks = groupsByBlock(10, 4, 99, [](Index b) { return std::to_string(b); });
    QCOMPARE(blocks.size(), std::size_t{3});
    QCOMPARE(blocks[2].keys, (TokenRanges{{8, 10}}));
    QCOMPARE(groupsByBlock(10, 4, 2, [](Index) { return std::string(); }).size(), std::size_t{2});
  }

  void sizesAreSaid() {
    QCOMPARE(sizeText({"", {{0, 3}}, {{0, 3}}, {}}), std::string("3 tokens"));
    QCOMPARE(sizeText({"", {{0, 1}}, {{0, 1}}, {}}), std::string("1 token"));
    QCOMPARE(sizeText({"", {{0, 3}}, {{4, 5}}, {}}), std::string("3 queries, 1 key"));
    QCOMPARE(sizeText({"", {}, {{4, 6}}, {{0, 1}}}), std::string("2 keys, 1 slot"));
    QCOMPARE(sizeText({"", {{2, 3}}, {}, {}}), std::string("1 query"));
    QCOMPARE(sizeText({"", {}, {}, {{2, 4}}}), std::string("2 slots"));
  }
};

QTEST_APPLESS_MAIN(TokenGroupTest)
#include "token_group_test.moc"
