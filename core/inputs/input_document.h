// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/inputs/source_options.h"

namespace attnscope {

// How a file was read, and what else could have been said about it behind its name.
struct FileReading {
  std::string path;
  std::vector<SourceKey> keys;
  std::string options;  // "patch=8,max=64"; empty: all by default

  // The source that reads it with other options.
  [[nodiscard]] std::string sourceWith(const std::string& others) const {
    return others.empty() ? path : path + ":" + others;
  }
};

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
  // The layer, or its outline where making its values would take a while and much memory (large recipes).
  [[nodiscard]] virtual Result<AttentionInput> outline(Index index) const { return layer(index); }
  // The layer that the source names ("PATH:layer=3"), as an index into layerNames(); nothing where it names
  // none.
  [[nodiscard]] virtual std::optional<Index> chosenLayer() const { return std::nullopt; }
  // What the source says of itself that this program does not do unasked, in sentences.
  [[nodiscard]] virtual std::vector<std::string> remarks(Index /*layer*/) const { return {}; }
  // Nothing where the source is no file.
  [[nodiscard]] virtual std::optional<FileReading> reading() const { return std::nullopt; }
  // Lines of "key: value" for `attnscope info FILE`: format, tensors, dtype, metadata.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
};

// Opens a SOURCE as the command line and the window name it. In order:
//   "sample"                    the captured model inside the program; "sample:layer=3"
//   "clustered:n=1024,seed=1"   a recipe (core/inputs/recipes.h) with its options
//   "text:unit=word:The cat"    text typed in; everything after the second colon is the text
//   a path                      .npy .npz .safetensors .png .jpg .jpeg .txt (or any other text in UTF-8),
//                               recognised by content, not by name; "PATH:unit=char" or "PATH:patch=8"
//                               passes options to text and pictures, "PATH:layer=2" to arrays
// A file whose whole name has a colon in it is found before options are looked for. A file called like a
// recipe is named "./clustered". `job` covers the making of recipes, texts and pictures, which happens while
// opening, but for recipes of more than 128 MiB: these are made when a layer is read. Errors (Input) name the
// path or key, what was found, what was expected and the remedy.
[[nodiscard]] Result<std::shared_ptr<const InputDocument>> openSource(const std::string& source,
                                                                      const JobContext& job = {});

// Opens a source and reads one layer of it: the one that the source itself names, otherwise `layer`, which is
// checked against what the source has.
[[nodiscard]] Result<AttentionInput> loadInput(const std::string& source, Index layer = 0,
                                               const JobContext& job = {});

}  // namespace attnscope
