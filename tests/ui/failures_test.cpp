// SPDX-License-Identifier: GPL-3.0-or-later
// What follows the wall (baselines, comparisons, reach, sums) when something fails: the sentence is said, it
// does not outlive what it is about, and F5 tries again. A device that fails when it is told to.
#include <QTest>

#include "kernels/cpu/cpu_backend.h"
#include "tests/support/stand_in_device.h"
#include "ui/jobs/baseline_service.h"
#include "ui/jobs/fidelity_service.h"
#include "ui/jobs/marginal_service.h"
#include "ui/jobs/reach_service.h"

using namespace attnscope;

class FailuresTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    m_device.fails = false;
    m_document = std::make_unique<Document>();
    m_document->setSource(QStringLiteral("clustered:n=48,d=16,heads=2"));
    m_document->setColumns({*parseMechanismSpec("longformer:window=8")}, QStringLiteral("start"));
    DeviceRegistry registry;
    registry.all = [this] { return std::vector<DeviceInfo>{cpuBackend().info(), m_device.info()}; };
    registry.find = [this](const std::string& device) -> Result<const Backend*> {
      return device == "cuda:0" ? static_cast<const Backend*>(&m_device) : &cpuBackend();
    };
    m_service = std::make_unique<ComputeService>(m_document.get(), registry);
    m_service->setDeviceChoice({"cuda:0", Precision::Fp32});
    m_fulls = std::make_shared<FullAttention>(m_document.get(), m_service.get());
    m_service->begin();
    QTRY_VERIFY(isShown());
  }

  void cleanup() {
    m_service.reset();
    m_document.reset();
  }

  void fullAttentionIsOfTheDeviceThatItIsComparedOn() {
    BaselineService baselines(m_document.get(), m_service.get(), m_fulls);
    baselines.setWanted(true);
    QTRY_VERIFY(baselines.of(0).exploration);
    QCOMPARE(baselines.of(0).exploration->backend, static_cast<const Backend*>(&m_device));
    onTheCpu();
    QTRY_VERIFY(baselines.of(0).exploration);
    QCOMPARE(baselines.of(0).exploration->backend, &cpuBackend());
  }

  void aFailureStaysWithItsDevice() {
    BaselineService baselines(m_document.get(), m_service.get(), m_fulls);
    m_device.fails = true;
    baselines.setWanted(true);
    QTRY_COMPARE(baselines.of(0).why, QStringLiteral("The device was lost."));
    QVERIFY(!baselines.of(0).isBaseline);
    onTheCpu();
    QTRY_VERIFY(baselines.of(0).exploration);
    QVERIFY(baselines.of(0).why.isEmpty());
  }

  void baselinesAreTriedAgain() {
    BaselineService baselines(m_document.get(), m_service.get(), m_fulls);
    m_device.fails = true;
    baselines.setWanted(true);
    QTRY_VERIFY(!baselines.of(0).why.isEmpty());
    m_device.fails = false;
    m_service->recompute();
    QTRY_VERIFY(baselines.of(0).exploration);
  }

  void comparisonsAreTriedAgain() {
    FidelityService fidelity(m_document.get(), m_service.get(), m_fulls);
    m_device.fails = true;
    fidelity.begin();
    QTRY_COMPARE(fidelity.of(0).why, QStringLiteral("The device was lost."));
    m_device.fails = false;
    fidelity.begin();  // nobody asked for another try
    QVERIFY(fidelity.isIdle());
    m_service->recompute();
    fidelity.begin();
    QTRY_VERIFY(fidelity.of(0).fidelity);
  }

  void aFailedComparisonGoesWithItsColumn() {
    FidelityService fidelity(m_document.get(), m_service.get(), m_fulls);
    m_device.fails = true;
    fidelity.begin();
    QTRY_COMPARE(fidelity.of(0).why, QStringLiteral("The device was lost."));
    m_device.fails = false;
    m_document->setParam(0, "window", "12");
    QTRY_VERIFY(isShown());
    fidelity.begin();
    QTRY_VERIFY(fidelity.of(0).fidelity);
    m_document->undoStack()->undo();
    QTRY_VERIFY(isShown());
    fidelity.begin();
    QTRY_VERIFY(fidelity.of(0).fidelity);
  }

  void aQueueForgetsFailures() {
    using Value = std::shared_ptr<const int>;
    ColumnQueue<Value> queue(this, 4);
    int tries = 0;  // read and written in turns: the queue delivers before it asks again
    const auto ask = [&](const QString& key) {
      queue.ask({{key, nullptr,
                  [&tries](const JobContext&) -> Result<Value> {
                    if (++tries % 2 == 1) return fail(ErrorKind::Compute, "odd");
                    return std::make_shared<const int>(tries);
                  }}},
                [] {});
    };
    const QString key = QStringLiteral("a");
    ask(key);
    QVERIFY(queue.answer(key, true).busy);
    QTRY_COMPARE(queue.answer(key, true).why, QStringLiteral("odd"));
    ask(key);
    QVERIFY(!queue.isRunning());
    queue.forgetFailures();
    ask(key);
    QTRY_VERIFY(queue.answer(key, true).value);
    // A failure goes when nobody asks the question any more; a value stays.
    const QString other = QStringLiteral("b");
    ask(other);
    QTRY_COMPARE(queue.answer(other, true).why, QStringLiteral("odd"));
    ask(key);
    QVERIFY(queue.answer(other, true).why.isEmpty() && queue.answer(key, true).value);
  }

  void reachDoesNotWaitForAColumnThatFailed() {
    ReachService reach(m_document.get(), m_service.get());
    reach.setWanted(true);
    QTRY_VERIFY(reach.of(0).value);
    m_document->setParam(0, "window", "7");
    QTRY_VERIFY(!m_service->column(0).error.isEmpty());
    QVERIFY(!reach.of(0).busy);
    m_document->setParam(0, "window", "10");
    m_service->cancelAll();
    QVERIFY(!m_service->column(0).busy && !m_service->column(0).isCurrent());
    QVERIFY(!reach.of(0).busy);
    m_service->recompute();
    QTRY_VERIFY(reach.of(0).value);
  }

  void sumsSayWhyTheyAreNotThere() {
    MarginalService marginals(m_document.get(), m_service.get());
    marginals.setWanted(true);
    QTRY_VERIFY(marginals.of(0).value);
    m_document->setSource(QStringLiteral("clustered:n=16448,d=8,heads=1"));
    QTRY_VERIFY_WITH_TIMEOUT(isShown() && m_service->column(0).exploration->input.shape().nQ == 16448, 20000);
    QVERIFY(m_service->column(0).exploration->hasPass());
    QVERIFY(!marginals.of(0).value && !marginals.of(0).busy);
    QVERIFY2(marginals.of(0).why.contains(QStringLiteral("16,384")), qPrintable(marginals.of(0).why));
  }

 private:
  [[nodiscard]] bool isShown() const { return m_service->isIdle() && m_service->column(0).isCurrent(); }
  void onTheCpu() {
    m_service->setDeviceChoice({"cpu", Precision::Fp32});
    QTRY_VERIFY(isShown());
  }

  attnscope::testing::StandInDevice m_device;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<ComputeService> m_service;
  std::shared_ptr<FullAttention> m_fulls;
};

QTEST_MAIN(FailuresTest)
#include "failures_test.moc"
