// SPDX-License-Identifier: GPL-3.0-or-later
// The item models under Qt's own tester, and what they say.
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "core/mechanisms/registry.h"
#include "ui/jobs/compute_service.h"
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
    CostModel model(&document, &service);
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(model.rowCount(), 2);
    QCOMPARE(model.index(0, CostModel::Pairs).data().toString(), QStringLiteral("–"));
    service.begin();
    QTRY_VERIFY(service.isIdle());
    QCOMPARE(model.index(0, CostModel::Pairs).data(CostModel::SortRole).toDouble(), 64.0 * 64.0);
    QVERIFY(model.index(1, CostModel::Cells).data(CostModel::SortRole).toDouble() <
            model.index(0, CostModel::Cells).data(CostModel::SortRole).toDouble());
    QCOMPARE(model.text().count(QLatin1Char('\n')), 3);
    document.addColumn(specOf("linear"));
    QCOMPARE(model.rowCount(), 3);
  }
};

QTEST_MAIN(ModelsTest)
#include "models_test.moc"
