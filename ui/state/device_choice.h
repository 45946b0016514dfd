// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "kernels/shared/precision.h"

namespace attnscope {

// Where passes run, and how. A setting of the program and not of a wall: the next machine has other devices.
struct DeviceChoice {
  std::string device = "auto";  // as findBackend() takes it
  Precision precision = Precision::Fp32;

  bool operator==(const DeviceChoice&) const = default;
};

}  // namespace attnscope
