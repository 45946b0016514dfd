// SPDX-License-Identifier: GPL-3.0-or-later
// Who may include whom. The order is core <- kernels <- ui <- app; the table says the rest. It is read
// against the #include lines of the tree, so that a shortcut fails here instead of being found by whoever
// untangles it later.
#include <QtTest>
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include "tests/support/source_tree.h"

using attnscope::testing::Include;
using attnscope::testing::includesOf;
using attnscope::testing::SourceFile;
using attnscope::testing::sourceTree;

namespace {

struct Rule {
  std::string folder;                // the longest that fits a file's path holds
  std::vector<std::string> allowed;  // folders ("core/plan/") or single headers
};

// A call's sizes and tensors are vocabulary: folders that may not know where inputs come from still know
// these.
const std::string kInput = "core/inputs/attention_input.h";
// So are the kinds of panels and the choices about colours, which the document stores.
const std::string kPanelKind = "ui/plots/panel.h";
const std::string kViewStyle = "ui/plots/view_style.h";

const std::vector<Rule>& rules() {
  static const std::vector<Rule> table{
      {"core/base/", {"core/base/"}},
      {"core/simd/", {"core/simd/"}},
      {"core/io/", {"core/base/", "core/io/"}},
      {"core/inputs/", {"core/base/", "core/io/", "core/inputs/"}},
      {"core/params/", {"core/base/", "core/params/", kInput}},
      {"core/plan/", {"core/base/", "core/plan/", kInput}},
      {"core/rules/", {"core/base/", "core/plan/", "core/rules/", kInput}},
      {"core/analysis/", {"core/base/", "core/simd/", "core/plan/", "core/analysis/", kInput}},
      {"core/raster/", {"core/base/", "core/plan/", "core/raster/", kInput}},
      {"core/mechanisms/",
       {"core/base/", "core/simd/", "core/inputs/", "core/params/", "core/plan/", "core/rules/",
        "core/analysis/", "core/mechanisms/"}},
      {"kernels/", {"core/", "kernels/"}},
      {"kernels/shared/", {"core/base/", "core/plan/", "core/simd/", "kernels/backend.h", "kernels/shared/"}},
      {"kernels/cpu/", {"core/", "kernels/backend.h", "kernels/shared/", "kernels/cpu/"}},
      {"kernels/cuda/", {"core/", "kernels/backend.h", "kernels/shared/", "kernels/cuda/"}},
      // The oracle must be able to disagree with the plan, so it does not see how one is made or executed.
      {"kernels/reference/",
       {"core/base/", "core/inputs/", "core/params/", "core/mechanisms/mechanism.h", "kernels/reference/"}},
      {"ui/", {"core/", "kernels/", "ui/"}},
      {"ui/state/", {"core/", "kernels/", "ui/state/", kPanelKind, kViewStyle}},
      {"ui/jobs/", {"core/", "kernels/", "ui/state/", "ui/jobs/", kViewStyle}},
      {"ui/models/", {"core/", "kernels/", "ui/state/", "ui/jobs/", "ui/models/"}},
      {"ui/plots/", {"core/", "kernels/", "ui/state/", "ui/jobs/", "ui/plots/"}},
      {"ui/export/", {"core/", "kernels/", "ui/state/", "ui/jobs/", "ui/plots/", "ui/export/"}},
      {"app/", {"core/", "kernels/", "ui/", "app/"}},
      {"tests/", {"core/", "kernels/", "ui/", "tests/"}},
  };
  return table;
}

// Exceptions to what the folders of the table allow, from the including file's folder.
struct Ban {
  std::string from;
  std::string target;
  std::string except;  // a file that may
};
const std::array<Ban, 6> kBans{{
    {"core/", "core/mechanisms/catalogue/", ""},
    {"kernels/", "core/mechanisms/catalogue/", ""},
    {"kernels/", "kernels/cuda/", "kernels/backend_registry.cpp"},
    {"ui/", "kernels/cpu/", ""},
    {"ui/", "kernels/cuda/", ""},
    {"ui/", "core/mechanisms/catalogue/", ""},
}};

bool startsWithOneOf(const std::string& text, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const auto& prefix) { return text.starts_with(prefix); });
}

const Rule* ruleFor(const std::string& path) {
  const Rule* best = nullptr;
  for (const Rule& rule : rules()) {
    if (path.starts_with(rule.folder) && (!best || rule.folder.size() > best->folder.size())) best = &rule;
  }
  return best;
}

bool isOurs(const std::string& target) {
  return startsWithOneOf(target, {"core/", "kernels/", "ui/", "app/", "tests/"});
}

bool isBanned(const std::string& path, const std::string& target) {
  return std::any_of(kBans.begin(), kBans.end(), [&](const Ban& ban) {
    return path.starts_with(ban.from) && target.starts_with(ban.target) && path != ban.except &&
           !path.starts_with(ban.target);
  });
}

// Another catalogue file: one mechanism is read, changed and removed without the others.
bool crossesCatalogue(const std::string& path, const std::string& target) {
  const auto catalogueOf = [](const std::string& name) {
    const auto at = name.find("/catalogue/");
    return at == std::string::npos ? std::string() : name.substr(0, name.rfind('.'));
  };
  const std::string theirs = catalogueOf(target);
  return !theirs.empty() && !catalogueOf(path).empty() && theirs != catalogueOf(path);
}

template <class Predicate>
QStringList offenders(Predicate isOffence) {
  QStringList found;
  for (const SourceFile& file : sourceTree()) {
    for (const Include& include : includesOf(file)) {
      if (isOffence(file, include)) {
        found << QString::fromStdString(file.path + ":" + std::to_string(include.line) + " includes " +
                                        include.target);
      }
    }
  }
  return found;
}

void expectNone(const QStringList& found, const char* rule) {
  QVERIFY2(found.isEmpty(), qPrintable(QString::fromUtf8(rule) + "\n" + found.join('\n')));
}

}  // namespace

class IncludeLayersTest : public QObject {
  Q_OBJECT

 private slots:
  void treeIsFound();
  void theTableSpeaksOfFoldersThatExist();
  void foldersIncludeOnlyWhatTheTableAllows();
  void catalogueFilesDoNotIncludeEachOther();
  void includesStartAtTheRoot();
  void coreAndKernelsKnowNoQt();
  void plotsStayInSourceFiles();
  void cudaStaysInItsFolder();
};

void IncludeLayersTest::treeIsFound() {
  QVERIFY(sourceTree().size() > 30);
}

void IncludeLayersTest::theTableSpeaksOfFoldersThatExist() {
  const auto tree = sourceTree();
  const auto exists = [&](const std::string& name) {
    return std::any_of(tree.begin(), tree.end(),
                       [&](const SourceFile& file) { return file.path.starts_with(name); });
  };
  for (const Rule& rule : rules()) {
    QVERIFY2(exists(rule.folder), rule.folder.c_str());
    for (const std::string& allowed : rule.allowed) QVERIFY2(exists(allowed), allowed.c_str());
  }
  for (const Ban& ban : kBans) QVERIFY2(exists(ban.from) && exists(ban.target), ban.target.c_str());
}

void IncludeLayersTest::foldersIncludeOnlyWhatTheTableAllows() {
  expectNone(offenders([](const SourceFile& file, const Include& include) {
               if (!include.quoted || !isOurs(include.target)) return false;
               const Rule* rule = ruleFor(file.path);
               return !rule || !startsWithOneOf(include.target, rule->allowed) ||
                      isBanned(file.path, include.target);
             }),
             "The table in this test does not allow:");
}

void IncludeLayersTest::catalogueFilesDoNotIncludeEachOther() {
  expectNone(offenders([](const SourceFile& file, const Include& include) {
               return crossesCatalogue(file.path, include.target);
             }),
             "A mechanism's file includes another's:");
}

void IncludeLayersTest::includesStartAtTheRoot() {
  expectNone(offenders([](const SourceFile&, const Include& include) {
               const bool generated = include.target.ends_with(".moc") || include.target.ends_with(".inc") ||
                                      include.target.starts_with("ui_");
               return include.quoted && !isOurs(include.target) && !generated &&
                      !include.target.starts_with("hwy/");
             }),
             "Includes in quotes are written from the root of the tree:");
}

void IncludeLayersTest::coreAndKernelsKnowNoQt() {
  expectNone(offenders([](const SourceFile& file, const Include& include) {
               const bool qt = include.target.size() > 1 && include.target[0] == 'Q' &&
                               std::isupper(static_cast<unsigned char>(include.target[1]));
               const bool qtFolder = include.target.starts_with("Qt");
               return (qt || qtFolder) && startsWithOneOf(file.path, {"core/", "kernels/"});
             }),
             "Qt is for ui and app:");
}

void IncludeLayersTest::plotsStayInSourceFiles() {
  expectNone(offenders([](const SourceFile& file, const Include& include) {
               const bool place = startsWithOneOf(file.path, {"ui/", "tests/ui/"}) && !file.isHeader();
               return include.target == "qcustomplot.h" && !place;
             }),
             "qcustomplot.h costs seconds a file; only .cpp files of ui include it:");
}

void IncludeLayersTest::cudaStaysInItsFolder() {
  expectNone(
      offenders([](const SourceFile& file, const Include& include) {
        const bool cuda = startsWithOneOf(include.target, {"cuda", "cub/", "thrust/", "cooperative_groups"});
        return cuda && !include.target.ends_with(".moc") && !file.path.starts_with("kernels/cuda/");
      }),
      "CUDA headers belong to kernels/cuda:");
}

QTEST_APPLESS_MAIN(IncludeLayersTest)
#include "include_layers_test.moc"
