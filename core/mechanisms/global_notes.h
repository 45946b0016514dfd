// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "core/mechanisms/mechanism.h"

namespace attnscope {

// A global memory beside the tokens, one note a segment of the text: Ainslie et al., arXiv 2004.08483. Notes
// are the plan's slots. Without tensors of the user a note's query, key and value are the means of its
// tokens'.
struct GlobalNotes {
  Index count = 0;
  std::shared_ptr<const std::vector<std::int32_t>> noteOf;  // token -> its note
  std::vector<Index> bounds;  // note a stands for tokens bounds[a] .. bounds[a+1]-1
  BufferId q = kNoBuffer;
  BufferId k = kNoBuffer;
  BufferId v = kNoBuffer;
};

// The segments of the input where it has them and `block` was not given, else blocks of `block` tokens. Adds
// the notes' buffers (q_global, k_global, v_global) and the steps or constants that fill them, and sets the
// plan's slots with their composition. Errors: tensors of another shape.
[[nodiscard]] Result<GlobalNotes> addGlobalNotes(const LoweringRequest& request, Plan& plan);

// The notes that each token reads (all, or its own), in columns from `offset` on.
[[nodiscard]] PatternPtr notePattern(const GlobalNotes& notes, bool ownOnly, Index offset,
                                     std::uint8_t ownLabel, std::uint8_t otherLabel);
// A row of tokens in sight, then its notes (whose pattern has the tokens' columns in front).
[[nodiscard]] PatternPtr besideTokens(const PatternPtr& tokens, const PatternPtr& notes);

// Scores of relative labels for the notes' queries; kNoBuffer: none.
struct NoteLabels {
  BufferId scores = kNoBuffer;
  Index clip = 0;
};
// What the notes themselves read: all notes, and all tokens or those of their segment. Not part of the output
// of the long side (buffer out_global), but of the mechanism, its cost and what reaches whom over layers.
void addNoteRows(Plan& plan, const GlobalNotes& notes, double scale, bool ownTokensOnly,
                 const NoteLabels& labels);

}  // namespace attnscope
