// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>

#include "core/base/error.h"
#include "core/io/array_file.h"
#include "core/io/mapped_file.h"

namespace attnscope {

// The readers behind openArrayFile(), one a format.
[[nodiscard]] Result<std::shared_ptr<const ArrayFile>> openNpy(const FileBytes& file);
[[nodiscard]] Result<std::shared_ptr<const ArrayFile>> openNpz(const FileBytes& file);
[[nodiscard]] Result<std::shared_ptr<const ArrayFile>> openSafetensors(const FileBytes& file);

}  // namespace attnscope
