// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/text_source.h"

#include <fmt/format.h>
#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/base/digest.h"
#include "core/base/rng.h"
#include "core/base/units.h"
#include "core/inputs/embedding.h"

namespace attnscope {

namespace {

// Enough for kMaxTokens of any script.
constexpr Index kMaxTokens = Index{1} << 18;
constexpr std::size_t kMaxBytes = std::size_t{1} << 26;

struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct UTextCloser {
  void operator()(UText* text) const { utext_close(text); }
};

// Calls each(begin, end) for the pieces between boundaries until it returns false. False where ICU has no
// rules.
template <class Each>
bool forEachPiece(std::string_view text, icu::BreakIterator* (*make)(const icu::Locale&, UErrorCode&),
                  Each each) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> iterator(make(icu::Locale::getRoot(), status));
  if (U_FAILURE(status) != 0 || !iterator) return false;
  const std::unique_ptr<UText, UTextCloser> source(
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status));
  iterator->setText(source.get(), status);
  if (U_FAILURE(status) != 0) return false;
  std::size_t begin = 0;
  for (int32_t at = iterator->next(); at != icu::BreakIterator::DONE; at = iterator->next()) {
    if (!each(Piece{begin, static_cast<std::size_t>(at)})) break;
    begin = static_cast<std::size_t>(at);
  }
  return true;
}

std::optional<std::size_t> invalidUtf8At(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t at = 0; at < size;) {
    const int32_t begin = at;
    UChar32 code = 0;
    U8_NEXT(bytes, at, size, code);
    if (code < 0) return static_cast<std::size_t>(begin);
  }
  return std::nullopt;
}

bool isWhite(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t at = 0; at < size;) {
    UChar32 code = 0;
    U8_NEXT(bytes, at, size, code);
    if (u_isUWhiteSpace(code) == 0) return false;
  }
  return true;
}

// Takes off a byte order mark and what is beyond the limit, and refuses what is not text.
Result<std::string_view> checkText(std::string_view text, const std::string& where) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return fail(ErrorKind::Input, where + ": is UTF-16, expected UTF-8. Save the text as UTF-8.");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.size() > kMaxBytes) {
    std::size_t end = kMaxBytes;
    while (end > kMaxBytes - 4 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end);
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
    return fail(ErrorKind::Input,
                fmt::format("{}: has a zero at byte {}, so it is not a text, and it is no other format "
                            "that is known. Give a text in UTF-8, a PNG or JPEG picture, or .npz or "
                            ".safetensors arrays.",
                            where, zero));
  if (const auto bad = invalidUtf8At(text))
    return fail(ErrorKind::Input,
                fmt::format("{}: is not valid UTF-8: byte {} is 0x{:02X}. Save the text as UTF-8.", where,
                            *bad, static_cast<unsigned char>(text[*bad])));
  if (isWhite(text)) return fail(ErrorKind::Input, where + ": holds no text, expected at least one token.");
  return text;
}

bool collectPieces(std::string_view text, const std::string& unit, std::size_t limit,
                   std::vector<Piece>& pieces, bool& cut) {
  const auto take = [&](Piece piece) {
    if (unit == "word" && isWhite(text.substr(piece.begin, piece.end - piece.begin))) return true;
    cut = pieces.size() == limit;
    if (!cut) pieces.push_back(piece);
    return !cut;
  };
  if (unit == "word") return forEachPiece(text, icu::BreakIterator::createWordInstance, take);
  if (unit == "char") return forEachPiece(text, icu::BreakIterator::createCharacterInstance, take);
  for (std::size_t at = 0; at < text.size() && take({at, at + 1}); ++at) {
  }
  return true;
}

std::string shownText(std::string_view piece, const std::string& unit) {
  if (unit == "byte") {
    const auto byte = static_cast<unsigned char>(piece[0]);
    return byte >= 0x20 && byte <= 0x7E ? std::string(piece) : fmt::format("0x{:02X}", byte);
  }
  if (piece == "\n" || piece == "\r\n" || piece == "\r") return "\u21B5";
  return std::string(piece);
}

// Unicode ends a sentence at every line break, which would cut a text with hard line ends to pieces.
std::string joinLines(std::string_view text) {
  std::string joined(text);
  for (std::size_t at = 0; at < joined.size(); ++at) {
    if (text[at] != '\n' && text[at] != '\r') continue;
    std::size_t end = at;
    std::size_t lines = 0;
    for (; end < text.size() && (text[end] == '\n' || text[end] == '\r' || text[end] == ' '); ++end)
      lines += text[end] == '\n' ? 1 : 0;
    if (lines <= 1)
      std::fill(joined.begin() + static_cast<std::ptrdiff_t>(at),
                joined.begin() + static_cast<std::ptrdiff_t>(end), ' ');
    at = end - 1;
  }
  return joined;
}

bool findSentences(std::string_view text, const std::vector<Piece>& pieces, std::vector<Index>& segments) {
  const std::string joined = joinLines(text);
  std::size_t token = 0;
  Index sentence = 0;
  return forEachPiece(joined, icu::BreakIterator::createSentenceInstance, [&](Piece piece) {
    const std::size_t before = token;
    for (; token < pieces.size() && pieces[token].begin < piece.end; ++token) segments.push_back(sentence);
    if (token > before) ++sentence;
    return token < pieces.size();
  });
}

// The vectors of the distinct tokens of one text.
struct Vocabulary {
  std::vector<std::size_t> ids;  // of each token
  std::vector<float> vectors;    // distinct x d, of length sqrt(d)
};

Vocabulary makeVocabulary(const std::vector<std::string>& texts, std::uint64_t seed, Index d) {
  Vocabulary vocabulary;
  std::unordered_map<std::string, std::size_t> known;
  const auto width = static_cast<std::size_t>(d);
  const float length = std::sqrt(static_cast<float>(d));
  for (const std::string& text : texts) {
    const auto [entry, fresh] = known.emplace(text, known.size());
    vocabulary.ids.push_back(entry->second);
    if (!fresh) continue;
    vocabulary.vectors.resize(known.size() * width);
    const auto row = std::span(vocabulary.vectors).last(width);
    RandomStream(seed, "text token", text).fillNormals({0, 0, 0}, row);
    normalise(row);
    for (float& value : row) value *= length;
  }
  return vocabulary;
}

}  // namespace

const std::vector<SourceKey>& textKeys() {
  static const std::vector<SourceKey> keys = {
      SourceKey::choice("unit", {"word", "char", "byte"}, "What a token is."),
      SourceKey::integer("n", 1, kMaxTokens, "65536", "Most tokens taken from the beginning of the text."),
      SourceKey::integer("d", 1, 1024, "64", "Width of queries, keys and values."),
      SourceKey::integer("heads", 1, 128, "4", "Number of heads."),
      SourceKey::integer("seed", 0, 9007199254740991, "0", "Another seed gives other random numbers."),
      SourceKey::real("position", 0, 10, "0.1", "Strength of the sinusoidal position in the first head."),
  };
  return keys;
}

Result<TextTokens> splitText(std::string_view text, const std::string& unit, Index limit,
                             const std::string& where) {
  const bool shortened = text.size() > kMaxBytes;
  ATTN_ASSIGN(checked, checkText(text, where));
  std::vector<Piece> pieces;
  TextTokens tokens;
  if (!collectPieces(checked, unit, static_cast<std::size_t>(limit), pieces, tokens.cut) ||
      !findSentences(checked, pieces, tokens.segments))
    return fail(ErrorKind::Compute,
                where +
                    ": the rules for splitting text are missing from the installed ICU library. "
                    "Install its data, or use unit=byte.");
  tokens.cut = tokens.cut || shortened;
  for (const Piece& piece : pieces)
    tokens.texts.push_back(shownText(checked.substr(piece.begin, piece.end - piece.begin), unit));
  return tokens;
}

namespace {

Result<AttentionInput> withVectors(const AttentionInput& outline, const SourceOptions& options,
                                   const std::string& where, const JobContext& job) {
  const Index d = options.integer("d");
  const Index heads = options.integer("heads");
  const auto seed = static_cast<std::uint64_t>(options.integer("seed"));
  const Vocabulary vocabulary = makeVocabulary(outline.tokensQ, seed, d);
  const Index n = std::ssize(outline.tokensQ);

  Embedding embedding;
  embedding.shape = {heads, heads, n, n, d, d};
  embedding.seed = seed;
  embedding.owner = "text";
  for (Index head = 0; head < heads; ++head) {
    const double rise = heads > 1 ? 9.0 * static_cast<double>(head) / static_cast<double>(heads - 1) : 0.0;
    embedding.positionStrength.push_back(static_cast<float>(options.real("position") * (1.0 + rise)));
  }
  embedding.row = [&](Index, Index position, std::span<float> row) {
    const std::size_t id = vocabulary.ids[static_cast<std::size_t>(position)];
    const auto from = std::span(vocabulary.vectors).subspan(id * row.size(), row.size());
    std::copy(from.begin(), from.end(), row.begin());
  };
  ATTN_ASSIGN(input, embed(embedding, job));
  input.tokensQ = outline.tokensQ;
  input.tokensK = outline.tokensK;
  input.segments = outline.segments;
  return finishInput(std::move(input), where);
}

}  // namespace

Result<AttentionInput> outlineTextInput(std::string_view text, const SourceOptions& options,
                                        const std::string& where) {
  ATTN_ASSIGN(tokens, splitText(text, options.choice("unit"), options.integer("n"), where));
  const Index n = std::ssize(tokens.texts);
  AttentionInput outline;
  for (Tensor* tensor : {&outline.q, &outline.k, &outline.v})
    *tensor = Tensor::outline(DType::F32, {options.integer("heads"), n, options.integer("d")});
  Digest digest;
  const std::string given = options.text();
  digest.addBytes(given.data(), given.size());
  for (const std::string& token : tokens.texts) digest.addBytes(token.data(), token.size() + 1);
  outline.digest = digest.value();
  outline.tokensQ = tokens.texts;
  outline.tokensK = std::move(tokens.texts);
  outline.segments = std::move(tokens.segments);
  // The texts once more and not the outline itself, which would hold itself.
  outline.make = [kept = std::make_shared<const AttentionInput>(outline), options,
                  where](const JobContext& job) { return withVectors(*kept, options, where, job); };
  return outline;
}

}  // namespace attnscope
