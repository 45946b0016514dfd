// SPDX-License-Identifier: GPL-3.0-or-later
// The attend kernel by itself, in every precision, on the emulated CUDA device against the CPU backend: also
// what no mechanism of the catalogue combines, on lengths around the sides of tiles. Queries, keys and values
// are numbers of bf16 here, so that products with them are exact to float32 and only weights are rounded:
// logits, and with them lse, have to agree as float32 does, and rows of values up to the rounding of a
// weight.
#include <fmt/format.h>

#include "tests/support/step_case.h"

using namespace attnscope;
using attnscope::testing::addTermsOfEveryKind;
using attnscope::testing::Case;
using attnscope::testing::compare;
using attnscope::testing::largestOf;

Q_DECLARE_METATYPE(attnscope::Precision)

namespace {

// The largest relative change by rounding to the nearest.
double rounding(Precision precision) {
  return precision == Precision::Tf32   ? std::ldexp(1.0, -11)
         : precision == Precision::Bf16 ? std::ldexp(1.0, -8)
                                        : 0.0;
}

void addRows() {
  QTest::addColumn<int>("n");
  QTest::addColumn<Precision>("precision");
  for (const Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Bf16})
    for (const int n : {1, 63, 64, 65, 130})
      QTest::newRow(fmt::format("{} in {}", n, precisionName(precision)).c_str()) << n << precision;
}

void truncateToBf16(Tensor& tensor) {
  for (float& x : tensor.mutableValues<float>())
    x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffff0000U);
}

// Empty, or where devices differ. Every weight is off by at most its rounding, so a row, which is a mean of
// values under the weights, by that times the largest value.
QString compareIn(Precision precision, Case& made, RunOptions options = {}) {
  for (Tensor* tensor : {&made.input.q, &made.input.k, &made.input.v}) truncateToBf16(*tensor);
  float largest = largestOf(made.input.v);
  for (auto& [id, tensor] : made.plan.constants)
    if (made.plan.buffers[static_cast<std::size_t>(id)].name == "second") {
      truncateToBf16(tensor);
      largest = std::max(largest, largestOf(tensor));
    }
  options.precision = precision;
  return compare(made, options, rounding(precision) * static_cast<double>(largest));
}

#define VERIFY_SAME_IN(...)                       \
  do {                                            \
    const QString wrong = compareIn(__VA_ARGS__); \
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong)); \
  } while (false)

// To the nearest number of the format, by the library and not by the emulation.
double rounded(float x, Precision precision) {
  if (precision == Precision::Fp32 || x == 0.0F) return static_cast<double>(x);
  const int digits = precision == Precision::Tf32 ? 11 : 8;
  int exponent = 0;
  const double fraction = std::frexp(static_cast<double>(x), &exponent);
  // Ties: TF32 away from zero, bf16 to even.
  const double scaled = std::ldexp(fraction, digits);
  return std::ldexp(precision == Precision::Tf32 ? std::round(scaled) : std::nearbyint(scaled),
                    exponent - digits);
}

// Rows read every third key, some of them twice, one row in seven nothing.
PatternPtr raggedPattern(Index rows, Index cols) {
  return makePattern(rows, cols, [cols](Index row, RunList& runs) {
    if (row % 7 == 5) return;
    const Index middle = row * cols / 97 % cols;
    if (middle > 0) runs.push_back({0, middle, 3, 0, 1});
    runs.push_back({middle, std::min(cols, middle + 9), 1, 0, static_cast<std::uint8_t>(1 + row % 6)});
  });
}

AttendStep attendOver(Case& made, PatternPtr pattern) {
  const Shape& shape = made.plan.shape;
  AttendStep step;
  step.scale = 0.4;
  step.out = made.plan.addBuffer("out", shape.nQ, shape.dV);
  step.lse = made.plan.addBuffer("lse", shape.nQ, 1);
  made.plan.out = step.out;
  step.heads.assign(static_cast<std::size_t>(shape.heads), HeadAttend{nullptr, nullptr, std::move(pattern)});
  return step;
}

}  // namespace

class CudaAttendTest : public QObject {
  Q_OBJECT

 private slots:
  void attendWithMultiplicities_data() { addRows(); }
  void attendWithMultiplicities() {
    QFETCH(int, n);
    QFETCH(Precision, precision);
    Case made(2, n, n + 3, 33, 66);
    AttendStep step = attendOver(made, raggedPattern(n, n + 3));
    step.selfPenalty = 2.5;
    made.plan.steps.emplace_back(step);
    VERIFY_SAME_IN(precision, made);
    RunOptions probe;
    probe.zeroLogits = true;
    VERIFY_SAME_IN(precision, made, probe);
  }

  void attendInOrders_data() { addRows(); }
  void attendInOrders() {
    QFETCH(int, n);
    QFETCH(Precision, precision);
    Case made(2, n, n, 8, 5);
    const Index rows = std::max(1, n - 2);
    AttendStep step = attendOver(made, raggedPattern(rows, n));
    for (HeadAttend& head : step.heads) {
      head.queryOrder = made.numbers.order(n, rows);
      head.keyOrder = made.numbers.order(n, n);
    }
    step.selfPenalty = 1e5;
    made.plan.steps.emplace_back(step);
    VERIFY_SAME_IN(precision, made);
  }

  // A query in several places of the order, a second value, rows by position, heads of different lengths.
  void attendByPosition_data() { addRows(); }
  void attendByPosition() {
    QFETCH(int, n);
    QFETCH(Precision, precision);
    Case made(2, n, n, 8, 5);
    const Index seats = n + 70;
    AttendStep step;
    step.scale = 0.3;
    step.rowsByPosition = true;
    step.out = made.plan.addBuffer("out", seats, 5);
    step.lse = made.plan.addBuffer("lse", seats, 1);
    step.v2 = made.constant("second", made.numbers.tensor({1, n, 71}));
    step.out2 = made.plan.addBuffer("out2", seats, 71);
    made.plan.out = step.out;
    for (Index h = 0; h < 2; ++h) {
      const Index rows = seats - 67 * h;
      std::vector<std::int32_t> order;
      for (Index p = 0; p < rows; ++p) order.push_back(static_cast<std::int32_t>(made.numbers.below(n)));
      step.heads.push_back({std::make_shared<const std::vector<std::int32_t>>(order),
                            made.numbers.order(n, n), raggedPattern(rows, n)});
    }
    made.plan.steps.emplace_back(step);
    VERIFY_SAME_IN(precision, made);
  }

  void attendWithTerms_data() { addRows(); }
  void attendWithTerms() {
    QFETCH(int, n);
    QFETCH(Precision, precision);
    for (const bool products : {true, false}) {
      Case made(2, n, n, 16, 8);
      AttendStep step = attendOver(made, raggedPattern(n, n));
      for (HeadAttend& head : step.heads) head.keyOrder = made.numbers.order(n, n);
      if (!products) step.q = step.k = kNoBuffer;
      addTermsOfEveryKind(made, step, n);
      made.plan.steps.emplace_back(step);
      VERIFY_SAME_IN(precision, made);
    }
  }

  // That the rounding is what it is said to be: inputs that are no numbers of the format against plain loops
  // in double over numbers that were rounded by the library.
  void roundsItsInputs_data() { addRows(); }
  void roundsItsInputs() {
    QFETCH(int, n);
    QFETCH(Precision, precision);
    Case made(1, n, n, 33, 9);
    AttendStep step = attendOver(made, makePattern(n, n, [n](Index, RunList& runs) {
                                   runs.push_back({0, n, 1, 0, 1});
                                 }));
    step.scale = 1.0;
    made.plan.steps.emplace_back(step);
    const auto frozen = FrozenPlan::freeze(made.plan);
    QVERIFY(frozen);
    RunOptions options;
    options.precision = precision;
    const cuda::CudaBackend backend(cuda::emulation::makeEmulatedDevice());
    const auto run = backend.run(**frozen, made.input, options, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    const auto q = made.input.q.values<float>();
    const auto k = made.input.k.values<float>();
    const auto lse = run->buffers.at("lse").values<float>();
    double worst = 0.0;
    for (int i = 0; i < n; ++i) {
      double sum = 0.0;
      double exact = 0.0;
      for (int j = 0; j < n; ++j) {
        double product = 0.0;
        double unrounded = 0.0;
        for (int c = 0; c < 33; ++c) {
          product += rounded(q[i * 33 + c], precision) * rounded(k[j * 33 + c], precision);
          unrounded += static_cast<double>(q[i * 33 + c]) * static_cast<double>(k[j * 33 + c]);
        }
        sum += std::exp(product);
        exact += std::exp(unrounded);
      }
      QVERIFY2(std::abs(lse[i] - std::log(sum)) <= 2e-5,
               qPrintable(QString("row %1: %2, expected %3").arg(i).arg(lse[i]).arg(std::log(sum))));
      worst = std::max(worst, std::abs(std::log(sum) - std::log(exact)));
    }
    if (precision != Precision::Fp32) QVERIFY(worst > 4e-5);  // that float32 would have passed says nothing
  }
};

QTEST_APPLESS_MAIN(CudaAttendTest)
#include "cuda_attend_test.moc"
