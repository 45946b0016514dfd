// SPDX-License-Identifier: GPL-3.0-or-later
// Small files, each with its licence. A file that has to be longer is listed with the reason.
#include <QtTest>
#include <algorithm>
#include <map>
#include <string>

#include "tests/support/source_tree.h"

using attnscope::testing::SourceFile;
using attnscope::testing::sourceTree;

namespace {

constexpr std::size_t kMaxLines = 500;

// path -> why it is long
const std::map<std::string, std::string>& longFiles() {
  static const std::map<std::string, std::string> files{};
  return files;
}

}  // namespace

class SizeLimitsTest : public QObject {
  Q_OBJECT

 private slots:
  void filesAreShort();
  void exceptionsAreNeeded();
  void filesNameTheirLicence();
  void headersAreGuarded();
};

void SizeLimitsTest::filesAreShort() {
  QStringList tooLong;
  for (const SourceFile& file : sourceTree()) {
    if (file.lines.size() > kMaxLines && !longFiles().contains(file.path)) {
      tooLong << QStringLiteral("%1: %2 lines").arg(QString::fromStdString(file.path)).arg(file.lines.size());
    }
  }
  QVERIFY2(tooLong.isEmpty(), qPrintable("Longer than 500 lines:\n" + tooLong.join('\n')));
}

void SizeLimitsTest::exceptionsAreNeeded() {
  std::map<std::string, std::size_t> lengths;
  for (const SourceFile& file : sourceTree()) lengths[file.path] = file.lines.size();
  for (const auto& [path, reason] : longFiles()) {
    QVERIFY2(!reason.empty(), path.c_str());
    QVERIFY2(lengths[path] > kMaxLines, (path + " needs no exception any more").c_str());
  }
}

void SizeLimitsTest::filesNameTheirLicence() {
  QStringList missing;
  for (const SourceFile& file : sourceTree()) {
    if (file.lines.empty() || file.lines[0] != "// SPDX-License-Identifier: GPL-3.0-or-later") {
      missing << QString::fromStdString(file.path);
    }
  }
  QVERIFY2(missing.isEmpty(), qPrintable("First line is not the licence:\n" + missing.join('\n')));
}

void SizeLimitsTest::headersAreGuarded() {
  QStringList missing;
  for (const SourceFile& file : sourceTree()) {
    // Highway includes its *-inl.h once a target, on purpose.
    if (!file.isHeader() || file.path.ends_with("-inl.h")) continue;
    if (std::find(file.lines.begin(), file.lines.end(), "#pragma once") == file.lines.end()) {
      missing << QString::fromStdString(file.path);
    }
  }
  QVERIFY2(missing.isEmpty(), qPrintable("No #pragma once:\n" + missing.join('\n')));
}

QTEST_APPLESS_MAIN(SizeLimitsTest)
#include "size_limits_test.moc"
