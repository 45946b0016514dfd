// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/tensor_source.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <map>
#include <optional>

#include "core/inputs/capture_remarks.h"
#include "core/inputs/packed_array.h"
#include "core/inputs/tensor_labels.h"
#include "core/inputs/tensor_layout.h"

namespace attnscope {

namespace {

struct Part {
  std::string name;
  HeadAxes axes;
};

// The arrays of one layer; absent ones have no name.
struct LayerParts {
  std::array<Part, 3> parts;  // q, k, v
  bool plain = false;
};

constexpr std::string_view kRoles = "qkv";

std::string keysFound(const ArrayFile& file) {
  std::string keys;
  const std::size_t count = file.entries().size();
  for (std::size_t i = 0; i < count && i < 20; ++i) keys += (i > 0 ? ", " : "") + file.entries()[i].name;
  if (count > 20) keys += fmt::format(" and {} more", count - 20);
  return keys.empty() ? "nothing" : keys;
}

class TensorDocument final : public InputDocument {
 public:
  TensorDocument(std::shared_ptr<const ArrayFile> file, SourceOptions options)
      : m_file(std::move(file)), m_options(std::move(options)) {}

  // Finds the layers by the names; see openTensors().
  [[nodiscard]] Status arrange();

  [[nodiscard]] std::string title() const override { return m_title; }
  [[nodiscard]] std::string source() const override { return sourceWith(""); }
  [[nodiscard]] std::vector<std::string> layerNames() const override;
  [[nodiscard]] Shape layerShape(Index layer) const override;
  [[nodiscard]] Result<AttentionInput> layer(Index layer) const override;
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> facts() const override;
  [[nodiscard]] std::optional<Index> chosenLayer() const override { return m_chosen; }
  [[nodiscard]] std::optional<FileReading> reading() const override {
    return FileReading{m_file->path(), tensorKeys(), m_options.text()};
  }
  [[nodiscard]] std::vector<std::string> remarks(Index layer) const override {
    return captureRemarks(*m_file, layerShape(layer), m_layoutSaid);
  }

 private:
  [[nodiscard]] Result<bool> tokensFirst() const;
  [[nodiscard]] Status addPart(const ArrayFile::Entry& entry, bool tokensFirst,
                               std::map<Index, LayerParts>& found);
  [[nodiscard]] Status choose();
  [[nodiscard]] std::string sourceWith(const std::string& layer) const;
  [[nodiscard]] std::string nameOf(std::size_t layer) const {
    return m_layers[layer].plain ? "q, k, v" : fmt::format("layer {}", m_numbers[layer]);
  }

  std::shared_ptr<const ArrayFile> m_file;
  SourceOptions m_options;
  std::string m_title;
  std::vector<LayerParts> m_layers;
  std::vector<Index> m_numbers;  // as in the names, rising
  std::optional<Index> m_chosen;
  bool m_layoutSaid = false;  // by the file, by an option, or by the names of hooks
};

Result<bool> TensorDocument::tokensFirst() const {
  std::string layout = m_options.choice("layout");
  if (layout == "file") {
    ATTN_ASSIGN(text, readText(*m_file, "layout"));
    layout = text;
  }
  if (layout.empty() || layout == "hnd" || layout == "bhnd" || layout == "nd") return false;
  if (layout == "nhd" || layout == "bnhd") return true;
  return fail(ErrorKind::Input,
              fmt::format("{}: the layout is '{}', expected hnd, bhnd, nd, nhd or bnhd. Reorder the "
                          "axes, or say which they are with layout=hnd or layout=nhd.",
                          m_file->path(), layout));
}

Status TensorDocument::addPart(const ArrayFile::Entry& entry, bool tokensFirst,
                               std::map<Index, LayerParts>& found) {
  const std::optional<RoleName> role = parseRoleName(entry.name);
  if (!role) return {};
  LayerParts& layer = found[role->plain ? -1 : role->layer];
  layer.plain = role->plain;
  Part& part = layer.parts[kRoles.find(role->role)];
  if (!part.name.empty() && !role->rotated) {
    const std::optional<RoleName> other = parseRoleName(part.name);
    if (other && other->rotated) return {};
    return fail(ErrorKind::Input, fmt::format("{}: '{}' and '{}' are the same layer. Remove one.",
                                              m_file->path(), part.name, entry.name));
  }
  const std::string where = fmt::format("{}: array '{}'", m_file->path(), entry.name);
  // The names of hooks say the layout; the option may still overrule them.
  const bool hook = role->tokensFirst && !m_options.isGiven("layout");
  m_layoutSaid = m_layoutSaid || hook;
  ATTN_ASSIGN(axes, headAxes(entry.shape, tokensFirst || hook, where));
  const Index batch = m_options.integer("batch");
  if (batch >= axes.batch)
    return fail(ErrorKind::Usage,
                fmt::format("{} has a batch of {}, there is no entry {}. Choose batch=0 to {}.", where,
                            axes.batch, batch, axes.batch - 1));
  part = {entry.name, axes};
  return {};
}

Status TensorDocument::arrange() {
  ATTN_ASSIGN(first, tokensFirst());
  ATTN_ASSIGN(said, readText(*m_file, "layout"));
  m_layoutSaid = m_options.isGiven("layout") || !said.empty();
  std::map<Index, LayerParts> found;
  for (const ArrayFile::Entry& entry : m_file->entries()) ATTN_TRY(addPart(entry, first, found));
  if (found.empty())
    return fail(ErrorKind::Input,
                fmt::format("{}: has no q, k and v, expected arrays of these names or layer.0.q, "
                            "layer.0.k, layer.0.v and so on. Found: {}. Rename them, e.g. with "
                            "numpy.savez(path, q=q, k=k, v=v).",
                            m_file->path(), keysFound(*m_file)));
  for (auto& [number, layer] : found) {
    for (std::size_t role = 0; role < kRoles.size(); ++role) {
      if (!layer.parts[role].name.empty()) continue;
      return fail(
          ErrorKind::Input,
          fmt::format("{}: has no '{}'{}, expected q, k and v. Found: {}.", m_file->path(), kRoles[role],
                      layer.plain ? "" : fmt::format(" for layer {}", number), keysFound(*m_file)));
    }
    m_numbers.push_back(layer.plain ? 0 : number);
    m_layers.push_back(std::move(layer));
  }
  ATTN_ASSIGN(model, readText(*m_file, "model"));
  const std::filesystem::path name(model.empty() ? m_file->path() : model);
  m_title = model.empty() ? name.stem().string() : name.filename().string();
  if (m_layers[0].parts[0].axes.batch > 1) m_title += fmt::format(", batch {}", m_options.integer("batch"));
  return choose();
}

Status TensorDocument::choose() {
  if (!m_options.isGiven("layer")) return {};
  const Index number = m_options.integer("layer");
  for (std::size_t i = 0; i < m_numbers.size(); ++i) {
    if (m_numbers[i] == number) m_chosen = static_cast<Index>(i);
  }
  if (m_chosen) return {};
  std::string names;
  for (std::size_t i = 0; i < m_numbers.size(); ++i)
    names += (i > 0 ? ", " : "") + std::to_string(m_numbers[i]);
  return fail(ErrorKind::Usage,
              fmt::format("{}: there is no layer {}; the layers are {}.", m_file->path(), number, names));
}

std::string TensorDocument::sourceWith(const std::string& layer) const {
  const std::string given = m_options.text({"layer"});
  const std::string options = given + (given.empty() || layer.empty() ? "" : ",") + layer;
  return m_file->path() + (options.empty() ? "" : ":" + options);
}

std::vector<std::string> TensorDocument::layerNames() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < m_layers.size(); ++i) names.push_back(nameOf(i));
  return names;
}

Shape TensorDocument::layerShape(Index layer) const {
  if (layer < 0 || layer >= std::ssize(m_layers)) return {};
  const auto& [q, k, v] = m_layers[static_cast<std::size_t>(layer)].parts;
  return {q.axes.heads, k.axes.heads, q.axes.tokens, k.axes.tokens, q.axes.width, v.axes.width};
}

Result<AttentionInput> TensorDocument::layer(Index layer) const {
  if (layer < 0 || layer >= std::ssize(m_layers))
    return fail(ErrorKind::Usage, fmt::format("{}: there is no layer {}; it has {}, counted from 0.",
                                              m_file->path(), layer, m_layers.size()));
  const auto at = static_cast<std::size_t>(layer);
  const Index batch = m_options.integer("batch");
  AttentionInput input;
  std::array<Tensor*, 3> targets = {&input.q, &input.k, &input.v};
  for (std::size_t role = 0; role < targets.size(); ++role) {
    const Part& part = m_layers[at].parts[role];
    ATTN_ASSIGN(tensor, m_file->read(part.name));
    if (tensor.dtype() != DType::F32)
      return fail(ErrorKind::Input,
                  fmt::format("{}: array '{}' holds {}, expected floating point. Convert it with "
                              ".astype('float32').",
                              m_file->path(), part.name, dtypeName(tensor.dtype())));
    *targets[role] = takeHeads(tensor, part.axes, batch);
  }
  ATTN_TRY(readLabels(*m_file, batch, input));
  const bool several = m_layers.size() > 1;
  input.title = several ? m_title + ", " + nameOf(at) : m_title;
  input.source = sourceWith(several ? fmt::format("layer={}", m_numbers[at]) : "");
  return finishInput(std::move(input), several ? m_file->path() + ", " + nameOf(at) : m_file->path());
}

std::vector<std::pair<std::string, std::string>> TensorDocument::facts() const {
  constexpr std::size_t kLongest = 200;
  std::vector<std::pair<std::string, std::string>> facts = {{"file", m_file->path()},
                                                            {"format", m_file->format()}};
  facts.emplace_back("layers", std::to_string(m_layers.size()));
  if (const Index entries = m_layers[0].parts[0].axes.batch; entries > 1)
    facts.emplace_back("batch", fmt::format("entry {} of {}", m_options.integer("batch"), entries));
  for (const ArrayFile::Entry& entry : m_file->entries())
    facts.emplace_back(entry.name, fmt::format("{} {}{}", entry.dtype, shapeText(entry.shape),
                                               entry.mapped ? ", mapped" : ""));
  for (const auto& [key, value] : m_file->metadata()) {
    std::size_t end = std::min(value.size(), kLongest);
    while (end > 0 && end < value.size() && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U) --end;
    facts.emplace_back("metadata " + key, value.substr(0, end) + (end < value.size() ? "..." : ""));
  }
  return facts;
}

}  // namespace

const std::vector<SourceKey>& tensorKeys() {
  static const std::vector<SourceKey> keys = {
      SourceKey::integer("layer", 0, 1'000'000, "0", "Number of the layer, as in the names of the arrays."),
      SourceKey::integer("batch", 0, 1'000'000, "0", "Entry of the batch, where the arrays have one."),
      SourceKey::choice("layout", {"file", "hnd", "nhd"},
                        "Order of heads, tokens and width; file: as the file says, otherwise hnd."),
  };
  return keys;
}

Result<std::shared_ptr<const InputDocument>> openTensors(std::shared_ptr<const ArrayFile> file,
                                                         const std::string& options) {
  if (file->format() == "npy") {
    ATTN_ASSIGN(three, unpacked(std::move(file)));
    file = std::move(three);
  }
  ATTN_ASSIGN(parsed, SourceOptions::parse(file->path(), tensorKeys(), options));
  auto document = std::make_shared<TensorDocument>(std::move(file), std::move(parsed));
  ATTN_TRY(document->arrange());
  return document;
}

}  // namespace attnscope
