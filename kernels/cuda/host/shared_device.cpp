// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/host/shared_device.h"

#include <algorithm>
#include <chrono>

namespace attnscope::cuda {

namespace {

// Dies with the plan.
class PlanGuard {
 public:
  PlanGuard(std::weak_ptr<SharedDevice> device, std::function<void(SharedDevice&)> atDeath)
      : m_device(std::move(device)), m_atDeath(std::move(atDeath)) {}
  PlanGuard(const PlanGuard&) = delete;
  PlanGuard& operator=(const PlanGuard&) = delete;
  ~PlanGuard() {
    if (const auto device = m_device.lock()) m_atDeath(*device);
  }

 private:
  std::weak_ptr<SharedDevice> m_device;
  std::function<void(SharedDevice&)> m_atDeath;
};

}  // namespace

std::vector<SharedMemory> PlanOnDevice::memory() const {
  std::vector<SharedMemory> all;
  for (const auto& [key, memory] : m_parts) all.push_back(memory);
  return all;
}

double PlanOnDevice::bytes() const {
  double bytes = 0.0;
  for (const auto& [key, memory] : m_parts) bytes += static_cast<double>(memory->bytes());
  return bytes;
}

Result<SharedDevice::Turn> SharedDevice::takeTurn(const JobContext& job, int milliseconds) {
  constexpr int kPatience = 20;  // between two looks at the job
  for (int waited = 0; !m_turn.try_lock_for(std::chrono::milliseconds(kPatience)); waited += kPatience) {
    if (job.isCancelled()) return cancelled();
    if (milliseconds >= 0 && waited + kPatience >= milliseconds) return Turn();
  }
  return Turn(*this);
}

void SharedDevice::endTurn() {
  m_turn.unlock();
  releaseDead();  // what was let go while the turn was taken
}

void SharedDevice::letGo(const std::shared_ptr<Holding>& holding) {
  {
    const std::lock_guard lock(m_lists);
    m_holdings.erase(holding);
    m_dead.push_back(holding);
  }
  releaseDead();
}

// Whoever has the turn looks again when it ends, so nothing is forgotten where it is taken.
void SharedDevice::releaseDead() {
  for (;;) {
    {
      const std::lock_guard lock(m_lists);
      if (m_dead.empty()) return;
    }
    const std::unique_lock turn(m_turn, std::try_to_lock);
    if (!turn) return;
    giveUpDead();
  }
}

void SharedDevice::giveUpDead() {
  std::vector<std::shared_ptr<Holding>> dead;
  {
    const std::lock_guard lock(m_lists);
    dead.swap(m_dead);
  }
  for (const auto& holding : dead) holding->giveUp();
}

std::shared_ptr<PlanOnDevice> SharedDevice::planOnDevice(const FrozenPlan& plan) {
  const std::lock_guard lock(m_lists);
  std::shared_ptr<PlanOnDevice>& held = m_plans[&plan];
  if (held) return held;
  held = std::make_shared<PlanOnDevice>();
  m_holdings.insert(held);
  // Weak: plans may outlive the device, its memory may not.
  const auto forget = [place = &plan, weak = std::weak_ptr(held)](SharedDevice& device) {
    const auto holding = weak.lock();
    {
      const std::lock_guard lists(device.m_lists);
      device.m_plans.erase(place);
    }
    if (holding) device.letGo(holding);
  };
  plan.attach(std::make_shared<PlanGuard>(weak_from_this(), forget));
  return held;
}

void SharedDevice::add(const std::shared_ptr<Holding>& holding) {
  touch(*holding);
  const std::lock_guard lock(m_lists);
  m_holdings.insert(holding);
}

double SharedDevice::heldBytes() const {
  const std::lock_guard lock(m_lists);
  std::set<SharedMemory> counted;
  double bytes = 0.0;
  for (const auto& holding : m_holdings)
    for (const SharedMemory& memory : holding->memory())
      if (counted.insert(memory).second) bytes += static_cast<double>(memory->bytes());
  return bytes;
}

std::shared_ptr<Holding> SharedDevice::longestUnused(const Holding* keep) const {
  const std::lock_guard lock(m_lists);
  std::shared_ptr<Holding> oldest;
  for (const auto& holding : m_holdings) {
    if (holding.get() == keep || holding->memory().empty()) continue;
    if (!oldest || holding->lastUse < oldest->lastUse) oldest = holding;
  }
  return oldest;
}

bool SharedDevice::makeRoom(double free, const Holding* keep) {
  giveUpDead();
  // Nothing is given up for a thing that does not fit anyway.
  if (static_cast<double>(m_device->info().memory) + heldBytes() < free) return false;
  while (static_cast<double>(m_device->info().memory) < free) {
    const auto oldest = longestUnused(keep);
    if (!oldest) return false;
    oldest->giveUp();
  }
  return true;
}

void SharedDevice::holdAtMost(double bytes) {
  while (heldBytes() > bytes) longestUnused(nullptr)->giveUp();
}

}  // namespace attnscope::cuda
