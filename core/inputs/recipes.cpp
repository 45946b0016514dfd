// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/digest.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/units.h"
#include "core/inputs/embedding.h"
#include "core/inputs/recipe_signals.h"

namespace attnscope {

namespace {

constexpr double kMaxLength = static_cast<double>(kMostRecipeTokens);
constexpr double kMaxWidth = 1024;
constexpr double kMaxHeads = 128;
constexpr double kMaxSeed = 9007199254740991;  // 2^53 - 1: every value survives a file in JSON

std::vector<SourceKey> withCommonKeys(std::vector<SourceKey> own) {
  std::vector<SourceKey> keys = {
      SourceKey::integer("n", 1, kMaxLength, "256", "Number of query tokens."),
      SourceKey::integer("d", 1, kMaxWidth, "64", "Width of queries and keys."),
      SourceKey::integer("heads", 1, kMaxHeads, "4", "Number of query heads."),
      SourceKey::integer("seed", 0, kMaxSeed, "0", "Another seed gives other random numbers."),
  };
  keys.insert(keys.end(), own.begin(), own.end());
  keys.push_back(SourceKey::integer("nk", 1, kMaxLength, "n",
                                    "Number of key tokens; the shorter of the two sequences "
                                    "holds the last tokens of the longer."));
  keys.push_back(SourceKey::integer("dv", 1, kMaxWidth, "d", "Width of values."));
  keys.push_back(
      SourceKey::integer("kv_heads", 1, kMaxHeads, "heads", "Number of key and value heads; divides heads."));
  return keys;
}

SourceKey noiseKey(const char* byDefault) {
  return SourceKey::real("noise", 0, 1, byDefault, "Share of random noise in a token's vector.");
}

SourceKey positionKey() {
  return SourceKey::real("position", 0, 10, "0.1", "Strength of the sinusoidal position.");
}

SourceKey groupsKey(const char* help) {
  return SourceKey::integer("groups", 1, 1024, "8", help);
}

std::vector<Recipe> makeTable() {
  return {
      {"clustered", "Clustered tokens",
       "Tokens of a few kinds in runs: alike attends to alike, so patterns that follow the content show "
       "without "
       "training.",
       withCommonKeys({groupsKey("Number of kinds of tokens."),
                       SourceKey::real("stay", 0, 1, "0.9",
                                       "Probability that a token is of the kind of the one before."),
                       noiseKey("0.4"), positionKey()})},
      {"gaussian", "Independent noise",
       "Queries, keys and values drawn independently: no structure at all, the hard case for content-based "
       "patterns.",
       withCommonKeys({SourceKey::real("std", 0, 100, "1", "Standard deviation of every entry.")})},
      {"periodic", "Periodic signal",
       "Tokens on a circle: attention falls into stripes. Head h repeats every (h + 1) periods.",
       withCommonKeys(
           {SourceKey::integer("period", 1, kMaxLength, "32", "Tokens after which the signal repeats."),
            SourceKey::integer("harmonics", 1, 512, "4", "Overtones: more give narrower stripes."),
            noiseKey("0.2"), positionKey()})},
      {"motif", "Repeated motif",
       "One random word of symbols over and over: attention finds the earlier copies.",
       withCommonKeys({SourceKey::integer("length", 1, kMaxLength, "16", "Symbols in the motif."),
                       groupsKey("Number of different symbols."),
                       SourceKey::real("mutation", 0, 1, "0.02", "Probability that a symbol is replaced."),
                       noiseKey("0.2"), positionKey()})},
      {"smooth", "Smooth signal",
       "An autoregressive signal: near tokens are alike, far ones are not. Likeness lasts (h + 1) times as "
       "long in "
       "head h.",
       withCommonKeys({SourceKey::real("rho", 0, 1, "0.95", "Correlation of neighbours in the first head."),
                       noiseKey("0.2"), positionKey()})},
  };
}

Shape shapeOf(const SourceOptions& options) {
  return {options.integer("heads"), options.integer("kv_heads"), options.integer("n"),
          options.integer("nk"),    options.integer("d"),        options.integer("dv")};
}

Result<AttentionInput> makeGaussian(const SourceOptions& options, const Shape& shape, const JobContext& job) {
  struct Part {
    const char* name;
    std::vector<Index> shape;
  };
  const std::array<Part, 3> parts = {Part{"q", {shape.heads, shape.nQ, shape.d}},
                                     Part{"k", {shape.kvHeads, shape.nK, shape.d}},
                                     Part{"v", {shape.kvHeads, shape.nK, shape.dV}}};
  double numbers = 0.0;
  for (const Part& part : parts)
    numbers += static_cast<double>(part.shape[0] * part.shape[1] * part.shape[2]);
  ATTN_TRY(requireMemory(4.0 * numbers, "the input gaussian"));
  const auto deviation = static_cast<float>(options.real("std"));
  std::array<Tensor, 3> tensors;
  job.beginPhase(static_cast<double>(shape.heads * shape.nQ + 2 * shape.kvHeads * shape.nK));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    tensors[i] = Tensor(DType::F32, parts[i].shape);
    const RandomStream stream(static_cast<std::uint64_t>(options.integer("seed")), "gaussian", parts[i].name);
    const Index length = parts[i].shape[1];
    const auto width = static_cast<std::size_t>(parts[i].shape[2]);
    const auto all = tensors[i].mutableValues<float>();
    const bool done = parallelUnits(parts[i].shape[0] * length, job, [&](Index unit) {
      const auto row = all.subspan(static_cast<std::size_t>(unit) * width, width);
      stream.fillNormals(
          {static_cast<std::uint32_t>(unit / length), static_cast<std::uint32_t>(unit % length), 0}, row);
      for (float& value : row) value *= deviation;
    });
    if (!done) return cancelled();
  }
  AttentionInput input;
  input.q = tensors[0];
  input.k = tensors[1];
  input.v = tensors[2];
  return input;
}

// sqrt(d) (sqrt(1 - s^2) signal + s noise / |noise|): the noise is drawn for every query head, so that heads
// which share keys still ask differently.
Result<AttentionInput> makeStructured(const Recipe& recipe, const SourceOptions& options, const Shape& shape,
                                      const JobContext& job) {
  const double sequence = static_cast<double>(std::max(shape.nQ, shape.nK));
  ATTN_TRY(
      requireMemory(4.0 * sequence * static_cast<double>(shape.kvHeads * shape.d), "the input " + recipe.id));
  const std::unique_ptr<TokenSignal> signal = makeSignal(recipe.id, options, shape, job);
  if (!signal) return cancelled();
  const double share = options.real("noise");
  const auto seed = static_cast<std::uint64_t>(options.integer("seed"));
  const RandomStream noise(seed, recipe.id, "noise");
  const double length = std::sqrt(static_cast<double>(shape.d));
  const auto ofSignal = static_cast<float>(length * std::sqrt(std::max(0.0, 1.0 - share * share)));
  const auto ofNoise = static_cast<float>(length * share);
  const Index perGroup = shape.heads / shape.kvHeads;

  Embedding embedding;
  embedding.shape = shape;
  embedding.seed = seed;
  embedding.owner = recipe.id;
  embedding.positionStrength.assign(static_cast<std::size_t>(shape.heads),
                                    static_cast<float>(options.real("position")));
  embedding.row = [&](Index head, Index position, std::span<float> row) {
    std::array<float, static_cast<std::size_t>(kMaxWidth)> buffer;
    const auto random = std::span(buffer).first(row.size());
    noise.fillNormals({static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(position), 0}, random);
    normalise(random);
    signal->row(head / perGroup, position, row);
    for (std::size_t c = 0; c < row.size(); ++c) row[c] = ofSignal * row[c] + ofNoise * random[c];
  };
  return embed(embedding, job);
}

// A recipe with its options, checked.
struct RecipeCall {
  const Recipe* recipe = nullptr;
  SourceOptions options;
  Shape shape;
};

Result<RecipeCall> parseCall(const std::string& spec) {
  const std::string id = spec.substr(0, spec.find(':'));
  const Recipe* recipe = findRecipe(id);
  if (recipe == nullptr) {
    std::vector<std::string> names;
    std::string list;
    for (const Recipe& known : recipes()) {
      list += (names.empty() ? "" : ", ") + known.id;
      names.push_back(known.id);
    }
    const std::string near = nearestSpelling(id, names);
    return fail(ErrorKind::Usage, fmt::format("There is no recipe '{}'. {}Recipes: {}.", id,
                                              near.empty() ? "" : "Did you mean '" + near + "'? ", list));
  }
  const std::string text = spec.size() > id.size() ? spec.substr(id.size() + 1) : "";
  ATTN_ASSIGN(options, SourceOptions::parse(id, recipe->keys, text));
  const Shape shape = shapeOf(options);
  if (shape.heads % shape.kvHeads != 0)
    return fail(ErrorKind::Usage, fmt::format("{}: kv_heads is {}, which does not divide heads = {} evenly.",
                                              id, shape.kvHeads, shape.heads));
  return RecipeCall{recipe, std::move(options), shape};
}

void nameInput(const RecipeCall& call, AttentionInput& input) {
  const std::string given = call.options.text();
  input.title = fmt::format("{}, n = {}", call.recipe->title, countText(call.shape.nQ));
  input.source = given.empty() ? call.recipe->id : call.recipe->id + ":" + given;
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> table = makeTable();
  return table;
}

const Recipe* findRecipe(std::string_view id) {
  const auto& table = recipes();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Recipe& recipe) { return recipe.id == id; });
  return found == table.end() ? nullptr : &*found;
}

Result<AttentionInput> makeRecipe(const std::string& spec, const JobContext& job) {
  ATTN_ASSIGN(call, parseCall(spec));
  const auto& [recipe, options, shape] = call;
  auto made = recipe->id == "gaussian" ? makeGaussian(options, shape, job)
                                       : makeStructured(*recipe, options, shape, job);
  if (!made) return made;
  nameInput(call, *made);
  return finishInput(std::move(*made), made->source);
}

Result<AttentionInput> outlineRecipe(const std::string& spec) {
  ATTN_ASSIGN(call, parseCall(spec));
  const Shape& shape = call.shape;
  AttentionInput input;
  input.q = Tensor::outline(DType::F32, {shape.heads, shape.nQ, shape.d});
  input.k = Tensor::outline(DType::F32, {shape.kvHeads, shape.nK, shape.d});
  input.v = Tensor::outline(DType::F32, {shape.kvHeads, shape.nK, shape.dV});
  nameInput(call, input);
  Digest digest;
  digest.addBytes(input.source.data(), input.source.size());
  input.digest = digest.value();
  input.make = [spec](const JobContext& job) { return makeRecipe(spec, job); };
  return input;
}

}  // namespace attnscope
