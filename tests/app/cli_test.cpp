// SPDX-License-Identifier: GPL-3.0-or-later
// The program as a user of the command line meets it: statuses, messages, files.
#include <QtTest>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/io/array_file.h"
#include "tests/support/run_program.h"

using namespace attnscope::testing;

namespace {

double largestDifference(std::span<const float> a, std::span<const float> b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(double{a[i]} - double{b[i]}));
  return largest;
}

}  // namespace

class CliTest : public QObject {
  Q_OBJECT

 private slots:
  void listIsReadableByMachines();
  void listOnTheTerminal();
  void helpAndVersion();
  void rulesPointAndBecomePython();
  void slipsAreUsageErrors_data();
  void slipsAreUsageErrors();
  void missingFileIsNamed();
  void truncatedFileIsNamed();
  void unwritableOutputIsNamed();
  void lostOutputIsAnError();
  void weightsAreLookedAt();
  void capturedSettingsAreSaid();
  void manySegmentsAreRefused();
  void csvOfAnyRule();
  void oneToken();
  void sameBytesTwice();
  void aSeedInTheSpecWins();
  void agreesWithReference_data();
  void agreesWithReference();
  void patternCountsItsPairs();
  void figureHasTheSizeAskedFor();
  void figureOpensAsTheWallThatItShows();
  void aSourceMayNameItsLayer();
  void whichEntryOfABatchIsSaid();
  void convertKeepsTheNumbers();
  void infoDescribesTheProgram();
  void aSessionIsNoInput();
  void interruptEndsWith130();

 private:
  [[nodiscard]] QString path(const char* name) const { return m_folder.filePath(QString::fromLatin1(name)); }
  [[nodiscard]] Outcome attnscope(const QStringList& arguments) const {
    return attnscopeIn(m_folder.path(), arguments);
  }
  QTemporaryDir m_folder;
};

void CliTest::listIsReadableByMachines() {
  const Outcome outcome = attnscope({"list", "--json"});
  QCOMPARE(outcome.status, 0);
  const auto json = nlohmann::json::parse(outcome.out.toStdString(), nullptr, false);
  QVERIFY(json.is_object());
  QVERIFY(json["mechanisms"].size() >= 5);
  for (const auto& mechanism : json["mechanisms"]) {
    QVERIFY(!mechanism["id"].get<std::string>().empty());
    QVERIFY(!mechanism["summary"].get<std::string>().empty());
    for (const auto& parameter : mechanism["parameters"]) {
      QVERIFY2(!parameter["help"].get<std::string>().empty(), parameter["id"].get<std::string>().c_str());
      QVERIFY2(!parameter["default"].get<std::string>().empty(), parameter["id"].get<std::string>().c_str());
    }
  }
}

void CliTest::listOnTheTerminal() {
  const Outcome outcome = attnscope({"list"});
  QCOMPARE(outcome.status, 0);
  QVERIFY(outcome.out.contains("longformer"));
  QVERIFY(outcome.err.isEmpty());
}

void CliTest::helpAndVersion() {
  QVERIFY(attnscope({"--version"}).out.startsWith("attnscope "));
  const Outcome help = attnscope({"--help"});
  QCOMPARE(help.status, 0);
  for (const char* command : {"list", "compute", "figure", "bench", "rule", "convert", "info"}) {
    QVERIFY2(help.out.contains(command), command);
  }
  QCOMPARE(attnscope({"compute", "--help"}).status, 0);
}

void CliTest::rulesPointAndBecomePython() {
  QVERIFY(attnscope({"rule"}).out.contains("Sinks and window"));
  const QStringList input{"--input", "gaussian:n=100,d=4,heads=1"};
  const Outcome wrong = attnscope(QStringList{"rule", "custom:rule=\"q < 3 and\n k \u2264 z\""} + input);
  QCOMPARE(wrong.status, 2);
  QVERIFY2(wrong.err.contains(QStringLiteral("character 16: there is no 'z'")), qPrintable(wrong.err));
  QVERIFY2(wrong.err.endsWith(QStringLiteral("\n   k \u2264 z\n       ^\n")), qPrintable(wrong.err));
  const Outcome report = attnscope(QStringList{"rule", "custom:rule=\"k == q; k < g\",g=2"} + input);
  QCOMPARE(report.status, 0);
  QVERIFY2(report.out.contains("298 of 10,000"), qPrintable(report.out));
  const Outcome python =
      attnscope(QStringList{"rule", "custom:rule=\"k < g\",g=2", "--mask-mod", "-"} + input);
  QVERIFY2(python.out.contains("    return kv_idx < 2\n"), qPrintable(python.out));
  const Outcome other = attnscope(QStringList{"rule", "full"} + input);
  QCOMPARE(other.status, 2);
  QVERIFY2(other.err.contains("only custom"), qPrintable(other.err));
  QCOMPARE(attnscope(QStringList{"rule", "custom", "--mask-mod", "/nowhere/x.py"} + input).status, 5);
}

void CliTest::slipsAreUsageErrors_data() {
  QTest::addColumn<QStringList>("arguments");
  QTest::addColumn<QStringList>("words");  // that the message must hold
  const QStringList small{"--input", "clustered:n=64"};
  QTest::newRow("mechanism") << (QStringList{"compute", "reformr"} + small)
                             << QStringList{"reformr", "reformer"};
  QTest::newRow("parameter") << (QStringList{"compute", "reformer:rounds=0"} + small)
                             << QStringList{"rounds", "0", "1"};
  QTest::newRow("option") << QStringList{"compute", "full", "--inptu", "sample"} << QStringList{"--inptu"};
  QTest::newRow("command") << QStringList{"lst"} << QStringList{"lst", "list"};
  QTest::newRow("precision") << QStringList{"compute", "full", "--precision", "fp16"}
                             << QStringList{"fp16", "bf16"};
  QTest::newRow("precision of the reference")
      << QStringList{"compute", "full", "--device", "reference", "--precision", "tf32"}
      << QStringList{"tf32", "double"};
  QTest::newRow("device") << QStringList{"compute", "full", "--device", "gpu"} << QStringList{"gpu", "cuda"};
  QTest::newRow("view") << QStringList{"figure", "mapp", "full", "-o", "x.pdf"} << QStringList{"mapp", "map"};
  QTest::newRow("ending") << QStringList{"figure", "map", "full", "-o", "x.bmp"}
                          << QStringList{"x.bmp", ".pdf"};
  QTest::newRow("size") << QStringList{"figure", "map", "full", "-o", "x.pdf", "--size", "9"}
                        << QStringList{"183x89mm"};
  QTest::newRow("own scale of no column")
      << (QStringList{"figure", "map", "full", "-o", "x.pdf", "--own-scale", "2"} + small)
      << QStringList{"--own-scale 2", "1 to 1"};
  QTest::newRow("own scale of a pattern")
      << (QStringList{"figure", "pattern", "full", "-o", "x.pdf", "--own-scale", "1"} + small)
      << QStringList{"neither maps nor differences"};
  QTest::newRow("pattern without a file")
      << QStringList{"compute", "full", "--pattern"} << QStringList{"--output"};
  const QStringList full{"compute", "full"};
  for (const char* scale : {"-1", "0", "nan", "-inf"})
    QTest::addRow("scale %s", scale) << (full + small + QStringList{QString("--scale=%1").arg(scale)})
                                     << QStringList{"--scale", "above 0"};
  for (const char* seed : {"-1", "1.5", "99999999999999999999999"})
    QTest::addRow("seed %s", seed) << (full + small + QStringList{QString("--seed=%1").arg(seed)})
                                   << QStringList{seed, "whole number"};
  QTest::newRow("a parameter twice") << (QStringList{"compute", "longformer:window=4,window=6"} + small)
                                     << QStringList{"window", "twice"};
  QTest::newRow("output without a name")
      << (full + small + QStringList{"-o", ""}) << QStringList{"--output", ".npz"};
  QTest::newRow("reason")
      << (QStringList{"figure", "pattern", "longformer", "-o", "x.png", "--hide", "nosuch"} + small)
      << QStringList{"nosuch", "local"};
  QTest::newRow("seconds") << QStringList{"bench", "full", "--lengths", "64", "--seconds=nan"}
                           << QStringList{"--seconds", "nan"};
  QTest::newRow("two outputs at once")
      << QStringList{"bench", "full", "--lengths", "64", "--json", "-", "--csv", "-"}
      << QStringList{"--csv -"};
  QTest::newRow("recipe") << QStringList{"bench", "full", "--lengths", "64", "--recipe", "nosuch"}
                          << QStringList{"nosuch"};
  QTest::newRow("neither a file nor a command")
      << QStringList{"nowhere/q.npz"} << QStringList{"nowhere/q.npz"};
  QTest::newRow("lengths") << QStringList{"bench", "full", "--lengths", "512..256"}
                           << QStringList{"256..65536"};
}

void CliTest::slipsAreUsageErrors() {
  QFETCH(QStringList, arguments);
  QFETCH(QStringList, words);
  const Outcome outcome = attnscope(arguments);
  QVERIFY2(outcome.err.startsWith("attnscope: "), qPrintable(outcome.err));
  QCOMPARE(outcome.status, 2);
  QVERIFY(outcome.out.isEmpty());
  for (const QString& word : words) QVERIFY2(outcome.err.contains(word), qPrintable(outcome.err));
}

void CliTest::missingFileIsNamed() {
  const Outcome outcome = attnscope({"compute", "full", "--input", "nowhere/q.npz"});
  QCOMPARE(outcome.status, 3);
  QVERIFY2(outcome.err.contains("nowhere/q.npz"), qPrintable(outcome.err));
}

void CliTest::truncatedFileIsNamed() {
  QCOMPARE(attnscope({"convert", "clustered:n=64", "whole.npz"}).status, 0);
  const QByteArray whole = contentOf(path("whole.npz"));
  QVERIFY(writeContent(path("cut.npz"), whole.left(whole.size() / 2)));
  const Outcome outcome = attnscope({"compute", "full", "--input", "cut.npz"});
  QCOMPARE(outcome.status, 3);
  QVERIFY2(outcome.err.contains("cut.npz"), qPrintable(outcome.err));
}

void CliTest::unwritableOutputIsNamed() {
  const Outcome compute =
      attnscope({"compute", "full", "--input", "clustered:n=64", "-o", "no/folder/out.npz"});
  QCOMPARE(compute.status, 5);
  QVERIFY2(compute.err.contains("no/folder"), qPrintable(compute.err));
  const Outcome figure =
      attnscope({"figure", "map", "full", "--input", "clustered:n=64", "-o", "no/folder/out.png"});
  QCOMPARE(figure.status, 5);
  QVERIFY2(figure.err.contains("no/folder"), qPrintable(figure.err));
}

// /dev/full refuses every byte.
void CliTest::lostOutputIsAnError() {
  for (const char* command : {"list", "info"}) {
    QProcess process;
    process.setStandardOutputFile(QStringLiteral("/dev/full"));
    process.start(QStringLiteral(ATTNSCOPE_BINARY), {QString(command)});
    QVERIFY(process.waitForFinished(60'000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 5);
    QVERIFY(process.readAllStandardError().contains("Standard output"));
  }
}

void CliTest::weightsAreLookedAt() {
  attnscope::Tensor omega(attnscope::DType::F32, {4, 8});
  const auto values = omega.mutableValues<float>();
  std::fill(values.begin(), values.end(), 0.5F);
  const QStringList call{"compute", "performer:features=4", "--input", "gaussian:n=16,d=8,heads=1"};
  QVERIFY(attnscope::writeNpz(path("w.npz").toStdString(), {{"omga", omega}}));
  const Outcome misspelt = attnscope(call + QStringList{"--weights", "w.npz"});
  QCOMPARE(misspelt.status, 2);
  QVERIFY2(misspelt.err.contains("did you mean 'omega'"), qPrintable(misspelt.err));
  QVERIFY(attnscope::writeNpz(path("w.npz").toStdString(), {{"omega", omega}, {"elsewhere", omega}}));
  const Outcome more = attnscope(call + QStringList{"--weights", "w.npz"});
  QCOMPARE(more.status, 0);
  QVERIFY2(more.err.contains("'elsewhere' is not used"), qPrintable(more.err));
  values[5] = std::numeric_limits<float>::quiet_NaN();
  QVERIFY(attnscope::writeNpz(path("w.npz").toStdString(), {{"omega", omega}}));
  const Outcome nan = attnscope(call + QStringList{"--weights", "w.npz"});
  QCOMPARE(nan.status, 3);
  QVERIFY2(nan.err.contains("'omega' holds nan at place 5"), qPrintable(nan.err));
}

void CliTest::capturedSettingsAreSaid() {
  attnscope::Tensor rows(attnscope::DType::F32, {9, 4, 16});
  const auto values = rows.mutableValues<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(i % 7);
  QVERIFY(attnscope::writeNpz(path("c.npz").toStdString(),
                              {{"q", rows}, {"k", rows}, {"v", rows}, {"mask", rows}}));
  const Outcome said = attnscope({"compute", "full", "--input", "c.npz"});
  QCOMPARE(said.status, 0);
  QVERIFY2(said.err.contains("'mask' is not applied"), qPrintable(said.err));
  QVERIFY2(said.err.contains("9 heads of 4 tokens"), qPrintable(said.err));
  const Outcome told = attnscope({"compute", "full", "--input", "c.npz:layout=nhd"});
  QVERIFY2(!told.err.contains("heads of"), qPrintable(told.err));
  attnscope::Tensor wide = attnscope::Tensor::zeros(attnscope::DType::F32, {1, 8, 300});
  QVERIFY(attnscope::writeNpz(path("w.npz").toStdString(), {{"q", wide}, {"k", wide}, {"v", wide}}));
  const Outcome transposed = attnscope({"compute", "full", "--input", "w.npz"});
  QVERIFY2(transposed.err.contains("8 tokens of width 300"), qPrintable(transposed.err));
}

// A number of a segment is a promise of as many notes; a wrong one took all memory.
void CliTest::manySegmentsAreRefused() {
  attnscope::Tensor rows(attnscope::DType::F32, {1, 8, 4});
  const auto values = rows.mutableValues<float>();
  std::fill(values.begin(), values.end(), 0.5F);
  attnscope::Tensor segments(attnscope::DType::I64, {8});
  std::fill(segments.mutableValues<std::int64_t>().begin(), segments.mutableValues<std::int64_t>().end(),
            std::int64_t{1000000000});
  QVERIFY(attnscope::writeNpz(path("s.npz").toStdString(),
                              {{"q", rows}, {"k", rows}, {"v", rows}, {"segments", segments}}));
  const Outcome outcome = attnscope({"compute", "etc", "--input", "s.npz"});
  QCOMPARE(outcome.status, 3);
  QVERIFY2(outcome.err.contains("1000000000"), qPrintable(outcome.err));
}

void CliTest::csvOfAnyRule() {
  const Outcome outcome = attnscope({"compare", "custom:rule=\"local: k <= q and q - k < w\",w=4", "full",
                                     "--input", "clustered:n=32", "--csv"});
  QCOMPARE(outcome.status, 0);
  const QStringList lines = outcome.out.trimmed().split(QLatin1Char('\n'));
  const auto fields = [](const QString& line) {
    int count = 1;
    bool quoted = false;
    for (const QChar c : line) {
      if (c == QLatin1Char('"')) quoted = !quoted;
      if (c == QLatin1Char(',') && !quoted) ++count;
    }
    return count;
  };
  QCOMPARE(lines.size(), 3);
  for (const QString& line : lines) QCOMPARE(fields(line), fields(lines[0]));
}

void CliTest::oneToken() {
  const Outcome outcome = attnscope({"compute", "full", "--input", "clustered:n=1", "-o", "one.npz"});
  QVERIFY2(outcome.status == 0, qPrintable(outcome.err));
  const auto file = attnscope::openArrayFile(path("one.npz").toStdString());
  QVERIFY(file.has_value());
  QCOMPARE((*file)->read("out")->dim(1), attnscope::Index{1});
}

void CliTest::sameBytesTwice() {
  const QStringList call{"compute", "reformer:rounds=2", "--input", "clustered:n=200", "--seed",
                         "3",       "--pattern",         "--trace"};
  QCOMPARE(attnscope(call + QStringList{"-o", "first.npz"}).status, 0);
  QCOMPARE(attnscope(call + QStringList{"-o", "second.npz"}).status, 0);
  QVERIFY(!contentOf(path("first.npz")).isEmpty());
  QVERIFY(contentOf(path("first.npz")) == contentOf(path("second.npz")));
}

// Also one of 0.
void CliTest::aSeedInTheSpecWins() {
  const auto out = [&](const char* spec, const char* seed) {
    const QStringList call{"compute", spec, "--input", "clustered:n=120", "--seed", seed, "-o", "seeded.npz"};
    if (attnscope(call).status != 0) return attnscope::Tensor();
    const auto file = attnscope::openArrayFile(path("seeded.npz").toStdString());
    return file ? *(*file)->read("out") : attnscope::Tensor();
  };
  const attnscope::Tensor zero = out("reformer", "0");
  QVERIFY(!zero.empty());
  const attnscope::Tensor given = out("reformer:seed=0", "5");
  const attnscope::Tensor other = out("reformer", "5");
  QVERIFY(!given.empty() && !other.empty());
  QCOMPARE(largestDifference(given.values<float>(), zero.values<float>()), 0.0);
  QVERIFY(largestDifference(other.values<float>(), zero.values<float>()) > 0.0);
}

void CliTest::agreesWithReference_data() {
  QTest::addColumn<QString>("spec");
  for (const char* spec : {"full", "longformer:window=16", "reformer:rounds=2", "linformer:k=16", "linear"}) {
    QTest::newRow(spec) << QString::fromLatin1(spec);
  }
}

void CliTest::agreesWithReference() {
  QFETCH(QString, spec);
  const QStringList call{"compute", spec, "--input", "clustered:n=130", "--matrix"};
  QCOMPARE(attnscope(call + QStringList{"--device", "cpu", "-o", "cpu.npz"}).status, 0);
  QCOMPARE(attnscope(call + QStringList{"--device", "reference", "-o", "reference.npz"}).status, 0);
  const auto fast = attnscope::openArrayFile(path("cpu.npz").toStdString());
  const auto slow = attnscope::openArrayFile(path("reference.npz").toStdString());
  QVERIFY(fast && slow);
  for (const char* name : {"out", "matrix"}) {
    const auto a = (*fast)->read(name);
    const auto b = (*slow)->read(name);
    QVERIFY(a && b);
    QCOMPARE(a->shape(), b->shape());
    const double difference = largestDifference(a->values<float>(), b->values<float>());
    QVERIFY2(difference < 1e-5, qPrintable(QStringLiteral("%1: %2").arg(name).arg(difference)));
  }
}

void CliTest::patternCountsItsPairs() {
  const QStringList call{"compute", "full", "--causal", "--input", "clustered:n=50,heads=2", "--pattern"};
  QCOMPARE(attnscope(call + QStringList{"-o", "pattern.npz"}).status, 0);
  const auto file = attnscope::openArrayFile(path("pattern.npz").toStdString());
  QVERIFY(file.has_value());
  for (const char* head : {"0", "1"}) {
    const std::string prefix = std::string("pattern/") + head + "/";
    QCOMPARE((*file)->read(prefix + "indptr")->values<std::int64_t>().back(), std::int64_t{50 * 51 / 2});
    QCOMPARE((*file)->read(prefix + "indices")->size(), attnscope::Index{50 * 51 / 2});
    QCOMPARE((*file)->read(prefix + "labels")->size(), attnscope::Index{50 * 51 / 2});
  }
}

void CliTest::figureHasTheSizeAskedFor() {
  const Outcome outcome = attnscope({"figure", "pattern+map", "full", "longformer:window=16", "--input",
                                     "clustered:n=64", "--size", "183x89mm", "--output", "figure.pdf"});
  QVERIFY2(outcome.status == 0, qPrintable(outcome.err));
  const QByteArray pdf = contentOf(path("figure.pdf"));
  QVERIFY(pdf.startsWith("%PDF"));
  const QRegularExpression box(QStringLiteral("/MediaBox \\[0 0 ([0-9.]+) ([0-9.]+)\\]"));
  const auto match = box.match(QString::fromLatin1(pdf));
  QVERIFY(match.hasMatch());
  // A page is stored in points, by some versions of Qt in whole ones.
  QVERIFY(std::abs(match.captured(1).toDouble() - 183.0 * 72.0 / 25.4) <= 1.0);
  QVERIFY(std::abs(match.captured(2).toDouble() - 89.0 * 72.0 / 25.4) <= 1.0);
}

void CliTest::figureOpensAsTheWallThatItShows() {
  const Outcome drawn = attnscope({"figure",
                                   "map+difference",
                                   "full",
                                   "longformer:window=16",
                                   "reformer",
                                   "--input",
                                   "SAMPLE",
                                   "--layer",
                                   "2",
                                   "--heads",
                                   "4+9",
                                   "--head",
                                   "1",
                                   "--baseline",
                                   "longformer:window=16",
                                   "--sort-by",
                                   "3.2",
                                   "--hide",
                                   "local",
                                   "--scale-range",
                                   "1e-3..0.5",
                                   "--own-scale",
                                   "2",
                                   "--size",
                                   "90mm",
                                   "--output",
                                   "carrier.svg"});
  QVERIFY2(drawn.status == 0, qPrintable(drawn.err));
  const Outcome info = attnscope({"info", "carrier.svg"});
  QCOMPARE(info.status, 0);
  for (const char* word :
       {"map+difference full longformer:window=16 reformer", "--input sample --layer 2 --head 9",
        "--baseline longformer:window=16", "--sort-by 3.2", "--own-scale 2", "--hide local", "0.001..0.5"})
    QVERIFY2(info.out.contains(QString::fromLatin1(word)), qPrintable(info.out));
}

void CliTest::aSourceMayNameItsLayer() {
  QCOMPARE(attnscope({"compute", "full", "--input", "sample:layer=3", "--output", "named.npz"}).status, 0);
  QCOMPARE(
      attnscope({"compute", "full", "--input", "sample", "--layer", "3", "--output", "third.npz"}).status, 0);
  QCOMPARE(attnscope({"compute", "full", "--input", "sample", "--output", "first.npz"}).status, 0);
  QVERIFY(contentOf(path("named.npz")) == contentOf(path("third.npz")));
  QVERIFY(contentOf(path("named.npz")) != contentOf(path("first.npz")));
}

void CliTest::whichEntryOfABatchIsSaid() {
  attnscope::Tensor batch = attnscope::Tensor::zeros(attnscope::DType::F32, {2, 1, 3, 2});
  const auto values = batch.mutableValues<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  QVERIFY(attnscope::writeNpz(path("batch.npz").toStdString(), {{"q", batch}, {"k", batch}, {"v", batch}}));
  const Outcome first = attnscope({"compute", "full", "--input", "batch.npz", "--output", "o.npz"});
  QCOMPARE(first.status, 0);
  QVERIFY2(first.err.contains("entry 0 of 2"), qPrintable(first.err));
  const Outcome second = attnscope({"compute", "full", "--input", "batch.npz:batch=1", "--output", "o.npz"});
  QCOMPARE(second.status, 0);
  QVERIFY2(second.err.isEmpty(), qPrintable(second.err));
}

void CliTest::convertKeepsTheNumbers() {
  QCOMPARE(attnscope({"convert", "clustered:n=40", "in.npz"}).status, 0);
  QCOMPARE(attnscope({"convert", "in.npz", "q.npy", "--array", "q"}).status, 0);
  const auto npz = attnscope::openArrayFile(path("in.npz").toStdString());
  const auto npy = attnscope::openArrayFile(path("q.npy").toStdString());
  QVERIFY(npz && npy);
  const auto a = (*npz)->read("q");
  const auto b = (*npy)->read("");
  QVERIFY(a && b);
  QCOMPARE(largestDifference(a->values<float>(), b->values<float>()), 0.0);
  QCOMPARE(attnscope({"convert", "in.npz", "all.npy"}).status, 2);
}

void CliTest::aSessionIsNoInput() {
  QVERIFY(writeContent(path("wall.attnscope"),
                       "{\n  \"attnscope_session\": 1,\n  \"input\": {\"source\": "
                       "\"clustered:n=32\"},\n  \"mechanisms\": "
                       "[{\"spec\": \"longformer:window=8\"}]\n}\n"));
  const Outcome input = attnscope({"compute", "full", "--input", "wall.attnscope", "--output", "o.npz"});
  QCOMPARE(input.status, 3);
  QVERIFY2(input.err.contains("is a session, which names an input"), qPrintable(input.err));
  const Outcome info = attnscope({"info", "wall.attnscope"});
  QCOMPARE(info.status, 0);
  QVERIFY2(info.out.contains("clustered:n=32") && info.out.contains("longformer:window=8") &&
               info.out.contains("attnscope figure pattern+map"),
           qPrintable(info.out));
  QVERIFY(writeContent(path("broken.attnscope"), "{\n  \"attnscope_session\": 1\n}\n"));
  const Outcome broken = attnscope({"info", "broken.attnscope"});
  QCOMPARE(broken.status, 3);
  QVERIFY2(broken.err.contains("'mechanisms' names none"), qPrintable(broken.err));
}

void CliTest::infoDescribesTheProgram() {
  const Outcome program = attnscope({"info"});
  QCOMPARE(program.status, 0);
  for (const char* word : {"attnscope", "Qt", "cpu", "memory"}) QVERIFY2(program.out.contains(word), word);
  const Outcome sample = attnscope({"info", "sample"});
  QVERIFY2(sample.status == 0, qPrintable(sample.err));
  QVERIFY(sample.out.contains("layer 0"));
}

void CliTest::interruptEndsWith130() {
  QProcess process;
  process.start(QStringLiteral(ATTNSCOPE_BINARY),
                {"bench", "full", "--lengths", "16384", "--heads", "8", "--seconds", "60"});
  QVERIFY(process.waitForStarted());
  QVERIFY(process.waitForReadyRead(20'000));  // the head of the table: the handler is in place
  QTest::qWait(300);
  QCOMPARE(::kill(static_cast<pid_t>(process.processId()), SIGINT), 0);
  QVERIFY(process.waitForFinished(20'000));
  QCOMPARE(process.exitStatus(), QProcess::NormalExit);
  QCOMPARE(process.exitCode(), 130);
}

QTEST_GUILESS_MAIN(CliTest)
#include "cli_test.moc"
