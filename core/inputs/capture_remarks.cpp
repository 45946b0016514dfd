// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/capture_remarks.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace attnscope {

namespace {

// Heads of published models are 32 to 256 wide.
constexpr Index kWidestHead = 256;

std::string metadataOf(const ArrayFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string() : found->second;
}

std::optional<double> numberIn(const std::string& text) {
  double value = 0.0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || stop != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool isMaskOrBias(const std::string& name) {
  const std::string last = name.substr(name.rfind('.') + 1);
  return last == "mask" || last == "attention_mask" || last == "bias";
}

}  // namespace

std::vector<std::string> captureRemarks(const ArrayFile& file, const Shape& shape, bool layoutSaid) {
  std::vector<std::string> remarks;
  const double usual = 1.0 / std::sqrt(static_cast<double>(shape.d));
  if (const auto scale = numberIn(metadataOf(file, "scale"));
      scale && std::abs(*scale - usual) > 1e-5 * std::abs(usual))
    remarks.push_back(
        fmt::format("The model scales logits by {:g}, here it is 1/sqrt(d) = {:g} unless a scale is given.",
                    *scale, usual));
  if (metadataOf(file, "causal") == "true")
    remarks.emplace_back("The model's attention is causal; here the mask is each mechanism's own choice.");
  if (const auto cap = numberIn(metadataOf(file, "softcap")); cap && *cap > 0.0)
    remarks.push_back(fmt::format("The model caps logits at {:g}, which is not done here.", *cap));
  if (metadataOf(file, "rope") == "pending")
    remarks.emplace_back("Positions are not rotated into q and k yet, so that maps are not the model's.");
  for (const ArrayFile::Entry& entry : file.entries())
    if (isMaskOrBias(entry.name)) remarks.push_back(fmt::format("'{}' is not applied.", entry.name));
  if (!layoutSaid && shape.heads > shape.nQ)
    remarks.push_back(
        fmt::format("Taken as {} heads of {} tokens. If it is {} tokens of {} heads, choose the layout nhd "
                    "(':layout=nhd' "
                    "behind the file's name).",
                    shape.heads, shape.nQ, shape.heads, shape.nQ));
  if (shape.d > shape.nQ && shape.d > kWidestHead)
    remarks.push_back(fmt::format(
        "Taken as {} tokens of width {}. If it is {} tokens of width {}, exchange the last two axes "
        "of the arrays.",
        shape.nQ, shape.d, shape.d, shape.nQ));
  return remarks;
}

}  // namespace attnscope
