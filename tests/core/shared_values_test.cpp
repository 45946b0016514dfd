// SPDX-License-Identifier: GPL-3.0-or-later
// Values of an outline are made once for all who use them at the same time.
#include <QTest>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/inputs/input_document.h"
#include "core/inputs/shared_values.h"

using namespace attnscope;

namespace {

AttentionInput someInput() {
  AttentionInput input;
  input.q = Tensor::fromFloats({1, 2, 1}, std::vector<float>{1.0F, 2.0F});
  input.k = Tensor::fromFloats({1, 2, 1}, std::vector<float>{3.0F, 4.0F});
  input.v = Tensor::fromFloats({1, 2, 1}, std::vector<float>{5.0F, 6.0F});
  return input;
}

// A maker that counts, and that can be held up while it makes.
struct Workshop {
  std::atomic<int> begun{0};
  std::atomic<bool> open{true};
  ValueMaker maker() {
    return sharedMaker([this](const JobContext& job) -> Result<AttentionInput> {
      ++begun;
      while (!open) {
        if (!job.advance(0.0)) return cancelled();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      return someInput();
    });
  }
  void awaitBegun(int count) const {
    while (begun < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
};

}  // namespace

class SharedValuesTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void thoseWhoAskTogetherGetOneMaking() {
    Workshop workshop;
    workshop.open = false;
    const ValueMaker make = workshop.maker();
    std::vector<AttentionInput> got(4);
    std::vector<std::thread> threads;
    for (AttentionInput& one : got)
      threads.emplace_back([&one, make] {
        if (auto made = make({})) one = std::move(*made);
      });
    workshop.awaitBegun(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    workshop.open = true;
    for (std::thread& thread : threads) thread.join();
    QCOMPARE(workshop.begun.load(), 1);
    for (const AttentionInput& one : got) {
      QVERIFY(one.q.hasValues() && one.q.raw() == got[0].q.raw() && one.v.raw() == got[0].v.raw());
      QCOMPARE(one.k.values<float>()[1], 4.0F);
    }
  }

  void theyLiveAsLongAsOneTensorDoes() {
    Workshop workshop;
    const ValueMaker make = workshop.maker();
    auto first = make({});
    Tensor kept = first->v;
    const void* at = first->q.raw();
    *first = {};
    QCOMPARE(make({})->q.raw(), at);
    QCOMPARE(workshop.begun.load(), 1);
    kept = {};
    QVERIFY(make({}).has_value());
    QCOMPARE(workshop.begun.load(), 2);
  }

  void whoWaitsIsCancelledAlone() {
    Workshop workshop;
    workshop.open = false;
    const ValueMaker make = workshop.maker();
    bool made = false;
    std::thread maker([&] { made = make({}).has_value(); });
    workshop.awaitBegun(1);
    const JobContext job;
    ErrorKind kind = ErrorKind::Usage;
    std::thread waiting([&] { kind = make(job).error().kind; });
    job.cancel();
    waiting.join();  // while the other still makes
    QVERIFY(kind == ErrorKind::Cancelled);
    workshop.open = true;
    maker.join();
    QVERIFY(made);
    QCOMPARE(workshop.begun.load(), 1);
  }

  void whoWaitsForACancelledMakingMakesThemItself() {
    Workshop workshop;
    workshop.open = false;
    const ValueMaker make = workshop.maker();
    const JobContext job;
    bool first = true;
    bool second = false;
    std::thread maker([&] { first = make(job).has_value(); });
    workshop.awaitBegun(1);
    std::thread waiting([&] { second = make({}).has_value(); });
    job.cancel();
    maker.join();
    workshop.awaitBegun(2);
    workshop.open = true;
    waiting.join();
    QVERIFY(!first && second);
  }

  void aMakingThatThrowsHoldsNobodyUp() {
    int asked = 0;
    const ValueMaker make = sharedMaker([&asked](const JobContext&) -> Result<AttentionInput> {
      if (++asked == 1) throw std::runtime_error("no memory");
      return someInput();
    });
    QVERIFY_EXCEPTION_THROWN(static_cast<void>(make({})), std::runtime_error);
    QVERIFY(make({}).has_value());
  }

  void largeRecipesAndTextsShare() {
    for (const std::string source :
         {"gaussian:n=180000,d=64,heads=1", "text:d=64,heads=96,n=2000,unit=byte:"}) {
      std::string text = source;
      if (source.starts_with("text")) text += std::string(2000, 'a');
      const auto document = openSource(text);
      QVERIFY2(document.has_value(), document ? "" : document.error().message.c_str());
      const auto outline = (*document)->outline(0);
      QVERIFY(outline && outline->isOutline());
      const auto one = withValues(*outline);
      const auto other = withValues(*(*document)->outline(0));
      QVERIFY(one && other && one->q.hasValues());
      QCOMPARE(one->q.raw(), other->q.raw());
    }
  }
};

QTEST_APPLESS_MAIN(SharedValuesTest)
#include "shared_values_test.moc"
