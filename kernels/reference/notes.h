// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/reference/dense.h"

namespace attnscope::reference {

// A global memory of notes as ETC and Big Bird's extended construction define it, densely.
struct Notes {
  Index count = 0;
  std::vector<Index> segment;  // note of every token
  dense::Matrix keys;          // (count, d)
  dense::Matrix values;        // (count, d_v)
  dense::Matrix share;         // (count, n): how a note's value is made of tokens; 0 where it is given
};
[[nodiscard]] Notes notesOf(const OracleRequest& request);

// Result of one softmax over [tokens | notes].
[[nodiscard]] OracleHead overTokensAndNotes(dense::Softmax softmax, const dense::Matrix& v,
                                            const Notes& notes,
                                            const std::function<bool(Index, Index)>& allowed);

}  // namespace attnscope::reference
