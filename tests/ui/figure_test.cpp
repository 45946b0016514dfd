// SPDX-License-Identifier: GPL-3.0-or-later
#include <QDir>
#include <QFile>
#include <QImage>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTimer>
#include <QXmlStreamReader>
#include <QtTest>

#include "core/inputs/recipes.h"
#include "core/params/mechanism_spec.h"
#include "kernels/backend_registry.h"
#include "ui/export/figure.h"
#include "ui/export/figure_writer.h"
#include "ui/plots/cell_image.h"

using namespace attnscope;

namespace {

FigureColumn column(const std::string& spec) {
  const auto input = makeRecipe("clustered:n=64,d=8,heads=1");
  const auto parsed = parseMechanismSpec(spec);
  const auto backend = findBackend("cpu");
  if (!input || !parsed || !backend) qFatal("the fixture is broken");
  const auto result = explore(*parsed, *input, **backend);
  if (!result) qFatal("%s", result.error().message.c_str());
  return {QString::fromStdString(spec), *result, {}, nullptr};
}

QByteArray bytesOf(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

class FigureTest : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase();
  void pdfHasItsSizeAndItsText();
  void svgHasItsSizeAndItsText();
  void pngHasItsResolution();
  void cellsAreExactInPrint();
  void insidesAndSweepsAreDrawn();
  void narrowPagesHaveColumnsBelow();
  void aDifferenceSaysWhatItLacks();
  void mistakesAreNamed();
  void cancelling();
  void theWindowGoesOnWhileAFigureIsPainted();

 private:
  [[nodiscard]] QString path(const QString& name) const { return m_folder.filePath(name); }
  QTemporaryDir m_folder;
  FigureSpec m_spec;
};

void FigureTest::initTestCase() {
  m_spec.rows = {PanelKind::Pattern, PanelKind::Map};
  m_spec.columns = {column("full"), column("linformer")};
  m_spec.millimetres = QSizeF(120.0, 0.0);
  m_spec.provenance = QStringLiteral("Attnscope test, clustered:n=64");
}

void FigureTest::pdfHasItsSizeAndItsText() {
  FigureSpec spec = m_spec;
  spec.millimetres.setHeight(110.0);
  const Status status = writeFigure(spec, path(QStringLiteral("a.pdf")));
  QVERIFY2(status, status ? "" : status.error().message.c_str());
  const QByteArray pdf = bytesOf(path(QStringLiteral("a.pdf")));
  const auto box = QRegularExpression(QStringLiteral("MediaBox \\[0 0 ([0-9.]+) ([0-9.]+)\\]"))
                       .match(QString::fromLatin1(pdf));
  QVERIFY(box.hasMatch());
  QVERIFY(std::abs(box.captured(1).toDouble() - 120.0 / 25.4 * 72.0) <= 0.6);  // Qt rounds pages to points
  QVERIFY(std::abs(box.captured(2).toDouble() - 110.0 / 25.4 * 72.0) <= 0.6);
  QVERIFY(pdf.contains("/ToUnicode"));   // text that can be searched and copied
  QVERIFY(pdf.contains("/FontFile2"));   // and a font that is embedded
  QVERIFY(!pdf.contains("/DCTDecode"));  // no JPEG
}

void FigureTest::svgHasItsSizeAndItsText() {
  QVERIFY(writeFigure(m_spec, path(QStringLiteral("a.svg"))));
  const QByteArray svg = bytesOf(path(QStringLiteral("a.svg")));
  QXmlStreamReader xml(svg);
  QStringList texts;
  QString width;
  QString viewBox;
  QString description;
  while (!xml.atEnd()) {
    xml.readNext();
    if (!xml.isStartElement()) continue;
    if (xml.name() == QLatin1String("svg")) {
      width = xml.attributes().value(QLatin1String("width")).toString();
      viewBox = xml.attributes().value(QLatin1String("viewBox")).toString();
    } else if (xml.name() == QLatin1String("desc")) {
      description = xml.readElementText();
    } else if (xml.name() == QLatin1String("text")) {
      texts << xml.readElementText().trimmed();
    }
  }
  QVERIFY2(!xml.hasError(), qPrintable(xml.errorString()));
  QVERIFY(width.endsWith(QLatin1String("mm")));
  QVERIFY(std::abs(width.chopped(2).toDouble() - 120.0) < 0.1);
  QVERIFY(!viewBox.isEmpty());
  QCOMPARE(description, m_spec.provenance);
  for (const char* wanted :
       {"full", "linformer", "query", "key", "0", "63", "a", "d", "not read", "largest weight, log scale"})
    QVERIFY2(texts.contains(QString::fromLatin1(wanted)), wanted);
  QVERIFY(svg.contains("font-family=\"DejaVu Sans, sans-serif\""));
}

void FigureTest::pngHasItsResolution() {
  FigureSpec spec = m_spec;
  spec.dpi = 300.0;
  spec.millimetres = QSizeF(127.0, 0.0);
  QVERIFY(writeFigure(spec, path(QStringLiteral("a.png"))));
  const QImage image(path(QStringLiteral("a.png")));
  QCOMPARE(image.width(), 1500);  // 5 inches
  QCOMPARE(image.dotsPerMeterX(), 11811);
  QCOMPARE(image.text(QStringLiteral("Description")), spec.provenance);
  QCOMPARE(image.pixelColor(0, 0), QColor(Qt::white));
}

void FigureTest::cellsAreExactInPrint() {
  FigureSpec spec;
  spec.rows = {PanelKind::Pattern};
  spec.columns = {column("full:causal=on")};
  spec.millimetres = QSizeF(60.0, 0.0);
  QVERIFY(writeFigure(spec, path(QStringLiteral("cells.png"))));
  const QImage image(path(QStringLiteral("cells.png")));
  // In the last row of cells everything is read; in the first, one cell. Both lengths in pixels are exact.
  const QRgb read = categoryQColor(0).rgb();
  QList<int> lengths;
  for (int y = 0; y < image.height(); ++y) {
    int length = 0;
    for (int x = 0; x < image.width(); ++x) length += image.pixel(x, y) == read ? 1 : 0;
    // Legends and antialiased text are shorter than the square and stand below it.
    lengths << length;
  }
  const int widest = *std::max_element(lengths.begin(), lengths.end());
  QCOMPARE(widest % 64, 0);
  QCOMPARE(lengths.count(widest / 64), widest / 64);
  QVERIFY(lengths.count(widest / 2) >= widest / 64);
}

void FigureTest::insidesAndSweepsAreDrawn() {
  InsidePanel curve;
  curve.kind = InsidePanel::Kind::Curves;
  curve.title = "spectrum";
  curve.caption = "What is kept, and what is not, told in a sentence that needs several lines in print.";
  curve.curves = {{"kept", {1, 2, 3}, {0.1, 0.6, 0.9}}};
  FigureSpec spec = m_spec;
  spec.rows = {PanelKind::Map, PanelKind::Insides};
  spec.columns[0].insides = {curve};
  QVERIFY(writeFigure(spec, path(QStringLiteral("inside.svg"))));
  QVERIFY(bytesOf(path(QStringLiteral("inside.svg"))).contains("spectrum"));

  FigureSpec sweep;
  sweep.columns = m_spec.columns;
  for (std::size_t s = 0; s < 2; ++s)
    for (int p = 8; p < 13; ++p) {
      SweepPoint point;
      point.spec = s;
      point.n = Index{1} << p;
      point.median = point.low = point.high = 1e-9 * static_cast<double>(point.n * point.n);
      sweep.sweep.push_back(point);
    }
  QVERIFY(writeFigure(sweep, path(QStringLiteral("sweep.svg"))));
  const QByteArray svg = bytesOf(path(QStringLiteral("sweep.svg")));
  QVERIFY(svg.contains("n^2.00"));
  QVERIFY(svg.contains("sequence length n"));
}

// A page as wide as a column of text: four mechanisms do not fit beside each other, two and two do.
void FigureTest::narrowPagesHaveColumnsBelow() {
  FigureSpec spec = m_spec;
  spec.rows = {PanelKind::Map};
  spec.columns = {column("full"), column("linformer"), column("longformer"), column("sparse")};
  const auto sizeAt = [&](double millimetres) {
    spec.millimetres = QSizeF(millimetres, 0.0);
    if (!writeFigure(spec, path(QStringLiteral("wall.png")))) return QSize();
    return QImage(path(QStringLiteral("wall.png"))).size();
  };
  const QSize wide = sizeAt(183.0);
  QVERIFY(!wide.isEmpty() && wide.height() < wide.width() / 2);
  const QSize narrow = sizeAt(89.0);
  QVERIFY(!narrow.isEmpty() && narrow.height() > narrow.width() * 3 / 4);
  spec.millimetres = QSizeF(89.0, 0.0);
  QVERIFY(writeFigure(spec, path(QStringLiteral("wall.svg"))));
  const QByteArray svg = bytesOf(path(QStringLiteral("wall.svg")));
  for (const char* title : {">full<", ">linformer<", ">longformer<", ">sparse<"})
    QVERIFY2(svg.contains(title), title);
}

// A column without a baseline is not the baseline.
void FigureTest::aDifferenceSaysWhatItLacks() {
  FigureSpec spec = m_spec;
  spec.rows = {PanelKind::Difference};
  spec.columns[1].noBaseline = QStringLiteral("Too long.");
  QVERIFY(writeFigure(spec, path(QStringLiteral("difference.svg"))));
  const QByteArray svg = bytesOf(path(QStringLiteral("difference.svg")));
  QCOMPARE(svg.count("the baseline"), 1);
  QCOMPARE(svg.count("Too long."), 1);
}

void FigureTest::mistakesAreNamed() {
  const auto message = [](const Status& status) {
    return status ? QString() : QString::fromStdString(status.error().message);
  };
  QVERIFY(message(writeFigure(m_spec, path(QStringLiteral("a.gif"))))
              .contains(QLatin1String(".png, .svg or .pdf")));
  const QString nowhere = path(QStringLiteral("no/such/folder/a.pdf"));
  const Status status = writeFigure(m_spec, nowhere);
  QVERIFY(!status);
  QCOMPARE(status.error().kind, ErrorKind::Output);
  QVERIFY(message(status).contains(nowhere));
  FigureSpec none;
  QVERIFY(
      message(writeFigure(none, path(QStringLiteral("a.pdf")))).contains(QLatin1String("nothing to draw")));
  FigureSpec tiny = m_spec;
  tiny.millimetres = QSizeF(15.0, 0.0);
  const QString narrow = message(writeFigure(tiny, path(QStringLiteral("a.pdf"))));
  const QRegularExpressionMatch needs =
      QRegularExpression(QStringLiteral("it needs (\\d+) mm")).match(narrow);
  QVERIFY2(needs.hasMatch(), qPrintable(narrow));
  tiny.millimetres.setWidth(needs.captured(1).toDouble());  // that is enough indeed
  QVERIFY(writeFigure(tiny, path(QStringLiteral("a.pdf"))));
}

void FigureTest::cancelling() {
  const JobContext job;
  job.cancel();
  const Status status = writeFigure(m_spec, path(QStringLiteral("never.pdf")), job);
  QVERIFY(!status);
  QCOMPARE(status.error().kind, ErrorKind::Cancelled);
  QVERIFY(!QFile::exists(path(QStringLiteral("never.pdf"))));
}

// Events are handled between its panels; who writes another figure meanwhile gets that one only.
void FigureTest::theWindowGoesOnWhileAFigureIsPainted() {
  for (const char* ending : {"png", "svg", "pdf"}) {
    const QString dropped = path(QStringLiteral("dropped.%1").arg(QLatin1String(ending)));
    const QString kept = path(QStringLiteral("kept.%1").arg(QLatin1String(ending)));
    FigureWriter writer;
    QSignalSpy finished(&writer, &FigureWriter::finished);
    int events = 0;
    QTimer other;
    bool replaced = false;
    connect(&other, &QTimer::timeout, &other, [&] {
      if (!writer.isPainting()) return;
      if (std::exchange(replaced, true)) {
        ++events;
        return;
      }
      writer.start(m_spec, kept);
      if (writer.isPainting() || !writer.isRunning()) qFatal("it goes on with the first");
    });
    other.start(0);
    writer.start(m_spec, dropped);
    QTRY_COMPARE(finished.count(), 1);
    QVERIFY(replaced);
    QVERIFY2(events >= 3, qPrintable(QString::number(events)));  // four panels
    QVERIFY(!writer.isRunning());
    QCOMPARE(finished[0][0].toString(), kept);
    QCOMPARE(finished[0][1].toString(), QString());
    QVERIFY(!QFile::exists(dropped));
    // As the command writes it at once.
    const QString once = path(QStringLiteral("once.%1").arg(QLatin1String(ending)));
    QVERIFY(writeFigure(m_spec, once));
    if (QLatin1String(ending) != QLatin1String("pdf")) QCOMPARE(bytesOf(kept), bytesOf(once));
    QVERIFY(bytesOf(kept).size() > 1000);
  }
}

QTEST_MAIN(FigureTest)
#include "figure_test.moc"
