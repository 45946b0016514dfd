// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// Tells ThreadSanitizer which fibre runs and what orders their accesses, so that it reports two threads of a
// block that touch the same memory without a barrier between them, also where the order of the fibres gives
// the right values. Without the sanitizer nothing is left of it. The emulator itself is compiled without
// instrumentation: its own memory orders nothing and must not be taken for the kernel's.
#ifdef ATTNSCOPE_FIBRES_UNDER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace attnscope::cuda::emulation {

#ifdef ATTNSCOPE_FIBRES_UNDER_TSAN
class FibreMark {
 public:
  FibreMark() = default;
  FibreMark(const FibreMark&) = delete;
  FibreMark& operator=(const FibreMark&) = delete;
  ~FibreMark() { clear(); }
  void create() { m_fibre = __tsan_create_fiber(0); }
  void clear() {
    if (m_fibre != nullptr) __tsan_destroy_fiber(m_fibre);
    m_fibre = nullptr;
  }
  // Just before the switch to it; orders nothing.
  void enter() const { __tsan_switch_to_fiber(m_fibre, __tsan_switch_to_fiber_no_sync); }

 private:
  void* m_fibre = nullptr;
};

// The thread that drives the fibres.
class DriverMark {
 public:
  void remember() { m_fibre = __tsan_get_current_fiber(); }
  void enter() const { __tsan_switch_to_fiber(m_fibre, __tsan_switch_to_fiber_no_sync); }

 private:
  void* m_fibre = nullptr;
};

// What is before give() happens before what is after take().
class Ordering {
 public:
  void give() { __tsan_release(this); }
  void take() { __tsan_acquire(this); }

 private:
  long m_place = 0;
};
#else
struct FibreMark {
  void create() {}
  void clear() {}
  void enter() const {}
};
struct DriverMark {
  void remember() {}
  void enter() const {}
};
struct Ordering {
  void give() {}
  void take() {}
};
#endif

}  // namespace attnscope::cuda::emulation
