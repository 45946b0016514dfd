// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "core/base/error.h"
#include "core/io/array_file.h"

namespace attnscope {

// The one array of a .npy file, (3, ...) with q, k and v one after the other, as a file with three arrays of
// these names and the shape behind the 3. Error (Input): another shape, with how to save it.
[[nodiscard]] Result<std::shared_ptr<const ArrayFile>> unpacked(std::shared_ptr<const ArrayFile> file);

}  // namespace attnscope
