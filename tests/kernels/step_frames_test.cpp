// SPDX-License-Identifier: GPL-3.0-or-later
// The frames of the teaching view: a frame for every step of every mechanism, with the plan's own numbers.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/units.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/step_frames.h"
#include "tests/support/call_table.h"

using namespace attnscope;

class StepFramesTest : public QObject {
  Q_OBJECT

 private slots:
  void everyStepHasAFrame_data() {
    QTest::addColumn<QString>("id");
    for (const Mechanism* mechanism : allMechanisms())
      QTest::newRow(mechanism->card().id.c_str()) << QString::fromStdString(mechanism->card().id);
  }
  void everyStepHasAFrame() {
    QFETCH(QString, id);
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=300,d=16,heads=2");
    const auto explored = explore(*parseMechanismSpec(id.toStdString()), input, cpuBackend());
    QVERIFY2(explored, explored ? "" : explored.error().message.c_str());
    const Plan& plan = (*explored)->call.plan->plan();
    const auto frames = framesOf(**explored, 1);
    QVERIFY(frames);
    const auto decisions = (*explored)->decisions(1);
    QVERIFY(decisions);
    QCOMPARE(frames->size(), plan.steps.size() + decisions->size() + 1);
    for (const StepFrame& frame : *frames) {
      QVERIFY(!frame.title.empty() && !frame.sentence.empty());
      QVERIFY(!frame.panels.empty() && frame.panels.size() <= 2);
      for (const InsidePanel& panel : frame.panels) {
        QVERIFY(panel.series.empty());
        // Words of the field, not of the program.
        for (const std::string& text : {panel.title, panel.xTitle, panel.yTitle})
          QVERIFY2(text.find('_') == std::string::npos && text != "row",
                   (frame.title + ", " + panel.title + ": " + text).c_str());
        if (panel.kind != InsidePanel::Kind::Matrix) continue;
        QVERIFY(panel.values.dim(0) <= 2048 && panel.values.dim(1) <= 2048);
        for (const float x : panel.values.values<float>()) QVERIFY(std::isfinite(x));
      }
    }
    // Steps and decisions in their order.
    std::size_t f = 1;
    auto decision = decisions->begin();
    for (std::size_t s = 0; s < plan.steps.size(); ++s, ++f) {
      for (; decision != decisions->end() && decision->step == static_cast<Index>(s); ++decision, ++f)
        QCOMPARE((*frames)[f].title, decision->title);
      const StepFrame& frame = (*frames)[f];
      QCOMPARE(frame.title, stepTitle(plan.steps[s]));
      for (const InsidePanel& panel : frame.panels)
        QVERIFY(panel.values.dim(0) <= 256 && panel.values.dim(1) <= 256);
      if (!std::holds_alternative<AttendStep>(plan.steps[s])) continue;
      const std::string pairs = countText((*explored)->call.plan->tiles(s, 1).pairs());
      QVERIFY2(frame.sentence.find(pairs + " pair") != std::string::npos, frame.sentence.c_str());
    }
    QVERIFY(decision == decisions->end());
  }

  // Hashing and sorting stand before the round that they were made for, and are the plan's own.
  void reformerHashesSortsAndAttends() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=300,d=16,heads=2");
    const auto explored =
        explore(*parseMechanismSpec("reformer:rounds=2,chunk=32,buckets=64"), input, cpuBackend());
    QVERIFY(explored);
    const auto frames = framesOf(**explored, 1);
    QVERIFY(frames);
    const std::vector<std::string> expected{"input",
                                            "keys are unit queries",
                                            "round 1: hash",
                                            "round 1: sort and cut into chunks",
                                            "round 1",
                                            "round 2: hash",
                                            "round 2: sort and cut into chunks",
                                            "round 2",
                                            "merge rounds"};
    std::vector<std::string> titles;
    for (const StepFrame& frame : *frames) titles.push_back(frame.title);
    QCOMPARE(titles, expected);
    QCOMPARE((*frames)[1].panels[0].title, std::string("Keys, unit length"));
    QCOMPARE((*frames)[4].panels[1].title, std::string("Output: round 1"));
    QVERIFY((*frames)[3].sentence.find("10 chunks of 32") != std::string::npos);
    for (const std::size_t round : {std::size_t{0}, std::size_t{1}}) {
      const StepFrame& sorted = (*frames)[3 + 3 * round];
      QCOMPARE(sorted.panels.size(), std::size_t{1});
      const auto stands = sorted.panels[0].stripToken.values<std::int32_t>();
      const auto& step = std::get<AttendStep>((*explored)->call.plan->plan().steps[1 + round]);
      QVERIFY(std::equal(stands.begin() + 300, stands.end(), step.heads[1].keyOrder->begin()));
      // As many queries in the buckets as there are, and as many buckets as the sentence says.
      const StepFrame& hashed = (*frames)[2 + 3 * round];
      const std::vector<double>& sizes = hashed.panels[1].bars;
      QCOMPARE(std::accumulate(sizes.begin(), sizes.end(), 0.0), 300.0);
      const auto taken = std::count_if(sizes.begin(), sizes.end(), [](double size) { return size > 0.0; });
      QVERIFY2(hashed.sentence.find(std::to_string(taken) + " of 64 buckets") != std::string::npos,
               hashed.sentence.c_str());
    }
  }

  void routingSeatsBeforeItAttends() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=300,d=16,heads=2");
    const auto explored = explore(*parseMechanismSpec("routing"), input, cpuBackend());
    QVERIFY(explored);
    const Plan& plan = (*explored)->call.plan->plan();
    const auto decisions = (*explored)->decisions(0);
    QVERIFY(decisions && decisions->size() == 2);
    for (const Decision& decision : *decisions)
      QVERIFY(std::holds_alternative<AttendStep>(plan.steps[static_cast<std::size_t>(decision.step)]));
    const auto& seats = std::get<AttendStep>(plan.steps[static_cast<std::size_t>((*decisions)[1].step)]);
    double seated = 0.0;
    for (const float cell : (*decisions)[1].panels[0].values.values<float>()) seated += cell;
    QCOMPARE(seated, static_cast<double>(seats.heads[0].queryOrder->size()));
  }

  void sinkhornScoresAndBalancesBeforeItMixes() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=300,d=16,heads=2");
    for (const bool causal : {false, true}) {
      MechanismSpec spec = *parseMechanismSpec("sinkhorn:block=32");
      spec.options.causal = causal;
      spec.options.causalGiven = true;
      const auto explored = explore(spec, input, cpuBackend());
      QVERIFY2(explored, explored ? "" : explored.error().message.c_str());
      const auto decisions = (*explored)->decisions(1);
      QVERIFY(decisions && decisions->size() == 3);
      for (const Decision& decision : *decisions) QCOMPARE(decision.step, Index{0});
      QCOMPARE((*decisions)[1].panels.size(), causal ? std::size_t{1} : std::size_t{2});
      QVERIFY((*decisions)[1].sentence.find(causal ? "later block is never" : "times over") !=
              std::string::npos);
      const auto& mix =
          std::get<BlockMix>(std::get<ProjectStep>((*explored)->call.plan->plan().steps[0]).weight);
      const auto shown = (*decisions)[1].panels[0].values.values<float>();
      QVERIFY(std::equal(shown.begin(), shown.end(), mix.mix.slice<float>(1).begin()));
    }
  }

  // Pictures of many rows have fewer pixels; their axes still count the rows. Slots are called slots.
  void axesSayWhatTheyCount() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=700,d=16,heads=1");
    const auto explored = explore(*parseMechanismSpec("linformer:k=32"), input, cpuBackend());
    QVERIFY(explored);
    const auto frames = framesOf(**explored, 0);
    QVERIFY(frames);
    const InsidePanel& compared = frames->back().panels[0];
    QCOMPARE(compared.values.dim(0), Index{256});
    QCOMPARE(compared.yTokens.count, Index{700});
    QCOMPARE(compared.xTitle, std::string("slot"));
    QCOMPARE(compared.xTokens.count, Index{32});
    QCOMPARE((*frames)[1].panels[0].title, std::string("Keys of the slots"));
    QCOMPARE((*frames)[1].panels[0].yTitle, std::string("slot"));
  }

  // Every pixel of the pattern stands for the same number of pairs at 256 tokens, so the shares add up to
  // them.
  void sharesAddUpToThePairs() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=256,d=16,heads=1");
    const auto explored =
        explore(*parseMechanismSpec("longformer:window=20,globals=none"), input, cpuBackend());
    QVERIFY(explored);
    const auto frames = framesOf(**explored, 0);
    QVERIFY(frames);
    double sum = 0.0;
    for (const float share : (*frames)[1].panels[0].values.values<float>()) sum += share;
    QCOMPARE(sum, static_cast<double>((*explored)->call.plan->tiles(0, 0).pairs()));
  }
};

QTEST_APPLESS_MAIN(StepFramesTest)
#include "step_frames_test.moc"
