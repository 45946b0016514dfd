// SPDX-License-Identifier: GPL-3.0-or-later
// Linformer with a strided convolution: taps and biases given by the user against the dense oracle, and the
// numbers of summaries that a convolution can make.
#include <QTest>
#include <algorithm>
#include <cmath>

#include "core/base/rng.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using attnscope::testing::inputOf;

namespace {

Tensor drawn(const std::string& name, std::vector<Index> shape) {
  Tensor tensor(DType::F32, std::move(shape));
  RandomStream(3, "test", name).fillNormals({0, 0, 0}, tensor.mutableValues<float>());
  for (float& x : tensor.mutableValues<float>()) x *= 0.3F;
  return tensor;
}

}  // namespace

class ConvolvedSlotsTest : public QObject {
  Q_OBJECT

 private slots:
  void givenTapsAgreeWithTheOracle() {
    const AttentionInput input = inputOf("gaussian:n=50,d=8,dv=5,heads=2");  // k = 13: width 4, 2 in the last
    WeightSet weights;
    weights["conv_k"] = drawn("conv_k", {2, 4, 8, 8});
    weights["conv_v"] = drawn("conv_v", {4, 5, 5});  // one for all heads
    weights["conv_k_bias"] = drawn("conv_k_bias", {8});
    weights["conv_v_bias"] = drawn("conv_v_bias", {2, 5});
    const auto call = planCall(*parseMechanismSpec("linformer:projection=conv,k=13"), input, weights);
    QVERIFY2(call, call ? "" : call.error().message.c_str());
    QVERIFY(!call->plan->plan().exact);
    const auto oracle = runOracle(*call, input);
    const auto run = cpuBackend().run(*call->plan, input, {}, {});
    QVERIFY(oracle && run);
    for (Index i = 0; i < run->out.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      QVERIFY(std::abs(run->out.values<float>()[at] - oracle->out.values<float>()[at]) < 2e-5F);
    }
  }

  // Taps and features below 0 make weights below 0, which a map must show as such; a softmax alone makes
  // none.
  void weightsBelowZeroAreAnnounced() {
    const AttentionInput input = inputOf("gaussian:n=24,d=4,heads=1");
    const auto isSigned = [&](const std::string& spec, const WeightSet& weights) {
      const auto call = planCall(*parseMechanismSpec(spec), input, weights);
      if (!call) qFatal("%s", call.error().message.c_str());
      auto run = cpuBackend().run(*call->plan, input, {}, {});
      if (!run) qFatal("%s", run.error().message.c_str());
      const EffectiveMatrix matrix(call->plan, input, std::move(*run));
      const auto block = matrix.block(0, 0, 24, 0, 24);
      if (!block) qFatal("%s", block.error().message.c_str());
      const auto cells = block->values<float>();
      const bool below = std::any_of(cells.begin(), cells.end(), [](float x) { return x < 0.0F; });
      if (below != matrix.isSigned()) qFatal("%s: the map and what it says differ", spec.c_str());
      return below;
    };
    Tensor taps = Tensor::zeros(DType::F32, {2, 4, 4});
    for (std::size_t c = 0; c < 4; ++c) {
      taps.mutableValues<float>()[c * 5] = 1.5F;
      taps.mutableValues<float>()[16 + c * 5] = -0.5F;
    }
    QVERIFY(isSigned("linformer:projection=conv,k=12", {{"conv_v", taps}}));
    QVERIFY(!isSigned("linformer:projection=conv,k=12", {{"conv_k", taps}}));
    QVERIFY(isSigned("memory-compressed:stride=2,function=conv", {{"conv_v", taps}}));
    QVERIFY(isSigned("linformer:projection=gaussian,k=12", {}));
    QVERIFY(!isSigned("linformer", {}));
    QVERIFY(!isSigned("full", {}));
  }

  // A mean of equal segments, whether it is written as a projection or as a convolution.
  void meanTapsAreTheMeanProjection() {
    const AttentionInput input = inputOf("clustered:n=48,d=8,heads=2");
    const auto conv = planCall(*parseMechanismSpec("linformer:projection=conv,k=12"), input);
    const auto mean = planCall(*parseMechanismSpec("linformer:projection=mean,k=12"), input);
    QVERIFY(conv && mean);
    QVERIFY(conv->plan->plan().exact);
    const auto a = cpuBackend().run(*conv->plan, input, {}, {});
    const auto b = cpuBackend().run(*mean->plan, input, {}, {});
    QVERIFY(a && b);
    for (std::size_t i = 0; i < a->out.values<float>().size(); ++i)
      QVERIFY(std::abs(a->out.values<float>()[i] - b->out.values<float>()[i]) < 1e-5F);
  }

  // n = 10: widths 1, 2, 3, 4, 5, 10 make 10, 5, 4, 3, 2, 1 summaries and nothing else.
  void refusesNumbersThatNoConvolutionMakes() {
    const AttentionInput input = inputOf("gaussian:n=10,d=4,heads=1");
    for (Index k = 1; k <= 10; ++k) {
      const auto call =
          planCall(*parseMechanismSpec("linformer:projection=conv,k=" + std::to_string(k)), input);
      const bool valid = k <= 5 || k == 10;
      QCOMPARE(call.has_value(), valid);
      if (valid) continue;
      QCOMPARE(call.error().kind, ErrorKind::Usage);
      const std::string nearest = k <= 7 ? "nearest k that fits is 5" : "nearest k that fits is 10";
      QVERIFY2(call.error().message.find(nearest) != std::string::npos, call.error().message.c_str());
    }
  }
};

QTEST_APPLESS_MAIN(ConvolvedSlotsTest)
#include "convolved_slots_test.moc"
