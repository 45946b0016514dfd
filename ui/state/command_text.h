// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "ui/state/device_choice.h"
#include "ui/state/document_state.h"

namespace attnscope {

// The last words of a command line for a figure that nobody has written yet.
inline const QString kAnyOutput = QStringLiteral("--output attention.pdf");

// The command line that draws what the window shows, quoted for a shell, at the command's own page size.
[[nodiscard]] QString commandLineOf(const DocumentState& state, Index head, const DeviceChoice& device = {});

}  // namespace attnscope
