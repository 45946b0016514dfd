// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QImage>
#include <QString>
#include <memory>
#include <optional>

#include "core/base/error.h"
#include "ui/export/figure.h"

class QPainter;

namespace attnscope {

class FigurePage;

enum class FigureFormat { Png, Svg, Pdf };
// By the ending of a file, without its dot; none if it is another.
[[nodiscard]] std::optional<FigureFormat> figureFormat(const QString& ending);

// What painting leaves: pixels of a raster format, or the bytes of a vector format.
struct FigureContents {
  QImage image;
  QByteArray bytes;
};

// What a figure is painted on, open until finish(). GUI thread only.
class FigureCanvas {
 public:
  // Error (Usage, Compute, Output) where it is too large, there is no memory or the device refuses.
  [[nodiscard]] static Result<std::unique_ptr<FigureCanvas>> make(FigureFormat format, const FigureSpec& spec,
                                                                  const FigurePage& page);
  virtual ~FigureCanvas() = default;
  FigureCanvas(const FigureCanvas&) = delete;
  FigureCanvas& operator=(const FigureCanvas&) = delete;

  [[nodiscard]] virtual QPainter& painter() = 0;
  [[nodiscard]] virtual Result<FigureContents> finish() = 0;

 protected:
  FigureCanvas() = default;
};

// The file's bytes. Any thread: compressing a large picture takes a while.
[[nodiscard]] Result<QByteArray> encodedFigure(FigureFormat format, const FigureSpec& spec,
                                               const FigureContents& contents);

}  // namespace attnscope
