// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// The real window on screen, with settings of its own.
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <memory>

#include "ui/main_window.h"

namespace attnscope::testing {

inline void keepSettingsIn(const QTemporaryDir& folder) {
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, folder.path());
  QCoreApplication::setOrganizationName(QStringLiteral("attnscope"));
  QCoreApplication::setApplicationName(QStringLiteral("attnscope-test"));
}

// With the comparison that it opens with, everything drawn.
inline std::unique_ptr<MainWindow> shownWindow() {
  auto window = std::make_unique<MainWindow>();
  window->resize(1440, 900);
  window->show();
  if (!QTest::qWaitFor([&] { return window->isSettled(); }, 20000)) qFatal("the window does not settle");
  return window;
}

}  // namespace attnscope::testing
