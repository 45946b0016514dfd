// SPDX-License-Identifier: GPL-3.0-or-later
// How insides are numbered and drawn where there are many tokens, or hardly any.
#include <qcustomplot.h>

#include <QTest>
#include <cmath>

#include "ui/panels/row_curve.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/inside_plot.h"
#include "ui/plots/plot_metrics.h"

using namespace attnscope;

namespace {

struct Drawn {
  Drawn() : inside(plot) {
    plot.resize(300, 320);
    plot.setViewport(plot.rect());  // what showing it would do
    const PlotTheme theme = PlotTheme::light();
    PlotMetrics look = plotMetrics(theme, 0.0, 9999, 9999, false);
    look.top = 0;
    inside.setLook(look, theme, {});
  }
  void show(const InsidePanel& panel) {
    inside.setPanel(panel);
    inside.update(plot.size());
    plot.replot();
  }
  QList<QString> labels(QCPAxis::AxisType type) {
    QCPAxis* axis = plot.axisRect(0)->axis(type);
    QVector<double> ticks;
    QVector<QString> texts;
    axis->ticker()->generate(axis->range(), QLocale::c(), QLatin1Char('g'), 6, ticks, nullptr, &texts);
    return texts;
  }
  QCustomPlot plot;
  InsidePlot inside;
};

bool whole(const QList<QString>& labels) {
  return std::all_of(labels.begin(), labels.end(), [](const QString& text) {
    const double value = text.toDouble();
    return value == std::floor(value);
  });
}

int count(const QImage& image, const QRect& area, const QColor& color) {
  int found = 0;
  for (int y = area.top(); y <= area.bottom(); ++y)
    for (int x = area.left(); x <= area.right(); ++x) found += image.pixelColor(x, y) == color ? 1 : 0;
  return found;
}

}  // namespace

class InsidePlotTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void axesCountTokensNotCells() {
    InsidePanel panel;
    panel.values = Tensor::zeros(DType::F32, {64, 64});
    panel.xTokens = {InsidePanel::AxisTokens::Keys, 0, 1024};
    panel.yTokens = {InsidePanel::AxisTokens::Queries, 0, 1024};
    Drawn drawn;
    drawn.show(panel);
    QCOMPARE(drawn.labels(QCPAxis::atBottom).last(), QStringLiteral("1023"));
    QCOMPARE(drawn.labels(QCPAxis::atLeft).last(), QStringLiteral("1023"));
    const QRect area = drawn.plot.axisRect(0)->rect();
    const InsideHit hit = drawn.inside.hitAt(area.topLeft() + QPointF(0.25 * area.width() + 1.0, 2.0));
    QCOMPARE(hit.key, 16 * 16 + 8);  // the middle of the 16 keys of cell 16
    QCOMPARE(hit.query, 8);
    panel.xTokens = panel.yTokens = {};
    drawn.show(panel);
    QCOMPARE(drawn.labels(QCPAxis::atBottom).last(), QStringLiteral("63"));
  }

  void thingsAreCountedInWholeNumbers() {
    InsidePanel panel;
    panel.kind = InsidePanel::Kind::Curves;
    panel.xTitle = "directions kept";
    for (const int n : {1, 2, 4, 7, 300}) {
      InsidePanel::Curve curve{"", {}, {}};
      for (int i = 1; i <= n; ++i) {
        curve.x.push_back(i);
        curve.y.push_back(i / (1.0 + n));
      }
      panel.curves = {curve};
      Drawn drawn;
      drawn.show(panel);
      const QList<QString> labels = drawn.labels(QCPAxis::atBottom);
      QVERIFY2(whole(labels), qPrintable(labels.join(QLatin1Char(' '))));
      QVERIFY(!whole(drawn.labels(QCPAxis::atLeft)));  // shares are not counted
    }
    panel.kind = InsidePanel::Kind::Bars;
    panel.curves.clear();
    panel.bars = {1.0, 0.0};
    Drawn drawn;
    drawn.show(panel);
    QVERIFY(whole(drawn.labels(QCPAxis::atLeft)));
    panel.bars = {0.4, 0.1};
    drawn.show(panel);
    QVERIFY(!whole(drawn.labels(QCPAxis::atLeft)));
  }

  void aSinglePointIsADot() {
    InsidePanel panel;
    panel.kind = InsidePanel::Kind::Curves;
    panel.curves = {{"", {1.0}, {0.5}}};
    Drawn drawn;
    drawn.show(panel);
    const QRect area = drawn.plot.axisRect(0)->rect();
    QVERIFY(count(drawn.plot.toPixmap().toImage(), area, categoryQColor(0)) > 4);

    RowReading reading;
    reading.query = reading.key = 0;
    ColumnReading column;
    column.available = true;
    column.row = std::make_shared<const std::vector<float>>(1, 1.0F);
    reading.columns = {column};
    RowCurve curve;
    curve.resize(260, 120);
    curve.setReading(reading);
    QVERIFY(count(curve.grab().toImage(), curve.rect(), columnColor(0)) > 4);
  }

  // With one token the ribbon from the text to the sorted strip is wide: it stays between the two.
  void ribbonsEndWithTheirStrips() {
    InsidePanel panel;
    panel.kind = InsidePanel::Kind::Strips;
    panel.title = "";
    panel.stripsMove = true;
    panel.stripGroup = Tensor::zeros(DType::I32, {2, 1});
    panel.stripToken = Tensor::zeros(DType::I32, {2, 1});
    panel.stripNames = {"text", "sorted"};
    Drawn drawn;
    drawn.show(panel);
    const QRect area = drawn.plot.axisRect(0)->rect();
    const QImage image = drawn.plot.toPixmap().toImage();
    const QRgb ground = PlotTheme::light().background.rgb();
    // The middle of the ribbon is drawn, and nothing is above the strips.
    QVERIFY(image.pixel(area.center()) != ground);
    for (int y = 0; y < area.top(); ++y) QCOMPARE(image.pixel(area.center().x(), y), ground);
  }
};

QTEST_MAIN(InsidePlotTest)
#include "inside_plot_test.moc"
