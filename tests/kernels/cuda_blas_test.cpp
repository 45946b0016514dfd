// SPDX-License-Identifier: GPL-3.0-or-later
// Products by cuBLAS: that it is opened at run time or done without, and called with the right arguments. A
// library with its names stands for it, which multiplies by plain loops; none of this has met the real one's
// device.
#include <dlfcn.h>

#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "kernels/cuda/host/blas.h"
#include "tests/support/step_case.h"

using namespace attnscope;
using attnscope::cuda::Blas;
using attnscope::cuda::CudaBackend;
using attnscope::cuda::ProductArgs;
using attnscope::cuda::Rows;
using attnscope::cuda::emulation::makeEmulatedDevice;
using attnscope::testing::Case;
using attnscope::testing::largestOf;
using attnscope::testing::Numbers;

namespace {

void* symbolOfFake(const char* name) {
  void* library = dlopen(FAKE_CUBLAS_FILE, RTLD_NOW | RTLD_LOCAL);
  return library == nullptr ? nullptr : dlsym(library, name);
}
int productsOfFake() {
  return reinterpret_cast<int (*)()>(symbolOfFake("fakeCublasProducts"))();
}

Rows rowsOf(const Tensor& tensor, int heads) {
  return {tensor.values<float>().data(), tensor.dim(1) * tensor.dim(2),
          static_cast<std::int32_t>(tensor.dim(0)), heads, tensor.dim(2)};
}

// Projections that are shared by heads or not, with and without bias, short and long sums.
Case manyProducts() {
  Case made(4, 37, 37, 9, 70);
  const auto project = [&](const char* name, Tensor weight) {
    ProjectStep step;
    step.in = kValue;
    step.out = made.plan.addBuffer(name, weight.dim(1), 70);
    step.weight = std::move(weight);
    made.plan.steps.emplace_back(step);
  };
  project("own", made.numbers.tensor({4, 5, 37}));
  project("shared", made.numbers.tensor({1, 3, 37}));
  AffineStep affine;
  affine.out = made.plan.addBuffer("affine", 37, 12);
  affine.weight = made.numbers.tensor({4, 9, 12});
  affine.bias = made.numbers.tensor({1, 12});
  affine.relu = true;
  made.plan.steps.emplace_back(affine);
  return made;
}

// Empty, or where the buffers of two runs differ by more than rounding.
QString difference(const RunResult& found, const RunResult& expected) {
  for (const auto& [name, tensor] : expected.buffers) {
    const auto a = tensor.values<float>();
    const auto b = found.buffers.at(name).values<float>();
    const double tolerance = 5e-6 * static_cast<double>(largestOf(tensor));
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!(std::abs(a[i] - b[i]) <= tolerance))
        return QString("%1[%2] is %3, on the CPU %4").arg(name.c_str()).arg(i).arg(b[i]).arg(a[i]);
  }
  return {};
}

}  // namespace

class CudaBlasTest : public QObject {
  Q_OBJECT

 private slots:
  void opensTheFirstThatIsThere() {
    const auto blas = Blas::load({"libcublas.so.0", FAKE_CUBLAS_FILE});
    QVERIFY2(blas, blas ? "" : blas.error().message.c_str());
    QCOMPARE((*blas)->name(), std::string("cuBLAS 13.4.2"));
  }

  void saysWhyThereIsNone() {
    const QTemporaryDir folder;
    const std::string text = folder.filePath("text.so").toStdString();
    std::ofstream(text) << "not a library";
    const auto none = Blas::load({"libcublas.so.0", text, FAKE_CUBLAS_BROKEN_FILE});
    QVERIFY(!none);
    const std::string& why = none.error().message;
    QVERIFY2(why.find("libcublas.so.0") != std::string::npos, why.c_str());
    QVERIFY2(why.find("text.so") != std::string::npos, why.c_str());
    QVERIFY2(why.find("has no cublasSgemmStridedBatched") != std::string::npos, why.c_str());
    const auto unwilling = Blas::load({FAKE_CUBLAS_UNWILLING_FILE});
    QVERIFY(unwilling);
    const Status started = (*unwilling)->start();
    QVERIFY(!started && started.error().message.find("does not start") != std::string::npos);
  }

  // In rows, with heads that share their operands one by one, all, or in groups.
  void multipliesRows_data() {
    QTest::addColumn<int>("heldA");
    QTest::addColumn<int>("heldB");
    for (const int a : {1, 2, 4})
      for (const int b : {1, 2, 4}) QTest::addRow("%d and %d of 4", a, b) << a << b;
  }
  void multipliesRows() {
    QFETCH(int, heldA);
    QFETCH(int, heldB);
    const auto blas = Blas::load({FAKE_CUBLAS_FILE});
    QVERIFY(blas && (*blas)->start());
    Numbers numbers(7);
    const Tensor a = numbers.tensor({heldA, 5, 7});
    const Tensor b = numbers.tensor({heldB, 7, 3});
    std::vector<float> out(4 * 5 * 3, NAN);
    int stream = 0;
    QVERIFY(
        (*blas)->multiply(ProductArgs{rowsOf(a, 4), rowsOf(b, 4), {}, out.data(), 5, 3, 7, 0}, 4, &stream));
    QCOMPARE(reinterpret_cast<void* (*)()>(symbolOfFake("fakeCublasStream"))(), static_cast<void*>(&stream));
    for (Index h = 0; h < 4; ++h)
      for (Index row = 0; row < 5; ++row)
        for (Index col = 0; col < 3; ++col) {
          double sum = 0.0;
          for (Index i = 0; i < 7; ++i)
            sum += static_cast<double>(a.slice<float>(h * heldA / 4)[static_cast<std::size_t>(row * 7 + i)]) *
                   static_cast<double>(b.slice<float>(h * heldB / 4)[static_cast<std::size_t>(i * 3 + col)]);
          QVERIFY(std::abs(out[static_cast<std::size_t>((h * 5 + row) * 3 + col)] - sum) < 1e-5);
        }
  }

  void stepsUseItWhereItIsThere_data() {
    QTest::addColumn<QString>("library");
    QTest::addColumn<int>("products");
    QTest::newRow("there") << QString(FAKE_CUBLAS_FILE) << 3;
    QTest::newRow("absent") << QString("libcublas.so.0") << 0;
    QTest::newRow("broken") << QString(FAKE_CUBLAS_BROKEN_FILE) << 0;
  }
  void stepsUseItWhereItIsThere() {
    QFETCH(QString, library);
    QFETCH(int, products);
    Case made = manyProducts();
    made.plan.out = static_cast<BufferId>(made.plan.buffers.size() - 1);
    const auto frozen = FrozenPlan::freeze(made.plan);
    QVERIFY(frozen);
    const auto expected = cpuBackend().run(**frozen, made.input, {}, {});
    QVERIFY(expected);
    const int before = productsOfFake();
    const CudaBackend backend(makeEmulatedDevice({.blas = {library.toStdString()}}));
    const auto found = backend.run(**frozen, made.input, {}, {});
    QVERIFY2(found, found ? "" : found.error().message.c_str());
    QCOMPARE(productsOfFake() - before, products);
    QCOMPARE(backend.info().products.empty(), products == 0);
    const QString wrong = difference(*found, *expected);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
  }

  // Sums that float32 would shorten are left to the kernel.
  void longSumsAreNotGivenAway() {
    Case made(1, 1, cuda::kLongestBlasSum + 1, 4, 3);
    ProjectStep step;
    step.in = kValue;
    step.out = made.plan.addBuffer("dense", 2, 3);
    step.weight = made.numbers.tensor({1, 2, cuda::kLongestBlasSum + 1});
    made.plan.out = step.out;
    made.plan.steps.emplace_back(step);
    const auto frozen = FrozenPlan::freeze(made.plan);
    QVERIFY(frozen);
    const int before = productsOfFake();
    const CudaBackend backend(makeEmulatedDevice({.blas = {FAKE_CUBLAS_FILE}}));
    QVERIFY(backend.run(**frozen, made.input, {}, {}));
    QCOMPARE(productsOfFake() - before, 0);
  }
};

QTEST_APPLESS_MAIN(CudaBlasTest)
#include "cuda_blas_test.moc"
