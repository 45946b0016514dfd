// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "ui/state/device_choice.h"
#include "ui/state/document_state.h"

namespace attnscope {

// The command line that draws what the window shows, quoted for a shell.
[[nodiscard]] QString commandLineOf(const DocumentState& state, Index head, const DeviceChoice& device = {});

}  // namespace attnscope
