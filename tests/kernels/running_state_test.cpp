// SPDX-License-Identifier: GPL-3.0-or-later
// The states S and Z that `compute --trace` writes: reading them gives the output.
#include <QTest>
#include <cmath>

#include "core/analysis/running_state.h"
#include "tests/support/against_oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

const LinearAttendStep& linearStep(const Plan& plan) {
  for (const Step& step : plan.steps)
    if (const auto* linear = std::get_if<LinearAttendStep>(&step)) return *linear;
  qFatal("no linear step");
}

}  // namespace

class RunningStateTest : public QObject {
  Q_OBJECT

 private slots:
  void readingItGivesTheOutput_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec : {"linear", "linear:causal=on,chunk=7", "linear:feature=poly2,chunk=64,causal=on",
                             "performer:features=24", "performer:features=24,causal=on",
                             "performer:features=24,kind=trig,causal=on",
                             "performer:features=24,kind=hyperbolic", "performer:features=24,kind=relu"})
      QTest::newRow(spec) << spec;
  }
  void readingItGivesTheOutput() {
    QFETCH(QString, spec);
    const AttentionInput input = inputOf("gaussian:n=75,d=6,dv=5,heads=4,kv_heads=2");
    const PlannedCall call = planned(spec.toStdString(), input);
    const RunResult run = ran(call, input);
    const Plan& plan = call.plan->plan();
    const LinearAttendStep& step = linearStep(plan);
    const auto bufferOf = [&](BufferId id) {
      return run.buffers.at(plan.buffers[static_cast<std::size_t>(id)].name);
    };
    const Tensor phiQ = bufferOf(step.phiQ);
    const auto state = runningState(step, bufferOf(step.phiK), input);
    QVERIFY(state);
    const Index features = phiQ.dim(2);
    const Index frames = state->tokens.dim(0);
    QCOMPARE(frames, step.causal ? ceilDiv(75, step.chunk) : Index{1});
    QCOMPARE(state->s.shape()[2], features);
    QCOMPARE(state->tokens.values<std::int32_t>().back(), 75);
    for (Index h = 0; h < 4; ++h)
      for (Index frame = 0; frame < frames; ++frame) {
        // Causal: the last query of a frame has read exactly its state. Else every query has.
        const Index last = state->tokens.values<std::int32_t>()[static_cast<std::size_t>(frame)] - 1;
        for (Index i = step.causal ? last : 0; i <= last; ++i) {
          std::vector<double> read(6, 0.0);
          double largest = -1e300;
          const auto exponent = [&](Index a) {
            const auto at = static_cast<std::size_t>(frame * features + a);
            return double{phiQ.slice<float>(h)[static_cast<std::size_t>(i * features + a)]} +
                   (step.exponents ? double{state->log.slice<float>(h)[at]} : 0.0);
          };
          for (Index a = 0; a < features; ++a) largest = std::max(largest, exponent(a));
          for (Index a = 0; a < features; ++a) {
            const double weight = step.exponents ? std::exp(exponent(a) - largest) : exponent(a);
            const auto at = static_cast<std::size_t>(frame * features + a);
            read[5] += weight * double{state->z.slice<float>(h)[at]};
            for (std::size_t c = 0; c < 5; ++c)
              read[c] += weight * double{state->s.slice<float>(h)[at * 5 + c]};
          }
          for (std::size_t c = 0; c < 5; ++c) {
            const double out = run.out.slice<float>(h)[static_cast<std::size_t>(i * 5) + c];
            QVERIFY(std::abs(read[c] / read[5] - out) < 1e-4 * (1.0 + std::abs(out)));
          }
        }
      }
  }

  // A long text keeps 256 states at most.
  void framesAreBounded() {
    LinearAttendStep step;
    step.causal = true;
    step.chunk = 2;
    const AttentionInput input = inputOf("gaussian:n=1500,d=2,heads=1");
    const auto state = runningState(step, input.k, input);
    QVERIFY(state);
    QCOMPARE(state->tokens.dim(0), Index{250});
    QVERIFY(state->log.empty());
  }
};

QTEST_APPLESS_MAIN(RunningStateTest)
#include "running_state_test.moc"
