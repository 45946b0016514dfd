// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <QApplication>
#include <QIcon>

#include "app/cli/build_info.h"
#include "app/cli/command_line.h"
#include "core/base/error.h"
#include "core/base/memory.h"
#include "ui/main_window.h"

namespace {

// Without a display Qt ends the process by abort(), which tells nobody what to do.
bool hasDisplay() {
  return qEnvironmentVariableIsSet("DISPLAY") || qEnvironmentVariableIsSet("WAYLAND_DISPLAY") ||
         qEnvironmentVariableIsSet("QT_QPA_PLATFORM");
}

int showWindow(int argc, char** argv, const attnscope::WindowRequest& request) {
  if (!hasDisplay()) {
    fmt::print(
        stderr,
        "attnscope: there is no display for the window; the commands of attnscope --help need none.\n");
    return static_cast<int>(attnscope::ErrorKind::Usage);
  }
  QApplication application(argc, argv);
  QApplication::setApplicationName(QStringLiteral("attnscope"));
  QApplication::setApplicationDisplayName(QStringLiteral("Attnscope"));
  QApplication::setOrganizationName(QStringLiteral("attnscope"));
  QApplication::setApplicationVersion(QString::fromUtf8(attnscope::buildInfo().version));
  QApplication::setDesktopFileName(QStringLiteral("attnscope"));
  QStringList files;
  for (const std::string& file : request.files) files << QString::fromStdString(file);
  attnscope::MainWindow window(files);
  window.show();
  return QApplication::exec();
}

}  // namespace

int main(int argc, char** argv) {
  attnscope::keepFreedMemory();
  const attnscope::CommandLineOutcome outcome = attnscope::runCommandLine(argc, argv);
  return outcome.window ? showWindow(argc, argv, *outcome.window) : outcome.exitStatus;
}
