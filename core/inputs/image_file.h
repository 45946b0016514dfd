// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/inputs/attention_input.h"
#include "core/io/mapped_file.h"

namespace attnscope {

// Decodes a PNG or JPEG, up to 100 million pixels, to 8-bit RGB; transparency lies on white. Errors (Input)
// for what is neither, is damaged or is cut off.
[[nodiscard]] Result<PixelImage> decodeImage(const FileBytes& file);

// Scales by the mean of the area that each new pixel covers.
[[nodiscard]] PixelImage resizeArea(const PixelImage& image, Index width, Index height);

}  // namespace attnscope
