// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "core/base/job_context.h"
#include "core/plan/plan.h"
#include "kernels/cuda/device/device.h"

namespace attnscope::cuda {

using SharedMemory = std::shared_ptr<const DeviceMemory>;

// Memory that stays on a device between calls, and can be given up for another: whoever held it does without.
// Used, but for its death, by whoever has the device's turn.
class Holding {
 public:
  virtual ~Holding() = default;
  [[nodiscard]] virtual std::vector<SharedMemory> memory() const = 0;
  virtual void giveUp() = 0;
  std::uint64_t lastUse = 0;
};

// What a device holds of a plan: its tile maps, orders, weights and constants, as its first run brought them.
class PlanOnDevice final : public Holding {
 public:
  // A place in the plan, and which of the things that are made of it.
  using Key = std::pair<const void*, int>;

  [[nodiscard]] SharedMemory find(const Key& key) const {
    const auto found = m_parts.find(key);
    return found != m_parts.end() ? found->second : nullptr;
  }
  void insert(const Key& key, SharedMemory memory) { m_parts[key] = std::move(memory); }
  [[nodiscard]] std::vector<SharedMemory> memory() const override;
  void giveUp() override { m_parts.clear(); }
  [[nodiscard]] double bytes() const;

 private:
  std::map<Key, SharedMemory> m_parts;
};

// A device that several things hold memory of: passes, which take turns, and what they leave. Outlives all of
// them. Memory may be let go on any thread at any time: it is released by whoever has the turn.
class SharedDevice final : public std::enable_shared_from_this<SharedDevice> {
 public:
  explicit SharedDevice(std::unique_ptr<Device> device) : m_device(std::move(device)) {}

  // Empty where none was taken.
  class Turn {
   public:
    Turn() = default;
    explicit Turn(SharedDevice& device) : m_device(&device) {}
    Turn(Turn&& other) noexcept : m_device(std::exchange(other.m_device, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (m_device != nullptr) m_device->endTurn();
    }

    [[nodiscard]] explicit operator bool() const { return m_device != nullptr; }

   private:
    SharedDevice* m_device = nullptr;
  };
  // Waits, at most `milliseconds` where that is not negative; empty where the time is over. Error:
  // cancelled.
  [[nodiscard]] Result<Turn> takeTurn(const JobContext& job, int milliseconds = -1);

  // Without a turn: what it says of itself.
  [[nodiscard]] DeviceInfo info() const { return m_device->info(); }

  // The rest with the turn only.
  [[nodiscard]] Device& device() const { return *m_device; }
  // Made where there is none, and let go with the plan.
  [[nodiscard]] std::shared_ptr<PlanOnDevice> planOnDevice(const FrozenPlan& plan);
  void add(const std::shared_ptr<Holding>& holding);
  void touch(Holding& holding) { holding.lastUse = ++m_uses; }
  [[nodiscard]] double heldBytes() const;
  // Gives up holdings, the longest unused first and `keep` not, until so many bytes are free; false: that is
  // not enough.
  [[nodiscard]] bool makeRoom(double free, const Holding* keep);
  // The same until no more than so many bytes are held.
  void holdAtMost(double bytes);

  // Any thread.
  void letGo(const std::shared_ptr<Holding>& holding);

 private:
  void endTurn();
  void releaseDead();
  void giveUpDead();  // with the turn
  [[nodiscard]] std::shared_ptr<Holding> longestUnused(const Holding* keep) const;

  std::unique_ptr<Device> m_device;
  std::timed_mutex m_turn;
  std::map<const FrozenPlan*, std::shared_ptr<PlanOnDevice>> m_plans;  // with m_lists
  std::set<std::shared_ptr<Holding>> m_holdings;
  std::uint64_t m_uses = 0;
  mutable std::mutex m_lists;                    // of the two, and of
  std::vector<std::shared_ptr<Holding>> m_dead;  // whose memory waits for a turn
};

// Share of a device's free memory that a pass may take, and of free and held memory together that may be held
// beyond passes: other programs need some as well.
inline constexpr double kUsableShare = 0.95;
inline constexpr double kHeldShare = 0.5;

}  // namespace attnscope::cuda
