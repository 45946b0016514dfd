// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/base/error.h"
#include "core/mechanisms/mechanism.h"

namespace attnscope {

// Slots made by a convolution whose stride is its width, with the tensors <name> (H, stride, cols, cols) and
// <name>_bias (H, cols): the user's, or the taps of a mean and no bias. Adds the step and the parameters; for
// values says in the plan whether a matrix over the tokens still tells the whole truth. Returns the taps.
[[nodiscard]] Result<Tensor> addConvolvedSlots(const LoweringRequest& request, Plan& plan, BufferId in,
                                               BufferId out, const std::string& name, Index stride);

// What slots of such taps are made of, as far as channels are not mixed: (H, slots, n).
[[nodiscard]] Tensor convolvedComposition(const Tensor& taps, Index slots, Index n);

}  // namespace attnscope
