// SPDX-License-Identifier: GPL-3.0-or-later
// The document: every setter is one undo step that undo takes back, drags are one step, signals say what
// changed.
#include <QSignalSpy>
#include <QTest>
#include <functional>

#include "ui/state/command_text.h"
#include "ui/state/document.h"

using namespace attnscope;

namespace {

MechanismSpec specOf(const std::string& text) {
  return *parseMechanismSpec(text);
}

// The whole state as text, so that two can be compared and a difference can be read.
QString textOf(const DocumentState& state) {
  QStringList parts{state.source, QString::number(state.layer), QString::number(state.head)};
  for (const MechanismSpec& spec : state.columns) parts << QString::fromStdString(spec.text());
  parts << QString::number(static_cast<int>(state.causal)) << QString::number(state.scale.value_or(-1))
        << QString::number(state.seed) << state.style.colorMap
        << QString::number(static_cast<int>(state.style.scale.kind))
        << QString::number(static_cast<int>(state.style.reduce)) << QString::number(state.rows.pattern)
        << QString::number(state.rows.map) << QString::number(state.rows.insides)
        << QString::number(state.rows.difference);
  for (const ColumnView& view : state.views)
    parts << QString::number((view.baseline ? 2 : 0) + (view.ownZoom ? 1 : 0) + (view.ownScale ? 4 : 0))
          << QString::number(view.sortBy);
  parts << state.style.hidden;
  return parts.join(QLatin1Char('|'));
}

}  // namespace

class StateTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    m_document = std::make_unique<Document>();
    m_document->setColumns({specOf("full"), specOf("longformer:window=8"), specOf("linear")},
                           QStringLiteral("start"));
    m_document->undoStack()->clear();
  }

  void everyChoiceIsOneStep_data() {
    QTest::addColumn<std::function<void(Document&)>>("choice");
    using Choice = std::function<void(Document&)>;
    const auto row = [](const char* name, Choice choice) { QTest::newRow(name) << std::move(choice); };
    row("source", [](Document& d) { d.setSource(QStringLiteral("clustered:n=64")); });
    row("layer", [](Document& d) { d.setLayer(2); });
    row("head", [](Document& d) { d.setHead(3); });
    row("add", [](Document& d) { d.addColumn(specOf("reformer")); });
    row("replace", [](Document& d) { d.replaceColumn(0, specOf("reformer")); });
    row("remove", [](Document& d) { d.removeColumn(1); });
    row("move", [](Document& d) { d.moveColumn(0, 2); });
    row("parameter", [](Document& d) { d.setParam(1, "window", "16"); });
    row("reset parameter", [](Document& d) { d.resetParam(1, "window"); });
    row("reset parameters", [](Document& d) { d.resetParams(1); });
    row("baseline", [](Document& d) { d.pinBaseline(1); });
    row("own zoom", [](Document& d) { d.setOwnZoom(2, true); });
    row("own scale", [](Document& d) { d.setOwnScale(2, true); });
    row("order", [](Document& d) { d.sortBy(1, 0); });
    row("label", [](Document& d) { d.toggleLabel(QStringLiteral("local")); });
    row("difference", [](Document& d) { d.setRowVisible(PanelKind::Difference, true); });
    row("causal", [](Document& d) { d.setCausal(CausalChoice::On); });
    row("scale", [](Document& d) { d.setScale(0.5); });
    row("seed", [](Document& d) { d.setSeed(7); });
    row("row", [](Document& d) { d.setRowVisible(PanelKind::Insides, false); });
    row("colours", [](Document& d) {
      ViewStyle style = d.state().style;
      style.colorMap = QStringLiteral("magma");
      d.setStyle(style);
    });
  }

  void everyChoiceIsOneStep() {
    QFETCH(std::function<void(Document&)>, choice);
    const QString before = textOf(m_document->state());
    choice(*m_document);
    const QString after = textOf(m_document->state());
    QVERIFY(before != after);
    QCOMPARE(m_document->undoStack()->count(), 1);
    QVERIFY(!m_document->undoStack()->undoText().isEmpty());
    m_document->undoStack()->undo();
    QCOMPARE(textOf(m_document->state()), before);
    m_document->undoStack()->redo();
    QCOMPARE(textOf(m_document->state()), after);
    choice(*m_document);  // again: for a setter of a value there is nothing to do
    if (textOf(m_document->state()) == after) QCOMPARE(m_document->undoStack()->count(), 1);
  }

  void aDragIsOneStep() {
    const int first = m_document->newGesture();
    for (int w = 10; w <= 40; w += 2) m_document->setParam(1, "window", std::to_string(w), first);
    QCOMPARE(m_document->undoStack()->count(), 1);
    const int second = m_document->newGesture();
    m_document->setParam(1, "window", "60", second);
    QCOMPARE(m_document->undoStack()->count(), 2);
    m_document->setParam(1, "dilation", "2", second);  // another thing is another step, even in one gesture
    QCOMPARE(m_document->undoStack()->count(), 3);
    m_document->undoStack()->undo();
    m_document->undoStack()->undo();
    QCOMPARE(m_document->state().columns[1].params.at("window"), std::string("40"));
    m_document->undoStack()->undo();
    QCOMPARE(m_document->state().columns[1].params.at("window"), std::string("8"));
  }

  void stepsWithoutAGestureStayApart() {
    m_document->setParam(1, "window", "10");
    m_document->setParam(1, "window", "12");
    QCOMPARE(m_document->undoStack()->count(), 2);
  }

  void aFullWallReplacesTheSelectedColumn() {
    while (m_document->columnCount() < kMaxColumns) m_document->addColumn(specOf("linformer"));
    m_document->selectColumn(2);
    QCOMPARE(m_document->addColumn(specOf("reformer")), 2);
    QCOMPARE(m_document->columnCount(), kMaxColumns);
    QCOMPARE(m_document->state().columns[2].id, std::string("reformer"));
  }

  void whatAColumnHasForItselfMovesWithIt() {
    m_document->pinBaseline(0);
    m_document->setOwnZoom(1, true);
    m_document->moveColumn(0, 2);
    QCOMPARE(baselineColumn(m_document->state()), 2);
    QVERIFY(m_document->state().views[0].ownZoom);
    m_document->removeColumn(0);
    QCOMPARE(baselineColumn(m_document->state()), 1);
    QVERIFY(!m_document->state().views[0].ownZoom);
    m_document->pinBaseline(0);  // one at a time
    QVERIFY(m_document->state().views[0].baseline && !m_document->state().views[1].baseline);
    m_document->removeColumn(0);
    QCOMPARE(baselineColumn(m_document->state()), -1);
    m_document->undoStack()->undo();
    QCOMPARE(baselineColumn(m_document->state()), 0);
  }

  void theLastColumnAndTheLastRowStay() {
    m_document->removeColumn(2);
    m_document->removeColumn(1);
    m_document->removeColumn(0);
    QCOMPARE(m_document->columnCount(), 1);
    for (const PanelKind kind : {PanelKind::Pattern, PanelKind::Map, PanelKind::Insides})
      m_document->setRowVisible(kind, false);
    QVERIFY(m_document->state().rows.insides);
  }

  void signalsNameWhatChanged() {
    QSignalSpy columns(m_document.get(), &Document::columnsChanged);
    QSignalSpy column(m_document.get(), &Document::columnChanged);
    QSignalSpy options(m_document.get(), &Document::optionsChanged);
    m_document->setParam(1, "window", "20");
    QCOMPARE(column.count(), 1);
    QCOMPARE(column.first().first().toInt(), 1);
    QCOMPARE(columns.count(), 0);
    m_document->setSeed(3);
    QCOMPARE(options.count(), 1);
    m_document->removeColumn(0);
    QCOMPARE(columns.count(), 1);
    QCOMPARE(column.count(), 1);
  }

  void columnsKeepTheirOwnOptions() {
    m_document->replaceColumn(0, specOf("full:causal=off,seed=5"));
    m_document->setCausal(CausalChoice::On);
    m_document->setSeed(9);
    QCOMPARE(callSpec(m_document->state(), 0).text(), std::string("full:causal=off,seed=5"));
    QCOMPARE(callSpec(m_document->state(), 2).text(), std::string("linear:causal=on,seed=9"));
  }

  void theCommandLineIsQuoted() {
    m_document->setSource(QStringLiteral("text:unit=word:it's here"));
    m_document->setRowVisible(PanelKind::Insides, false);
    m_document->setRowVisible(PanelKind::Difference, true);
    m_document->pinBaseline(1);
    const QString line = commandLineOf(m_document->state(), 2);
    QVERIFY2(line.startsWith(QStringLiteral(
                 "attnscope figure pattern+map+difference full longformer:window=8 linear --input "
                 "'text:unit=word:it'\\''s here' --head 2 ")),
             qPrintable(line));
    QVERIFY(!line.contains(QStringLiteral("--scale-")));
    m_document->sortBy(1, 2);
    m_document->toggleLabel(QStringLiteral("global key"));
    QVERIFY(commandLineOf(m_document->state(), 0).contains(QStringLiteral(" --sort-by 2.3 ")));
    QVERIFY(commandLineOf(m_document->state(), 0).contains(QStringLiteral(" --hide 'global key' ")));
    m_document->toggleLabel(QStringLiteral("global key"));
    ViewStyle style = m_document->state().style;
    style.scale.kind = ValueScale::Kind::Linear;
    style.scale.high = 0.25;
    m_document->setStyle(style);
    QVERIFY(commandLineOf(m_document->state(), 0)
                .contains(QStringLiteral(" --scale-kind linear --scale-range 0.0001..0.25 ")));
    style.range = ScaleRange::WithoutSinks;
    m_document->setStyle(style);
    QVERIFY(commandLineOf(m_document->state(), 0).contains(QStringLiteral(" --scale-range nosinks ")));
    QVERIFY2(line.contains(QStringLiteral(" --baseline longformer:window=8 ")), qPrintable(line));
  }

 private:
  std::unique_ptr<Document> m_document;
};

QTEST_MAIN(StateTest)
#include "state_test.moc"
