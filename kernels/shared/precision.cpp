// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/precision.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/backend.h"

namespace attnscope {

std::string precisionName(Precision precision) {
  switch (precision) {
    case Precision::Tf32:
      return "tf32";
    case Precision::Bf16:
      return "bf16";
    default:
      return "fp32";
  }
}

Result<Precision> parsePrecision(const std::string& name) {
  for (const Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Bf16})
    if (name == precisionName(precision)) return precision;
  return fail(ErrorKind::Usage, fmt::format("The precision '{}' is not one of fp32, tf32, bf16.", name));
}

Status requirePrecision(const DeviceInfo& device, Precision precision) {
  const auto& known = device.precisions;
  if (std::find(known.begin(), known.end(), precision) != known.end()) return {};
  const bool cpu = device.id == "cpu";
  return fail(
      ErrorKind::Compute,
      fmt::format("The precision {}: {} computes in fp32 only. {}", precisionName(precision), device.name,
                  cpu ? "Choose fp32, or a GPU with tensor cores."
                      : "Tensor cores for tf32 and bf16 come with compute capability 8.0; "
                        "choose fp32."));
}

}  // namespace attnscope
