// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/shared_values.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace attnscope {

namespace {

constexpr std::chrono::milliseconds kLatency{5};  // until a waiting job notices that it is cancelled

// The tensors of what is returned own the input that they belong to, so that it lives as long as any of them.
AttentionInput viewOf(const std::shared_ptr<const AttentionInput>& kept) {
  AttentionInput view = *kept;
  for (Tensor AttentionInput::*part : {&AttentionInput::q, &AttentionInput::k, &AttentionInput::v}) {
    const Tensor& from = (*kept).*part;
    view.*part = Tensor::borrow(from.dtype(), from.shape(), from.raw(), kept);
  }
  return view;
}

class SharedValues {
 public:
  explicit SharedValues(ValueMaker make) : m_make(std::move(make)) {}

  Result<AttentionInput> get(const JobContext& job) {
    {
      std::unique_lock lock(m_mutex);
      while (m_making) {
        m_changed.wait_for(lock, kLatency);
        if (job.isCancelled()) return cancelled();
      }
      if (const auto kept = m_kept.lock()) return viewOf(kept);
      m_making = true;
    }
    const Turn turn(*this);  // also ends where making throws
    ATTN_ASSIGN(made, m_make(job));
    const auto kept = std::make_shared<const AttentionInput>(std::move(made));
    const std::lock_guard lock(m_mutex);
    m_kept = kept;
    return viewOf(kept);
  }

 private:
  class Turn {
   public:
    explicit Turn(SharedValues& values) : m_values(values) {}
    ~Turn() {
      {
        const std::lock_guard lock(m_values.m_mutex);
        m_values.m_making = false;
      }
      m_values.m_changed.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    SharedValues& m_values;
  };

  ValueMaker m_make;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::weak_ptr<const AttentionInput> m_kept;
  bool m_making = false;
};

}  // namespace

ValueMaker sharedMaker(ValueMaker make) {
  return [values = std::make_shared<SharedValues>(std::move(make))](const JobContext& job) {
    return values->get(job);
  };
}

}  // namespace attnscope
