// SPDX-License-Identifier: GPL-3.0-or-later
// What Performers promise: the kernel on average, the closed forms of its variance, orthogonal directions, no
// look into the future, and denominators that no input makes vanish.
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>

#include "core/mechanisms/performer_panels.h"
#include "core/mechanisms/random_directions.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using attnscope::testing::inputOf;

namespace {

using Kind = RandomFeatureStep::Kind;
using Point = std::vector<double>;

constexpr Index kWidth = 8;
constexpr Index kDraws = 131072;

double dotOf(const Point& a, const Point& b) {
  double sum = 0.0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += a[c] * b[c];
  return sum;
}

// What one direction adds to the kernel of x and y.
double entryOf(Kind kind, const Point& w, const Point& x, const Point& y) {
  const double norms = 0.5 * (dotOf(x, x) + dotOf(y, y));
  const double wx = dotOf(w, x);
  const double wy = dotOf(w, y);
  if (kind == Kind::Positive) return std::exp(wx + wy - norms);
  if (kind == Kind::Hyperbolic) return std::cosh(wx + wy) * std::exp(-norms);
  return std::cos(wx - wy) * std::exp(norms);
}

struct Moments {
  double mean = 0.0;
  double variance = 0.0;  // of one group's mean
  double groups = 0.0;
};

// Moments of the means of groups of directions that are independent of each other.
Moments momentsOf(const Tensor& omega, Kind kind, const Point& x, const Point& y, Index group) {
  const auto values = omega.slice<float>(0);
  Moments moments;
  double squares = 0.0;
  for (Index a = 0; a < omega.dim(1); a += group) {
    double mean = 0.0;
    for (Index t = a; t < a + group; ++t) {
      const auto* row = values.data() + t * kWidth;
      mean += entryOf(kind, Point(row, row + kWidth), x, y) / static_cast<double>(group);
    }
    moments.mean += mean;
    squares += mean * mean;
    moments.groups += 1.0;
  }
  moments.mean /= moments.groups;
  moments.variance = std::max(0.0, squares / moments.groups - moments.mean * moments.mean);
  return moments;
}

Tensor directions(bool orthogonal, bool equalNorms, Index m = kDraws, std::uint64_t seed = 5) {
  return *drawDirections(seed, 1, m, kWidth, {orthogonal, equalNorms}, {});
}

// Pairs along an axis, against it, at right angles, short and long: a QR decomposition without its signs
// would show on the first two.
std::vector<std::pair<Point, Point>> pairs() {
  Point axis(kWidth, 0.0);
  axis[0] = 0.6;
  Point against = axis;
  against[0] = -0.6;
  Point even(kWidth, 0.6 / std::sqrt(static_cast<double>(kWidth)));
  Point other(kWidth, 0.0);
  other[3] = 0.9;
  return {{axis, axis}, {against, against}, {even, even}, {axis, against}, {axis, other}, {even, other}};
}

// Every value of q, k and v times the factors.
AttentionInput scaledInput(const std::string& source, float keys, float queries) {
  AttentionInput input = inputOf(source);
  input.q = Tensor::fromFloats(input.q.shape(), input.q.values<float>());
  input.k = Tensor::fromFloats(input.k.shape(), input.k.values<float>());
  for (float& x : input.q.mutableValues<float>()) x *= queries;
  for (float& x : input.k.mutableValues<float>()) x *= keys;
  return input;
}

PlannedCall planOf(const std::string& spec, const AttentionInput& input) {
  auto call = planCall(*parseMechanismSpec(spec), input);
  if (!call) qFatal("%s", call.error().message.c_str());
  return std::move(*call);
}

std::vector<float> outputOf(const std::string& spec, const AttentionInput& input) {
  const auto run = cpuBackend().run(*planOf(spec, input).plan, input, {}, {});
  if (!run) qFatal("%s", run.error().message.c_str());
  const auto values = run->out.values<float>();
  return {values.begin(), values.end()};
}

double largestDifference(std::span<const float> a, std::span<const float> b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

const std::array<Kind, 3> kSoftmaxKinds{Kind::Positive, Kind::Hyperbolic, Kind::Trig};

}  // namespace

class PerformerTest : public QObject {
  Q_OBJECT

 private slots:
  // Every entry is unbiased, for independent and for orthogonal directions.
  void meansAreTheKernel() {
    for (const bool orthogonal : {false, true}) {
      const Tensor omega = directions(orthogonal, false);
      for (const Kind kind : kSoftmaxKinds)
        for (const auto& [x, y] : pairs()) {
          const Moments found = momentsOf(omega, kind, x, y, kWidth);
          const double exact = std::exp(dotOf(x, y));
          const double error = std::sqrt(found.variance / found.groups);
          QVERIFY2(std::abs(found.mean - exact) <= 4.0 * error + 1e-6,
                   qPrintable(QString("mean %1, exact %2, error %3").arg(found.mean).arg(exact).arg(error)));
        }
    }
  }

  void variancesAreTheClosedForms() {
    const Tensor omega = directions(false, false);
    for (const Kind kind : kSoftmaxKinds)
      for (auto [x, y] : pairs()) {
        // Shorter: a sample's variance of long rows is itself too uncertain for 5 %.
        for (double& value : x) value *= 0.6;
        for (double& value : y) value *= 0.6;
        const double exact =
            std::exp(2.0 * dotOf(x, y)) * relativeEntryError(kind, {dotOf(x, y), dotOf(x, x), dotOf(y, y)});
        const double found = momentsOf(omega, kind, x, y, 1).variance;
        QVERIFY2(std::abs(found - exact) <= 0.05 * exact + 1e-6,
                 qPrintable(QString("variance %1, closed form %2").arg(found).arg(exact)));
      }
  }

  void orthogonalDirectionsVaryLess() {
    const Tensor independent = directions(false, false);
    const Tensor orthogonal = directions(true, false);
    for (const auto& [x, y] : pairs()) {
      const double a = momentsOf(independent, Kind::Positive, x, y, kWidth).variance;
      const double b = momentsOf(orthogonal, Kind::Positive, x, y, kWidth).variance;
      QVERIFY2(b <= 1.03 * a + 1e-12, qPrintable(QString("orthogonal %1, independent %2").arg(b).arg(a)));
    }
  }

  // Directions are kept for a while; drawn again, they are the same numbers.
  void keptDirections() {
    const auto draw = [](std::uint64_t seed, Index heads, Index m) {
      return *drawDirections(seed, heads, m, 64, {true, false}, {});
    };
    const Tensor first = draw(77, 2, 40);
    QVERIFY(draw(77, 2, 40).values<float>().data() == first.values<float>().data());
    QVERIFY(draw(78, 2, 40).values<float>()[0] != first.values<float>()[0]);
    for (std::uint64_t other = 0; other < 40; ++other) draw(other, 1, 1024);  // 10 MiB
    const Tensor again = draw(77, 2, 40);
    QVERIFY(again.values<float>().data() != first.values<float>().data());
    QVERIFY(std::ranges::equal(again.values<float>(), first.values<float>()));
  }

  void blocksAreOrthogonal() {
    constexpr Index kMany = 4 * kWidth + 3;
    for (const bool equal : {false, true}) {
      const Tensor omega = directions(true, equal, kMany);
      const auto values = omega.slice<float>(0);
      const auto row = [&](Index a) {
        return Point(values.data() + a * kWidth, values.data() + (a + 1) * kWidth);
      };
      for (Index a = 0; a < kMany; ++a)
        for (Index b = a; b < kMany && b / kWidth == a / kWidth; ++b) {
          const double size = std::sqrt(dotOf(row(a), row(a)) * dotOf(row(b), row(b)));
          // Orthogonal in double, then rounded to float32.
          if (a != b) QVERIFY(std::abs(dotOf(row(a), row(b))) <= 1e-6 * size);
          if (a == b && equal) QVERIFY(std::abs(size - static_cast<double>(kWidth)) <= 1e-5);
        }
    }
    // chi(d): the mean of the squared norms is d, their variance 2 d.
    const Tensor omega = directions(true, false);
    double mean = 0.0;
    for (const float x : omega.values<float>()) mean += static_cast<double>(x) * x / kDraws;
    QVERIFY(std::abs(mean - kWidth) <= 4.0 * std::sqrt(2.0 * kWidth / kDraws));
  }

  void moreDirectionsKeepTheFirst() {
    for (const bool orthogonal : {false, true}) {
      const Tensor few = directions(orthogonal, false, 11);
      const Tensor many = directions(orthogonal, false, 29);
      for (std::size_t i = 0; i < few.values<float>().size(); ++i)
        QCOMPARE(few.values<float>()[i], many.values<float>()[i]);
    }
  }

  // Equal norms estimate another kernel, a lower bound of softmax's, known as a series.
  void equalNormsGiveTheirOwnKernel() {
    const Tensor omega = directions(true, true);
    for (const auto& [x, y] : pairs()) {
      double sumSquared = 0.0;
      for (std::size_t c = 0; c < x.size(); ++c) sumSquared += (x[c] + y[c]) * (x[c] + y[c]);
      double term = 1.0;
      double series = 0.0;
      for (int t = 0; t < 60; ++t) {
        series += term;
        term *= kWidth * sumSquared / 4.0 / ((t + 1.0) * (kWidth / 2.0 + t));
      }
      series *= std::exp(-0.5 * (dotOf(x, x) + dotOf(y, y)));
      const Moments found = momentsOf(omega, Kind::Positive, x, y, kWidth);
      const double error = std::sqrt(found.variance / found.groups);
      QVERIFY2(std::abs(found.mean - series) <= 4.0 * error + 1e-6,
               qPrintable(QString("mean %1, series %2, error %3").arg(found.mean).arg(series).arg(error)));
      QVERIFY(series <= std::exp(dotOf(x, y)) * (1.0 + 1e-12));
    }
  }

  // Later keys and values, tripled, move earlier outputs by rounding alone. No small constant is added that
  // could let them through.
  void laterKeysDoNotMatter() {
    for (const char* kind : {"positive", "hyperbolic", "relu"}) {
      const std::string spec = std::string("performer:features=64,causal=on,kind=") + kind;
      const AttentionInput input = scaledInput("clustered:n=700,d=16,heads=2", 2.0F, 1.0F);
      AttentionInput changed = scaledInput("clustered:n=700,d=16,heads=2", 2.0F, 1.0F);
      constexpr Index kKept = 530;  // in the middle of a chunk of the second block
      for (Index h = 0; h < changed.k.dim(0); ++h)
        for (float& x : changed.k.mutableSlice<float>(h).subspan(kKept * 16)) x *= 3.0F;
      const auto before = outputOf(spec, input);
      const auto after = outputOf(spec, changed);
      const Index dV = input.shape().dV;
      for (Index h = 0; h < 2; ++h)
        for (Index i = h * 700 * dV; i < (h * 700 + kKept) * dV; ++i) {
          const auto at = static_cast<std::size_t>(i);
          QVERIFY2(std::abs(before[at] - after[at]) <= 2e-5F * (1.0F + std::abs(before[at])),
                   qPrintable(QString("%1: %2 became %3").arg(kind).arg(before[at]).arg(after[at])));
        }
      QVERIFY(largestDifference(before, after) > 1e-3);  // the later outputs do see them
    }
  }

  // Keys whose exponents climb by hundreds from one to the next: every chunk ends early, and no row loses a
  // digit to a later key.
  void steepExponentsKeepTheirDigits() {
    for (const bool rising : {true, false})
      for (const char* kind : {"positive", "hyperbolic"})
        for (const char* causal : {"on", "off"}) {
          AttentionInput input = scaledInput("gaussian:n=150,d=16,heads=1", 1.0F, 3.0F);
          auto keys = input.k.mutableSlice<float>(0);
          for (Index j = 0; j < 150; ++j)
            for (Index c = 0; c < 16; ++c)
              keys[static_cast<std::size_t>(j * 16 + c)] *=
                  0.05F * static_cast<float>(rising ? j + 1 : 150 - j);
          const std::string spec = std::string("performer:features=48,kind=") + kind + ",causal=" + causal;
          const PlannedCall call = planOf(spec, input);
          const auto oracle = runOracle(call, input);
          const auto run = cpuBackend().run(*call.plan, input, {}, {});
          QVERIFY(oracle && run);
          double steepest = 0.0;
          for (const float x : run->buffers.at("phi_k").values<float>())
            steepest = std::max(steepest, static_cast<double>(std::abs(x)));
          QVERIFY(steepest > 200.0);  // else this input proves nothing
          // An exponent of some hundreds is rounded to 3e-5, and weights by as much relatively.
          double tolerance = 16.0 * 6e-8 * steepest;
          double value = 0.0;
          for (const float v : input.v.values<float>())
            value = std::max(value, std::abs(static_cast<double>(v)));
          const double difference = largestDifference(run->out.values<float>(), oracle->out.values<float>());
          QVERIFY2(difference <= tolerance * value,
                   qPrintable(QString("%1: %2 > %3").arg(spec.c_str()).arg(difference).arg(tolerance)));
          for (const float x : run->buffers.at("log_denominator").values<float>()) QVERIFY(std::isfinite(x));
        }
  }

  // Weights sum to 1: values of 1 come back as 1, for kernels of any sign.
  void onesComeBack() {
    for (const char* kind : {"positive", "hyperbolic", "trig", "relu"})
      for (const char* source : {"gaussian:n=130,d=8,heads=2", "gaussian:n=40,nk=90,d=8,heads=1"})
        for (const char* causal : {"on", "off"}) {
          AttentionInput input = scaledInput(source, 0.4F, 0.4F);
          input.v = Tensor::fromFloats(input.v.shape(), input.v.values<float>());
          for (float& x : input.v.mutableValues<float>()) x = 1.0F;
          for (const float x : outputOf(std::string("performer:kind=") + kind + ",causal=" + causal, input))
            QVERIFY2(std::abs(x - 1.0F) <= 1e-4F, qPrintable(QString("%1: %2").arg(kind).arg(x)));
        }
  }

  // On rows that are short enough the estimate is close; nothing is promised for long ones.
  void manyDirectionsApproachFullAttention() {
    const AttentionInput input = scaledInput("gaussian:n=256,d=16,heads=1", 0.35F, 0.35F);
    const auto exact = outputOf("full", input);
    for (const char* kind : {"positive", "hyperbolic", "trig"}) {
      const auto found = outputOf(std::string("performer:features=1024,kind=") + kind, input);
      double error = 0.0;
      double power = 0.0;
      for (std::size_t i = 0; i < exact.size(); ++i) {
        error += std::pow(static_cast<double>(found[i]) - exact[i], 2.0);
        power += std::pow(static_cast<double>(exact[i]), 2.0);
      }
      QVERIFY2(error <= 0.05 * 0.05 * power, qPrintable(QString("%1: %2").arg(kind).arg(error / power)));
    }
  }

  void refusesASmallConstant() {
    const AttentionInput input = inputOf("gaussian:n=8,d=4,heads=1");
    const auto refused = planCall(*parseMechanismSpec("performer:eps=0.001"), input);
    QVERIFY(!refused);
    QCOMPARE(refused.error().kind, ErrorKind::Usage);
    QVERIFY(planCall(*parseMechanismSpec("performer:kind=relu,eps=0.001"), input).has_value());
  }

  void insidesShowWhatWasRun() {
    const AttentionInput input = inputOf("clustered:n=80,d=8,heads=2");
    for (const char* kind : {"positive", "hyperbolic", "trig", "relu"})
      for (const char* causal : {"on", "off"}) {
        const PlannedCall call =
            planOf(std::string("performer:features=40,kind=") + kind + ",causal=" + causal, input);
        const auto run = cpuBackend().run(*call.plan, input, {}, {});
        QVERIFY(run);
        const auto panels =
            call.mechanism->insides({input,
                                     call.params,
                                     *call.plan,
                                     1,
                                     [&](const std::string& name) { return run->buffers.at(name); },
                                     {}});
        QVERIFY2(panels, panels ? "" : panels.error().message.c_str());
        QCOMPARE(panels->size(), std::size_t{kind == std::string("trig") ? 5U : 6U});
        for (const InsidePanel& panel : *panels) {
          QVERIFY(!panel.title.empty() && !panel.caption.empty() && !panel.xTitle.empty());
          for (const auto& curve : panel.curves) {
            QVERIFY(!curve.x.empty());
            for (const double y : curve.y) QVERIFY(std::isfinite(y));
          }
        }
        const auto curve = std::find_if(panels->begin(), panels->end(), [](const InsidePanel& panel) {
          return panel.title == "Error against the number of directions";
        });
        QVERIFY(curve != panels->end());
        // The formula's median lies between its quartiles.
        if (kind != std::string("relu")) {
          QCOMPARE(curve->curves.size(), std::size_t{4});
          for (std::size_t m = 0; m < curve->curves[1].y.size(); ++m)
            QVERIFY(curve->curves[2].y[m] <= curve->curves[1].y[m] &&
                    curve->curves[1].y[m] <= curve->curves[3].y[m]);
        }
        const auto& error = curve->curves.front();
        QCOMPARE(error.x.front(), 16.0);
        QCOMPARE(error.x.back(), 1024.0);
        if (std::string(kind) == "hyperbolic") QVERIFY(error.y.back() < error.y.front());
      }
  }
};

QTEST_APPLESS_MAIN(PerformerTest)
#include "performer_test.moc"
