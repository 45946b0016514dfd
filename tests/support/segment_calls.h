// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTest>
#include <cmath>
#include <string>
#include <vector>

#include "core/mechanisms/insides.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/pattern_reach.h"

// Calls of the mechanisms that read a text segment by segment, against their oracles and each other.
namespace attnscope::testing {

inline Tensor outOf(const std::string& spec, const AttentionInput& input, const WeightSet& weights = {}) {
  const auto run = cpuBackend().run(*planned(spec, input, weights).plan, input, {}, {});
  if (!run) qFatal("%s: %s", spec.c_str(), run.error().message.c_str());
  return run->out;
}

inline double largestDifference(const Tensor& a, const Tensor& b) {
  const auto x = a.values<float>();
  const auto y = b.values<float>();
  if (x.size() != y.size()) return 1e30;
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] != y[i]) largest = std::max(largest, static_cast<double>(std::abs(x[i] - y[i])));
  return largest;
}

inline const InsidePanel* panelNamed(const std::vector<InsidePanel>& panels, const std::string& title) {
  for (const InsidePanel& panel : panels)
    if (panel.title == title) return &panel;
  return nullptr;
}

// Support cell by cell, output, lse and matrix. Logits of size 20 keep five digits in float32.
inline void compareWithOracle(const PlannedCall& call, const AttentionInput& input, double tolerance = 5e-5) {
  const auto oracle = runOracle(call, input);
  QVERIFY2(oracle, oracle ? "" : oracle.error().message.c_str());
  QCOMPARE(oracle->supportCols, call.plan->supportCols());
  for (Index h = 0; h < input.shape().heads; ++h) {
    const Reach drawn = reachOf(*call.plan->support(h));
    const auto& specified = oracle->support[static_cast<std::size_t>(h)];
    Index count = 0;
    for (Index i = 0; i < input.shape().nQ; ++i)
      for (Index j = 0; j < oracle->supportCols; ++j) {
        const bool inSet = specified[static_cast<std::size_t>(i * oracle->supportCols + j)] != 0;
        count += inSet ? 1 : 0;
        if (drawn[static_cast<std::size_t>(i)].contains(j) != inSet)
          QFAIL(qPrintable(QString("head %1, pair (%2, %3): specified %4").arg(h).arg(i).arg(j).arg(inSet)));
      }
    QCOMPARE(call.plan->pairs(h), count);
  }
  const auto run = cpuBackend().run(*call.plan, input, {}, {});
  QVERIFY2(run, run ? "" : run.error().message.c_str());
  QVERIFY2(largestDifference(run->out, oracle->out) < tolerance,
           qPrintable(QString("out is off by %1").arg(largestDifference(run->out, oracle->out))));
  QVERIFY2(largestDifference(run->lse, oracle->lse) < 4.0 * tolerance,
           qPrintable(QString("lse is off by %1").arg(largestDifference(run->lse, oracle->lse))));
  const auto executed = executedMatrix(cpuBackend(), *call.plan, input, {});
  QVERIFY(executed);
  const auto expected = oracle->matrix.values<double>();
  const auto found = executed->values<float>();
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::abs(expected[i] - found[i]) < tolerance))
      QFAIL(qPrintable(
          QString("matrix cell %1: oracle %2, executed %3").arg(i).arg(expected[i]).arg(found[i])));
  const EffectiveMatrix effective(call.plan, input, std::move(*run));
  for (Index h = 0; h < effective.heads(); ++h) {
    const auto drawn = effective.block(h, 0, effective.rows(), 0, effective.cols());
    QVERIFY(drawn);
    const auto cells = drawn->values<float>();
    const auto wanted = oracle->matrix.slice<double>(h);
    for (std::size_t i = 0; i < cells.size(); ++i) QVERIFY(std::abs(wanted[i] - cells[i]) < tolerance);
  }
}

}  // namespace attnscope::testing
