// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/inputs/input_document.h"
#include "core/inputs/source_options.h"
#include "core/io/array_file.h"

namespace attnscope {

// Options of a file of arrays: layer (its number in the names), batch, layout.
[[nodiscard]] const std::vector<SourceKey>& tensorKeys();

// Arrays q, k and v as a document. Names: `q`, `k`, `v` (one layer); or `layer.{l}.q`, `layers.{l}.q`; or
// `blocks.{l}.attn.hook_q`, where `hook_rot_q` is preferred (queries and keys after rotary positions).
// Shapes: (n, d), (heads, n, d), (batch, heads, n, d), of which one batch entry is taken; with the layout
// `nhd` (heads after tokens: metadata or member `layout`, or the option; always so for hook names) (n, heads,
// d) and (batch, n, heads, d). k and v may have fewer heads and another length. Beside them, as npz members
// or as metadata in JSON: `tokens` or `tokens_q` and `tokens_k` (lists of strings), `grid` (height, width),
// `segments` (a number for each key). Opening looks at names and shapes only. Errors (Input) name the keys
// that were found.
[[nodiscard]] Result<std::shared_ptr<const InputDocument>> openTensors(std::shared_ptr<const ArrayFile> file,
                                                                       const std::string& options);

}  // namespace attnscope
