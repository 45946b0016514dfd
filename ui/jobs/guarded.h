// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <exception>
#include <new>

#include "core/base/error.h"

namespace attnscope {

// The edge where exceptions of the standard library and of Eigen become values. Jobs stand behind it already
// (LatestJob); it is for parts of a job that may fail without the rest.
template <class Work>
auto guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::Compute, "Not enough memory. Choose a shorter input or fewer heads.");
  } catch (const std::exception& error) {
    return fail(ErrorKind::Compute, std::string("The computation failed: ") + error.what() + ".");
  }
}

}  // namespace attnscope
