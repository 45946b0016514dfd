// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/inputs/attention_input.h"
#include "core/io/array_file.h"

namespace attnscope {

// Sentences about what a file of q, k and v says of its model and this program does not do by itself: another
// scale, a causal mask, capped logits, positions not rotated yet, masks and biases beside the arrays; and a
// shape that reads like tokens before heads where nothing says which it is (`layoutSaid`), or like a width
// in the place of the tokens.
[[nodiscard]] std::vector<std::string> captureRemarks(const ArrayFile& file, const Shape& shape,
                                                      bool layoutSaid);

}  // namespace attnscope
