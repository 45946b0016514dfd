// SPDX-License-Identifier: GPL-3.0-or-later
// Work and memory against the cost model, counted and not timed: an accidental n^2 shows here.
#include <QTest>
#include <cmath>
#include <map>

#include "core/base/memory.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/explore.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

// How work may grow with n at default parameters: the exponent that the paper's complexity implies, with
// sqrt(n) for every default that is one. Tiles and bytes are what is counted.
const std::map<std::string, double>& growth() {
  static const std::map<std::string, double> table{
      {"full", 2.0},           {"sparse", 1.5},      {"blockwise", 2.0},   {"axial", 1.5},
      {"image", 1.5},          {"reformer", 1.5},    {"routing", 1.5},     {"sinkhorn", 1.5},
      {"transformer-xl", 1.5}, {"compressive", 1.5}, {"set", 1.5},         {"memory-compressed", 2.0},
      {"longformer", 1.5},     {"etc", 2.0},         {"bigbird", 1.0},     {"linformer", 1.5},
      {"linear", 1.0},         {"performer", 1.0},   {"synthesizer", 2.0}, {"custom", 1.0}};
  return table;
}

AttentionInput inputOf(Index n) {
  return attnscope::testing::inputOf("clustered:d=32,heads=1,n=" + std::to_string(n));
}

MechanismSpec specOf(const Mechanism& mechanism) {
  MechanismSpec spec;
  spec.id = mechanism.card().id;
  // Its default block becomes four times as long at 4,096 tokens.
  if (spec.id == "bigbird") spec.params = {{"block", "16"}, {"random", "3"}};
  return spec;
}

Cost costOf(const MechanismSpec& spec, Index n) {
  const auto call = planCall(spec, inputOf(n));
  if (!call) qFatal("%s", call.error().message.c_str());
  return planCost(*call->plan);
}

void addMechanisms() {
  QTest::addColumn<QString>("id");
  for (const Mechanism* mechanism : allMechanisms())
    QTest::newRow(mechanism->card().id.c_str()) << QString::fromStdString(mechanism->card().id);
}

const Mechanism& fetch() {
  QFETCH(QString, id);
  return **findMechanism(id.toStdString());
}

}  // namespace

class WorkTest : public QObject {
  Q_OBJECT

 private slots:
  void everyMechanismIsInTheTable() {
    for (const Mechanism* mechanism : allMechanisms())
      QVERIFY2(growth().contains(mechanism->card().id), mechanism->card().id.c_str());
  }

  // From 1,024 to 4,096 tokens: four times the length, 4^e times the work. A quarter more for borders and for
  // tiles that are cut.
  void workGrowsAsThePaperSays_data() { addMechanisms(); }
  void workGrowsAsThePaperSays() {
    const MechanismSpec spec = specOf(fetch());
    const double most = 1.25 * std::pow(4.0, growth().at(spec.id));
    const Cost small = costOf(spec, 1024);
    const Cost large = costOf(spec, 4096);
    const auto grown = [&](const char* what, double before, double after) {
      QVERIFY2(after <= most * std::max(before, 1.0),
               qPrintable(QString("%1 grow %2 times").arg(what).arg(after / std::max(before, 1.0))));
    };
    grown("pairs", small.pairs, large.pairs);
    grown("tiles", small.tiles, large.tiles);
    grown("floating point operations", small.flops, large.flops);
    grown("bytes at the peak", small.peakBytes, large.peakBytes);
  }

  // What one pass really adds to the process, against what was foretold.
  void memoryIsWhatWasForetold_data() { addMechanisms(); }
  void memoryIsWhatWasForetold() {
#ifdef __SANITIZE_ADDRESS__
    QSKIP("the sanitizer's own memory counts into the process");
#endif
    if (restartPeakMemory() == 0) QSKIP("this system does not tell the peak of a process");
    const MechanismSpec spec = specOf(fetch());
    const AttentionInput input = inputOf(8192);
    const auto call = planCall(spec, input);
    QVERIFY2(call, call ? "" : call.error().message.c_str());
    RunOptions options;
    options.keepBuffers = false;
    const double foretold = cpuBackend().memoryNeeded(*call->plan, options);
    const std::uint64_t before = restartPeakMemory();
    const auto run = cpuBackend().run(*call->plan, input, options, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    const auto used = static_cast<double>(peakResidentMemory() - before);
    constexpr double kThreadsOwn =
        1e6;  // stacks and small scratch of the workers; the rest agrees within 5 %
    QVERIFY2(used <= 1.2 * foretold + kThreadsOwn,
             qPrintable(QString("%1 MB used, %2 MB foretold").arg(used / 1e6).arg(foretold / 1e6)));
  }
};

QTEST_APPLESS_MAIN(WorkTest)
#include "work_test.moc"
