// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "core/inputs/attention_input.h"

namespace attnscope {

using ValueMaker = std::function<Result<AttentionInput>(const JobContext& job)>;

// Makes the values of an outline once for all who use them at the same time. Copies of the returned maker are
// one maker: whoever asks while values are in use gets the same ones, whoever asks while they are being made
// waits for them, and they go when the last tensor that reads them does. A job that waits can be cancelled by
// itself. Where the job that makes them is cancelled or fails, those that wait try by themselves, one after
// the other. Any thread.
[[nodiscard]] ValueMaker sharedMaker(ValueMaker make);

}  // namespace attnscope
