// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include "app/cli/command.h"

namespace attnscope {

std::span<const CommandEntry> allCommands() {
  static constexpr std::array<CommandEntry, 8> commands{{
      {"list", "The mechanisms with their parameters", makeListCommand},
      {"compute", "Computes one mechanism on one input and writes the arrays", makeComputeCommand},
      {"compare", "What mechanisms lose against full attention, and what they cost", makeCompareCommand},
      {"figure", "Writes patterns, maps or insides side by side as PNG, SVG or PDF", makeFigureCommand},
      {"bench", "Measures time against length", makeBenchCommand},
      {"convert", "Rewrites tensors or any input as .npz or .npy", makeConvertCommand},
      {"rule", "The language of custom rules; what a rule admits; a rule as a FlexAttention mask_mod",
       makeRuleCommand},
      {"info", "Version, build and devices; or what a file holds", makeInfoCommand},
  }};
  return commands;
}

}  // namespace attnscope
