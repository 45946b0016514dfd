// SPDX-License-Identifier: GPL-3.0-or-later
// The frames of the teaching view: a frame for every step of every mechanism, with the plan's own numbers.
#include <QTest>
#include <cmath>

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
    QCOMPARE(frames->size(), plan.steps.size() + 1);
    for (std::size_t f = 0; f < frames->size(); ++f) {
      const StepFrame& frame = (*frames)[f];
      QVERIFY(!frame.title.empty() && !frame.sentence.empty() && !frame.panels.empty());
      for (const InsidePanel& panel : frame.panels) {
        QVERIFY(panel.values.dim(0) <= 256 && panel.values.dim(1) <= 256);
        for (const float x : panel.values.values<float>()) QVERIFY(std::isfinite(x));
      }
      if (f == 0 || !std::holds_alternative<AttendStep>(plan.steps[f - 1])) continue;
      const std::string pairs = countText((*explored)->call.plan->tiles(f - 1, 1).pairs());
      QVERIFY2(frame.sentence.find(pairs + " pair") != std::string::npos, frame.sentence.c_str());
    }
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
