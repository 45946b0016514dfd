// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/tensor_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace attnscope {

namespace {

using Json = nlohmann::json;

const ArrayFile::Entry* findEntry(const ArrayFile& file, const std::string& name) {
  const auto& entries = file.entries();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const ArrayFile::Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

tl::unexpected<Error> wrongMetadata(const ArrayFile& file, const std::string& key, const char* expected) {
  return fail(ErrorKind::Input, fmt::format("{}: the metadata '{}' is not {}. Write it with json.dumps.",
                                            file.path(), key, expected));
}

// The metadata `key` as a list in JSON, of which one entry is taken where it is a list of lists. Discarded:
// none.
Result<Json> metadataList(const ArrayFile& file, const std::string& key, Index batch) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return Json(Json::value_t::discarded);
  Json list = Json::parse(found->second, nullptr, false);
  if (list.is_array() && !list.empty() && list.front().is_array()) {
    if (batch >= std::ssize(list)) return wrongMetadata(file, key, "a list for every entry of the batch");
    list = Json(list[static_cast<std::size_t>(batch)]);
  }
  if (!list.is_array()) return wrongMetadata(file, key, "a list in JSON");
  return list;
}

Result<std::vector<std::string>> readTokens(const ArrayFile& file, const std::string& key, Index batch) {
  std::vector<std::string> tokens;
  if (const ArrayFile::Entry* entry = findEntry(file, key)) {
    ATTN_ASSIGN(all, file.readStrings(key));
    if (entry->shape.size() == 2 && entry->shape[0] > batch) {
      const auto begin = all.begin() + batch * entry->shape[1];
      return std::vector<std::string>(begin, begin + entry->shape[1]);
    }
    return all;
  }
  ATTN_ASSIGN(list, metadataList(file, key, batch));
  if (list.is_discarded()) return tokens;
  for (const Json& token : list) {
    if (!token.is_string()) return wrongMetadata(file, key, "a list of strings");
    tokens.push_back(token.get<std::string>());
  }
  return tokens;
}

Result<std::vector<Index>> readIntegers(const ArrayFile& file, const std::string& key) {
  std::vector<Index> numbers;
  if (findEntry(file, key) != nullptr) {
    ATTN_ASSIGN(tensor, file.read(key));
    if (tensor.dtype() == DType::I64) {
      const auto values = tensor.values<std::int64_t>();
      numbers.assign(values.begin(), values.end());
    } else if (tensor.dtype() == DType::I32) {
      const auto values = tensor.values<std::int32_t>();
      numbers.assign(values.begin(), values.end());
    } else if (tensor.dtype() == DType::U8) {
      const auto values = tensor.values<std::uint8_t>();
      numbers.assign(values.begin(), values.end());
    } else {
      return fail(ErrorKind::Input,
                  fmt::format("{}: '{}' holds {}, expected integers. Convert it with .astype('int64').",
                              file.path(), key, dtypeName(tensor.dtype())));
    }
    return numbers;
  }
  ATTN_ASSIGN(list, metadataList(file, key, 0));
  if (list.is_discarded()) return numbers;
  for (const Json& number : list) {
    if (!number.is_number_integer()) return wrongMetadata(file, key, "a list of integers");
    numbers.push_back(number.get<Index>());
  }
  return numbers;
}

}  // namespace

Status readLabels(const ArrayFile& file, Index batch, AttentionInput& input) {
  ATTN_ASSIGN(both, readTokens(file, "tokens", batch));
  ATTN_ASSIGN(ofQueries, readTokens(file, "tokens_q", batch));
  ATTN_ASSIGN(ofKeys, readTokens(file, "tokens_k", batch));
  // One list for both sides is meant for those sides that it fits: in cross-attention that can be one of
  // them.
  const bool cross = input.q.dim(1) != input.k.dim(1);
  const auto choose = [&](std::vector<std::string> own, Index count) {
    if (!own.empty()) return own;
    return cross && std::ssize(both) != count ? std::vector<std::string>() : both;
  };
  input.tokensQ = choose(std::move(ofQueries), input.q.dim(1));
  input.tokensK = choose(std::move(ofKeys), input.k.dim(1));
  ATTN_ASSIGN(grid, readIntegers(file, "grid"));
  if (!grid.empty()) {
    if (grid.size() < 2)
      return fail(ErrorKind::Input, file.path() + ": 'grid' has one number, expected height and width.");
    input.grid = Grid{grid[0], grid[1]};
  }
  ATTN_ASSIGN(segments, readIntegers(file, "segments"));
  input.segments = std::move(segments);
  return {};
}

Result<std::string> readText(const ArrayFile& file, const std::string& key) {
  if (const auto found = file.metadata().find(key); found != file.metadata().end()) return found->second;
  if (findEntry(file, key) == nullptr) return std::string();
  ATTN_ASSIGN(strings, file.readStrings(key));
  return strings.empty() ? std::string() : strings.front();
}

}  // namespace attnscope
