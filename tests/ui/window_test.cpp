// SPDX-License-Identifier: GPL-3.0-or-later
// The real window, with real clicks, keys and drops.
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFile>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QTest>
#include <QTextBrowser>
#include <QTimer>
#include <QToolButton>
#include <QUrl>

#include "tests/support/shown_window.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/fidelity_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/models/cost_model.h"
#include "ui/models/mechanism_model.h"
#include "ui/panels/cost_table.h"
#include "ui/panels/gallery.h"
#include "ui/panels/gallery_delegate.h"
#include "ui/panels/inspector.h"
#include "ui/panels/marked_slider.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/param_row.h"
#include "ui/panels/parameter_form.h"
#include "ui/panels/rule_editor.h"
#include "ui/panels/wall.h"
#include "ui/plots/pareto_plot.h"
#include "ui/state/document.h"
#include "ui/state/view_link.h"

using namespace attnscope;

class WindowTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { m_window = attnscope::testing::shownWindow(); }
  void cleanup() { m_window.reset(); }

  void opensWithAComparison() {
    QCOMPARE(document()->columnCount(), 4);
    for (int i = 0; i < 4; ++i) QVERIFY(m_window->service()->column(i).isCurrent());
    QVERIFY(m_window->service()->input()->shape().heads > 1);
    QVERIFY(!m_window->service()->input()->input.tokensQ.empty());
    QVERIFY(!document()->undoStack()->canUndo());
  }

  void saysWhatIsLost() {
    auto* table = m_window->findChild<CostTable*>();
    QVERIFY(table && table->isVisible());
    const QAbstractItemModel* model = table->view()->model();
    const auto text = [model](int row, int column) { return model->index(row, column).data().toString(); };
    QTRY_COMPARE(text(0, CostModel::Mass), QStringLiteral("100 %"));
    QCOMPARE(text(0, CostModel::Error), QStringLiteral("0"));
    for (int row = 1; row < 4; ++row) QTRY_VERIFY(text(row, CostModel::Error) != QStringLiteral("–"));
    for (const int column : {CostModel::Mass, CostModel::Recall, CostModel::Error}) {
      QVERIFY(!table->view()->isColumnHidden(column));
      QVERIFY(!model->headerData(column, Qt::Horizontal, Qt::ToolTipRole).toString().isEmpty());
    }
  }

  void followsPatternsOverLayers() {
    QTest::keyClick(m_window.get(), Qt::Key_4, Qt::ControlModifier);
    QVERIFY(document()->state().rows.reach);
    for (int i = 0; i < 4; ++i) QTRY_VERIFY(m_window->reach()->of(i).value);
    Panel* shown = m_window->wall()->panel(1, PanelKind::Reach);
    QVERIFY(shown->isVisible());
    QTRY_VERIFY(shown->isSettled());
    m_window->findChild<QAction*>(QStringLiteral("layers2"))->trigger();
    QTRY_VERIFY(m_window->reach()->of(1).value);
    QCOMPARE(m_window->reach()->of(1).value->layers, Index{2});
    m_window->link()->setSelected(60, 2);
    QTRY_VERIFY(m_window->inspector()->text().contains(QStringLiteral("Layers needed: A 1")));
    QTest::keyClick(m_window.get(), Qt::Key_4, Qt::ControlModifier);
    QVERIFY(!shown->isVisible());
  }

  // Arabic and Hebrew beside numbers and quotes: the sentence stays as it is, from the left.
  void foreignTokensStandApart() {
    m_window->openSource(QString::fromUtf8("text:unit=word:سلام 世界 שלום 42 cat"));
    QTRY_COMPARE(m_window->service()->input()->shape().nQ, Index{5});
    QTRY_VERIFY(m_window->isSettled());
    const auto readingOf = [this](qint64 query, qint64 key) {
      m_window->link()->setSelected(query, key);
      if (!QTest::qWaitFor([&] {
            return m_window->inspector()->text().contains(
                QStringLiteral("query %1 · key %2 ·").arg(query).arg(key));
          }))
        return QString();
      return m_window->inspector()->text().section(QLatin1Char('\n'), 0, 0);
    };
    const QString begin(QChar(0x2068));
    const QString end(QChar(0x2069));
    QCOMPARE(readingOf(0, 1), QString::fromUtf8("“%1سلام%2” reads “世界”").arg(begin, end));
    QCOMPARE(readingOf(2, 0), QString::fromUtf8("“%1שלום%2” reads “%1سلام%2”").arg(begin, end));
    QCOMPARE(readingOf(4, 3), QString::fromUtf8("“cat” reads “42”"));
    QVERIFY(m_window->inspector()->accessibleDescription().startsWith(QString::fromUtf8("“cat” reads")));
    QVERIFY2(m_window->windowTitle().contains(begin), qPrintable(m_window->windowTitle()));
  }

  void chartsErrorAgainstCost() {
    auto* table = m_window->findChild<CostTable*>();
    for (int row = 0; row < 4; ++row)
      QTRY_VERIFY(table->view()->model()->index(row, CostModel::Error).data().toString() !=
                  QStringLiteral("–"));
    QTest::mouseClick(m_window->findChild<QToolButton*>(QStringLiteral("asChart")), Qt::LeftButton);
    QVERIFY(table->chart()->isVisible() && !table->view()->isVisible());
    QCOMPARE(table->chart()->trades().size(), std::size_t{4});
    QCOMPARE(table->chart()->trades()[0].error, 0.0);
  }

  void onlyUnbeatenTradesAreOnTheFront() {
    const std::vector<Trade> trades{
        {0, {}, 8.0, 0.0}, {1, {}, 4.0, 0.5}, {2, {}, 5.0, 0.6}, {3, {}, 2.0, 0.5}};
    QCOMPARE(paretoFront(trades), (std::vector<std::size_t>{3, 0}));
  }

  void addsAMechanismFromTheGallery() {
    document()->removeColumn(3);
    QTreeView* view = m_window->gallery()->view();
    QTest::keyClicks(m_window->gallery()->searchBox(), QStringLiteral("linear transformer"));
    const QModelIndex row = view->model()->index(0, 0, view->model()->index(0, 0));
    QCOMPARE(row.data(MechanismModel::IdRole).toString(), QStringLiteral("linear"));
    const QPoint plus = GalleryDelegate::addRect(view->visualRect(row)).center();
    QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, plus);
    QCOMPARE(document()->columnCount(), 4);
    QCOMPARE(document()->state().columns[3].id, std::string("linear"));
    QTRY_VERIFY(m_window->service()->column(3).isCurrent());
    QVERIFY(m_window->wall()->panel(3, PanelKind::Map)->isVisible());
  }

  void addsByTheKeyboard() {
    document()->removeColumn(3);
    QLineEdit* search = m_window->gallery()->searchBox();
    QTest::keyClicks(search, QStringLiteral("linear transformer"));
    QTest::keyClick(search, Qt::Key_Down);
    QTest::keyClick(m_window->gallery()->view(), Qt::Key_Return);
    QCOMPARE(document()->state().columns.back().id, std::string("linear"));
  }

  void removesAColumnByItsCross() {
    auto* cross = m_window->findChild<QToolButton*>(QStringLiteral("remove_B"));
    QVERIFY(cross && cross->isVisible());
    QTest::mouseClick(cross, Qt::LeftButton);
    QCOMPARE(document()->columnCount(), 3);
    QVERIFY(!m_window->wall()->panel(3, PanelKind::Pattern)->isVisible());
    m_window->command(QStringLiteral("undo"))->trigger();
    QCOMPARE(document()->columnCount(), 4);
    QVERIFY(m_window->service()->column(1).isCurrent());  // remembered: at once
  }

  void dragsASlider() {
    document()->selectColumn(1);
    ParamRow* row = m_window->parameters()->row("window");
    QVERIFY(row && row->slider());
    MarkedSlider* slider = row->slider();
    const int middle = slider->height() / 2;
    QTest::mousePress(slider, Qt::LeftButton, {}, QPoint(10, middle));
    for (int x = 12; x < slider->width() - 10; x += 4) QTest::mouseMove(slider, QPoint(x, middle));
    QTest::mouseRelease(slider, Qt::LeftButton, {}, QPoint(slider->width() - 12, middle));
    QCOMPARE(document()->undoStack()->count(), 1);
    const int window = std::stoi(document()->state().columns[1].params.at("window"));
    QVERIFY(window > 12 && window % 2 == 0);
    QCOMPARE(qobject_cast<QSpinBox*>(row->editor())->value(), window);
    QTRY_VERIFY(m_window->service()->column(1).isCurrent());
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);
    QVERIFY(document()->state().columns[1].params.empty());
  }

  void saysTheNearestValueAndLosesNothing() {
    document()->selectColumn(1);
    document()->setParam(1, "window", "7");  // odd
    ParamRow* row = m_window->parameters()->row("window");
    QVERIFY2(row->error().contains(QStringLiteral("nearest valid value")), qPrintable(row->error()));
    QCOMPARE(qobject_cast<QSpinBox*>(row->editor())->value(), 7);
    QTRY_VERIFY(!m_window->service()->column(1).error.isEmpty());
    QVERIFY(m_window->service()->column(1).exploration);  // the picture that was there
  }

  void typesARule() {
    document()->replaceColumn(1, *parseMechanismSpec("custom"));
    document()->selectColumn(1);
    QTRY_VERIFY(m_window->service()->column(1).isCurrent());
    ParamRow* row = m_window->parameters()->row("rule");
    QVERIFY(row && row->ruleEditor());
    QPlainTextEdit* edit = row->ruleEditor()->edit();
    auto* status = row->findChild<QLabel*>(QStringLiteral("ruleStatus"));
    QVERIFY(status && status->isVisible());
    QVERIFY2(status->text().contains(QStringLiteral("of the pairs")), qPrintable(status->text()));
    QVERIFY(m_window->parameters()->row("w")->isVisible() && !m_window->parameters()->row("s")->isVisible());

    const auto steps = document()->undoStack()->count();
    edit->setFocus();
    edit->selectAll();
    QTest::keyClicks(edit, QStringLiteral("near: k <= q and q - k < s"));
    QCOMPARE(document()->undoStack()->count(), steps + 1);  // a burst of keys
    QCOMPARE(document()->state().columns[1].params.at("rule"), std::string("near: k <= q and q - k < s"));
    QTRY_VERIFY(m_window->service()->column(1).isCurrent());
    const auto shown = m_window->service()->column(1).exploration;
    QCOMPARE(shown->call.plan->plan().labels.front().name, std::string("near"));
    QVERIFY(!m_window->parameters()->row("w")->isVisible() && m_window->parameters()->row("s")->isVisible());

    QTest::keyClick(edit, Qt::Key_Return);  // a blank to the document
    QTest::keyClicks(edit, QStringLiteral("or k = 0"));
    QVERIFY2(row->error().contains(QStringLiteral("character 33: found '=', expected ==")),
             qPrintable(row->error()));
    QCOMPARE(status->text(), row->error());
    QCOMPARE(edit->extraSelections().size(), 1);
    QCOMPARE(edit->extraSelections().front().cursor.selectedText(), QStringLiteral("="));
    QTRY_VERIFY(!m_window->service()->column(1).error.isEmpty());
    QCOMPARE(m_window->service()->column(1).exploration, shown);  // the last good picture

    edit->selectAll();
    QTest::keyClicks(edit, QStringLiteral("k % q == 0"));  // well-formed; its trouble is found by computing
    QTRY_VERIFY(row->error().contains(QStringLiteral("division by zero")));
    QCOMPARE(edit->extraSelections().front().cursor.selectedText(), QStringLiteral("%"));
    QVERIFY(!row->findChild<QPushButton*>(QStringLiteral("copyMaskMod"))->isEnabled());

    while (document()->undoStack()->count() > 0 && document()->state().columns[1].params.contains("rule"))
      QTest::keyClick(edit, Qt::Key_Z,
                      Qt::ControlModifier);  // the window's undo, with the cursor in the text
    QVERIFY(edit->toPlainText().startsWith(QStringLiteral("local: abs(q - k) <= w")));
    QVERIFY(row->error().isEmpty() && edit->extraSelections().isEmpty());
  }

  void copiesAMaskMod() {
    document()->replaceColumn(1, *parseMechanismSpec("custom:rule=\"k <= q and q - k < w\",w=9"));
    document()->selectColumn(1);
    QTRY_VERIFY(m_window->service()->column(1).isCurrent());
    auto* button = m_window->parameters()->findChild<QPushButton*>(QStringLiteral("copyMaskMod"));
    QVERIFY(button && button->isEnabled());
    QTest::mouseClick(button, Qt::LeftButton);
    const QString python = QGuiApplication::clipboard()->text();
    QVERIFY2(python.endsWith(QStringLiteral("def mask_mod(b, h, q_idx, kv_idx):\n"
                                            "    return (kv_idx <= q_idx) & (q_idx - kv_idx < 9)\n")),
             qPrintable(python));
    QVERIFY(m_window->findChild<MessageBar*>()->text().contains(QStringLiteral("mask_mod")));
  }

  void switchesTheHead() {
    auto* head = m_window->findChild<QSpinBox*>(QStringLiteral("head"));
    QVERIFY(head);
    const Index before = document()->state().head;
    head->setFocus();
    QTest::keyClick(head, Qt::Key_Up);
    QCOMPARE(document()->state().head, before + 1);
    QTRY_VERIFY(m_window->isSettled());
    QCOMPARE(m_window->service()->head(), before + 1);
  }

  void hoveringReadsThePair() {
    Panel* map = m_window->wall()->panel(0, PanelKind::Map);
    const QRect cells = map->cellArea();
    QVERIFY(cells.width() > 50);
    const qint64 n = m_window->service()->input()->shape().nQ;
    const QPoint spot = cells.topLeft() + QPoint(cells.width() / 4, cells.height() / 2);
    QWidget* target = map->childAt(spot);
    QVERIFY(target);
    QTest::mouseMove(target, target->mapFrom(map, spot));
    QTRY_VERIFY(m_window->link()->hoveredQuery() >= 0);
    QVERIFY(std::abs(m_window->link()->hoveredQuery() - n / 2) <= 2);
    QVERIFY(std::abs(m_window->link()->hoveredKey() - n / 4) <= 2);
    QTRY_VERIFY(m_window->inspector()->text().contains(QStringLiteral("query %1 · key %2")
                                                           .arg(m_window->link()->hoveredQuery())
                                                           .arg(m_window->link()->hoveredKey())));
    const QString text = m_window->inspector()->text();
    // A weight, whatever its size, and the reason.
    const QRegularExpression line(QStringLiteral("A: [0-9.e-]+, rank \\d+, because every pair"));
    QVERIFY2(text.contains(QStringLiteral(" reads ")) && text.contains(line), qPrintable(text));
  }

  void opensADroppedFile() {
    const QString path = m_folder.filePath(QStringLiteral("story.txt"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("the cat saw the dog and the dog saw the cat");
    file.close();
    drop(path);
    QTRY_COMPARE(document()->state().source, path);
    QTRY_VERIFY(m_window->isSettled());
    QCOMPARE(m_window->service()->input()->shape().nQ, Index{11});
    m_window->command(QStringLiteral("undo"))->trigger();
    QTRY_COMPARE(m_window->service()->input()->source, QStringLiteral("sample"));
  }

  void aBadFileLeavesEverythingAsItWas() {
    const QString path = m_folder.filePath(QStringLiteral("bad.npz"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("PK\x03\x04 this is no archive");
    file.close();
    const auto before = m_window->service()->column(0).exploration;
    drop(path);
    QTRY_VERIFY(!m_window->messages()->text().isEmpty());
    QVERIFY2(m_window->messages()->text().contains(QStringLiteral("bad.npz")),
             qPrintable(m_window->messages()->text()));
    QCOMPARE(document()->state().source, QStringLiteral("sample"));
    QCOMPARE(m_window->service()->column(0).exploration, before);
    QVERIFY(!document()->undoStack()->canUndo());
  }

  void rowsComeAndGo() {
    m_window->command(QStringLiteral("row3"))->trigger();
    QVERIFY(!m_window->wall()->panel(0, PanelKind::Insides)->isVisible());
    QTRY_VERIFY(m_window->isSettled());
    m_window->command(QStringLiteral("row3"))->trigger();
    QVERIFY(m_window->wall()->panel(0, PanelKind::Insides)->isVisible());
  }

  // The list names commands, not what they would do at the moment.
  // A figure names parameters; while others are on the wall there is no figure.
  void exportsOnlyWhatIsShown() {
    document()->setParam(1, "window", "16");
    QVERIFY(m_window->service()->column(1).busy);
    QTimer::singleShot(0, qApp, [] {  // a dialog would wait for ever
      if (QWidget* dialog = QApplication::activeModalWidget()) dialog->close();
    });
    m_window->command(QStringLiteral("exportWall"))->trigger();
    QVERIFY2(m_window->messages()->text().contains(QStringLiteral("Column B is still being computed")),
             qPrintable(m_window->messages()->text()));
  }

  void listsItsShortcuts() {
    document()->removeColumn(3);
    QString text;
    QTimer::singleShot(0, this, [&] {
      auto* dialog = qobject_cast<QDialog*>(QApplication::activeModalWidget());
      if (!dialog) return;
      text = dialog->findChild<QTextBrowser*>()->toPlainText();
      dialog->reject();
    });
    m_window->command(QStringLiteral("shortcuts"))->trigger();
    const QStringList lines = text.split(QLatin1Char('\n'));
    QVERIFY2(lines.contains(QStringLiteral("Undo")), qPrintable(text));
    QVERIFY(text.contains(QStringLiteral("list the legend")));
  }

  void closingWhileComputingEnds() {
    m_window->openSource(QStringLiteral("clustered:n=16384,heads=4"));
    QTRY_VERIFY(m_window->service()->input()->shape().nQ == 16384);
    QElapsedTimer clock;
    clock.start();
    m_window->close();
    QVERIFY2(clock.elapsed() < 2000, qPrintable(QString::number(clock.elapsed())));
  }

 private:
  [[nodiscard]] Document* document() const { return m_window->document(); }

  void drop(const QString& path) {
    QMimeData mime;
    mime.setUrls({QUrl::fromLocalFile(path)});
    QDragEnterEvent enter(QPoint(400, 400), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(m_window.get(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent event(QPointF(400, 400), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(m_window.get(), &event);
  }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(WindowTest)
#include "window_test.moc"
