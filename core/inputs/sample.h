// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/io/mapped_file.h"

namespace attnscope {

// The bytes of resources/examples/minilm-paragraph.safetensors, which the program carries inside itself: a
// trained model (all-MiniLM-L6-v2) reading a paragraph. Valid as long as the program runs.
[[nodiscard]] FileBytes sampleBytes();

}  // namespace attnscope
