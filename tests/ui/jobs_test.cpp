// SPDX-License-Identifier: GPL-3.0-or-later
// Work off the GUI thread: the newest request wins, in whatever order the workers end. Gates instead of
// sleeps.
#include <QSemaphore>
#include <QSignalSpy>
#include <QTest>
#include <QThread>

#include "core/inputs/recipes.h"
#include "core/mechanisms/registry.h"
#include "kernels/backend_registry.h"
#include "tests/support/stand_in_device.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/latest_job.h"
#include "ui/jobs/row_reader.h"
#include "ui/jobs/thumbnails.h"
#include "ui/panels/pair_table.h"
#include "ui/state/text.h"

using namespace attnscope;

namespace {

MechanismSpec specOf(const std::string& text) {
  return *parseMechanismSpec(text);
}

}  // namespace

class JobsTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void readsTheColumnOfAKey() {
    const auto input = makeRecipe("clustered:n=40,d=8,heads=2");
    const auto backend = findBackend("cpu");
    const auto exploration = explore(specOf("longformer:window=6"), *input, **backend);
    QVERIFY(exploration);
    RowReader reader;
    QSignalSpy changed(&reader, &RowReader::readingChanged);
    reader.ask({*exploration}, 1, 5, 3, true);
    QVERIFY(changed.wait());
    const auto matrix = (*exploration)->matrix->block(1, 0, 40, 0, 40);
    QVERIFY(matrix && reader.reading().columns[0].queries);
    QCOMPARE(reader.reading().columns[0].queries->size(), std::size_t{40});
    for (std::size_t i = 0; i < 40; ++i)
      QCOMPARE((*reader.reading().columns[0].queries)[i], matrix->values<float>()[i * 40 + 3]);
    QCOMPARE(reader.reading().columns[0].weight, static_cast<double>(matrix->values<float>()[5 * 40 + 3]));
  }

  void theNewestWinsThoughTheOlderEndsLater() {
    QThreadPool pool;
    pool.setMaxThreadCount(2);
    QObject receiver;
    QSemaphore firstRuns;
    QSemaphore firstMayEnd;
    QSemaphore firstEnded;
    QList<int> arrived;
    LatestJob job(&pool, &receiver);
    job.start(
        [&](const JobContext&) -> Result<int> {
          firstRuns.release();
          firstMayEnd.acquire();
          firstEnded.release();
          return 1;
        },
        [&](const Result<int>& value) { arrived << value.value_or(0); });
    firstRuns.acquire();
    job.start([](const JobContext&) -> Result<int> { return 2; },
              [&](const Result<int>& value) { arrived << value.value_or(0); });
    QTRY_COMPARE(arrived, QList<int>{2});
    QVERIFY(!job.isRunning());
    firstMayEnd.release();
    firstEnded.acquire();
    pool.waitForDone();
    QCoreApplication::processEvents();
    QCOMPARE(arrived, QList<int>{2});
  }

  void aResultUnderWayIsDroppedByANewerRequest() {
    QThreadPool pool;
    pool.setMaxThreadCount(1);
    QObject receiver;
    QList<int> arrived;
    LatestJob job(&pool, &receiver);
    job.start([](const JobContext&) -> Result<int> { return 1; },
              [&](const Result<int>& value) { arrived << value.value_or(0); });
    pool.waitForDone();  // the result waits in the queue of events
    job.start([](const JobContext&) -> Result<int> { return 2; },
              [&](const Result<int>& value) { arrived << value.value_or(0); });
    QTRY_COMPARE(arrived, QList<int>{2});
  }

  void cancelReachesTheWorkerAndItsResultIsDropped() {
    QThreadPool pool;
    QObject receiver;
    QSemaphore runs;
    QSemaphore goOn;
    std::atomic<bool> stopped = false;
    bool delivered = false;
    LatestJob job(&pool, &receiver);
    job.start(
        [&](const JobContext& context) -> Status {
          runs.release();
          goOn.acquire();
          stopped = context.isCancelled();
          return {};
        },
        [&](const Status&) { delivered = true; });
    runs.acquire();
    job.cancel();
    QVERIFY(!job.isRunning());
    goOn.release();
    pool.waitForDone();
    QCoreApplication::processEvents();
    QVERIFY(stopped);
    QVERIFY(!delivered);
  }

  void doneRunsInTheReceiversThread() {
    QThreadPool pool;
    QObject receiver;
    QThread* worked = nullptr;
    QThread* delivered = nullptr;
    LatestJob job(&pool, &receiver);
    job.start([](const JobContext&) -> Result<QThread*> { return QThread::currentThread(); },
              [&](const Result<QThread*>& thread) {
                worked = thread.value_or(nullptr);
                delivered = QThread::currentThread();
              });
    QTRY_VERIFY(delivered);
    QCOMPARE(delivered, QThread::currentThread());
    QVERIFY(worked != delivered);
  }

  // What a worker throws would end the program.
  void whatAJobThrowsIsItsError() {
    QThreadPool pool;
    QObject receiver;
    LatestJob job(&pool, &receiver);
    QStringList errors;
    const auto note = [&](const Status& status) { errors << toQ(status.error().message); };
    job.start([](const JobContext&) -> Status { throw std::bad_alloc(); }, note);
    QTRY_COMPARE(errors.size(), 1);
    QVERIFY(errors[0].contains(QStringLiteral("memory")) && !job.isRunning());
    job.start([](const JobContext&) -> Status { throw std::runtime_error("too odd"); }, note);
    QTRY_COMPARE(errors.size(), 2);
    QVERIFY(errors[1].contains(QStringLiteral("too odd")));
  }

  void devicesThatCannotBeListedAreSaid() {
    Document document;
    DeviceRegistry registry;
    registry.all = []() -> std::vector<DeviceInfo> { throw std::runtime_error("no driver"); };
    ComputeService service(&document, registry);
    QSignalSpy failed(&service, &ComputeService::devicesFailed);
    service.begin();
    QTRY_COMPARE(failed.count(), 1);
    QVERIFY(failed[0][0].toString().contains(QStringLiteral("no driver")));
  }

  void aColumnThatCannotBeReadSaysWhy() {
    const auto input = makeRecipe("clustered:n=40,d=8,heads=1");
    const auto good = explore(specOf("full"), *input, **findBackend("cpu"));
    QVERIFY(good);
    auto bad = std::make_shared<Exploration>(**explorePattern(specOf("full"), *input));
    Plan plan = bad->call.plan->plan();
    plan.support = {makePattern(40, 40, [](Index, RunList&) { throw std::bad_alloc(); })};
    bad->call.plan = *FrozenPlan::freeze(plan, {}, Tiles::Later);
    RowReader reader;
    QSignalSpy changed(&reader, &RowReader::readingChanged);
    reader.ask({bad, *good}, 0, 5, 3);
    QVERIFY(changed.wait());
    QVERIFY(reader.reading().columns[0].error.contains(QStringLiteral("memory")));
    QVERIFY(!reader.reading().columns[0].available);
    QVERIFY(reader.reading().columns[1].available && reader.reading().columns[1].error.isEmpty());
    PairTable table;
    table.setReading(reader.reading());
    QVERIFY(table.text().contains(reader.reading().columns[0].error));
  }

  void theServiceComputesKeepsAndRemembers() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=48,d=16,heads=2"));
    document.setColumns({specOf("full"), specOf("longformer:window=8")}, QStringLiteral("start"));
    ComputeService service(&document);
    service.begin();
    QTRY_VERIFY(service.isIdle() && service.column(1).isCurrent());
    const ExplorationPtr first = service.column(1).exploration;
    QCOMPARE(first->call.spec.text(), std::string("longformer:window=8"));

    document.setParam(1, "window", "16");
    QVERIFY(service.column(1).busy);
    QCOMPARE(service.column(1).exploration, first);  // the old picture stays while the new one is made
    QTRY_VERIFY(service.column(1).isCurrent() && !service.column(1).busy);
    QVERIFY(service.column(1).exploration != first);

    document.undoStack()->undo();  // known: there at once, without the event loop
    QCOMPARE(service.column(1).exploration, first);
    QVERIFY(service.column(1).isCurrent());
  }

  void aLongPassIsOfferedAndCanBeStopped() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=131072,d=64,heads=4"));
    document.setColumns({specOf("full")}, QStringLiteral("start"));
    ComputeService service(&document);
    service.begin();
    QTRY_VERIFY(service.isIdle() && service.column(0).isCurrent());
    const ExplorationPtr pattern = service.column(0).exploration;
    QVERIFY(!pattern->hasPass() && pattern->input.isOutline());
    QVERIFY(passSentence(service.column(0)).startsWith(QStringLiteral("Not computed: about ")));
    QVERIFY(!service.column(0).insidesBusy);

    service.requestPass(0);
    QVERIFY(service.column(0).passBusy && !service.isIdle());
    QCOMPARE(service.activities().size(), std::size_t{1});
    service.cancelAll();
    QVERIFY(!service.column(0).passBusy && service.isIdle());
    QCOMPARE(service.column(0).exploration, pattern);
  }

  // The first try fails on its device and leaves the pattern; the second becomes the column's.
  void aPassOnAPatternBecomesTheColumns() {
    // A pass that its pattern does not wait for, whatever the machine: each length takes four times the last.
    std::string source;
    double seconds = 0.0;
    for (Index n = 1024; seconds < 0.3; n *= 2) {
      source = "clustered:n=" + std::to_string(n) + ",d=64,heads=1";
      seconds = (*explorePattern(specOf("full"), *makeRecipe(source)))->estimate.seconds;
    }
    attnscope::testing::StandInDevice device;
    device.fails = true;
    DeviceRegistry registry;
    registry.all = [&] { return std::vector<DeviceInfo>{device.info()}; };
    registry.find = [&](const std::string&) -> Result<const Backend*> { return &device; };
    Document document;
    document.setSource(toQ(source));
    document.setColumns({specOf("full")}, QStringLiteral("start"));
    ComputeService service(&document, registry);
    service.begin();
    QTRY_VERIFY_WITH_TIMEOUT(!service.column(0).passError.isEmpty(), 20000);
    QCOMPARE(passSentence(service.column(0)), QStringLiteral("The device was lost."));
    QVERIFY(service.isIdle() && service.column(0).isCurrent());
    const ExplorationPtr pattern = service.column(0).exploration;
    QVERIFY(!pattern->hasPass());

    device.fails = false;
    service.requestPass(0);
    QVERIFY(service.column(0).passBusy && !service.isIdle());
    QTRY_VERIFY_WITH_TIMEOUT(service.isIdle(), 60000);
    QVERIFY(service.column(0).isCurrent() && service.column(0).passError.isEmpty());
    QVERIFY(service.column(0).exploration->hasPass());
    QCOMPARE(service.column(0).exploration->id, pattern->id);
    QVERIFY(service.hasInsides(0));
  }

  // A pattern that was known before has no insides; those under way belong to what it replaces.
  void aPatternStopsTheInsidesBeforeIt() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=1048576,d=16,heads=1"));
    document.setColumns({specOf("longformer:window=524288,globals=none")}, QStringLiteral("start"));
    ComputeService service(&document);
    service.begin();
    QTRY_VERIFY_WITH_TIMEOUT(service.isIdle() && service.column(0).isCurrent(), 20000);
    const ExplorationPtr pattern = service.column(0).exploration;
    QVERIFY(!pattern->hasPass());
    bool undone = false;
    connect(&service, &ComputeService::insidesUpdated, &document, [&] {
      if (service.column(0).insidesBusy && !std::exchange(undone, true)) document.undoStack()->undo();
    });
    document.setParam(0, "window", "2");
    QTRY_VERIFY_WITH_TIMEOUT(undone, 60000);
    QCOMPARE(service.column(0).exploration, pattern);
    QVERIFY(!service.column(0).insidesBusy && service.isIdle());
    service.shutDown();
    QCoreApplication::processEvents();
    QVERIFY(!service.column(0).insides && service.column(0).insidesShown.isEmpty());
  }

  void aSecondPassIsNotRun() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=48,d=16,heads=2"));
    document.setColumns({specOf("full")}, QStringLiteral("start"));
    ComputeService service(&document);
    service.begin();
    QTRY_VERIFY(service.isIdle() && service.column(0).isCurrent());
    QVERIFY(service.column(0).exploration->hasPass());  // short: nobody is asked
    const ExplorationPtr before = service.column(0).exploration;
    service.requestPass(0);  // has one already
    QVERIFY(!service.column(0).passBusy);
    QCOMPARE(service.column(0).exploration, before);
  }

  void aFailureKeepsTheLastResult() {
    Document document;
    document.setSource(QStringLiteral("clustered:n=48,d=16,heads=2"));
    document.setColumns({specOf("longformer")}, QStringLiteral("start"));
    ComputeService service(&document);
    service.begin();
    QTRY_VERIFY(service.column(0).isCurrent());
    const ExplorationPtr good = service.column(0).exploration;
    document.setParam(0, "window", "7");
    QTRY_VERIFY(!service.column(0).error.isEmpty());
    QCOMPARE(service.column(0).exploration, good);
    QVERIFY(service.column(0).error.contains(QStringLiteral("window")));

    QSignalSpy failed(&service, &ComputeService::inputFailed);
    const LoadedInputPtr input = service.input();
    service.open(QStringLiteral("/no/such/file.npz"));
    QTRY_COMPARE(failed.count(), 1);
    QCOMPARE(service.input(), input);
    QCOMPARE(document.state().source, QStringLiteral("clustered:n=48,d=16,heads=2"));
  }

  void theRowReaderRanksAndExplains() {
    QCOMPARE(rankOf({0.1F, 0.5F, -0.7F, 0.5F}, 2), Index{1});
    QCOMPARE(rankOf({0.1F, 0.5F, -0.7F, 0.5F}, 3), Index{2});
    Document document;
    document.setSource(QStringLiteral("clustered:n=48,d=16,heads=2"));
    document.setColumns({specOf("full"), specOf("longformer:window=8,globals=none")},
                        QStringLiteral("start"));
    ComputeService service(&document);
    service.begin();
    QTRY_VERIFY(service.isIdle());
    RowReader reader;
    reader.ask({service.column(0).exploration, service.column(1).exploration}, 0, 20, 40);
    QTRY_COMPARE(reader.reading().columns.size(), std::size_t{2});
    const RowReading& reading = reader.reading();
    QVERIFY(reading.columns[0].reason.read);
    QVERIFY(reading.columns[0].rank >= 1);
    QVERIFY(!reading.columns[1].reason.read);
    QCOMPARE(reading.columns[1].weight, 0.0);
    double sum = 0.0;
    for (const float w : *reading.columns[0].row) sum += w;
    QVERIFY(std::abs(sum - 1.0) < 48 * 1e-6);  // a softmax row of 48 floats
  }

  void everyMechanismHasAPicture() {
    Thumbnails thumbnails;
    QSignalSpy ready(&thumbnails, &Thumbnails::ready);
    thumbnails.begin();
    QTRY_COMPARE(ready.count(), static_cast<int>(allMechanisms().size()));
  }
};

QTEST_MAIN(JobsTest)
#include "jobs_test.moc"
