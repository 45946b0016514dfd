// SPDX-License-Identifier: GPL-3.0-or-later
// Sizes of weights: quantiles against sorted values, sinks, and the scales that follow them.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "core/raster/weight_summary.h"

using namespace attnscope;

namespace {

Tensor picture(Index rows, Index cols, const std::function<float(Index, Index)>& value) {
  Tensor made(DType::F32, {rows, cols});
  auto values = made.mutableValues<float>();
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) values[static_cast<std::size_t>(r * cols + c)] = value(r, c);
  return made;
}

WeightSummary summaryOf(const Tensor& made) {
  WeightSummary summary;
  summary.add(made);
  return summary;
}

}  // namespace

class WeightSummaryTest : public QObject {
  Q_OBJECT

 private slots:
  void quantilesAreThoseOfSortedValues() {
    std::mt19937 random(7);
    std::lognormal_distribution<float> sizes(-6.0F, 2.0F);
    const Tensor made = picture(50, 60, [&](Index, Index) { return sizes(random); });
    std::vector<float> sorted(made.values<float>().begin(), made.values<float>().end());
    std::sort(sorted.begin(), sorted.end());
    const WeightSummary summary = summaryOf(made);
    for (const double share : {0.01, 0.25, 0.5, 0.9, 0.99}) {
      const double expected = sorted[static_cast<std::size_t>(share * 2999.0)];
      QVERIFY(std::abs(summary.quantile(share) / expected - 1.0) < 0.14);
    }
    QCOMPARE(summary.quantile(1.0), summary.largest());
    QCOMPARE(summary.largest(), static_cast<double>(sorted.back()));
  }

  void zerosAndWhatIsNotANumberDoNotCount() {
    const WeightSummary none = summaryOf(picture(4, 4, [](Index r, Index) {
      return r == 0   ? std::numeric_limits<float>::quiet_NaN()
             : r == 1 ? std::numeric_limits<float>::infinity()
                      : 0.0F;
    }));
    QVERIFY(none.isEmpty());
    QCOMPARE(none.quantile(0.5), 0.0);
    const ValueScale scale;
    QCOMPARE(fittedScale(scale, ScaleRange::Percentiles, none).high, scale.high);
  }

  void picturesAddUp() {
    const Tensor left = picture(3, 5, [](Index r, Index c) { return 0.01F * static_cast<float>(1 + r + c); });
    const Tensor right =
        picture(2, 5, [](Index r, Index c) { return -0.2F * static_cast<float>(1 + r * c); });
    WeightSummary both = summaryOf(left);
    both.add(summaryOf(right));
    WeightSummary one;
    one.add(left);
    one.add(right);
    QCOMPARE(both.largest(), one.largest());
    for (const double share : {0.1, 0.5, 0.9}) QCOMPARE(both.quantile(share), one.quantile(share));
    const std::vector<double> bins = both.histogram(ValueScale(), 10);
    double sum = 0.0;
    for (const double count : bins) sum += count;
    QCOMPARE(sum, 25.0);
    ValueScale diverging;
    diverging.diverging = true;
    const std::vector<double> signs = one.histogram(diverging, 2);
    QCOMPARE(signs, (std::vector<double>{10.0, 15.0}));
  }

  void sinksAreFoundAndLeftOut() {
    // Key 0 takes 0.5 of every row, key 7 one large weight in one row: that is no sink.
    const Tensor made = picture(40, 40, [](Index r, Index c) {
      return c == 0 ? 0.5F : c == 7 && r == 3 ? 0.3F : 0.01F;
    });
    const WeightSummary summary = summaryOf(made);
    QCOMPARE(summary.sinks(), Index{1});
    QVERIFY(summary.quantile(0.99) > 0.45);  // one column of forty
    QVERIFY(summary.quantileBesideSinks(0.99) < 0.011);
    QVERIFY(fittedScale(ValueScale(), ScaleRange::Percentiles, summary).high > 0.45);
    QVERIFY(fittedScale(ValueScale(), ScaleRange::WithoutSinks, summary).high < 0.012);
  }

  void fewColumnsHaveNoSinks() {
    QCOMPARE(summaryOf(picture(8, 8, [](Index, Index) { return 0.125F; })).sinks(), Index{0});
  }

  void endsHaveTwoDigitsAndADecadeBetween() {
    const WeightSummary equal = summaryOf(picture(30, 30, [](Index, Index) { return 0.0333F; }));
    const ValueScale fitted = fittedScale(ValueScale(), ScaleRange::Percentiles, equal);
    QVERIFY(fitted.high >= 0.0333 && fitted.high < 0.04);
    QVERIFY(fitted.low <= fitted.high / 10.0);
    const double digits = fitted.high * 1000.0;
    QVERIFY(std::abs(digits - std::round(digits)) < 1e-9);
  }

  void aFixedScaleStays() {
    ValueScale scale;
    scale.low = 0.003;
    scale.high = 0.07;
    const WeightSummary summary = summaryOf(picture(30, 30, [](Index, Index) { return 0.5F; }));
    const ValueScale same = fittedScale(scale, ScaleRange::Fixed, summary);
    QCOMPARE(same.low, scale.low);
    QCOMPARE(same.high, scale.high);
  }
};

QTEST_MAIN(WeightSummaryTest)
#include "weight_summary_test.moc"
