// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure.h"

#include <qcustomplot.h>

#include <QApplication>
#include <QBuffer>
#include <QFileInfo>
#include <QImage>
#include <QImageWriter>
#include <QPageSize>
#include <QPdfWriter>
#include <QSvgGenerator>
#include <cmath>

#include "ui/export/figure_page.h"
#include "ui/export/session_file.h"
#include "ui/state/save_file.h"

namespace attnscope {

namespace {

// Vector formats are laid out in tenths of a point, and matrices embedded at the resolution of a good press.
constexpr double kVectorUnits = 720.0;
constexpr double kPrintPixels = 600.0;
constexpr double kMaxPixels = 400e6;

QString titleOf(const FigureSpec& spec) {
  QStringList titles;
  for (const FigureColumn& column : spec.columns) titles << column.title;
  return titles.isEmpty() ? QStringLiteral("Attnscope figure") : titles.join(QStringLiteral(", "));
}

// Paints onto a device through the painter that QCustomPlot needs.
bool paintOn(QPaintDevice& device, const FigurePage& page, bool vector) {
  QCPPainter painter;
  if (!painter.begin(&device)) return false;
  painter.setMode(QCPPainter::pmNoCaching);
  if (vector) {
    painter.setMode(QCPPainter::pmVectorized);
    painter.setRenderHint(QPainter::LosslessImageRendering);  // else pictures in PDF become JPEG
  }
  painter.setRenderHint(QPainter::TextAntialiasing);
  page.paint(painter);
  return painter.end();
}

Result<QByteArray> pngBytes(const FigureSpec& spec, const FigurePage& page) {
  const QSize size = page.size();
  if (static_cast<double>(size.width()) * size.height() > kMaxPixels)
    return fail(ErrorKind::Usage,
                "The figure would have more than 400 million pixels. Lower the dpi or the size.");
  QImage image(size, QImage::Format_RGB32);
  if (image.isNull())
    return fail(ErrorKind::Compute, "There is not enough memory for the figure. Lower the dpi.");
  const int perMetre = static_cast<int>(std::lround(spec.dpi / 0.0254));
  image.setDotsPerMeterX(perMetre);
  image.setDotsPerMeterY(perMetre);
  if (!paintOn(image, page, false)) return fail(ErrorKind::Output, "The figure could not be painted.");
  image.setText(QStringLiteral("Title"), titleOf(spec));
  image.setText(QStringLiteral("Description"), spec.provenance);
  image.setText(QStringLiteral("Software"), QStringLiteral("Attnscope"));
  if (!spec.session.empty()) image.setText(kPngSessionKey, wrappedSession(spec.session));
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  QImageWriter writer(&buffer, "png");
  if (!writer.write(image)) return fail(ErrorKind::Output, writer.errorString().toStdString());
  return bytes;
}

Result<QByteArray> svgBytes(const FigureSpec& spec, const FigurePage& page) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  QSvgGenerator generator;
  generator.setOutputDevice(&buffer);
  generator.setResolution(static_cast<int>(kVectorUnits));
  generator.setSize(page.size());
  generator.setViewBox(QRect(QPoint(), page.size()));
  generator.setTitle(titleOf(spec));
  generator.setDescription(spec.session.empty()
                               ? spec.provenance
                               : spec.provenance + QLatin1Char('\n') + wrappedSession(spec.session));
  if (!paintOn(generator, page, true)) return fail(ErrorKind::Output, "The figure could not be painted.");
  // A family that every viewer can replace if it lacks ours.
  const QByteArray family = spec.theme.font.family().toUtf8();
  bytes.replace("font-family=\"" + family + "\"", "font-family=\"" + family + ", sans-serif\"");
  return bytes;
}

Result<QByteArray> pdfBytes(const FigureSpec& spec, const FigurePage& page) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  {
    QPdfWriter writer(&buffer);
    writer.setResolution(static_cast<int>(kVectorUnits));
    writer.setPageSize(QPageSize(page.millimetres(), QPageSize::Millimeter, {}, QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    writer.setTitle(titleOf(spec));
    writer.setCreator(spec.provenance.isEmpty() ? QStringLiteral("Attnscope") : spec.provenance);
    if (!spec.session.empty()) writer.setDocumentXmpMetadata(xmpWithSession(spec.session));
    if (!paintOn(writer, page, true)) return fail(ErrorKind::Output, "The figure could not be painted.");
  }
  return bytes;
}

}  // namespace

struct PreparedFigure::Data {
  FigureSpec spec;
  QString path;
  QString ending;
  FigurePage page;
};

PreparedFigure::PreparedFigure(std::shared_ptr<const Data> data) : m_data(std::move(data)) {}

Result<PreparedFigure> PreparedFigure::make(const FigureSpec& spec, const QString& path,
                                            const JobContext& job) {
  const QString ending = QFileInfo(path).suffix().toLower();
  if (ending != QLatin1String("png") && ending != QLatin1String("svg") && ending != QLatin1String("pdf"))
    return fail(ErrorKind::Usage,
                QStringLiteral("%1: a figure ends in .png, .svg or .pdf.").arg(path).toStdString());
  PageDevice device{kVectorUnits, kPrintPixels, true};
  if (ending == QLatin1String("png")) device = {spec.dpi, spec.dpi, false};
  if (!(device.unitsPerInch >= 20.0 && device.unitsPerInch <= 4800.0))
    return fail(ErrorKind::Usage, "The dpi must lie between 20 and 4800; journals ask for 300 to 600.");
  FigureSpec named = spec;
  if (device.vector) named.theme.font.setFamily(QStringLiteral("DejaVu Sans"));
  auto page = FigurePage::layOut(named, device);
  if (!page) return tl::unexpected<Error>(std::move(page.error()));
  ATTN_TRY(page->computeNumbers(job));
  return PreparedFigure(std::make_shared<const Data>(Data{std::move(named), path, ending, std::move(*page)}));
}

Status PreparedFigure::write() const {
  if (!qobject_cast<QApplication*>(QCoreApplication::instance()))
    return fail(ErrorKind::Output, "A figure needs a QApplication (the offscreen platform will do).");
  const auto& [spec, path, ending, page] = *m_data;
  const auto bytes = ending == QLatin1String("png")   ? pngBytes(spec, page)
                     : ending == QLatin1String("svg") ? svgBytes(spec, page)
                                                      : pdfBytes(spec, page);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  return saveFile(path, *bytes);
}

Status writeFigure(const FigureSpec& spec, const QString& path, const JobContext& job) {
  ATTN_ASSIGN(figure, PreparedFigure::make(spec, path, job));
  return figure.write();
}

}  // namespace attnscope
