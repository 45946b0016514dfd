// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTest>
#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"

// Plans of single steps with random numbers, for comparing devices.
namespace attnscope::testing {

class Numbers {
 public:
  explicit Numbers(unsigned seed) : m_engine(seed) {}
  Tensor tensor(std::vector<Index> shape, float size = 1.0F) {
    Tensor made(DType::F32, std::move(shape));
    std::normal_distribution<float> normal(0.0F, size);
    for (float& x : made.mutableValues<float>()) x = normal(m_engine);
    return made;
  }
  Index below(Index count) { return std::uniform_int_distribution<Index>(0, count - 1)(m_engine); }
  Order order(Index rows, Index count) {
    std::vector<std::int32_t> all(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
    std::shuffle(all.begin(), all.end(), m_engine);
    all.resize(static_cast<std::size_t>(count));
    return std::make_shared<const std::vector<std::int32_t>>(all);
  }

 private:
  std::mt19937 m_engine;
};

struct Case {
  AttentionInput input;
  Plan plan;
  Numbers numbers{1};

  Case(Index heads, Index nQ, Index nK, Index d, Index dV) : numbers(static_cast<unsigned>(nQ * 131 + nK)) {
    input.q = numbers.tensor({heads, nQ, d});
    input.k = numbers.tensor({heads, nK, d});
    input.v = numbers.tensor({heads, nK, dV});
    plan = Plan::begin("test", input.shape(), false);
    plan.labels.push_back({"all", "everything"});
  }
  BufferId constant(const char* name, Tensor tensor) {
    const BufferId id = plan.addBuffer(name, tensor.dim(1), tensor.dim(2));
    plan.constants.emplace_back(id, std::move(tensor));
    return id;
  }
};

// Score terms of every kind: a table, an outer product, labels by distance and by links.
inline void addTermsOfEveryKind(Case& made, AttendStep& step, Index n) {
  constexpr Index kSide = 8;
  step.terms.emplace_back(TableTerm{made.numbers.tensor({1, n + 1, n + 2}), 0.7});
  step.terms.emplace_back(OuterTerm{made.constant("a", made.numbers.tensor({2, n, (n + kSide - 1) / kSide})),
                                    made.constant("b", made.numbers.tensor({2, n, kSide})), 0.5});
  LabelTerm relative;
  relative.clip = 5;
  relative.scores = made.constant("relative", made.numbers.tensor({2, n, 11}));
  step.terms.emplace_back(relative);
  LabelTerm linked;
  linked.rule = LabelTerm::Rule::Linked;
  linked.clip = 4;
  linked.scores = made.constant("linked", made.numbers.tensor({1, n, 11}));
  linked.queryLink = made.numbers.order(n, n);
  linked.weight = -1.5;
  step.terms.emplace_back(linked);
}

inline float largestOf(const Tensor& tensor) {
  float largest = 0.0F;
  for (const float x : tensor.values<float>())
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  return largest;
}

// Runs the plan on the CPU and, with threads in every order, on the emulated device, and compares every
// buffer relative to the size of its largest number. Empty, or the first difference. `slack` is allowed
// beside it in rows of values, for weights that were rounded.
inline QString compare(Case& made, const RunOptions& options = {}, double slack = 0.0) {
  if (made.plan.out == kNoBuffer) made.plan.out = static_cast<BufferId>(made.plan.buffers.size() - 1);
  const auto frozen = FrozenPlan::freeze(made.plan);
  if (!frozen) return "cannot be frozen";
  RunOptions exact = options;
  exact.precision = Precision::Fp32;
  const auto expected = cpuBackend().run(**frozen, made.input, exact, {});
  if (!expected) return QString::fromStdString("CPU: " + expected.error().message);
  using cuda::emulation::ThreadOrder;
  for (const ThreadOrder order : {ThreadOrder::Forward, ThreadOrder::Backward, ThreadOrder::Scattered}) {
    const cuda::CudaBackend backend(cuda::emulation::makeEmulatedDevice({order}));
    const auto found = backend.run(**frozen, made.input, options, {});
    if (!found) return QString::fromStdString(found.error().message);
    for (const auto& [name, tensor] : expected->buffers) {
      const auto a = tensor.values<float>();
      const auto b = found->buffers.at(name).values<float>();
      if (a.size() != b.size()) return QString("%1: sizes differ").arg(name.c_str());
      const double tolerance =
          5e-6 * std::max(1e-30, static_cast<double>(largestOf(tensor))) + (name == "lse" ? 0.0 : slack);
      for (std::size_t i = 0; i < a.size(); ++i)
        if (!(a[i] == b[i] || std::abs(a[i] - b[i]) <= tolerance))
          return QString("%1[%2] is %3, on the CPU %4").arg(name.c_str()).arg(i).arg(b[i]).arg(a[i]);
    }
  }
  return {};
}

}  // namespace attnscope::testing
