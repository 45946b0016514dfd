// SPDX-License-Identifier: GPL-3.0-or-later
// Figures of the wall: what they name is what they show, and where the wall shows something else than what is
// chosen there is a sentence and no figure.
#include <QTest>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/fallback_backend.h"
#include "tests/support/stand_in_device.h"
#include "ui/export/figure_of_wall.h"
#include "ui/jobs/baseline_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/state/command_text.h"
#include "ui/state/text.h"

using namespace attnscope;

class FigureOfWallTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    m_device.fails = false;
    m_device.refuses = false;
    m_document = std::make_unique<Document>();
    m_document->setSource(QStringLiteral("clustered:n=48,d=16,heads=2"));
    m_document->setColumns({*parseMechanismSpec("full"), *parseMechanismSpec("longformer:window=8")},
                           QStringLiteral("start"));
    DeviceRegistry registry;
    registry.all = [this] { return std::vector<DeviceInfo>{cpuBackend().info(), m_device.info()}; };
    registry.find = [this](const std::string&) -> Result<const Backend*> { return &m_automatic; };
    m_service = std::make_unique<ComputeService>(m_document.get(), registry);
    m_reach = std::make_unique<ReachService>(m_document.get(), m_service.get());
    m_baselines =
        std::make_unique<BaselineService>(m_document.get(), m_service.get(),
                                          std::make_shared<FullAttention>(m_document.get(), m_service.get()));
    m_service->begin();
    QTRY_VERIFY(m_service->isIdle() && m_service->column(1).isCurrent());
  }

  void cleanup() {
    m_baselines.reset();
    m_reach.reset();
    m_service.reset();
    m_document.reset();
  }

  void namesWhatItShows() {
    const auto spec = figure({0, 1});
    QVERIFY(spec);
    QVERIFY(spec->columns[1].title.endsWith(QStringLiteral("(window = 8)")));
    QCOMPARE(spec->columns[1].exploration, m_service->column(1).exploration);
    QVERIFY(spec->provenance.contains(QStringLiteral("Stand-in GPU, fp32;")));
    QVERIFY(spec->provenance.contains(QStringLiteral("longformer:window=8")));
  }

  // What a file's metadata say draws the same page again.
  void theCommandNamesThePage() {
    auto spec = figure({0, 1}, {PanelKind::Map});
    QVERIFY(spec && spec->provenance.endsWith(kAnyOutput));
    spec->millimetres = QSizeF(89.0, 0.0);
    spec->theme = PlotTheme::dark();
    FigureSpec raster = *spec;
    namePage(*spec, QStringLiteral("/somewhere/my figure.pdf"));
    QVERIFY2(spec->provenance.endsWith(
                 QStringLiteral(" --size 89mm --font-pt 7 --theme dark --output 'my figure.pdf'")),
             qPrintable(spec->provenance));
    raster.millimetres.setHeight(60.0);
    namePage(raster, QStringLiteral("map.PNG"));
    QVERIFY2(raster.provenance.contains(QStringLiteral(" --size 89x60mm --dpi 300 ")),
             qPrintable(raster.provenance));
  }

  void aColumnThatComputes() {
    m_document->setParam(1, "window", "16");
    QVERIFY(m_service->column(1).busy);
    QVERIFY(why({0, 1}).startsWith(QStringLiteral("Column B is still being computed.")));
    QVERIFY(figure({0}));
    QTRY_VERIFY(figure({0, 1}));
    QVERIFY(figure({1})->columns[0].title.endsWith(QStringLiteral("(window = 16)")));
  }

  void aColumnThatFailed() {
    m_document->setParam(1, "window", "7");
    QTRY_VERIFY(!m_service->column(1).error.isEmpty());
    QVERIFY(m_service->column(1).exploration);  // of before, still on the wall
    QVERIFY(why({0, 1}).startsWith(QStringLiteral("Column B could not be computed: ")));
    QVERIFY(why({0, 1}).contains(m_service->column(1).error));
  }

  void aColumnThatWasCancelled() {
    m_document->setParam(1, "window", "16");
    m_service->cancelAll();
    QVERIFY(why({0, 1}).contains(QStringLiteral("F5")));
    m_service->recompute();
    QTRY_VERIFY(figure({0, 1}));
  }

  void anInputThatIsBeingRead() {
    m_document->setSource(QStringLiteral("clustered:n=40,d=16,heads=2"));
    QVERIFY(why({0}).contains(QStringLiteral("n=40")));
    QTRY_VERIFY(figure({0}));
    QCOMPARE(figure({0})->columns[0].exploration->input.shape().nQ, Index{40});
  }

  void insidesAreOfTheHead() {
    QTRY_VERIFY(figure({0, 1}, {PanelKind::Insides}));
    m_document->setHead(1);
    QVERIFY(why({0, 1}, {PanelKind::Insides}).contains(QStringLiteral("insides of column A")));
    QTRY_VERIFY(figure({0, 1}, {PanelKind::Insides}));
  }

  void allDevicesAreNamed() {
    m_device.refuses = true;  // automatic takes the CPU for what is new
    m_document->setParam(1, "window", "12");
    QTRY_VERIFY(figure({0, 1}));
    const QString provenance = figure({0, 1})->provenance;
    QVERIFY2(provenance.contains(QStringLiteral("Stand-in GPU, fp32 and CPU")), qPrintable(provenance));
  }

  void aBaselineIsOneOrIsMissing() {
    const std::vector<PanelKind> rows{PanelKind::Difference};
    const auto both = figure({0, 1}, rows);
    QVERIFY(both);
    QVERIFY(!both->columns[0].baseline && both->columns[0].noBaseline.isEmpty());  // full attention itself
    QCOMPARE(both->columns[1].baseline, m_service->column(0).exploration);

    m_document->removeColumn(0);
    QTRY_VERIFY(m_service->isIdle() && m_service->column(0).isCurrent());
    QVERIFY(why({0}, rows).contains(QStringLiteral("not computed yet")));  // nobody wanted it so far
    m_device.refuses = true;
    m_baselines->setWanted(true);
    QTRY_VERIFY(figure({0}, rows));
    QVERIFY(figure({0}, rows)->columns[0].baseline);
    QVERIFY(figure({0}, rows)->provenance.contains(QStringLiteral("Stand-in GPU, fp32 and CPU")));
  }

  void aPinnedColumnMustBeShown() {
    const std::vector<PanelKind> rows{PanelKind::Difference};
    m_document->pinBaseline(1);
    QVERIFY(figure({0}, rows));
    m_document->setParam(1, "window", "16");
    QVERIFY(why({0}, rows).startsWith(QStringLiteral("Column B")));
    QVERIFY(figure({0}));  // without the row nobody asks
  }

  void fullAttentionMayTakeTooLong() {
    m_document->setColumns({*parseMechanismSpec("longformer:window=2,globals=none")}, QStringLiteral("one"));
    m_document->setSource(QStringLiteral("clustered:n=16448,d=8,heads=1"));
    m_baselines->setWanted(true);
    const std::vector<PanelKind> rows{PanelKind::Difference};
    QTRY_VERIFY_WITH_TIMEOUT(figure({0}, rows), 20000);
    const FigureColumn column = figure({0}, rows)->columns[0];
    QVERIFY(!column.baseline);
    QVERIFY2(column.noBaseline.contains(QStringLiteral("takes too long")), qPrintable(column.noBaseline));
  }

 private:
  [[nodiscard]] Result<FigureSpec> figure(const std::vector<int>& columns,
                                          const std::vector<PanelKind>& rows = {PanelKind::Map}) const {
    return figureOfWall({*m_document, *m_service, *m_reach, *m_baselines}, columns, rows);
  }
  [[nodiscard]] QString why(const std::vector<int>& columns,
                            const std::vector<PanelKind>& rows = {PanelKind::Map}) const {
    const auto made = figure(columns, rows);
    return made ? QString() : toQ(made.error().message);
  }

  attnscope::testing::StandInDevice m_device;
  FallbackBackend m_automatic{m_device, cpuBackend()};
  std::unique_ptr<Document> m_document;
  std::unique_ptr<ComputeService> m_service;
  std::unique_ptr<ReachService> m_reach;
  std::unique_ptr<BaselineService> m_baselines;
};

QTEST_MAIN(FigureOfWallTest)
#include "figure_of_wall_test.moc"
