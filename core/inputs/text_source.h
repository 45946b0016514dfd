// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/inputs/source_options.h"

namespace attnscope {

// Options of a text: unit (word, char, byte), n (most tokens taken), d, heads, seed, position.
[[nodiscard]] const std::vector<SourceKey>& textKeys();

struct TextTokens {
  std::vector<std::string> texts;
  std::vector<Index> segments;  // the sentence of each token, counted from 0 without gaps
  bool cut = false;             // there was more text than `limit` tokens
};

// Splits UTF-8 by the rules of Unicode (ICU): words and single marks of punctuation, white space left out;
// grapheme clusters (what a reader calls a character), a space being " " and a line break "↵"; or bytes,
// those outside printable ASCII as "0xE2". A single line break does not end a sentence, an empty line does.
// Errors (Input): empty, white space only, invalid UTF-8 (with its byte offset), UTF-16, binary data.
[[nodiscard]] Result<TextTokens> splitText(std::string_view text, const std::string& unit, Index limit,
                                           const std::string& where);

// Text as an input without a model, split into tokens and sentences, as an outline: vectors are made when
// they are asked for. A token is sqrt(d) times a random unit vector that depends on its spelling and the seed
// alone, so that equal tokens match in every text; head h adds the position with strength position * (1 + 9 h
// / (heads - 1)), so that the first head looks at what and the last one also at where. See embedding.h for Q,
// K and V.
[[nodiscard]] Result<AttentionInput> outlineTextInput(std::string_view text, const SourceOptions& options,
                                                      const std::string& where);

}  // namespace attnscope
