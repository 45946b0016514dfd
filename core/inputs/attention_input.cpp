// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/attention_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/digest.h"
#include "core/base/memory.h"
#include "core/base/units.h"

namespace attnscope {

namespace {

constexpr Index kSpareSegments = 4096;  // that a short input may number without having them

constexpr Index kMaxTokens = Index{1} << 20;

std::string tokenName(const std::vector<std::string>& texts, Index i) {
  if (i < 0 || static_cast<std::size_t>(i) >= texts.size()) return fmt::format("token {}", i);
  return fmt::format("token {} '{}'", i, texts[static_cast<std::size_t>(i)]);
}

Status checkArray(const std::string& where, const char* name, const Tensor& tensor) {
  if (tensor.rank() != 3)
    return fail(ErrorKind::Input, fmt::format("{}: {} has the shape {}, expected (heads, tokens, width).",
                                              where, name, shapeText(tensor.shape())));
  if (tensor.dtype() != DType::F32)
    return fail(ErrorKind::Input, fmt::format("{}: {} holds {}, expected floating point. Convert it with "
                                              ".astype('float32').",
                                              where, name, dtypeName(tensor.dtype())));
  if (tensor.dim(0) < 1 || tensor.dim(1) < 1 || tensor.dim(2) < 1)
    return fail(ErrorKind::Input,
                fmt::format("{}: {} has the shape {}; there must be at least one head, one token and "
                            "one column.",
                            where, name, shapeText(tensor.shape())));
  if (tensor.dim(1) > kMaxTokens)
    return fail(ErrorKind::Input,
                fmt::format("{}: {} has {} tokens, the most that can be shown is {}. Cut it.", where, name,
                            countText(tensor.dim(1)), countText(kMaxTokens)));
  return {};
}

Status checkShapes(const AttentionInput& input, const std::string& where) {
  ATTN_TRY(checkArray(where, "q", input.q));
  ATTN_TRY(checkArray(where, "k", input.k));
  ATTN_TRY(checkArray(where, "v", input.v));
  const auto mismatch = [&](const std::string& what) {
    return fail(
        ErrorKind::Input,
        fmt::format("{}: {} (q {}, k {}, v {}). If the axes are in another order, say so in the metadata "
                    "'layout'.",
                    where, what, shapeText(input.q.shape()), shapeText(input.k.shape()),
                    shapeText(input.v.shape())));
  };
  if (input.k.dim(0) != input.v.dim(0)) return mismatch("k and v must have the same number of heads");
  if (input.q.dim(0) % input.k.dim(0) != 0)
    return mismatch("the heads of k and v must divide those of q evenly");
  if (input.q.dim(2) != input.k.dim(2)) return mismatch("q and k must have the same width");
  if (input.k.dim(1) != input.v.dim(1)) return mismatch("k and v must have the same number of tokens");
  return {};
}

Status checkTokens(const AttentionInput& input, const std::string& where) {
  const auto wrong = [&](const char* what, std::size_t found, Index expected) {
    return fail(ErrorKind::Input,
                fmt::format("{}: {} has {} entries, expected {}, one a token. Leave it out or save as "
                            "many as there are tokens.",
                            where, what, found, expected));
  };
  const Index nQ = input.q.dim(1);
  const Index nK = input.k.dim(1);
  if (!input.tokensQ.empty() && std::ssize(input.tokensQ) != nQ)
    return wrong("tokens of q", input.tokensQ.size(), nQ);
  if (!input.tokensK.empty() && std::ssize(input.tokensK) != nK)
    return wrong("tokens of k", input.tokensK.size(), nK);
  if (!input.segments.empty()) {
    if (std::ssize(input.segments) != nK) return wrong("segments", input.segments.size(), nK);
    if (input.segments.front() < 0 || !std::is_sorted(input.segments.begin(), input.segments.end()))
      return fail(ErrorKind::Input, where + ": segments must count up from 0 and never decrease.");
    // Numbers may be left out, but each stands for a segment that somebody will make.
    const Index most = std::max(nK, kSpareSegments);
    if (input.segments.back() >= most)
      return fail(
          ErrorKind::Input,
          fmt::format("{}: segments count up to {}, but there are {} keys; expected numbers below {}. "
                      "Number the segments 0, 1, 2 and so on.",
                      where, input.segments.back(), nK, most));
  }
  if (input.grid) {
    const auto [height, width] = *input.grid;
    // Bounded before they are multiplied, so that no product can overflow.
    const bool possible = height >= 1 && width >= 1 && height <= kMaxTokens && width <= kMaxTokens;
    if (!possible || height * width != nQ || nQ != nK)
      return fail(ErrorKind::Input,
                  fmt::format("{}: the grid is {} x {}, which is not the {} queries and {} keys. Save "
                              "grid as (height, width) with height * width tokens.",
                              where, height, width, nQ, nK));
  }
  return {};
}

// Finds the first NaN or infinity. The scan by exponents has no branch a value, so it runs at memory speed.
Status checkFinite(const std::string& where, const char* name, const Tensor& tensor) {
  constexpr std::uint32_t kExponent = 0x7F800000U;
  constexpr std::size_t kBlock = 4096;
  const auto values = tensor.values<float>();
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
    const auto block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    unsigned bad = 0;
    for (const float value : block)
      bad |= static_cast<unsigned>((std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent);
    if (bad == 0) continue;
    const auto first =
        std::find_if(block.begin(), block.end(), [](float value) { return !std::isfinite(value); });
    const Index at = static_cast<Index>(begin) + (first - block.begin());
    const Index width = tensor.dim(2);
    const std::array<Index, 3> place = {at / (width * tensor.dim(1)), at / width % tensor.dim(1), at % width};
    return fail(
        ErrorKind::Input,
        fmt::format("{}: {}[{}, {}, {}] is {}, expected a finite number. Replace or leave out that token; in "
                    "half precision it is often an overflow while capturing.",
                    where, name, place[0], place[1], place[2], *first));
  }
  return {};
}

std::uint64_t digestOf(const AttentionInput& input) {
  Digest digest;
  for (const Tensor* tensor : {&input.q, &input.k, &input.v}) {
    for (const Index extent : tensor->shape()) digest.add(static_cast<std::uint64_t>(extent));
    digest.addBytes(tensor->raw(), tensor->bytes());
  }
  return digest.value();
}

// The given heads one after the other; heads that follow each other are viewed, not copied.
Tensor pickHeads(const Tensor& tensor, const std::vector<Index>& heads) {
  std::vector<Index> shape = tensor.shape();
  shape[0] = std::ssize(heads);
  bool contiguous = true;
  for (std::size_t i = 1; i < heads.size(); ++i) contiguous = contiguous && heads[i] == heads[i - 1] + 1;
  if (contiguous) {
    const auto owner = std::make_shared<const Tensor>(tensor);
    return Tensor::borrow(DType::F32, shape, tensor.slice<float>(heads.front()).data(), owner);
  }
  Tensor picked(DType::F32, shape);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const auto from = tensor.slice<float>(heads[i]);
    std::copy(from.begin(), from.end(), picked.mutableSlice<float>(static_cast<Index>(i)).begin());
  }
  return picked;
}

// Key heads for the given query heads: one each, or fewer where equal runs keep the queries grouped.
std::vector<Index> groupedHeads(const std::vector<Index>& wanted) {
  std::vector<Index> heads;
  std::vector<std::size_t> runs;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i == 0 || wanted[i] != wanted[i - 1]) {
      heads.push_back(wanted[i]);
      runs.push_back(0);
    }
    ++runs.back();
  }
  const bool even =
      std::all_of(runs.begin(), runs.end(), [&](std::size_t run) { return run == runs.front(); });
  return even ? heads : wanted;
}

Tensor firstTokens(const Tensor& tensor, Index length) {
  if (length >= tensor.dim(1)) return tensor;
  Tensor cut(DType::F32, {tensor.dim(0), length, tensor.dim(2)});
  for (Index head = 0; head < tensor.dim(0); ++head) {
    const auto from = tensor.slice<float>(head).first(static_cast<std::size_t>(length * tensor.dim(2)));
    std::copy(from.begin(), from.end(), cut.mutableSlice<float>(head).begin());
  }
  return cut;
}

// A picture keeps whole rows only; with a part of a row it is a picture no longer.
void truncatePicture(AttentionInput& input, Index length) {
  if (!input.grid) return;
  const Grid grid = *input.grid;
  if (length % grid.width != 0) {
    input.grid.reset();
    input.image = {};
    return;
  }
  input.grid = Grid{length / grid.width, grid.width};
  input.image.height = input.image.height * input.grid->height / grid.height;
  input.image.rgb.resize(static_cast<std::size_t>(3 * input.image.width * input.image.height));
}

}  // namespace

Shape AttentionInput::shape() const {
  return {q.dim(0), k.dim(0), q.dim(1), k.dim(1), q.dim(2), v.dim(2)};
}

std::string AttentionInput::queryName(Index i) const {
  return tokenName(tokensQ, i);
}

std::string AttentionInput::keyName(Index j) const {
  return tokenName(tokensK, j);
}

Result<AttentionInput> finishInput(AttentionInput input, const std::string& where) {
  ATTN_TRY(checkShapes(input, where));
  ATTN_TRY(checkTokens(input, where));
  ATTN_TRY(checkFinite(where, "q", input.q));
  ATTN_TRY(checkFinite(where, "k", input.k));
  ATTN_TRY(checkFinite(where, "v", input.v));
  input.digest = digestOf(input);
  return input;
}

Result<AttentionInput> withValues(const AttentionInput& input, const JobContext& job) {
  if (!input.isOutline()) return input;
  ATTN_ASSIGN(made, input.make(job));
  made.digest = input.digest;
  made.title = input.title;
  made.source = input.source;
  return made;
}

Result<AttentionInput> selectHeads(const AttentionInput& input, const std::vector<Index>& heads) {
  const Index count = input.q.dim(0);
  if (heads.empty()) return fail(ErrorKind::Usage, "No head is selected; name at least one.");
  std::vector<Index> keyHeads;
  for (const Index head : heads) {
    if (head < 0 || head >= count)
      return fail(ErrorKind::Usage,
                  fmt::format("There is no head {}: the input has the heads 0 to {}.", head, count - 1));
    keyHeads.push_back(input.kvHead(head));
  }
  keyHeads = groupedHeads(keyHeads);
  const double width = static_cast<double>(input.q.dim(1) * input.q.dim(2)) +
                       static_cast<double>(input.k.dim(1) * (input.k.dim(2) + input.v.dim(2)));
  ATTN_TRY(requireMemory(4.0 * width * static_cast<double>(heads.size()), "the selected heads"));
  AttentionInput selected = input;
  selected.q = pickHeads(input.q, heads);
  selected.k = pickHeads(input.k, keyHeads);
  selected.v = pickHeads(input.v, keyHeads);
  selected.digest = digestOf(selected);
  return selected;
}

Result<AttentionInput> truncateTokens(const AttentionInput& input, Index length) {
  if (length < 1)
    return fail(ErrorKind::Usage, fmt::format("Cannot keep {} tokens; keep at least 1.", length));
  if (length >= input.q.dim(1) && length >= input.k.dim(1)) return input;
  AttentionInput cut = input;
  cut.q = firstTokens(input.q, length);
  cut.k = firstTokens(input.k, length);
  cut.v = firstTokens(input.v, length);
  const auto keep = [](auto& list, Index count) {
    if (std::ssize(list) > count) list.resize(static_cast<std::size_t>(count));
  };
  keep(cut.tokensQ, cut.q.dim(1));
  keep(cut.tokensK, cut.k.dim(1));
  keep(cut.segments, cut.k.dim(1));
  truncatePicture(cut, cut.q.dim(1));
  cut.digest = digestOf(cut);
  return cut;
}

}  // namespace attnscope
