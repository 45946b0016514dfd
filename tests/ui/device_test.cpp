// SPDX-License-Identifier: GPL-3.0-or-later
// Choosing where and how precisely the window computes, on a machine with a device that is none.
#include <QMenu>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include "kernels/fallback_backend.h"
#include "tests/support/shown_window.h"
#include "tests/support/stand_in_device.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/activity_bar.h"
#include "ui/state/command_text.h"
#include "ui/state/document.h"

using namespace attnscope;

class DeviceTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }

  void init() {
    QSettings().clear();
    m_device.fails = false;
    m_device.losesWeights = false;
    m_window = opened();
  }

  void cleanup() { m_window.reset(); }

  void automaticTakesTheDevice() {
    QCOMPARE(shownDevice(0), "Stand-in GPU, fp32");
    QCOMPARE(bar()->deviceText(), QStringLiteral("Stand-in GPU · fp32"));
    QVERIFY(bar()->notes().isEmpty());
  }

  void theCpuOnceChosenIsKept() {
    choose(QString::fromStdString(cpuBackend().info().name));
    QCOMPARE(m_window->service()->deviceChoice().device, std::string("cpu"));
    QTRY_VERIFY(m_window->isSettled());
    for (int i = 0; i < 4; ++i) QCOMPARE(shownDevice(i), expectedCpu());
    QVERIFY(m_window->close());
    m_window = opened();
    QCOMPARE(shownDevice(0), expectedCpu());
  }

  void precisionOfTheDevice() {
    QAction* bf16 = entry(QStringLiteral("Attention in bfloat16, on tensor cores: 8 bits"));
    QVERIFY(bf16 && !bf16->isEnabled() && !bf16->toolTip().isEmpty());
    choose(QStringLiteral("Attention in TF32, on tensor cores: 11 bits"));
    QTRY_VERIFY(m_window->isSettled());
    for (int i = 0; i < 4; ++i) QCOMPARE(shownDevice(i), "Stand-in GPU, tf32");
    QVERIFY(commandLineOf(m_window->document()->state(), 0, m_window->service()->deviceChoice())
                .contains(QStringLiteral(" --precision tf32 ")));
    // The CPU has no such arithmetic: what stays of the choice is the device.
    choose(QString::fromStdString(cpuBackend().info().name));
    QVERIFY((m_window->service()->deviceChoice() == DeviceChoice{"cpu", Precision::Fp32}));
    QTRY_VERIFY(m_window->isSettled());
    QCOMPARE(shownDevice(0), expectedCpu());
    QVERIFY(!entry(QStringLiteral("Attention in TF32, on tensor cores: 11 bits"))->isEnabled());
  }

  void whatItFailsAtIsSaid() {
    m_device.fails = true;
    m_window->document()->setScale(0.2);
    QTRY_VERIFY(m_window->isSettled());
    QCOMPARE(shownDevice(0), expectedCpu());
    QVERIFY2(bar()->notes().contains(QStringLiteral("since cuda:0 failed: The device was lost.")),
             qPrintable(bar()->notes()));
  }

  void mapsThatItFailsAtAreSaid() {
    m_device.losesWeights = true;
    m_window->document()->setScale(0.2);
    QTRY_VERIFY(m_window->isSettled());
    QCOMPARE(shownDevice(0), "Stand-in GPU, fp32");  // the pass is the device's
    QTRY_VERIFY2(bar()->notes().contains(
                     QStringLiteral("are computed on the CPU since cuda:0 failed: The maps were lost.")),
                 qPrintable(bar()->notes()));
  }

  // A device with a name is taken at its word.
  void aNamedDeviceThatFails() {
    choose(QStringLiteral("Stand-in GPU"));
    QTRY_VERIFY(m_window->isSettled());
    m_device.fails = true;
    m_window->document()->setScale(0.2);
    QTRY_VERIFY(m_window->isSettled());
    QCOMPARE(m_window->service()->column(0).error, QStringLiteral("The device was lost."));
    QVERIFY(m_window->service()->column(0).exploration);
  }

  void aDeviceOfAnotherMachine() {
    m_window.reset();
    QSettings settings;
    settings.setValue(QStringLiteral("device/name"), QStringLiteral("cuda:7"));
    settings.setValue(QStringLiteral("device/precision"), QStringLiteral("bf16"));
    m_window = opened();
    QTRY_COMPARE(m_window->service()->deviceChoice().device, std::string("auto"));
    QVERIFY(m_window->service()->deviceChoice() == DeviceChoice{});
    QTRY_COMPARE(shownDevice(0), "Stand-in GPU, fp32");
  }

 private:
  std::unique_ptr<MainWindow> opened() {
    DeviceRegistry registry;
    registry.all = [this] { return std::vector<DeviceInfo>{cpuBackend().info(), m_device.info()}; };
    registry.find = [this](const std::string& device) -> Result<const Backend*> {
      if (device == "auto") return &m_automatic;
      if (device == "cpu") return &cpuBackend();
      if (device == "cuda:0") return &m_device;
      return fail(ErrorKind::Compute, "There is no such device.");
    };
    auto window = std::make_unique<MainWindow>(QStringList{}, registry);
    window->resize(1280, 800);
    window->show();
    const bool ready =
        QTest::qWaitFor([&] { return window->isSettled() && !window->service()->devices().empty(); }, 20000);
    if (!ready) qFatal("the window does not settle");
    return window;
  }

  [[nodiscard]] ActivityBar* bar() const { return m_window->findChild<ActivityBar*>(); }

  [[nodiscard]] std::string shownDevice(int column) const {
    return m_window->service()->column(column).exploration->device;
  }

  [[nodiscard]] std::string expectedCpu() const {
    return explore(MechanismSpec{"full", {}, {}}, m_window->service()->input()->input, cpuBackend())
        .value()
        ->device;
  }

  // Of the status bar's menu, as it would be if it were opened now.
  [[nodiscard]] QAction* entry(const QString& text) const {
    QMenu* menu = m_window->findChild<QToolButton*>(QStringLiteral("device"))->menu();
    Q_EMIT menu->aboutToShow();
    for (QAction* action : menu->actions())
      if (action->text() == text) return action;
    return nullptr;
  }

  void choose(const QString& text) {
    QAction* action = entry(text);
    QVERIFY2(action && action->isEnabled(), qPrintable(text));
    action->trigger();
    QTRY_VERIFY(entry(text)->isChecked());
  }

  QTemporaryDir m_folder;
  attnscope::testing::StandInDevice m_device;
  FallbackBackend m_automatic{m_device, cpuBackend()};
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(DeviceTest)
#include "device_test.moc"
