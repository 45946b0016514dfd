// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/params/mechanism_spec.h"
#include "kernels/bench/sweep.h"

namespace attnscope {

// "256..65536": doubling from the first to at most the second; "256+512+1000": exactly these, in rising
// order.
[[nodiscard]] Result<std::vector<Index>> parseLengths(const std::string& text);

// Specs whose mechanisms exist, so that a slip is found before minutes of measuring.
[[nodiscard]] Status checkMechanisms(const std::vector<MechanismSpec>& specs);

// "Longformer (w = 32)": how a column or a curve is headed.
[[nodiscard]] Result<std::string> mechanismTitle(const MechanismSpec& spec);

// "longformer  n^1.02 +- 0.03 (4,096 to 65,536)", a line a mechanism; then where curves cross.
[[nodiscard]] std::string sweepExponents(const SweepRequest& request, const std::vector<SweepPoint>& points);

// Writes the text to a file, or to standard output for "-". Error (Output) names the file.
[[nodiscard]] Status writeText(const std::string& path, const std::string& text);

}  // namespace attnscope
