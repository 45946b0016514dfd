// SPDX-License-Identifier: GPL-3.0-or-later
// Copies through page-locked buffers, on a stream that does nothing before somebody waits for it: what is put
// into a buffer too early, or taken out of it too early, is wrong here every time.
#include <QTest>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/mechanisms/mechanism.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "kernels/cuda/host/staging.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using attnscope::cuda::CopyStream;
using attnscope::cuda::Staging;

namespace {

class LazyStream final : public CopyStream {
 public:
  Result<void*> allocatePinned(std::size_t bytes) override {
    if (refuses) return fail(ErrorKind::Compute, "no page-locked memory");
    ++held;
    return std::malloc(bytes);
  }
  void releasePinned(void* memory) override {
    --held;
    std::free(memory);
  }
  Status startUpload(void* to, const void* pinned, std::size_t bytes, int slot) override {
    return start(to, pinned, bytes, slot);
  }
  Status startDownload(void* pinned, const void* from, std::size_t bytes, int slot) override {
    return start(pinned, from, bytes, slot);
  }
  // A stream keeps its order: everything up to the last copy of the slot.
  Status waitFor(int slot) override {
    std::size_t until = 0;
    for (std::size_t c = 0; c < m_copies.size(); ++c)
      if (m_copies[c].slot == slot) until = c + 1;
    for (std::size_t c = 0; c < until; ++c) std::memcpy(m_copies[c].to, m_copies[c].from, m_copies[c].bytes);
    m_copies.erase(m_copies.begin(), m_copies.begin() + static_cast<std::ptrdiff_t>(until));
    return {};
  }
  void waitForAll() { QVERIFY(waitFor(0) && waitFor(1)); }

  bool refuses = false;
  int held = 0;
  int mostUnderWay = 0;

 private:
  struct Copy {
    void* to;
    const void* from;
    std::size_t bytes;
    int slot;
  };
  Status start(void* to, const void* from, std::size_t bytes, int slot) {
    m_copies.push_back({to, from, bytes, slot});
    mostUnderWay = std::max(mostUnderWay, static_cast<int>(m_copies.size()));
    return {};
  }
  std::vector<Copy> m_copies;
};

std::vector<std::uint32_t> numbers(std::size_t count, std::uint32_t first) {
  std::vector<std::uint32_t> made(count);
  std::iota(made.begin(), made.end(), first);
  return made;
}

}  // namespace

class CudaStagingTest : public QObject {
  Q_OBJECT

 private slots:
  void copiesOfAnySize_data() {
    QTest::addColumn<std::size_t>("words");
    const std::size_t piece = Staging::kPiece / 4;
    for (const std::size_t words :
         {std::size_t{0}, std::size_t{1}, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 5, 5 * piece})
      QTest::newRow(std::to_string(words).c_str()) << words;
  }
  void copiesOfAnySize() {
    QFETCH(std::size_t, words);
    LazyStream stream;
    {
      Staging staging(stream);
      const auto expected = numbers(words, 7);
      std::vector<std::uint32_t> device(words + 1, 1);
      auto source = expected;
      QVERIFY(staging.upload(device.data(), source.data(), words * 4));
      std::fill(source.begin(), source.end(), 0);  // the source may change
      std::vector<std::uint32_t> back(words + 1, 2);
      QVERIFY(staging.download(back.data(), device.data(), words * 4));  // behind the upload
      back.pop_back();
      QVERIFY(back == expected);
      QCOMPARE(device.back(), 1U);
      QVERIFY(words <= Staging::kPiece / 4 || stream.mostUnderWay >= 2);  // one travels while one is filled
    }
    QCOMPARE(stream.held, 0);
  }

  void manySmallUploads() {
    LazyStream stream;
    Staging staging(stream);
    std::vector<std::vector<std::uint32_t>> device(9, std::vector<std::uint32_t>(100));
    for (std::uint32_t i = 0; i < 9; ++i) {
      const auto source = numbers(100, i * 1000);
      QVERIFY(staging.upload(device[i].data(), source.data(), 400));
    }
    stream.waitForAll();
    for (std::uint32_t i = 0; i < 9; ++i) QVERIFY(device[i] == numbers(100, i * 1000));
  }

  void refusedMemoryIsAnError() {
    LazyStream stream;
    stream.refuses = true;
    Staging staging(stream);
    std::uint32_t word = 0;
    const Status status = staging.upload(&word, &word, 4);
    QVERIFY(!status && status.error().message.find("page-locked") != std::string::npos);
  }

  // Copies stand apart from the pass, and are a part of it.
  void aRunTellsItsCopies() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=130,d=16,heads=2");
    const auto planned = planCall(*parseMechanismSpec("full"), input);
    QVERIFY(planned);
    const cuda::CudaBackend backend(cuda::emulation::makeEmulatedDevice());
    const auto run = backend.run(*planned->plan, input, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    double copies = 0.0;
    double steps = 0.0;
    for (const StepTiming& step : run->steps) (step.kind == "transfer" ? copies : steps) += step.seconds;
    QCOMPARE(run->steps.size(), planned->plan->plan().steps.size() + 2);
    QVERIFY(copies > 0.0 && steps > 0.0);
    QCOMPARE(run->transferSeconds, copies);
    QVERIFY(copies + steps <= run->seconds);
    QVERIFY(steps > copies);  // the emulation computes for milliseconds
  }
};

QTEST_APPLESS_MAIN(CudaStagingTest)
#include "cuda_staging_test.moc"
