// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "kernels/explore.h"  // before Qt, whose keyword "slots" is also a member of plans
#include "ui/export/figure.h"

namespace CLI {
class App;
}

namespace attnscope {

// How a figure is to look, as figure and bench take it from the command line.
struct FigureArguments {
  std::string size = "183mm";
  double dpi = 300.0;
  double fontPoints = 7.0;
  std::string theme = "light";
  std::string colorMap = "viridis";
  std::string scaleKind = "log";
  std::string scaleRange = "1e-4..1";
  bool marginals = false;
  std::string hidden;

  void declarePage(CLI::App& app);  // size, resolution, text, theme
  void declareMaps(CLI::App& app);  // the rest: what only patterns and maps have
  // A FigureSpec with everything but its contents. Errors (Usage) name the option and the valid values.
  [[nodiscard]] Result<FigureSpec> makeSpec() const;
};

// "183x89mm", "183mm" (the height follows), "7.2x3.5in", "18.3cm".
[[nodiscard]] std::optional<QSizeF> parseFigureSize(const std::string& text);

// .png, .svg or .pdf; anything else is an error (Usage) before minutes of computing.
[[nodiscard]] Status checkFigurePath(const std::string& path);

// Draws without a display. Starts Qt on the first call.
[[nodiscard]] Status drawFigure(const FigureSpec& spec, const std::string& path, const JobContext& job);

}  // namespace attnscope
