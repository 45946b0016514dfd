// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"

namespace attnscope {

// What a source holds: one or more layers, each an AttentionInput with all of its heads. A captured model has
// many layers, everything else has one. Opening reads headers only; layer() reads (or maps) the numbers.
class InputDocument {
 public:
  virtual ~InputDocument() = default;

  [[nodiscard]] virtual std::string title() const = 0;
  [[nodiscard]] virtual std::string source() const = 0;  // as given, without the choice of a layer
  [[nodiscard]] virtual std::vector<std::string> layerNames() const = 0;  // never empty
  [[nodiscard]] virtual Shape layerShape(Index layer) const = 0;
  [[nodiscard]] virtual Result<AttentionInput> layer(Index layer) const = 0;
  // Lines of "key: value" for `attnscope info FILE`: format, tensors, dtype, metadata.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
};

// Opens a SOURCE as the command line and the window name it. In order:
//   "sample"                    the captured model inside the program
//   "clustered:n=1024,seed=1"   a recipe (core/inputs/recipes.h) with its options
//   "text:unit=word:The cat"    text typed in; everything after the second colon is the text
//   a path                      .npy .npz .safetensors .png .jpg .jpeg .txt (or any other text in UTF-8),
//                               recognised by content, not by name; "PATH:unit=char" or "PATH:patch=8"
//                               passes options to text and pictures
// Errors (Input) name the path or key, what was found, what was expected and the remedy.
[[nodiscard]] Result<std::shared_ptr<const InputDocument>> openSource(const std::string& source,
                                                                      const JobContext& job = {});

// Opens a source and reads one layer of it. `layer` is checked against what the source has.
[[nodiscard]] Result<AttentionInput> loadInput(const std::string& source, Index layer = 0,
                                               const JobContext& job = {});

}  // namespace attnscope
