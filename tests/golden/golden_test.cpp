// SPDX-License-Identifier: GPL-3.0-or-later
// Our CPU backend against what published packages computed (README.md; data/ is written by generate.py).
#include <QTest>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/io/array_file.h"
#include "core/mechanisms/mechanism.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"

using namespace attnscope;

namespace {

struct Golden {
  AttentionInput input;
  WeightSet tensors;  // what was injected on both sides
  Tensor out;         // as the package computed it
  Tensor weights;     // (H, n_q, n_k), empty where it has no exact matrix
};

const nlohmann::json& allCases() {
  static const nlohmann::json cases = [] {
    std::ifstream file(ATTNSCOPE_TEST_DATA "/cases.json");
    return nlohmann::json::parse(file);
  }();
  return cases;
}

const nlohmann::json& caseNamed(const std::string& name) {
  return *std::find_if(allCases().begin(), allCases().end(),
                       [&](const auto& one) { return one.at("name") == name; });
}

Result<Golden> load(const std::string& name) {
  ATTN_ASSIGN(file, openArrayFile(ATTNSCOPE_TEST_DATA "/" + name + ".npz"));
  Golden golden;
  for (const ArrayFile::Entry& entry : file->entries()) {
    ATTN_ASSIGN(tensor, file->read(entry.name));
    if (entry.name == "q")
      golden.input.q = tensor;
    else if (entry.name == "k")
      golden.input.k = tensor;
    else if (entry.name == "v")
      golden.input.v = tensor;
    else if (entry.name == "out")
      golden.out = tensor;
    else if (entry.name == "weights")
      golden.weights = tensor;
    else
      golden.tensors[entry.name] = tensor;
  }
  ATTN_ASSIGN(input, finishInput(std::move(golden.input), name));
  golden.input = std::move(input);
  return golden;
}

struct Answer {
  Tensor out;
  Tensor weights;  // empty unless asked for
};

Result<Answer> compute(const std::string& specText, const Golden& golden, bool withWeights) {
  ATTN_ASSIGN(spec, parseMechanismSpec(specText));
  ATTN_ASSIGN(call, planCall(spec, golden.input, golden.tensors));
  ATTN_ASSIGN(run, cpuBackend().run(*call.plan, golden.input, {}, {}));
  Answer answer{run.out, {}};
  if (withWeights) {
    ATTN_ASSIGN(matrix, executedMatrix(cpuBackend(), *call.plan, golden.input, {}));
    answer.weights = std::move(matrix);
  }
  return answer;
}

double largest(const Tensor& tensor) {
  double size = 0.0;
  for (const float x : tensor.values<float>()) size = std::max(size, std::abs(static_cast<double>(x)));
  return size;
}

// Largest difference; infinite for other shapes or a NaN.
double difference(const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape()) return std::numeric_limits<double>::infinity();
  const auto a = found.values<float>();
  const auto b = expected.values<float>();
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (std::isnan(apart)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, apart);
  }
  return worst;
}

double largestRowSum(const Golden& golden) {
  double sum = 1.0;
  if (golden.weights.empty()) return sum;
  const auto weights = golden.weights.values<float>();
  const auto n = static_cast<std::size_t>(golden.weights.dim(2));
  for (std::size_t begin = 0; begin < weights.size(); begin += n) {
    double row = 0.0;
    for (std::size_t j = 0; j < n; ++j) row += std::abs(static_cast<double>(weights[begin + j]));
    sum = std::max(sum, row);
  }
  return sum;
}

// Both sides are single precision and sum in their own order. A logit of size L, a sum of at most 16 rounded
// products, is off by a few eps L; the exponential passes that on relatively, a sum of weights and values
// adds a few eps more, and the error of an output is that times sum |w| max |v|. generate.py refuses L > 8.
// Two sides, 4 eps each for the constants: 2 * 4 * (1 + 8) = 72 eps. A key too many, a wrong bucket or
// another scale shifts weights by 1e-2 and more.
double tolerance(const Golden& golden) {
  constexpr double eps = std::numeric_limits<float>::epsilon();
  return 72.0 * eps * largestRowSum(golden) * largest(golden.input.v);
}

double weightTolerance(const Golden& golden) {
  return 72.0 * static_cast<double>(std::numeric_limits<float>::epsilon()) *
         std::max(1.0, largest(golden.weights));
}

QByteArray report(const char* what, double found, double allowed) {
  return QString("%1 differs by at most %2 (%3 eps); allowed %4")
      .arg(what)
      .arg(found)
      .arg(found / std::numeric_limits<float>::epsilon(), 0, 'f', 1)
      .arg(allowed)
      .toUtf8();
}

}  // namespace

class GoldenTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithThePackage_data() {
    QTest::addColumn<QString>("name");
    for (const auto& one : allCases()) {
      const auto name = one.at("name").get<std::string>();
      QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }
  }
  void agreesWithThePackage() {
    QFETCH(QString, name);
    const auto& one = caseNamed(name.toStdString());
    const auto golden = load(name.toStdString());
    QVERIFY2(golden, golden ? "" : golden.error().message.c_str());
    const auto answer = compute(one.at("spec"), *golden, !golden->weights.empty());
    QVERIFY2(answer, answer ? "" : answer.error().message.c_str());
    const double allowed = tolerance(*golden);
    const double found = difference(answer->out, golden->out);
    const QByteArray outputs = report("out", found, allowed);
    qInfo("%s", outputs.constData());
    QVERIFY2(found <= allowed, outputs.constData());
    if (golden->weights.empty()) return;
    const double cells = difference(answer->weights, golden->weights);
    const QByteArray matrix = report("a weight", cells, weightTolerance(*golden));
    qInfo("%s", matrix.constData());
    QVERIFY2(cells <= weightTolerance(*golden), matrix.constData());
  }

  // The comparison sees what a case is about: with one option changed, the output is far from the package's.
  void anotherOptionDisagrees_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("spec");
    for (const auto& one : allCases())
      for (const auto& spec : one.at("differs")) {
        const auto name = one.at("name").get<std::string>();
        const auto text = spec.get<std::string>();
        QTest::newRow((name + ": " + text).c_str())
            << QString::fromStdString(name) << QString::fromStdString(text);
      }
  }
  void anotherOptionDisagrees() {
    QFETCH(QString, name);
    QFETCH(QString, spec);
    const auto golden = load(name.toStdString());
    QVERIFY2(golden, golden ? "" : golden.error().message.c_str());
    const auto answer = compute(spec.toStdString(), *golden, false);
    QVERIFY2(answer, answer ? "" : answer.error().message.c_str());
    const double found = difference(answer->out, golden->out);
    QVERIFY2(found > 20.0 * tolerance(*golden), report("out", found, tolerance(*golden)).constData());
  }

  // What was injected is used: with the tensors that we would draw instead, the output is far from the
  // package's.
  void injectedTensorsMatter_data() {
    QTest::addColumn<QString>("name");
    for (const auto& one : allCases()) {
      if (one.at("injected").empty()) continue;
      const auto name = one.at("name").get<std::string>();
      QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }
  }
  void injectedTensorsMatter() {
    QFETCH(QString, name);
    auto golden = load(name.toStdString());
    QVERIFY2(golden, golden ? "" : golden.error().message.c_str());
    QVERIFY(!golden->tensors.empty());
    golden->tensors.clear();
    const auto answer = compute(caseNamed(name.toStdString()).at("spec"), *golden, false);
    QVERIFY2(answer, answer ? "" : answer.error().message.c_str());
    const double found = difference(answer->out, golden->out);
    QVERIFY2(found > 20.0 * tolerance(*golden), report("out", found, tolerance(*golden)).constData());
  }

  // One output value moved by twice the tolerance is found.
  void aMovedValueIsFound() {
    const auto golden = load("full_plain");
    QVERIFY(golden);
    const auto answer = compute("full", *golden, false);
    QVERIFY(answer);
    const auto values = golden->out.values<float>();
    std::vector<float> moved(values.begin(), values.end());
    moved[moved.size() / 2] += static_cast<float>(2.0 * tolerance(*golden));
    QVERIFY(difference(answer->out, golden->out) <= tolerance(*golden));
    QVERIFY(difference(answer->out, Tensor::fromFloats(golden->out.shape(), moved)) > tolerance(*golden));
  }
};

QTEST_APPLESS_MAIN(GoldenTest)
#include "golden_test.moc"
