// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/figure_output.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <QApplication>
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/params/mechanism_spec.h"

namespace attnscope {

namespace {

Status checkChoice(const std::string& option, const std::string& value,
                   const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
  const std::string near = nearestWord(value, choices);
  return fail(ErrorKind::Usage,
              fmt::format("{} {} is not one of {}{}.", option, value, fmt::join(choices, ", "),
                          near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
}

ValueScale::Kind scaleKindOf(const std::string& kind) {
  return kind == "log"      ? ValueScale::Kind::Log
         : kind == "linear" ? ValueScale::Kind::Linear
                            : ValueScale::Kind::RowMax;
}

// "percentiles", "nosinks", or the ends: "1e-4..1".
Status readScaleRange(const std::string& text, ViewStyle& style) {
  if (text == "percentiles" || text == "nosinks") {
    style.range = text == "nosinks" ? ScaleRange::WithoutSinks : ScaleRange::Percentiles;
    return {};
  }
  double low = 0.0;
  double high = 0.0;
  int used = 0;
  const bool read = std::sscanf(text.c_str(), "%lf..%lf%n", &low, &high, &used) == 2 &&
                    used == static_cast<int>(text.size());
  if (!read || !(low > 0.0) || !(high > low) || !std::isfinite(high))
    return fail(ErrorKind::Usage,
                fmt::format("--scale-range {}: write percentiles, nosinks, or two sizes of weights with the "
                            "smaller one above 0, such as 1e-4..1.",
                            text));
  style.scale.low = low;
  style.scale.high = high;
  return {};
}

// Qt tells developers about the platform on standard error, where only messages for the user belong.
void keepWarningsQuiet(QtMsgType type, const QMessageLogContext&, const QString& message) {
  if (type == QtCriticalMsg || type == QtFatalMsg)
    fmt::print(stderr, "attnscope: {}\n", message.toStdString());
}

void startQtOffscreen() {
  if (QCoreApplication::instance() != nullptr) return;
  qputenv("QT_QPA_PLATFORM", "offscreen");
  qInstallMessageHandler(keepWarningsQuiet);
  static int argc = 1;
  static char name[] = "attnscope";
  static char* argv[] = {name, nullptr};
  // Lives as long as the process: fonts and pixmaps may outlast any scope that could own it.
  static const QApplication application(argc, argv);
}

}  // namespace

void FigureArguments::declarePage(CLI::App& app) {
  app.add_option("--size", size, "Width and height, or the width alone: 183x89mm, 183mm, 7.2in")
      ->capture_default_str();
  app.add_option("--dpi", dpi, "Dots per inch of PNG")
      ->check(CLI::Range(30.0, 2400.0))
      ->capture_default_str();
  app.add_option("--font-pt", fontPoints, "Size of the text in points")
      ->check(CLI::Range(3.0, 40.0))
      ->capture_default_str();
  app.add_option("--theme", theme, "light or dark")->capture_default_str();
}

void FigureArguments::declareMaps(CLI::App& app) {
  app.add_option("--colormap", colorMap, fmt::format("{}", fmt::join(colorMapNames(), ", ")))
      ->capture_default_str();
  app.add_option("--scale-kind", scaleKind,
                 "Colours of a map by log, linear or rowmax (each row by its maximum)")
      ->capture_default_str();
  app.add_option(
         "--scale-range", scaleRange,
         "Ends of that scale: LOW..HIGH, percentiles (1st to 99th of what is drawn) or nosinks (the same "
         "beside attention sinks)")
      ->capture_default_str();
  app.add_option("--hide", hidden,
                 "Reasons that patterns leave out, as their legend names them: 'local+global key'");
  app.add_flag("--marginals", marginals,
               "Beside maps, what each key receives and over how many keys each query spreads");
}

std::optional<QSizeF> parseFigureSize(const std::string& text) {
  double width = 0.0;
  double height = 0.0;
  char unit[3] = {};
  int used = 0;
  const char* start = text.c_str();
  const bool both = std::sscanf(start, "%lfx%lf%2[a-z]%n", &width, &height, unit, &used) == 3;
  if (!both) {
    height = 0.0;
    used = 0;
    if (std::sscanf(start, "%lf%2[a-z]%n", &width, unit, &used) != 2) return std::nullopt;
  }
  const std::string name = unit;
  const double millimetres = name == "mm" ? 1.0 : name == "cm" ? 10.0 : name == "in" ? 25.4 : 0.0;
  const QSizeF size(width * millimetres, height * millimetres);
  const bool complete = used == static_cast<int>(text.size());
  const bool sensible = size.width() >= 10.0 && size.width() <= 2000.0 && size.height() <= 2000.0 &&
                        (!both || size.height() >= 10.0);
  if (!complete || !sensible) return std::nullopt;
  return size;
}

Result<FigureSpec> FigureArguments::makeSpec() const {
  ATTN_TRY(checkChoice("--theme", theme, {"light", "dark"}));
  ATTN_TRY(checkChoice("--scale-kind", scaleKind, {"log", "linear", "rowmax"}));
  const auto maps = colorMapNames();
  ATTN_TRY(checkChoice("--colormap", colorMap, {maps.begin(), maps.end()}));
  const std::optional<QSizeF> millimetres = parseFigureSize(size);
  if (!millimetres) {
    return fail(
        ErrorKind::Usage,
        fmt::format("--size {}: write 183x89mm, or 183mm for the width alone; sides from 10 to 2000 mm, "
                    "in mm, cm or in.",
                    size));
  }
  startQtOffscreen();
  FigureSpec spec;
  spec.millimetres = *millimetres;
  spec.dpi = dpi;
  spec.fontPoints = fontPoints;
  spec.theme = theme == "dark" ? PlotTheme::dark() : PlotTheme::light();
  spec.style.colorMap = QString::fromStdString(colorMap);
  spec.style.scale.kind = scaleKindOf(scaleKind);
  ATTN_TRY(readScaleRange(scaleRange, spec.style));
  spec.style.marginals = marginals;
  if (!hidden.empty()) spec.style.hidden = QString::fromStdString(hidden).split(QLatin1Char('+'));
  return spec;
}

Status checkFigurePath(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  if (ending == ".png" || ending == ".svg" || ending == ".pdf") return {};
  return fail(ErrorKind::Usage, fmt::format("{}: a figure's file ends in .png, .svg or .pdf.", path));
}

Status drawFigure(const FigureSpec& spec, const std::string& path, const JobContext& job) {
  startQtOffscreen();
  return writeFigure(spec, QString::fromStdString(path), job);
}

}  // namespace attnscope
