// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures of weights that the device makes from what a pass left there, in the emulation, against those that
// the CPU makes from what came back: every mechanism whose output is made of attend steps over tokens, by
// every question of EffectiveMatrix. And the memory that is left there: whose it is, and when it goes.
#include <QTest>
#include <atomic>
#include <set>
#include <thread>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "tests/support/call_rows.h"
#include "tests/support/picture_case.h"
#include "tests/support/step_case.h"

using namespace attnscope;
using attnscope::cuda::CudaBackend;
using attnscope::cuda::emulation::EmulationOptions;
using attnscope::cuda::emulation::makeEmulatedDevice;
using attnscope::cuda::emulation::ThreadOrder;
using attnscope::testing::addCalls;
using attnscope::testing::addTermsOfEveryKind;
using attnscope::testing::Case;
using attnscope::testing::onCpu;
using attnscope::testing::pictureDifference;
using attnscope::testing::picturesOf;
using attnscope::testing::weightTolerance;

namespace {

std::atomic<std::uint64_t> launches{0};

EmulationOptions inOrder(ThreadOrder order) {
  EmulationOptions options;
  options.order = order;
  options.pictureLaunches = &launches;
  return options;
}

const Backend& emulated(int number) {
  static const CudaBackend backends[3] = {CudaBackend(makeEmulatedDevice(inOrder(ThreadOrder::Forward))),
                                          CudaBackend(makeEmulatedDevice(inOrder(ThreadOrder::Backward))),
                                          CudaBackend(makeEmulatedDevice(inOrder(ThreadOrder::Scattered)))};
  return backends[number % 3];
}

// The pass and its pictures, both ways; empty, or what is wrong.
QString compareWays(const Backend& backend, const std::shared_ptr<const FrozenPlan>& plan,
                    const AttentionInput& input, const RunOptions& options = {}) {
  auto run = backend.run(*plan, input, options, {});
  if (!run) return QString::fromStdString(run.error().message);
  if (!run->weights) return "nothing was left on the device";
  const double tolerance = weightTolerance(*run, input);
  const EffectiveMatrix plain = onCpu(plan, input, *run);
  const EffectiveMatrix matrix(plan, input, std::move(*run));
  const std::uint64_t before = launches;
  const auto found = picturesOf(matrix);
  if (!found) return QString::fromStdString(found.error().message);
  if (!matrix.fellBack().empty()) return QString::fromStdString(matrix.fellBack());
  if (launches - before < found->size()) return "the device did not make all pictures";
  const auto expected = picturesOf(plain);
  if (!expected) return QString::fromStdString(expected.error().message);
  return pictureDifference(*found, *expected, tolerance);
}

PlannedCall planned(const std::string& spec, const AttentionInput& input) {
  auto call = planCall(*parseMechanismSpec(spec), input);
  if (!call) qFatal("%s: %s", spec.c_str(), call.error().message.c_str());
  return std::move(*call);
}

}  // namespace

class CudaWeightsTest : public QObject {
  Q_OBJECT

 private slots:
  // Which mechanisms are covered with their default parameters. The others say what their output is made of.
  void coverage() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=65,d=16,heads=2");
    std::set<std::string> covered;
    for (const Mechanism* mechanism : allMechanisms()) {
      const std::string id = mechanism->card().id;
      const PlannedCall call = planned(id, input);
      const auto steps = outputSteps(call.plan->plan());
      if (steps)
        covered.insert(id);
      else
        QVERIFY2(steps.error().message.starts_with(call.plan->plan().mechanism), id.c_str());
      qInfo("%-18s %s", id.c_str(),
            steps ? (std::to_string(steps->size()) + " steps").c_str() : steps.error().message.c_str());
      const auto run = emulated(0).run(*call.plan, input, {}, {});
      QVERIFY2(run, run ? "" : run.error().message.c_str());
      QCOMPARE(run->weights != nullptr, steps.has_value());
    }
    const std::set<std::string> expected{"full",       "image",      "blockwise",      "sparse",
                                         "reformer",   "bigbird",    "transformer-xl", "custom",
                                         "longformer", "synthesizer"};
    QVERIFY(covered == expected);
  }

  void pictures_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=1,d=8,heads=2", "clustered:n=130,d=18,dv=5,heads=2,kv_heads=1",
              "gaussian:n=40,nk=100,d=16,heads=2", "gaussian:n=100,nk=40,d=34,heads=1"},
             false);
    addCalls({"clustered:n=65,d=6,heads=2,seed=3"}, true);
  }
  void pictures() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const AttentionInput input = attnscope::testing::inputOf(source.toStdString());
    const PlannedCall call = planned(spec.toStdString(), input);
    if (!outputSteps(call.plan->plan())) return;  // coverage() says which
    const QString wrong = compareWays(emulated(m_calls++), call.plan, input);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
  }

  // The pass's lse is that of rounded products; the weights are made the same way on both sides.
  void ofTensorCorePasses() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=70,d=16,heads=2");
    for (const Precision precision : {Precision::Tf32, Precision::Bf16}) {
      RunOptions options;
      options.precision = precision;
      const QString wrong = compareWays(emulated(0), planned("full", input).plan, input, options);
      QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    }
  }

  // Numbers of more cells than a block sums are made in parts.
  void numbersOfManyCells() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=1300,d=4,heads=1");
    const PlannedCall call = planned("longformer:window=600", input);
    auto run = emulated(0).run(*call.plan, input, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    const double tolerance = weightTolerance(*run, input);
    const EffectiveMatrix plain = onCpu(call.plan, input, *run);
    const EffectiveMatrix matrix(call.plan, input, std::move(*run));
    for (const auto reduce : {WeightReduce::Max, WeightReduce::Mean}) {
      const auto found = matrix.tile(0, 0, 1300, 11, 0, 1300, 9, reduce);
      const auto expected = plain.tile(0, 0, 1300, 11, 0, 1300, 9, reduce);
      QVERIFY(found && expected);
      const QString wrong = pictureDifference({{"tile", *found}}, {{"tile", *expected}}, tolerance);
      QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    }
    QVERIFY(matrix.fellBack().empty());
  }

  // What no mechanism combines: multiplicities, orders that leave tokens out, terms of every kind, parts that
  // are merged.
  void stepsOfEveryKind_data() {
    QTest::addColumn<int>("n");
    for (const int n : {1, 63, 64, 65, 130}) QTest::newRow(std::to_string(n).c_str()) << n;
  }
  void stepsOfEveryKind() {
    QFETCH(int, n);
    Case made(2, n, n, 16, 8);
    MergeStep merge;
    for (int part = 0; part < 2; ++part) {
      AttendStep step;
      step.title = "part " + std::to_string(part);
      step.scale = 0.4;
      step.selfPenalty = part == 0 ? 0.0 : 1e5;
      step.out = made.plan.addBuffer("out " + std::to_string(part), n, 8);
      step.lse = made.plan.addBuffer("lse " + std::to_string(part), n, 1);
      const Index rows = std::max(1, n - 2 * part);
      const PatternPtr pattern = makePattern(rows, n, [n, part](Index row, RunList& runs) {
        if (row % 7 == 5) return;
        const Index middle = row * n / 97 % n;
        if (middle > 0) runs.push_back({0, middle, 3, 0, 1});
        runs.push_back({middle, std::min<Index>(n, middle + 9 + 40 * part), 1, 0,
                        static_cast<std::uint8_t>(1 + row % 6)});
      });
      step.heads.assign(2, HeadAttend{nullptr, nullptr, pattern});
      if (part == 1)
        for (HeadAttend& head : step.heads) {
          head.queryOrder = made.numbers.order(n, rows);
          head.keyOrder = made.numbers.order(n, n);
          // What part 0 reads nothing of reads itself alone here, with the whole penalty.
          const auto rule = [queries = head.queryOrder, keys = head.keyOrder, pattern](Index row,
                                                                                       RunList& runs) {
            const std::int32_t query = (*queries)[static_cast<std::size_t>(row)];
            if (query % 7 != 5) return pattern->row(row, runs);
            const auto place = std::find(keys->begin(), keys->end(), query) - keys->begin();
            runs.push_back({place, place + 1, 1, 0, 1});
          };
          head.pattern = makePattern(rows, n, rule);
        }
      if (part == 0) addTermsOfEveryKind(made, step, n);
      merge.outs.push_back(step.out);
      merge.lses.push_back(step.lse);
      made.plan.steps.emplace_back(step);
    }
    // Over what is made of no token: it takes its share.
    AttendStep memory;
    memory.title = "slots";
    memory.axis = KeyAxis::Slots;
    memory.k = made.constant("slot keys", made.numbers.tensor({2, 5, 16}));
    memory.v = made.constant("slot values", made.numbers.tensor({2, 5, 8}));
    memory.out = made.plan.addBuffer("out 2", n, 8);
    memory.lse = made.plan.addBuffer("lse 2", n, 1);
    memory.heads.assign(2, HeadAttend{nullptr, nullptr, makePattern(n, 5, [](Index row, RunList& runs) {
                                        if (row % 7 != 5) runs.push_back({0, 5, 1, 0, 1});
                                      })});
    made.plan.slotCount = 5;
    made.plan.slotValues = memory.v;
    merge.outs.push_back(memory.out);
    merge.lses.push_back(memory.lse);
    made.plan.steps.emplace_back(memory);
    merge.out = made.plan.addBuffer("out", n, 8);
    merge.lse = made.plan.addBuffer("lse", n, 1);
    made.plan.steps.emplace_back(merge);
    made.plan.out = merge.out;
    made.plan.lse = merge.lse;
    const auto frozen = FrozenPlan::freeze(made.plan);
    QVERIFY(frozen);
    const QString wrong = compareWays(emulated(n), *frozen, made.input);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
  }

  // Keys at several places of an order, at each of them or at none read; queries at several are left to the
  // CPU.
  void tokensAtSeveralPlaces() {
    for (const bool queries : {false, true}) {
      Case made(1, 90, 90, 8, 4);
      AttendStep step;
      step.title = "test";
      step.out = made.plan.addBuffer("out", 90, 4);
      step.lse = made.plan.addBuffer("lse", 90, 1);
      made.plan.out = step.out;
      std::vector<std::int32_t> order;
      for (int p = 0; p < 200; ++p) order.push_back(p * p % 90);
      const auto several = std::make_shared<const std::vector<std::int32_t>>(order);
      const auto rule = [](Index row, RunList& runs) { runs.push_back({row / 2, 100 + row, 1, 0, 1}); };
      step.heads.push_back(queries ? HeadAttend{several, nullptr,
                                                makePattern(200, 90,
                                                            [](Index, RunList& runs) {
                                                              runs.push_back({0, 90, 1, 0, 1});
                                                            })}
                                   : HeadAttend{nullptr, several, makePattern(90, 200, rule)});
      made.plan.steps.emplace_back(step);
      const auto frozen = FrozenPlan::freeze(made.plan);
      QVERIFY(frozen);
      if (queries) {
        QVERIFY(!outputSteps((*frozen)->plan()));
        const auto run = emulated(0).run(**frozen, made.input, {}, {});
        QVERIFY(run && !run->weights);
        continue;
      }
      const QString wrong = compareWays(emulated(0), *frozen, made.input);
      QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    }
  }

  void cancelled() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=65,d=16,heads=1");
    const PlannedCall call = planned("full", input);
    auto run = emulated(0).run(*call.plan, input, {}, {});
    QVERIFY(run);
    const EffectiveMatrix matrix(call.plan, input, std::move(*run));
    const JobContext job;
    job.cancel();
    const auto tile = matrix.tile(0, 0, 65, 2, 0, 65, 2, WeightReduce::Max, job);
    QVERIFY(!tile && tile.error().kind == ErrorKind::Cancelled);
    QVERIFY(matrix.fellBack().empty());  // stopping is no failure
    QVERIFY(matrix.tile(0, 0, 65, 2, 0, 65, 2, WeightReduce::Max));
  }

  // Pictures and passes from several threads at once give what they give alone.
  void manyAsk() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=70,d=16,heads=2");
    const PlannedCall call = planned("longformer:window=16", input);
    const CudaBackend backend(makeEmulatedDevice());
    auto run = backend.run(*call.plan, input, {}, {});
    QVERIFY(run);
    const double tolerance = weightTolerance(*run, input);
    const EffectiveMatrix plain = onCpu(call.plan, input, *run);
    const EffectiveMatrix matrix(call.plan, input, std::move(*run));
    const auto expected = plain.tile(1, 0, 70, 1, 0, 70, 1, WeightReduce::Mean);
    QVERIFY(expected);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int round = 0; round < 4; ++round) {
          if (t == 0 && !backend.run(*call.plan, input, {}, {})) ++wrong;
          const auto tile = matrix.tile(1, 0, 70, 1, 0, 70, 1, WeightReduce::Mean);
          if (!tile || !pictureDifference({{"", *tile}}, {{"", *expected}}, tolerance).isEmpty()) ++wrong;
        }
      });
    for (std::thread& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
    QVERIFY(matrix.fellBack().empty());
  }

  void memoryGoesWithItsHolders() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=65,d=16,heads=2");
    const CudaBackend backend(makeEmulatedDevice());
    const std::uint64_t whole = backend.info().memory;
    PlannedCall call = planned("reformer", input);
    auto run = backend.run(*call.plan, input, {}, {});
    QVERIFY(run && run->weights);
    const std::uint64_t withWeights = backend.info().memory;
    std::shared_ptr<const WeightSource> kept = run->weights;
    *run = {};
    QCOMPARE(backend.info().memory, withWeights);
    kept = nullptr;
    const std::uint64_t withPlan = backend.info().memory;
    QVERIFY(withPlan > withWeights && withPlan < whole);
    call = {};
    QCOMPARE(backend.info().memory, whole);
    // In the other order, and after the backend itself.
    std::shared_ptr<const WeightSource> last;
    {
      const CudaBackend shortLived(makeEmulatedDevice());
      const PlannedCall again = planned("reformer", input);
      const auto second = shortLived.run(*again.plan, input, {}, {});
      QVERIFY(second);
      last = second->weights;
    }
    WeightPicture picture{0, {}, 0, 0, {{0, 65}}, {{0, 65}}, WeightReduce::Mean};
    const auto mean = last->numbers(picture, {});
    QVERIFY(mean && std::abs(mean->values<float>()[0] - 1.0F / 65.0F) < 1e-6F);  // rows of a softmax sum to 1
  }

  // What an old pass left must not stand in the way of a new one; its maps go on, and it is said.
  void memoryIsGivenUpForPasses() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=65,d=16,heads=2");
    const PlannedCall call = planned("full", input);
    const PlannedCall other = planned("longformer:window=16", input);
    const CudaBackend asked(makeEmulatedDevice());
    const double needed = std::max(asked.memoryNeeded(*call.plan, {}), asked.memoryNeeded(*other.plan, {}));
    EmulationOptions options;
    options.memory = static_cast<std::uint64_t>(needed / cuda::kUsableShare) + 4096;
    const CudaBackend backend(makeEmulatedDevice(options));
    auto run = backend.run(*call.plan, input, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    QVERIFY(options.memory - backend.info().memory <= options.memory / 2);  // never more than half is held
    const auto expected = onCpu(call.plan, input, *run).block(0, 0, 65, 0, 65);
    const EffectiveMatrix matrix(call.plan, input, std::move(*run));
    const auto second = backend.run(*other.plan, input, {}, {});
    QVERIFY2(second, second ? "" : second.error().message.c_str());
    const auto found = matrix.block(0, 0, 65, 0, 65);
    QVERIFY(found && expected);
    QVERIFY2(
        matrix.fellBack().starts_with("maps of full are computed on the CPU since cuda:emulated failed: the "
                                      "memory that it kept for maps was needed"),
        matrix.fellBack().c_str());
    QVERIFY(pictureDifference({{"", *found}}, {{"", *expected}}, 0.0).isEmpty());
  }

  // The second run of a plan brings its input and nothing else, and comes to the same bytes.
  void thePlanStays_data() {
    QTest::addColumn<QString>("spec");
    for (const Mechanism* mechanism : allMechanisms())
      QTest::newRow(mechanism->card().id.c_str()) << QString::fromStdString(mechanism->card().id);
  }
  void thePlanStays() {
    QFETCH(QString, spec);
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=130,d=16,heads=2");
    const PlannedCall call = planned(spec.toStdString(), input);
    std::atomic<std::uint64_t> bytes{0};
    EmulationOptions options;
    options.uploadedBytes = &bytes;
    const CudaBackend backend(makeEmulatedDevice(options));
    const auto first = backend.run(*call.plan, input, {}, {});
    QVERIFY2(first, first ? "" : first.error().message.c_str());
    const std::uint64_t ofFirst = bytes.exchange(0);
    const auto second = backend.run(*call.plan, input, {}, {});
    QVERIFY(second);
    // Beside the input only addresses of this run's buffers: terms of logits, parts of sums, steps of
    // weights.
    const std::size_t ofInput = input.q.bytes() + input.k.bytes() + input.v.bytes();
    QVERIFY2(bytes >= ofInput && bytes <= ofInput + 4096, qPrintable(QString::number(bytes - ofInput)));
    const bool hasNothing = spec == "linear";  // neither a pattern nor weights
    QCOMPARE(ofFirst > bytes, !hasNothing);
    QCOMPARE(first->planTransferSeconds > 0.0, !hasNothing);
    QVERIFY(first->planTransferSeconds < first->transferSeconds);
    QCOMPARE(second->planTransferSeconds, 0.0);
    for (const auto& [name, tensor] : first->buffers) {
      const auto a = tensor.values<float>();
      const auto b = second->buffers.at(name).values<float>();
      QVERIFY2(std::memcmp(a.data(), b.data(), a.size_bytes()) == 0, name.c_str());
    }
    // A probe replaces some constants: those that stay are not for it, nor its own for others.
    RunOptions probe;
    probe.identity = IdentitySlab{0, input.shape().dV, true};
    QVERIFY(backend.run(*call.plan, input, probe, {}));
    const auto third = backend.run(*call.plan, input, {}, {});
    QVERIFY(third);
    const auto a = first->out.values<float>();
    QVERIFY(std::memcmp(a.data(), third->out.values<float>().data(), a.size_bytes()) == 0);
  }

 private:
  int m_calls = 0;
};

QTEST_APPLESS_MAIN(CudaWeightsTest)
#include "cuda_weights_test.moc"
