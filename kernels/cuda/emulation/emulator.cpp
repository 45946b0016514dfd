// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/emulation/emulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/cuda/emulation/cuda_emulation.h"
#include "kernels/cuda/emulation/race_detection.h"
#include "kernels/cuda/emulation/warp_product.h"

namespace attnscope::cuda::emulation {

namespace {

using boost::context::fiber;

constexpr int kLanes = 32;
constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr std::size_t kSharedBytes = std::size_t{48} << 10;  // what every architecture gives a block
constexpr std::size_t kGuardBytes = 1024;

enum class State { Ready, AtBarrier, AtExchange, Done };

struct Thread {
  fiber context;  // of the thread while another runs
  State state = State::Done;
  Index3 index;
  std::source_location where;
  unsigned mask = 0;
  int source = 0;
  std::uint64_t given = 0;
  std::uint64_t taken = 0;
  WarpProduct* product = nullptr;  // given to the warp instead of bits
  std::vector<PendingCopy> copies;
  FibreMark mark;
  unsigned barriers = 0;  // that it has passed in this block
};

std::string place(const std::source_location& where) {
  const std::string file = where.file_name();
  return fmt::format("{}:{}", file.substr(file.rfind('/') + 1), where.line());
}

bool samePlace(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

}  // namespace

struct Emulator::Impl {
  std::vector<Thread> threads = std::vector<Thread>(kThreads);
  fiber scheduler;
  DriverMark driver;
  Ordering launched;
  Ordering ended;
  // Taken in turn: a thread that has come to the next barrier must not seem to be ordered before one that is
  // only leaving this one. Exchanges within a warp order nothing, as CUDA says of them.
  std::array<Ordering, 2> barrier;
  const std::function<void()>* kernel = nullptr;
  Thread* current = nullptr;
  Index3 block;
  Index3 grid;
  std::vector<std::uint32_t> shared = std::vector<std::uint32_t>((kSharedBytes + kGuardBytes) / 4 + 4);
  std::size_t sharedBytes = 0;
  std::string problem;
  std::array<int, kThreads> order{};

  [[nodiscard]] std::uint32_t* arena() {  // aligned to 16 bytes
    const auto address = reinterpret_cast<std::uintptr_t>(shared.data());
    return shared.data() + (16 - address % 16) % 16 / 4;
  }

  void report(std::string text) {
    if (problem.empty())
      problem = fmt::format("block ({}, {}, {}): {}", block.x, block.y, block.z, std::move(text));
  }

  // Back to the scheduler until the thread is ready again.
  void pause(State state) {
    Thread& self = *current;
    self.state = state;
    driver.enter();
    scheduler = std::move(scheduler).resume();
  }

  void makeFibre(Thread& thread) {
    thread.context =
        fiber(std::allocator_arg, boost::context::fixedsize_stack(kStackBytes), [this](fiber&& from) {
          scheduler = std::move(from);
          for (;;) {  // once a block; destroying the fibre ends it
            launched.take();
            (*kernel)();
            ended.give();
            if (!current->copies.empty())
              report(fmt::format("thread {} ends without waiting for its copies", current->index.x));
            pause(State::Done);
          }
          return std::move(scheduler);
        });
  }

  void endFibre(Thread& thread) {
    thread.mark.enter();  // what is left of the kernel's frames is unwound there
    thread.context = {};
    driver.enter();
    thread.mark.clear();
  }

  void resume(Thread& thread) {
    current = &thread;
    thread.mark.enter();
    thread.context = std::move(thread.context).resume();
    current = nullptr;
  }

  void runBlock();
  void runReady();
  bool releaseBarrier();
  bool releaseExchanges();
  bool releaseExchange(int warp, const Thread& first);
  void multiplyTogether(Thread* lanes);
  void describeWaiting();
  void checkShared();
};

namespace {

thread_local Emulator::Impl* running = nullptr;

}  // namespace

const Index3& currentThread() {
  return running->current->index;
}
const Index3& currentBlock() {
  return running->block;
}
const Index3& currentGrid() {
  return running->grid;
}
int currentLane() {
  return static_cast<int>(running->current->index.x % kLanes);
}

void waitForBlock(const std::source_location& where) {
  Thread& self = *running->current;
  self.where = where;
  Ordering& order = running->barrier[self.barriers++ % 2];
  order.give();
  running->pause(State::AtBarrier);
  order.take();
}

std::uint64_t exchange(unsigned mask, std::uint64_t bits, int lane, const std::source_location& where) {
  Thread& self = *running->current;
  self.where = where;
  self.mask = mask;
  self.given = bits;
  self.source = lane;
  if ((mask >> currentLane() & 1U) == 0)
    running->report(fmt::format("thread {} exchanges at {} under the mask {:#010x} that leaves it out",
                                self.index.x, place(where), mask));
  running->pause(State::AtExchange);
  return self.taken;
}

void multiplyInWarp(MmaFormat format, float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                    const std::source_location& where) {
  WarpProduct share{format, c, a, b};
  Thread& self = *running->current;
  self.where = where;
  self.mask = 0xffffffffU;
  self.product = &share;
  running->pause(State::AtExchange);
}

std::vector<PendingCopy>& pendingCopies() {
  return running->current->copies;
}

void reportMisaligned(const float* place, int count) {
  running->report(fmt::format("thread {} copies {} bytes at {}, which is no multiple of that",
                              running->current->index.x, 4 * count, static_cast<const void*>(place)));
}

void* sharedMemory(std::size_t bytes) {
  running->sharedBytes = std::max(running->sharedBytes, bytes);
  if (bytes > kSharedBytes) running->report(fmt::format("{} bytes of shared memory", bytes));
  return running->arena();
}

void Emulator::Impl::runReady() {
  for (const int t : order) {
    Thread& thread = threads[static_cast<std::size_t>(t)];
    if (thread.state == State::Ready) resume(thread);
    if (!problem.empty()) return;
  }
}

// True if all threads wait at the same barrier; they then go on.
bool Emulator::Impl::releaseBarrier() {
  const Thread& first = threads.front();
  const bool all = std::all_of(threads.begin(), threads.end(), [&](const Thread& thread) {
    return thread.state == State::AtBarrier && samePlace(thread.where, first.where);
  });
  if (!all) return false;
  for (Thread& thread : threads) thread.state = State::Ready;
  return true;
}

// True if any exchange is complete.
bool Emulator::Impl::releaseExchanges() {
  bool any = false;
  for (int warp = 0; warp < kThreads / kLanes; ++warp)
    for (int lane = 0; lane < kLanes; ++lane) {
      const Thread& thread = threads[static_cast<std::size_t>(warp * kLanes + lane)];
      if (thread.state == State::AtExchange) any = releaseExchange(warp, thread) || any;
    }
  return any;
}

bool Emulator::Impl::releaseExchange(int warp, const Thread& first) {
  const unsigned mask = first.mask;
  const std::source_location where = first.where;
  Thread* lanes = threads.data() + warp * kLanes;
  for (int lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    const Thread& thread = lanes[lane];
    if (thread.state != State::AtExchange || thread.mask != mask || !samePlace(thread.where, where))
      return false;
  }
  if (first.product != nullptr) {
    multiplyTogether(lanes);
    return true;
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    if ((mask >> lane & 1U) == 0) continue;
    Thread& thread = lanes[lane];
    const bool takesPart = thread.source >= 0 && thread.source < kLanes && (mask >> thread.source & 1U) != 0;
    if (!takesPart)
      report(fmt::format("thread {} reads lane {} at {}, which takes no part", thread.index.x, thread.source,
                         place(where)));
    else
      thread.taken = lanes[thread.source].given;
  }
  for (int lane = 0; lane < kLanes; ++lane)
    if ((mask >> lane & 1U) != 0) lanes[lane].state = State::Ready;
  return true;
}

// All lanes of a warp stand at the same product.
void Emulator::Impl::multiplyTogether(Thread* lanes) {
  std::array<WarpProduct*, kLanes> shares{};
  for (int lane = 0; lane < kLanes; ++lane) {
    shares[static_cast<std::size_t>(lane)] = std::exchange(lanes[lane].product, nullptr);
    lanes[lane].state = State::Ready;
  }
  if (const int lane = multiplyWarp(shares); lane >= 0)
    report(fmt::format("thread {} gives a product at {} what is not rounded to TF32", lanes[lane].index.x,
                       place(lanes[lane].where)));
}

void Emulator::Impl::describeWaiting() {
  std::string text = "threads wait for each other:";
  const Thread* last = nullptr;
  int listed = 0;
  for (const Thread& thread : threads) {
    const bool same = last != nullptr && last->state == thread.state &&
                      (thread.state == State::Done || samePlace(last->where, thread.where));
    last = &thread;
    if (same || ++listed > 8) continue;
    const char* what = thread.state == State::AtBarrier    ? "at the barrier "
                       : thread.state == State::AtExchange ? "at the exchange "
                                                           : "ended";
    text += fmt::format(" from thread {} {}{};", thread.index.x, what,
                        thread.state == State::Done ? "" : place(thread.where));
  }
  report(text);
}

void Emulator::Impl::checkShared() {
  const std::uint32_t* words = arena();
  const std::size_t begin = (sharedBytes + 3) / 4;
  for (std::size_t w = begin; w < begin + kGuardBytes / 4 && w < (kSharedBytes + kGuardBytes) / 4; ++w)
    if (words[w] != kPoison) {
      report(fmt::format("writes {} bytes beyond its shared memory", (w - begin) * 4));
      return;
    }
}

void Emulator::Impl::runBlock() {
  // What earlier blocks declared bounds what this one can have written.
  std::fill(shared.begin(), shared.end(), kPoison);
  for (Thread& thread : threads) {
    thread.state = State::Ready;
    thread.product = nullptr;
    thread.copies.clear();
    thread.barriers = 0;
  }
  launched.give();
  for (;;) {
    runReady();
    if (!problem.empty()) return;
    if (std::all_of(threads.begin(), threads.end(), [](const Thread& t) { return t.state == State::Done; }))
      break;
    if (!releaseExchanges() && !releaseBarrier()) describeWaiting();
    if (!problem.empty()) return;
  }
  ended.take();
  checkShared();
}

Emulator::Emulator() : m_impl(std::make_unique<Impl>()) {}
Emulator::~Emulator() = default;

std::string Emulator::run(const Blocks& blocks, ThreadOrder order, const std::function<void()>& kernel) {
  Impl& impl = *m_impl;
  impl.kernel = &kernel;
  impl.problem.clear();
  impl.sharedBytes = 0;
  impl.grid = {blocks.x, blocks.y, blocks.z};
  std::iota(impl.order.begin(), impl.order.end(), 0);
  if (order == ThreadOrder::Backward) std::reverse(impl.order.begin(), impl.order.end());
  if (order == ThreadOrder::Scattered)
    for (std::size_t t = 0; t < impl.order.size(); ++t) impl.order[t] = static_cast<int>(t * 101 % kThreads);
  for (std::size_t t = 0; t < impl.threads.size(); ++t) {
    Thread& thread = impl.threads[t];
    thread.index.x = static_cast<unsigned>(t);
    if (thread.context) continue;
    impl.makeFibre(thread);
    thread.mark.create();
  }
  running = &impl;
  impl.driver.remember();
  for (unsigned z = 0; z < blocks.z; ++z)
    for (unsigned y = 0; y < blocks.y; ++y)
      for (unsigned x = 0; x < blocks.x && impl.problem.empty(); ++x) {
        impl.block = {x, y, z};
        impl.runBlock();
      }
  running = nullptr;
  if (!impl.problem.empty())
    for (Thread& thread : impl.threads) impl.endFibre(thread);  // in the middle: the next run begins afresh
  return impl.problem;
}

}  // namespace attnscope::cuda::emulation
