// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure_canvas.h"

#include <qcustomplot.h>

#include <QBuffer>
#include <QImageWriter>
#include <QPageSize>
#include <QPdfWriter>
#include <QSvgGenerator>
#include <cmath>

#include "ui/export/figure_page.h"
#include "ui/export/session_file.h"

namespace attnscope {

namespace {

constexpr double kMaxPixels = 400e6;

QString titleOf(const FigureSpec& spec) {
  QStringList titles;
  for (const FigureColumn& column : spec.columns) titles << column.title;
  return titles.isEmpty() ? QStringLiteral("Attnscope figure") : titles.join(QStringLiteral(", "));
}

// The painter that QCustomPlot needs.
bool begin(QCPPainter& painter, QPaintDevice& device, bool vector) {
  if (!painter.begin(&device)) return false;
  painter.setMode(QCPPainter::pmNoCaching);
  if (vector) {
    painter.setMode(QCPPainter::pmVectorized);
    painter.setRenderHint(QPainter::LosslessImageRendering);  // else pictures in PDF become JPEG
  }
  painter.setRenderHint(QPainter::TextAntialiasing);
  return true;
}

tl::unexpected<Error> notPainted() {
  return fail(ErrorKind::Output, "The figure could not be painted.");
}

class RasterCanvas final : public FigureCanvas {
 public:
  Status open(const FigureSpec& spec, const FigurePage& page) {
    const QSize size = page.size();
    if (static_cast<double>(size.width()) * size.height() > kMaxPixels)
      return fail(ErrorKind::Usage,
                  "The figure would have more than 400 million pixels. Lower the dpi or the size.");
    m_image = QImage(size, QImage::Format_RGB32);
    if (m_image.isNull())
      return fail(ErrorKind::Compute, "There is not enough memory for the figure. Lower the dpi.");
    const int perMetre = static_cast<int>(std::lround(spec.dpi / 0.0254));
    m_image.setDotsPerMeterX(perMetre);
    m_image.setDotsPerMeterY(perMetre);
    return begin(m_painter, m_image, false) ? Status() : notPainted();
  }
  QPainter& painter() override { return m_painter; }
  Result<FigureContents> finish() override {
    if (!m_painter.end()) return notPainted();
    return FigureContents{std::move(m_image), {}};
  }

 private:
  QImage m_image;
  QCPPainter m_painter;
};

// SVG and PDF: `Device` writes into a buffer, and is done when it goes.
template <class Device>
class VectorCanvas final : public FigureCanvas {
 public:
  VectorCanvas() { m_buffer.open(QIODevice::WriteOnly); }
  template <class SetUp>
  Status open(SetUp setUp) {
    m_device = setUp(m_buffer);
    return begin(m_painter, *m_device, true) ? Status() : notPainted();
  }
  QPainter& painter() override { return m_painter; }
  Result<FigureContents> finish() override {
    if (!m_painter.end()) return notPainted();
    m_device.reset();
    return FigureContents{{}, m_buffer.data()};
  }

 private:
  QBuffer m_buffer;
  std::unique_ptr<Device> m_device;
  QCPPainter m_painter;
};

std::unique_ptr<QSvgGenerator> svgDevice(QBuffer& buffer, const FigureSpec& spec, const FigurePage& page) {
  auto generator = std::make_unique<QSvgGenerator>();
  generator->setOutputDevice(&buffer);
  generator->setResolution(page.unitsPerInch());
  generator->setSize(page.size());
  generator->setViewBox(QRect(QPoint(), page.size()));
  generator->setTitle(titleOf(spec));
  generator->setDescription(spec.session.empty()
                                ? spec.provenance
                                : spec.provenance + QLatin1Char('\n') + wrappedSession(spec.session));
  return generator;
}

std::unique_ptr<QPdfWriter> pdfDevice(QBuffer& buffer, const FigureSpec& spec, const FigurePage& page) {
  auto writer = std::make_unique<QPdfWriter>(&buffer);
  writer->setResolution(page.unitsPerInch());
  writer->setPageSize(QPageSize(page.millimetres(), QPageSize::Millimeter, {}, QPageSize::ExactMatch));
  writer->setPageMargins(QMarginsF());
  writer->setTitle(titleOf(spec));
  writer->setCreator(spec.provenance.isEmpty() ? QStringLiteral("Attnscope") : spec.provenance);
  if (!spec.session.empty()) writer->setDocumentXmpMetadata(xmpWithSession(spec.session));
  return writer;
}

Result<QByteArray> pngBytes(const FigureSpec& spec, QImage image) {
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

// A family that every viewer can replace if it lacks ours.
QByteArray svgBytes(const FigureSpec& spec, QByteArray bytes) {
  const QByteArray family = spec.theme.font.family().toUtf8();
  bytes.replace("font-family=\"" + family + "\"", "font-family=\"" + family + ", sans-serif\"");
  return bytes;
}

}  // namespace

std::optional<FigureFormat> figureFormat(const QString& ending) {
  const QString lower = ending.toLower();
  if (lower == QLatin1String("png")) return FigureFormat::Png;
  if (lower == QLatin1String("svg")) return FigureFormat::Svg;
  if (lower == QLatin1String("pdf")) return FigureFormat::Pdf;
  return {};
}

Result<std::unique_ptr<FigureCanvas>> FigureCanvas::make(FigureFormat format, const FigureSpec& spec,
                                                         const FigurePage& page) {
  if (format == FigureFormat::Png) {
    auto canvas = std::make_unique<RasterCanvas>();
    ATTN_TRY(canvas->open(spec, page));
    return canvas;
  }
  if (format == FigureFormat::Svg) {
    auto canvas = std::make_unique<VectorCanvas<QSvgGenerator>>();
    ATTN_TRY(canvas->open([&](QBuffer& buffer) { return svgDevice(buffer, spec, page); }));
    return canvas;
  }
  auto canvas = std::make_unique<VectorCanvas<QPdfWriter>>();
  ATTN_TRY(canvas->open([&](QBuffer& buffer) { return pdfDevice(buffer, spec, page); }));
  return canvas;
}

Result<QByteArray> encodedFigure(FigureFormat format, const FigureSpec& spec,
                                 const FigureContents& contents) {
  if (format == FigureFormat::Png) return pngBytes(spec, contents.image);
  return format == FigureFormat::Svg ? svgBytes(spec, contents.bytes) : contents.bytes;
}

}  // namespace attnscope
