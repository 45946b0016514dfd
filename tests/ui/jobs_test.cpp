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
#include "ui/jobs/compute_service.h"
#include "ui/jobs/latest_job.h"
#include "ui/jobs/row_reader.h"
#include "ui/jobs/thumbnails.h"

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
        [&](const JobContext&) {
          firstRuns.release();
          firstMayEnd.acquire();
          firstEnded.release();
          return 1;
        },
        [&](int value) { arrived << value; });
    firstRuns.acquire();
    job.start([](const JobContext&) { return 2; }, [&](int value) { arrived << value; });
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
    job.start([](const JobContext&) { return 1; }, [&](int value) { arrived << value; });
    pool.waitForDone();  // the result waits in the queue of events
    job.start([](const JobContext&) { return 2; }, [&](int value) { arrived << value; });
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
        [&](const JobContext& context) {
          runs.release();
          goOn.acquire();
          stopped = context.isCancelled();
          return 0;
        },
        [&](int) { delivered = true; });
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
    job.start([](const JobContext&) { return QThread::currentThread(); },
              [&](QThread* thread) {
                worked = thread;
                delivered = QThread::currentThread();
              });
    QTRY_VERIFY(delivered);
    QCOMPARE(delivered, QThread::currentThread());
    QVERIFY(worked != delivered);
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

  void aPassOnAPatternBecomesTheColumns() {
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
