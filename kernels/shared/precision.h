// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace attnscope {

struct DeviceInfo;

// What the inputs of the products of attend steps (queries with keys, weights with values) are rounded to;
// sums, softmax and every other step stay in float32. TF32 has 11 significant bits, bf16 has 8.
enum class Precision { Fp32, Tf32, Bf16 };

[[nodiscard]] std::string precisionName(Precision precision);  // "fp32", "tf32", "bf16"
[[nodiscard]] Result<Precision> parsePrecision(const std::string& name);

// Error (Compute) where the device has no such arithmetic, with what to do.
[[nodiscard]] Status requirePrecision(const DeviceInfo& device, Precision precision);

}  // namespace attnscope
