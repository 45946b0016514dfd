// SPDX-License-Identifier: GPL-3.0-or-later
// The item models under Qt's own tester, and what they say.
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "core/mechanisms/registry.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/fidelity_service.h"
#include "ui/models/cost_model.h"
#include "ui/models/mechanism_model.h"

using namespace attnscope;

namespace {

MechanismSpec specOf(const std::string& text) {
  return *parseMechanismSpec(text);
}

int leaves(const QAbstractItemModel& model) {
  int count = 0;
  for (int row = 0; row < model.rowCount(); ++row) count += model.rowCount(model.index(row, 0));
  return count;
}

}  // namespace

class ModelsTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void theGalleryHoldsTheCatalogue() {
    Document document;
    document.setColumns({specOf("full"), specOf("linear"), specOf("full")}, QStringLiteral("start"));
    MechanismModel model(&document);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(leaves(model), static_cast<int>(allMechanisms().size()));
    const QModelIndex full = model.indexOf(QStringLiteral("full"));
    QCOMPARE(full.data(MechanismModel::ColumnsRole).value<QList<int>>(), (QList<int>{0, 2}));
    QVERIFY(!full.data(MechanismModel::SubtitleRole).toString().isEmpty());

    QSignalSpy changed(&model, &QAbstractItemModel::dataChanged);
    document.removeColumn(0);
    QVERIFY(changed.count() > 0);
    QCOMPARE(full.data(MechanismModel::ColumnsRole).value<QList<int>>(), QList<int>{1});
    model.setPicture(QStringLiteral("full"), QImage(2, 2, QImage::Format_ARGB32));
    QVERIFY(!full.data(MechanismModel::PictureRole).value<QImage>().isNull());
  }

  void theSearchLooksAtNamesYearsAndFamilies() {
    Document document;
    document.setColumns({specOf("full")}, QStringLiteral("start"));
    MechanismModel model(&document);
    MechanismFilter filter;
    filter.setSourceModel(&model);
    QAbstractItemModelTester tester(&filter, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(leaves(filter), leaves(model));
    filter.setWords(QStringLiteral("LONGFORMER 2020"));
    QCOMPARE(leaves(filter), 1);
    QCOMPARE(filter.rowCount(), 1);
    filter.setWords(QStringLiteral("no such mechanism"));
    QCOMPARE(filter.rowCount(), 0);
    filter.setWords({});
    QCOMPARE(leaves(filter), leaves(model));
  }

  void costsFollowTheWall() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=64,d=16,heads=1"));
    document.setColumns({specOf("full"), specOf("longformer:window=8")}, QStringLiteral("start"));
    ComputeService service(&document);
    FidelityService fidelity(&document, &service, std::make_shared<FullAttention>(&document, &service));
    CostModel model(&document, &service, &fidelity);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(model.rowCount(), 2);
    QCOMPARE(model.index(0, CostModel::Pairs).data().toString(), QStringLiteral("–"));
    service.begin();
    QTRY_VERIFY(service.isIdle());
    QCOMPARE(model.index(0, CostModel::Pairs).data(CostModel::SortRole).toDouble(), 64.0 * 64.0);
    QVERIFY(model.index(1, CostModel::Cells).data(CostModel::SortRole).toDouble() <
            model.index(0, CostModel::Cells).data(CostModel::SortRole).toDouble());
    QCOMPARE(model.index(0, CostModel::Tiles).data().toString(), QStringLiteral("1 (100 %)"));
    QCOMPARE(model.text().count(QLatin1Char('\n')), 3);
    document.addColumn(specOf("linear"));
    QCOMPARE(model.rowCount(), 3);
    QTRY_VERIFY(service.isIdle() && service.column(2).isCurrent());
    QCOMPARE(model.index(2, CostModel::Tiles).data().toString(), QStringLiteral("none"));
    // Work beyond that of the whole square is said as such: two rounds, each over all of it.
    document.setColumns({specOf("reformer:rounds=2,chunk=64")}, QStringLiteral("start"));
    QTRY_VERIFY(service.isIdle() && service.column(0).isCurrent());
    QCOMPARE(model.index(0, CostModel::Tiles).data().toString(), QStringLiteral("2 (200 %)"));
    const QString why = model.index(0, CostModel::Tiles).data(Qt::ToolTipRole).toString();
    QVERIFY2(why.contains(QStringLiteral("2 tiles")) && why.contains(QStringLiteral("several steps")),
             qPrintable(why));
  }

  void lossesFollowTheWall() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=64,d=16,heads=2"));
    document.setColumns({specOf("longformer:window=8"), specOf("linformer:k=16"), specOf("full:causal=on")},
                        QStringLiteral("start"));
    ComputeService service(&document);
    FidelityService fidelity(&document, &service, std::make_shared<FullAttention>(&document, &service));
    CostModel model(&document, &service, &fidelity);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    service.begin();
    QTRY_VERIFY(service.isIdle());
    QCOMPARE(model.index(0, CostModel::Mass).data().toString(), QStringLiteral("–"));  // not asked for yet
    fidelity.begin();
    QTRY_VERIFY(fidelity.isIdle());
    const double mass = model.index(0, CostModel::Mass).data(CostModel::SortRole).toDouble();
    QVERIFY2(mass > 0.0 && mass < 1.0, qPrintable(QString::number(mass)));
    QVERIFY(model.index(0, CostModel::Error).data(CostModel::SortRole).toDouble() > 0.0);
    QCOMPARE(model.index(1, CostModel::Mass).data().toString(), QStringLiteral("–"));  // slots
    QVERIFY(!model.index(1, CostModel::Mass).data(Qt::ToolTipRole).toString().isEmpty());
    QVERIFY(model.index(1, CostModel::Error).data(CostModel::SortRole).toDouble() > 0.0);
    // Compared with itself: full attention of the same mask.
    QCOMPARE(model.index(2, CostModel::Mass).data().toString(), QStringLiteral("100 %"));
    QCOMPARE(model.index(2, CostModel::Recall).data().toString(), QStringLiteral("100 %"));
    QCOMPARE(model.index(2, CostModel::Error).data().toString(), QStringLiteral("0"));

    document.setParam(0, "window", "16");
    QTRY_VERIFY(service.isIdle() && service.column(0).isCurrent());
    QVERIFY(!model.index(0, CostModel::Mass).data(CostModel::SortRole).isValid());
    fidelity.begin();
    QTRY_VERIFY(fidelity.isIdle());
    QVERIFY(model.index(0, CostModel::Mass).data(CostModel::SortRole).toDouble() > mass);
    document.undoStack()->undo();
    QTRY_VERIFY(service.isIdle());
    QCOMPARE(model.index(0, CostModel::Mass).data(CostModel::SortRole).toDouble(), mass);  // remembered
  }

  void comparesNothingThatIsTooLong() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=16640,d=8,heads=1"));
    document.setColumns({specOf("longformer:window=8")}, QStringLiteral("start"));
    ComputeService service(&document);
    FidelityService fidelity(&document, &service, std::make_shared<FullAttention>(&document, &service));
    CostModel model(&document, &service, &fidelity);
    service.setInsidesWanted(false);
    service.begin();
    QTRY_VERIFY_WITH_TIMEOUT(service.isIdle() && service.column(0).isCurrent(), 20000);
    fidelity.begin();
    QVERIFY(fidelity.isIdle());
    QCOMPARE(model.index(0, CostModel::Mass).data().toString(), QStringLiteral("–"));
    const QString why = model.index(0, CostModel::Mass).data(Qt::ToolTipRole).toString();
    QVERIFY2(why.contains(QStringLiteral("attnscope compare")), qPrintable(why));
  }
};

QTEST_MAIN(ModelsTest)
#include "models_test.moc"
