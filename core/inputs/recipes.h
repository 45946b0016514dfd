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

// A way to make an input from nothing but a few numbers. The same options give the same numbers on every run;
// a longer n keeps the tokens that a shorter one has, and more heads keep the heads that there were.
struct Recipe {
  std::string id;
  std::string title;
  std::string help;  // what it shows, in a sentence or two
  std::vector<SourceKey> keys;
};

// All of them, the default one first. Unchanging; may be called from any thread.
[[nodiscard]] const std::vector<Recipe>& recipes();
[[nodiscard]] const Recipe* findRecipe(std::string_view id);

// The most tokens of a recipe.
inline constexpr Index kMostRecipeTokens = Index{1} << 20;

// What makeRecipe() would make, as an outline: checks the options, draws nothing, needs no memory.
[[nodiscard]] Result<AttentionInput> outlineRecipe(const std::string& spec);

// Makes "clustered" or "clustered:n=1024,seed=1". Errors (Usage) name the recipe or key, what was expected
// and the nearest spelling; (Compute) what does not fit into memory. Uses all cores; stops on cancel.
[[nodiscard]] Result<AttentionInput> makeRecipe(const std::string& spec, const JobContext& job = {});

}  // namespace attnscope
