// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// Sizes of one call. Query heads are a multiple of key/value heads (grouped queries).
struct Shape {
  Index heads = 1;
  Index kvHeads = 1;
  Index nQ = 0;
  Index nK = 0;
  Index d = 0;
  Index dV = 0;

  friend bool operator==(const Shape&, const Shape&) = default;
};

// Tokens laid out as a picture in raster order: token = row * width + column.
struct Grid {
  Index height = 0;
  Index width = 0;
  friend bool operator==(const Grid&, const Grid&) = default;
};

// 8-bit RGB, row-major, 3 bytes a pixel: kept so that weights can be drawn over the picture they came from.
struct PixelImage {
  Index width = 0;
  Index height = 0;
  std::vector<std::uint8_t> rgb;
};

// The input of every mechanism: Q, K and V of all heads of one layer, float32, finite, at least one token.
// Immutable once made; copies share storage.
struct AttentionInput {
  Tensor q;  // (H, n_q, d)
  Tensor k;  // (H_kv, n_k, d)
  Tensor v;  // (H_kv, n_k, d_v)

  std::vector<std::string> tokensQ;  // empty, or n_q texts (UTF-8)
  std::vector<std::string> tokensK;  // empty, or n_k texts
  std::optional<Grid> grid;          // tokens as a picture; height * width = n_q = n_k
  std::vector<Index> segments;  // empty, or n_k segment numbers, not decreasing from 0 (sentences of a text)
  PixelImage image;             // empty unless the input came from a picture

  std::string title;         // "MiniLM, paragraph": for headers and figures
  std::string source;        // what to write after --input to get exactly this again
  std::uint64_t digest = 0;  // of q, k, v; of an outline: of what they would be made from

  // Makes q, k and v of an outline: their shapes are known, their values are not made (Tensor::outline). That
  // is enough to see a pattern that depends on positions only, without the gigabytes of a million tokens.
  std::function<Result<AttentionInput>(const JobContext& job)> make;
  [[nodiscard]] bool isOutline() const { return !q.hasValues(); }

  [[nodiscard]] Shape shape() const;
  // Head of k and v that query head h reads.
  [[nodiscard]] Index kvHead(Index h) const { return h / (q.dim(0) / k.dim(0)); }
  // "token 12 'cat'", or "token 12" where there are no texts.
  [[nodiscard]] std::string queryName(Index i) const;
  [[nodiscard]] std::string keyName(Index j) const;
};

// Checks everything that AttentionInput promises and fills in the digest. Every source ends here, so that no
// mechanism meets a NaN, an empty axis or shapes that do not fit. `where` names the file or recipe in
// messages.
[[nodiscard]] Result<AttentionInput> finishInput(AttentionInput input, const std::string& where);

// The input itself, or what its outline stands for, with the outline's digest and names: whoever compares
// digests sees one input. Errors as of the source.
[[nodiscard]] Result<AttentionInput> withValues(const AttentionInput& input, const JobContext& job = {});

// The same input with only the given query heads (in that order), with their own key and value heads.
[[nodiscard]] Result<AttentionInput> selectHeads(const AttentionInput& input,
                                                 const std::vector<Index>& heads);

// The first `length` tokens of queries and keys.
[[nodiscard]] Result<AttentionInput> truncateTokens(const AttentionInput& input, Index length);

}  // namespace attnscope
