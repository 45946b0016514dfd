// SPDX-License-Identifier: GPL-3.0-or-later

// How long the window's thread stands still while a figure is written: a timer without interval runs beside
// FigureWriter, and the longest gap between two of its ticks is printed. Run by hand:
//
//   QT_QPA_PLATFORM=offscreen figure_benchmark [SOURCE [MECHANISM ...]]
#include <QApplication>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <cstdio>

#include "core/inputs/input_document.h"
#include "kernels/backend_registry.h"
#include "ui/export/figure_writer.h"

using namespace attnscope;

int main(int argc, char** argv) {
  const QApplication application(argc, argv);
  const QStringList arguments = QApplication::arguments();
  const std::string source = arguments.size() > 1 ? arguments[1].toStdString() : "sample:layer=3";
  QStringList ids = arguments.mid(2);
  if (ids.isEmpty())
    ids = {QStringLiteral("full"), QStringLiteral("longformer"), QStringLiteral("reformer"),
           QStringLiteral("linformer")};
  const auto input = loadInput(source);
  const auto backend = findBackend("cpu");
  if (!input || !backend) {
    std::fprintf(stderr, "%s\n", (input ? backend.error() : input.error()).message.c_str());
    return 1;
  }
  FigureSpec spec;
  spec.rows = {PanelKind::Pattern, PanelKind::Map, PanelKind::Insides};
  for (const QString& id : ids) {
    MechanismSpec mechanism;
    mechanism.id = id.toStdString();
    const auto made = explore(mechanism, *input, **backend);
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      return 1;
    }
    FigureColumn column;
    column.title = id;
    column.exploration = *made;
    if (const auto insides = (*made)->insides(0); insides && !insides->empty())
      column.insides = {insides->front()};
    spec.columns.push_back(std::move(column));
  }
  const QTemporaryDir folder;
  for (const auto& [name, dpi] :
       {std::pair{"preview.png", 72.0}, std::pair{"a.png", 300.0}, std::pair{"b.png", 600.0},
        std::pair{"a.svg", 300.0}, std::pair{"a.pdf", 300.0}}) {
    spec.dpi = dpi;
    const QString path = folder.filePath(QLatin1String(name));
    FigureWriter writer;
    QElapsedTimer whole;
    QElapsedTimer gap;
    double longest = 0.0;
    QTimer beat;
    QObject::connect(&beat, &QTimer::timeout, &beat, [&] {
      longest = std::max(longest, static_cast<double>(gap.nsecsElapsed()) / 1e6);
      gap.restart();
    });
    QObject::connect(&writer, &FigureWriter::finished, &application,
                     [&](const QString&, const QString& error) {
                       if (!error.isEmpty()) std::fprintf(stderr, "%s\n", qPrintable(error));
                       QTimer::singleShot(0, &application, &QApplication::quit);
                     });
    whole.start();
    gap.start();
    beat.start(0);
    writer.start(spec, path);
    QApplication::exec();
    longest = std::max(longest, static_cast<double>(gap.nsecsElapsed()) / 1e6);
    std::printf("%-12s %4.0f dpi  longest standstill %6.0f ms  of %6.0f ms  %5.1f MB\n", name, dpi, longest,
                static_cast<double>(whole.nsecsElapsed()) / 1e6,
                static_cast<double>(QFileInfo(path).size()) / 1e6);
  }
  return 0;
}
