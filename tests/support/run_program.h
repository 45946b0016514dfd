// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// The program as a process of its own, and files beside it. The target says where it is: ATTNSCOPE_BINARY.
#include <QFile>
#include <QProcess>
#include <QString>
#include <QStringList>

namespace attnscope::testing {

struct Outcome {
  int status = -1;
  QString out;
  QString err;
};

inline Outcome attnscopeIn(const QString& folder, const QStringList& arguments) {
  QProcess process;
  process.setWorkingDirectory(folder);
  process.start(QStringLiteral(ATTNSCOPE_BINARY), arguments);
  if (!process.waitForFinished(60'000)) return {};
  const bool exited = process.exitStatus() == QProcess::NormalExit;
  return {exited ? process.exitCode() : -1, QString::fromUtf8(process.readAllStandardOutput()),
          QString::fromUtf8(process.readAllStandardError())};
}

inline QByteArray contentOf(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

inline bool writeContent(const QString& path, const QByteArray& content) {
  QFile file(path);
  return file.open(QIODevice::WriteOnly) && file.write(content) == content.size();
}

}  // namespace attnscope::testing
