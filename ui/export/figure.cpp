// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure.h"

#include <QApplication>
#include <QFileInfo>
#include <optional>

#include "ui/export/figure_canvas.h"
#include "ui/export/figure_page.h"
#include "ui/state/save_file.h"

namespace attnscope {

namespace {

// Vector formats are laid out in tenths of a point, and matrices embedded at the resolution of a good press.
constexpr double kVectorUnits = 720.0;
constexpr double kPrintPixels = 600.0;

}  // namespace

struct PreparedFigure::Data {
  FigureSpec spec;
  QString path;
  FigureFormat format;
  FigurePage page;
  std::unique_ptr<FigureCanvas> canvas;  // while it is painted
  std::size_t painted = 0;               // parts
  FigureContents contents;               // then
};

PreparedFigure::PreparedFigure(std::shared_ptr<Data> data) : m_data(std::move(data)) {}

Result<PreparedFigure> PreparedFigure::make(const FigureSpec& spec, const QString& path,
                                            const JobContext& job) {
  const std::optional<FigureFormat> format = figureFormat(QFileInfo(path).suffix());
  if (!format)
    return fail(ErrorKind::Usage,
                QStringLiteral("%1: a figure ends in .png, .svg or .pdf.").arg(path).toStdString());
  PageDevice device{kVectorUnits, kPrintPixels, true};
  if (*format == FigureFormat::Png) device = {spec.dpi, spec.dpi, false};
  if (!(device.unitsPerInch >= 20.0 && device.unitsPerInch <= 4800.0))
    return fail(ErrorKind::Usage, "The dpi must lie between 20 and 4800; journals ask for 300 to 600.");
  FigureSpec named = spec;
  if (device.vector) named.theme.font.setFamily(QStringLiteral("DejaVu Sans"));
  auto page = FigurePage::layOut(named, device);
  if (!page) return tl::unexpected<Error>(std::move(page.error()));
  ATTN_TRY(page->computeNumbers(job));
  return PreparedFigure(
      std::make_shared<Data>(Data{std::move(named), path, *format, std::move(*page), nullptr, 0, {}}));
}

Result<bool> PreparedFigure::paintNext() const {
  if (!qobject_cast<QApplication*>(QCoreApplication::instance()))
    return fail(ErrorKind::Output, "A figure needs a QApplication (the offscreen platform will do).");
  Data& data = *m_data;
  if (!data.canvas) {
    ATTN_ASSIGN(canvas, FigureCanvas::make(data.format, data.spec, data.page));
    data.canvas = std::move(canvas);
  }
  data.page.paintPart(data.painted, data.canvas->painter());
  if (++data.painted < data.page.parts()) return true;
  ATTN_ASSIGN(contents, data.canvas->finish());
  data.contents = std::move(contents);
  data.canvas.reset();
  return false;
}

Status PreparedFigure::save(const JobContext& job) const {
  ATTN_ASSIGN(bytes, encodedFigure(m_data->format, m_data->spec, m_data->contents));
  if (job.isCancelled()) return cancelled();
  return saveFile(m_data->path, bytes);
}

Status writeFigure(const FigureSpec& spec, const QString& path, const JobContext& job) {
  ATTN_ASSIGN(figure, PreparedFigure::make(spec, path, job));
  bool more = true;
  while (more) {
    ATTN_ASSIGN(next, figure.paintNext());
    more = next;
  }
  return figure.save(job);
}

}  // namespace attnscope
