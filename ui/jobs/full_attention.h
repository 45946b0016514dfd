// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "ui/jobs/compute_service.h"

namespace attnscope {

// Whether full attention beside `exploration` is work for seconds and not for minutes.
[[nodiscard]] bool isFullAffordable(const Exploration& exploration);

// What the full attention that something is compared with depends on: the input, the mask, and where and how
// precisely the pass was run.
struct FullKey {
  std::uint64_t digest = 0;
  bool causal = false;
  const Backend* backend = nullptr;
  Precision precision = Precision::Fp32;
  friend bool operator==(const FullKey&, const FullKey&) = default;
};
[[nodiscard]] FullKey fullKey(const Exploration& other);

// Whether `candidate` is the full attention that `other` is compared with: the same key, no scale of its own.
[[nodiscard]] bool isFullFor(const Exploration& candidate, const Exploration& other);

// Full attention on the input that the wall shows, for whoever compares with it: what is on the wall or was
// computed last is not computed again. GUI thread, but for make().
class FullAttention {
 public:
  FullAttention(const Document* document, const ComputeService* service)
      : m_document(document), m_service(service) {}

  [[nodiscard]] ExplorationPtr known(const Exploration& other) const;  // null: to be made
  void remember(const ExplorationPtr& full);
  // On the device and in the precision of `other`, whose pass has run. Any thread. Errors as of explore().
  [[nodiscard]] static Result<ExplorationPtr> make(const Exploration& other, const JobContext& job);

 private:
  const Document* m_document;
  const ComputeService* m_service;
  std::array<ExplorationPtr, 2> m_last;  // without and with a causal mask
};

}  // namespace attnscope
