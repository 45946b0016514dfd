// SPDX-License-Identifier: GPL-3.0-or-later
// Every mechanism on the CPU backend against its dense oracle in double, over ragged lengths and every
// parameter at the ends of its range.
#include <QTest>
#include <algorithm>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/call_rows.h"
#include "tests/support/error_bound.h"
#include "tests/support/same_numbers.h"

using namespace attnscope;
using attnscope::testing::addCalls;
using attnscope::testing::bound;
using attnscope::testing::Call;

namespace {

// True where output rows are sums of several softmaxes: a key that several of them read weighs more.
bool addsReads(const Plan& plan) {
  const auto isValue = [&](BufferId id) {
    return id == plan.out || std::any_of(plan.steps.begin(), plan.steps.end(), [id](const Step& step) {
             const auto* attend = std::get_if<AttendStep>(&step);
             return attend != nullptr && attend->axis == KeyAxis::Tokens && attend->v == id;
           });
  };
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    const auto* gather = std::get_if<GatherStep>(&step);
    return gather != nullptr && isValue(gather->out);
  });
}

Call fetchCall() {
  QFETCH(QString, spec);
  QFETCH(QString, source);
  return {*parseMechanismSpec(spec.toStdString()), source.toStdString()};
}

}  // namespace

class DefinitionTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=1,d=8,heads=2", "clustered:n=2,d=8,heads=1", "clustered:n=63,d=8,heads=1",
              "clustered:n=64,d=17,dv=5,heads=2,kv_heads=1", "clustered:n=65,d=16,heads=2",
              "gaussian:n=194,d=64,heads=1", "gaussian:n=40,nk=100,d=16,heads=2",
              "gaussian:n=100,nk=40,d=16,heads=2"},
             false);
    addCalls({"clustered:n=65,d=6,heads=2,seed=3"}, true);
  }
  void agreesWithTheOracle() {
    const Call call = fetchCall();
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    const auto planned = planCall(call.spec, input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    const auto oracle = runOracle(*planned, input);
    QVERIFY2(oracle, oracle ? "" : oracle.error().message.c_str());
    const double tolerance = bound(call, input, *oracle, *planned);
    const auto run = cpuBackend().run(*planned->plan, input, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    const auto found = run->out.values<float>();
    const auto expected = oracle->out.values<float>();
    QCOMPARE(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      if (!(std::abs(found[i] - expected[i]) <= tolerance))
        QFAIL(qPrintable(QString("out[%1] is %2, expected %3 within %4")
                             .arg(i)
                             .arg(found[i])
                             .arg(expected[i])
                             .arg(tolerance)));
    QCOMPARE(run->lse.empty(), oracle->lse.empty());
    // A logit of 100,000 has a resolution of 0.008 in single precision.
    const double lseTolerance = call.spec.text().find("penalty") != std::string::npos ? 0.02 : tolerance;
    for (std::size_t i = 0; !oracle->lse.empty() && i < run->lse.values<float>().size(); ++i) {
      const float a = run->lse.values<float>()[i];
      const float b = oracle->lse.values<float>()[i];
      QVERIFY2(a == b || std::abs(a - b) <= lseTolerance,
               qPrintable(QString("lse[%1] is %2, expected %3").arg(i).arg(a).arg(b)));
    }
  }

  // What is drawn is what is executed: logits 0 and V = I give a uniform weight on the support and 0
  // elsewhere.
  void probeEqualsSupport_data() { probeRows(); }
  void probeEqualsSupport() {
    const Call call = fetchCall();
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    const auto planned = planCall(call.spec, input);
    QVERIFY(planned);
    const auto probe = maskProbe(cpuBackend(), *planned->plan, input, {});
    QVERIFY2(probe, probe ? "" : probe.error().message.c_str());
    const auto oracle = runOracle(*planned, input);
    QVERIFY(oracle);
    const Shape shape = input.shape();
    const Index cols = planned->plan->supportCols();
    QCOMPARE(oracle->supportCols, cols);
    RunList runs;
    for (Index h = 0; h < shape.heads; ++h) {
      const auto weights = probe->slice<float>(h);
      for (Index i = 0; i < shape.nQ; ++i) {
        planned->plan->support(h)->row(i, runs);
        std::vector<std::uint8_t> drawn(static_cast<std::size_t>(cols), 0);
        Index count = 0;
        for (const Run& run : runs)
          for (Index j = run.begin; j < run.end; j += run.stride) {
            drawn[static_cast<std::size_t>(j)] += 1;
            ++count;
          }
        for (Index j = 0; j < cols; ++j) {
          const auto at = static_cast<std::size_t>(i * cols + j);
          const bool executed = weights[at] != 0.0F;
          const bool specified = oracle->support[static_cast<std::size_t>(h)][at] != 0;
          if (drawn[static_cast<std::size_t>(j)] > 1) QFAIL("a pair is in two runs of its row");
          if (executed != (drawn[static_cast<std::size_t>(j)] == 1) || executed != specified)
            QFAIL(qPrintable(QString("head %1, pair (%2, %3): drawn %4, executed %5, specified %6")
                                 .arg(h)
                                 .arg(i)
                                 .arg(j)
                                 .arg(drawn[static_cast<std::size_t>(j)])
                                 .arg(executed)
                                 .arg(specified)));
          // Two options make a row's weights unequal or smaller by design, and so does a plan that adds up
          // several reads.
          const bool uniform = !call.spec.params.contains("eps") && !call.spec.params.contains("dedup") &&
                               !addsReads(planned->plan->plan());
          if (executed && uniform) QVERIFY(std::abs(weights[at] * static_cast<float>(count) - 1.0F) < 1e-4F);
        }
      }
    }
  }

  // The effective attention three ways: the oracle's matrix, the plan run on V = I, and the rows that the map
  // view draws.
  void effectiveAttention_data() { probeRows(); }
  void effectiveAttention() {
    const Call call = fetchCall();
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    auto planned = planCall(call.spec, input);
    QVERIFY(planned);
    const auto oracle = runOracle(*planned, input);
    auto run = cpuBackend().run(*planned->plan, input, {}, {});
    QVERIFY(oracle && run);
    const auto executed = executedMatrix(cpuBackend(), *planned->plan, input, {});
    QVERIFY2(executed, executed ? "" : executed.error().message.c_str());
    const double tolerance = bound(call, input, *oracle, *planned) + 1e-6;
    const EffectiveMatrix effective(planned->plan, input, std::move(*run));
    for (Index h = 0; h < input.shape().heads; ++h) {
      const auto drawn = effective.block(h, 0, effective.rows(), 0, effective.cols());
      QVERIFY(drawn);
      const auto a = oracle->matrix.slice<double>(h);
      const auto b = executed->slice<float>(h);
      const auto c = drawn->values<float>();
      for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::abs(a[i] - b[i]) <= tolerance) || !(std::abs(a[i] - c[i]) <= tolerance))
          QFAIL(qPrintable(QString("head %1, cell %2: oracle %3, executed %4, drawn %5, tolerance %6")
                               .arg(h)
                               .arg(i)
                               .arg(a[i])
                               .arg(b[i])
                               .arg(c[i])
                               .arg(tolerance)));
    }
  }

  // One thread and several give the same bytes.
  void threadsDoNotMatter() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=700,d=32,heads=3");
    for (const Mechanism* mechanism : allMechanisms()) {
      MechanismSpec spec;
      spec.id = mechanism->card().id;
      const auto planned = planCall(spec, input);
      QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
      RunOptions one;
      one.threads = 1;
      const auto a = cpuBackend().run(*planned->plan, input, one, {});
      const auto b = cpuBackend().run(*planned->plan, input, {}, {});
      QVERIFY(a && b);
      QVERIFY(attnscope::testing::sameNumbers(a->out, b->out));
    }
  }

 private:
  static void probeRows() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=1,d=8,heads=1", "clustered:n=64,d=8,heads=1", "clustered:n=130,d=32,heads=2",
              "gaussian:n=30,nk=70,d=16,heads=1", "gaussian:n=70,nk=30,d=16,heads=1"},
             false);
    addCalls({"clustered:n=41,d=6,heads=2,seed=3"}, true);
  }
};

QTEST_APPLESS_MAIN(DefinitionTest)
#include "definition_test.moc"
