// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/mechanism.h"

namespace attnscope {

// All mechanisms in the order in which people meet them: by family, then by year, then by name.
[[nodiscard]] std::span<const Mechanism* const> allMechanisms();

// Error (Usage) lists what there is and guesses what was meant.
[[nodiscard]] Result<const Mechanism*> findMechanism(const std::string& id);

}  // namespace attnscope
