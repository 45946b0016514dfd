// SPDX-License-Identifier: GPL-3.0-or-later
// plan=official against the random blocks that the package's layer reads (data/bigbird_plans.json).
#include <QTest>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/mechanisms/mechanism.h"
#include "core/mechanisms/published_blocks.h"

using namespace attnscope;

namespace {

nlohmann::json allPlans() {
  std::ifstream file(ATTNSCOPE_TEST_DATA "/bigbird_plans.json");
  return nlohmann::json::parse(file).at("plans");
}

// Rows of the first and the last block are no part of the package's plan.
std::vector<std::int32_t> innerRows(const Tensor& table) {
  std::vector<std::int32_t> inner;
  for (Index h = 0; h < table.dim(0); ++h) {
    const auto rows = table.slice<std::int32_t>(h);
    inner.insert(inner.end(), rows.begin() + table.dim(2), rows.end() - table.dim(2));
  }
  return inner;
}

}  // namespace

class BigBirdPlanTest : public QObject {
  Q_OBJECT

 private slots:
  void repeatsThePackage_data() {
    QTest::addColumn<int>("number");
    const auto plans = allPlans();
    QVERIFY(plans.size() > 15);
    for (std::size_t at = 0; at < plans.size(); ++at) {
      const auto& one = plans[at];
      QTest::addRow("n=%d block=%d r=%d heads=%d seed=%lld", one.at("n").get<int>(),
                    one.at("block").get<int>(), one.at("random").get<int>(), one.at("heads").get<int>(),
                    one.at("seed").get<long long>())
          << static_cast<int>(at);
    }
  }
  void repeatsThePackage() {
    QFETCH(int, number);
    const auto one = allPlans().at(static_cast<std::size_t>(number));
    const auto n = one.at("n").get<Index>();
    const auto block = one.at("block").get<Index>();
    const auto heads = one.at("heads").get<Index>();
    const auto random = one.at("random").get<Index>();
    const auto blocks = publishedBlocks(heads, n / block, block, random, one.at("seed"));
    if (one.at("rows").is_null()) {
      QVERIFY(!blocks);
      QVERIFY(blocks.error().message.find("plan=uniform") != std::string::npos);
      return;
    }
    QVERIFY2(blocks, blocks ? "" : blocks.error().message.c_str());
    QCOMPARE(innerRows(*blocks), one.at("rows").get<std::vector<std::int32_t>>());
    for (Index h = 0; h < heads; ++h)
      for (Index a = 0; a < random; ++a) {
        QCOMPARE(blocks->slice<std::int32_t>(h)[static_cast<std::size_t>(a)], -1);
        QCOMPARE(blocks->slice<std::int32_t>(h)[static_cast<std::size_t>((n / block - 1) * random + a)], -1);
      }
  }

  // The layer pads a sequence to whole blocks and plans for that length.
  void shortBlocksCountAsWhole() {
    AttentionInput input;
    input.q = input.k = input.v = Tensor::zeros(DType::F32, {2, 1000, 4});
    const auto finished = finishInput(std::move(input), "zeros");
    QVERIFY(finished);
    const auto call = planCall(*parseMechanismSpec("bigbird:block=64,random=3,plan=official"), *finished);
    QVERIFY2(call, call ? "" : call.error().message.c_str());
    const auto expected = publishedBlocks(2, 16, 64, 3, 0);
    QVERIFY(expected);
    const Tensor used = call->plan->plan().params.front().make();
    QCOMPARE(innerRows(used), innerRows(*expected));
    QCOMPARE(allPlans().front().at("rows").get<std::vector<std::int32_t>>(), innerRows(used));
  }

  void seedsOfNumPyEnd() {
    QVERIFY(publishedBlocks(1, 16, 64, 3, 4294967295U));
    const auto refused = publishedBlocks(1, 16, 64, 3, 4294967296U);
    QVERIFY(!refused && refused.error().kind == ErrorKind::Usage);
  }
};

QTEST_APPLESS_MAIN(BigBirdPlanTest)
#include "bigbird_plan_test.moc"
