// SPDX-License-Identifier: GPL-3.0-or-later
// Sessions: everything that is decided comes back, what is wrong in a file is named, figures carry them, and
// the window saves, opens and keeps them.
#include <QAction>
#include <QDir>
#include <QFile>
#include <QMessageBox>
#include <QPushButton>
#include <QStandardPaths>
#include <QTest>
#include <QTimer>
#include <QUndoStack>

#include "core/inputs/recipes.h"
#include "kernels/backend_registry.h"
#include "tests/support/shown_window.h"
#include "ui/export/session_file.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/message_bar.h"
#include "ui/state/document.h"
#include "ui/state/view_link.h"

using namespace attnscope;

namespace {

MechanismSpec specOf(const std::string& text) {
  return *parseMechanismSpec(text);
}

// A session that differs from a new document in every field.
Session otherwise() {
  Session session;
  DocumentState& state = session.state;
  state.source = QStringLiteral("clustered:n=96,d=16,heads=2,seed=5");
  state.layer = 2;
  state.head = 1;
  state.columns = {specOf("longformer:window=8,causal=on"), specOf("custom:rule=\"abs(q - k) <= w\",w=3"),
                   specOf("full:scale=0.5,seed=18446744073709551615")};
  state.views = {ColumnView{true, -1, false}, ColumnView{false, 0, false, true}, ColumnView{false, -1, true}};
  state.causal = CausalChoice::Off;
  state.scale = 0.0;
  state.seed = 18446744073709551615ULL;
  state.style.colorMap = QStringLiteral("cividis");
  state.style.scale.kind = ValueScale::Kind::RowMax;
  state.style.scale.low = 1e-7;
  state.style.scale.high = 0.3;
  state.style.range = ScaleRange::WithoutSinks;
  state.style.reduce = EffectiveMatrix::Reduce::Mean;
  state.style.marginals = true;
  state.style.hidden = {QStringLiteral("global \"query\""), QStringLiteral("lokal ä")};
  state.rows = RowChoice{false, true, false, true, true};
  state.reachLayers = 7;
  session.viewport = QRectF(3.25, 4.5, 20, 18);
  session.selectedQuery = 9;
  session.selectedKey = 4;
  return session;
}

}  // namespace

class SessionTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    attnscope::testing::keepSettingsIn(m_folder);
    // Before anything else: the walls that other tests kept are not ours.
    QDir(QStandardPaths::writableLocation(QStandardPaths::AppLocalDataLocation)).removeRecursively();
  }

  void everyChoiceComesBack() {
    const std::string text = sessionText(otherwise());
    const auto read = parseSession(text, "wall.attnscope");
    QVERIFY2(read.has_value(), read ? "" : read.error().message.c_str());
    QCOMPARE(QString::fromStdString(sessionText(*read)), QString::fromStdString(text));
    // The text holds the fields and not their defaults.
    const DocumentState& state = read->state;
    QCOMPARE(state.source, otherwise().state.source);
    QCOMPARE(state.layer, Index{2});
    QCOMPARE(state.head, Index{1});
    QVERIFY(state.columns == otherwise().state.columns);
    QVERIFY(state.views == otherwise().state.views);
    QCOMPARE(state.causal, CausalChoice::Off);
    QVERIFY(state.scale && *state.scale == 0.0);
    QCOMPARE(state.seed, 18446744073709551615ULL);
    QVERIFY(sameStyle(state.style, otherwise().state.style));
    QVERIFY(state.rows == otherwise().state.rows);
    QCOMPARE(state.reachLayers, Index{7});
    QCOMPARE(read->viewport, otherwise().viewport);
    QCOMPARE(read->selectedQuery, Index{9});
    QCOMPARE(read->selectedKey, Index{4});
  }

  void wrongFilesAreNamed_data() {
    QTest::addColumn<QString>("from");
    QTest::addColumn<QString>("to");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const char* from, const char* to, const char* says) {
      QTest::newRow(name) << QString::fromUtf8(from) << QString::fromUtf8(to) << QString::fromUtf8(says);
    };
    row("not JSON", "{\n", "<\n", "is not a session that can be read");
    row("another JSON", "\"attnscope_session\"", "\"something\"", "no key 'attnscope_session'");
    row("newer", "\"attnscope_session\": 1", "\"attnscope_session\": 2", "version 2");
    row("layer", "\"layer\": 2", "\"layer\": -1", "'input.layer' is -1, expected a whole number from 0");
    row("head", "\"head\": 1", "\"head\": 1.5", "'input.head' is 1.5");
    row("source", "\"clustered:n=96,d=16,heads=2,seed=5\"", "[]", "'input.source' is [], expected a text");
    row("mechanism", "longformer:window", "longfromer:window", "longformer");
    row("spec", "longformer:window=8", "longformer:window", "'mechanisms[0].spec'");
    row("flag", "\"own_zoom\": true", "\"own_zoom\": \"yes\"", "'mechanisms[0].own_zoom' is \"yes\"");
    row("seed", "\"seed\": 18446744073709551615", "\"seed\": -3", "'options.seed' is -3");
    row("too large", "\"scale\": 0.0", "\"scale\": 1e999", "is not a session that can be read");
    row("causal", "\"causal\": \"off\"", "\"causal\": \"never\"", "one of paper, on, off");
    row("row", "\"reach\"", "\"reech\"", "expected one of pattern, map");
    row("colours", "cividis", "rainbow", "'style.colormap' is \"rainbow\"");
    row("ends", "\"high\": 0.3", "\"high\": 1e-9", "'style.high'");
    row("layers", "\"reach_layers\": 7", "\"reach_layers\": 70", "'reach_layers' is 70");
    row("viewport", "3.25", "\"x\"", "'view.viewport[0]'");
  }

  void wrongFilesAreNamed() {
    QFETCH(QString, from);
    QFETCH(QString, to);
    QFETCH(QString, says);
    QString text = QString::fromStdString(sessionText(otherwise()));
    QVERIFY(text.contains(from));
    text.replace(text.indexOf(from), from.size(), to);
    const auto read = parseSession(text.toStdString(), "wall.attnscope");
    QVERIFY(!read);
    const QString message = QString::fromStdString(read.error().message);
    QVERIFY2(message.startsWith(QLatin1String("wall.attnscope: ")) && message.contains(says),
             qPrintable(message));
    QCOMPARE(read.error().kind, ErrorKind::Input);
  }

  void anyCutOrFlippedTextIsAnErrorOrASession() {
    const std::string text = sessionText(otherwise());
    for (std::size_t at = 0; at < text.size(); ++at) {
      (void)parseSession(text.substr(0, at), "cut");
      for (const char sign : {'\0', '"', '9', '-', '[', '\xff'}) {
        std::string changed = text;
        changed[at] = sign;
        if (const auto read = parseSession(changed, "flipped")) {
          QVERIFY(!read->state.columns.empty() && read->state.columns.size() <= std::size_t{kMaxColumns});
          QVERIFY(!read->state.rows.none());
        }
      }
    }
  }

  void figuresCarryIt_data() {
    QTest::addColumn<QString>("ending");
    for (const char* ending : {"png", "svg", "pdf"}) QTest::newRow(ending) << QString::fromLatin1(ending);
  }

  void figuresCarryIt() {
    QFETCH(QString, ending);
    FigureSpec spec;
    spec.millimetres = QSizeF(60, 0);
    spec.dpi = 72;
    MechanismSpec full;
    full.id = "full";
    const auto input = makeRecipe("clustered:n=16,d=8");
    QVERIFY(input);
    const auto backend = findBackend("cpu");
    const auto explored = explore(full, *input, **backend);
    QVERIFY(explored);
    spec.columns.push_back({QStringLiteral("Full"), *explored, {}, nullptr});
    const QString path = m_folder.filePath(QStringLiteral("figure.") + ending);
    QVERIFY(writeFigure(spec, path));
    const auto without = openSession(path);
    if (ending == QLatin1String("png"))
      QVERIFY(without && !*without);  // a picture like any other
    else
      QVERIFY(!without &&
              QString::fromStdString(without.error().message).contains(QLatin1String("no session")));
    spec.session = sessionText(otherwise());
    QVERIFY(writeFigure(spec, path));
    const auto with = openSession(path);
    QVERIFY2(with && *with, with ? "carries none" : with.error().message.c_str());
    QCOMPARE(QString::fromStdString(sessionText(**with)), QString::fromStdString(spec.session));
  }

  void theInputIsLookedForBesideTheSession() {
    QFile data(m_folder.filePath(QStringLiteral("text.txt")));
    QVERIFY(data.open(QIODevice::WriteOnly) && data.write("one two three four five six") > 0);
    data.close();
    Session session = otherwise();
    session.state.source = QStringLiteral("/nowhere/at/all/text.txt");
    const QString path = m_folder.filePath(QStringLiteral("moved.attnscope"));
    QVERIFY(saveSession(session, path));
    const auto read = openSession(path);
    QVERIFY(read && *read);
    QCOMPARE((*read)->state.source, data.fileName());
  }

  void theWindowSavesAndOpens() {
    const QString path = m_folder.filePath(QStringLiteral("wall.attnscope"));
    std::string saved;
    {
      auto window = attnscope::testing::shownWindow();
      window->document()->setParam(1, "window", "4");
      window->document()->setRowVisible(PanelKind::Insides, false);
      window->document()->pinBaseline(2);
      QVERIFY(QTest::qWaitFor([&] { return window->isSettled(); }, 20000));
      window->link()->setViewport(QRectF(4, 6, 30, 30));
      window->link()->setSelected(11, 7);
      QVERIFY(!window->isWindowModified());  // not a file yet
      QVERIFY(window->saveSessionAs(path));
      saved = sessionText(window->currentSession());
      QVERIFY(window->windowTitle().contains(QLatin1String("wall.attnscope")));
      window->document()->setParam(1, "window", "8");
      QVERIFY(window->isWindowModified());
      window->document()->undoStack()->undo();
      QVERIFY(!window->isWindowModified());
      QVERIFY(window->close());
    }
    {  // named on the command line
      MainWindow window({path});
      window.show();
      QVERIFY(QTest::qWaitFor([&] { return window.isSettled(); }, 20000));
      QCOMPARE(QString::fromStdString(sessionText(window.currentSession())), QString::fromStdString(saved));
      QVERIFY(!window.document()->undoStack()->canUndo());
    }
    {  // into a wall with something else on it; undo brings that back
      auto window = attnscope::testing::shownWindow();
      window->openSource(QStringLiteral("clustered:n=64,d=8"));
      QVERIFY(QTest::qWaitFor([&] { return window->isSettled(); }, 20000));
      window->openSource(path);
      QVERIFY(QTest::qWaitFor([&] { return window->isSettled(); }, 20000));
      QCOMPARE(QString::fromStdString(sessionText(window->currentSession())), QString::fromStdString(saved));
      window->document()->undoStack()->undo();
      QVERIFY(QTest::qWaitFor([&] { return window->isSettled(); }, 20000));
      QCOMPARE(window->document()->state().source, QStringLiteral("clustered:n=64,d=8"));
      // Changed against its file: closing asks, and Cancel stays.
      QVERIFY(window->isWindowModified());
      answerWith(QMessageBox::Cancel);
      QVERIFY(!window->close());
      answerWith(QMessageBox::Discard);
      QVERIFY(window->close());
      QCOMPARE(m_asked, 2);
    }
  }

  void whatCannotBeOpenedChangesNothing() {
    QFile broken(m_folder.filePath(QStringLiteral("broken.attnscope")));
    QVERIFY(broken.open(QIODevice::WriteOnly) && broken.write("{}") == 2);
    broken.close();
    auto window = attnscope::testing::shownWindow();
    const std::string before = sessionText(window->currentSession());
    window->openSource(broken.fileName());
    QVERIFY(window->messages()->text().contains(QLatin1String("no key 'attnscope_session'")));
    QCOMPARE(QString::fromStdString(sessionText(window->currentSession())), QString::fromStdString(before));

    MainWindow second({broken.fileName()});
    second.show();
    QVERIFY(QTest::qWaitFor([&] { return second.isSettled(); }, 20000));
    QVERIFY(second.messages()->text().contains(QLatin1String("no key 'attnscope_session'")));
    QCOMPARE(second.document()->state().source, QStringLiteral("sample"));
  }

  void theLastWallIsKept() {
    {
      auto window = attnscope::testing::shownWindow();
      window->document()->setParam(1, "window", "6");
      QVERIFY(window->close());
    }
    auto window = attnscope::testing::shownWindow();
    QAction* open = window->command(QStringLiteral("openLast"));
    QVERIFY(open && open->isEnabled());
    open->trigger();
    QVERIFY(QTest::qWaitFor([&] { return window->isSettled(); }, 20000));
    QCOMPARE(QString::fromStdString(window->document()->state().columns[1].text()),
             QStringLiteral("longformer:window=6"));
  }

 private:
  void answerWith(QMessageBox::StandardButton button) {
    QTimer::singleShot(0, this, [this, button] {
      auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
      if (!box) qFatal("nothing was asked");
      ++m_asked;
      box->button(button)->click();
    });
  }

  QTemporaryDir m_folder;
  int m_asked = 0;
};

QTEST_MAIN(SessionTest)
#include "session_test.moc"
