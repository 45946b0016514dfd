// SPDX-License-Identifier: GPL-3.0-or-later
// How a file is read can be changed where its shape is shown: the order of axes, the patches of a picture.
#include <QComboBox>
#include <QFile>
#include <QImage>
#include <QLineEdit>
#include <QPushButton>
#include <QTest>

#include "core/base/rng.h"
#include "core/io/array_file.h"
#include "tests/support/shown_window.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/message_bar.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

using namespace attnscope;

class InputPanelTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { m_window = attnscope::testing::shownWindow(); }
  void cleanup() { m_window.reset(); }

  // (tokens, heads, width) is taken as heads first, which is said; one choice puts it right.
  void tokensBeforeHeads() {
    Tensor rows(DType::F32, {40, 3, 8});
    RandomStream(1, "test", "rows").fillNormals({0, 0, 0}, rows.mutableValues<float>());
    const QString path = m_folder.filePath(QStringLiteral("tokens first.npz"));
    QVERIFY(writeNpz(toStd(path), {{"q", rows}, {"k", rows}, {"v", rows}}));
    open(path);
    QCOMPARE(shape().heads, Index{40});
    QVERIFY(m_window->messages()->text().contains(QStringLiteral("choose the layout nhd")));
    QVERIFY(!child<QLineEdit>("source_layer"));  // layers have a place of their own
    auto* layout = child<QComboBox>("source_layout");
    QVERIFY(layout && layout->currentText() == QStringLiteral("file"));
    layout->setCurrentText(QStringLiteral("nhd"));
    readAgain();
    QCOMPARE(shape().heads, Index{3});
    QCOMPARE(shape().nQ, Index{40});
    QCOMPARE(child<QComboBox>("source_layout")->currentText(), QStringLiteral("nhd"));
    m_window->document()->undoStack()->undo();
    QTRY_COMPARE(shape().heads, Index{40});
  }

  // Enter in a field is enough; a wrong value is said, and the input stays.
  void patchesOfAPicture() {
    QImage picture(64, 64, QImage::Format_RGB32);
    for (int y = 0; y < 64; ++y)
      for (int x = 0; x < 64; ++x) picture.setPixel(x, y, qRgb(4 * x, 4 * y, 128));
    const QString path = m_folder.filePath(QStringLiteral("ramp.png"));
    QVERIFY(picture.save(path));
    open(path);
    QCOMPARE(shape().nQ, Index{16 * 16});
    type("source_patch", "8");
    QTRY_COMPARE(shape().nQ, Index{8 * 8});
    type("source_patch", "1000");
    QTRY_VERIFY(m_window->messages()->text().contains(QStringLiteral("patch")));
    QCOMPARE(shape().nQ, Index{8 * 8});
  }

  // A recipe is no file and has a form of its own.
  void aRecipeIsNoFile() {
    m_window->openSource(QStringLiteral("clustered:n=64"));
    QTRY_COMPARE(shape().nQ, Index{64});
    QVERIFY(!child<QComboBox>("source_layout"));
  }

 private:
  template <class Widget>
  Widget* child(const char* name) {
    // Recipes have fields of the same names.
    auto* button = m_window->findChild<QPushButton*>(QStringLiteral("readAgain"));
    return button == nullptr ? nullptr : button->parentWidget()->findChild<Widget*>(QLatin1String(name));
  }
  [[nodiscard]] Shape shape() const { return m_window->service()->input()->shape(); }
  void open(const QString& path) {
    m_window->openSource(path);
    QTRY_VERIFY(m_window->service()->input()->source.startsWith(path));
    QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled(), 20000);
  }
  void readAgain() {
    QTest::mouseClick(m_window->findChild<QPushButton*>(QStringLiteral("readAgain")), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled(), 20000);
  }
  void type(const char* field, const char* text) {
    auto* line = child<QLineEdit>(field);
    QVERIFY(line);
    line->setFocus();
    line->selectAll();
    QTest::keyClicks(line, QLatin1String(text));
    QTest::keyClick(line, Qt::Key_Return);
  }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(InputPanelTest)
#include "input_panel_test.moc"
