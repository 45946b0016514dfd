// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/io/mapped_file.h"

namespace attnscope {

// What a file is by its first bytes, whatever its name. Other: anything else, text for instance.
enum class FileKind { Npy, Zip, Safetensors, Png, Jpeg, Hdf5, Pickle, OtherImage, Session, Other };

[[nodiscard]] FileKind fileKind(const FileBytes& file);

}  // namespace attnscope
