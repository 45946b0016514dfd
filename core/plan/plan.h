// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/base/tensor.h"
#include "core/inputs/attention_input.h"
#include "core/plan/pattern.h"
#include "core/plan/tile_map.h"

namespace attnscope {

// Buffers of a plan: float32 (H, rows, cols), named by their index in Plan::buffers.
using BufferId = std::int32_t;
inline constexpr BufferId kNoBuffer = -1;
inline constexpr BufferId kQuery = 0;  // the input itself; k and v are read through AttentionInput::kvHead
inline constexpr BufferId kKey = 1;
inline constexpr BufferId kValue = 2;

struct BufferSpec {
  std::string name;
  Index rows = 0;
  Index cols = 0;
  std::string trace;  // written as trace/<trace> when asked for; empty: not of interest to anybody outside
};

// Rows of a step in the order in which it executes them: position -> token. A subset is allowed. Null:
// identity.
using Order = std::shared_ptr<const std::vector<std::int32_t>>;

// What is read: tokens of the input, or slots made from them (summaries, inducing points, compressed
// memories).
enum class KeyAxis { Tokens, Slots };

struct HeadAttend {
  Order queryOrder;
  Order keyOrder;
  PatternPtr pattern;  // over positions in the orders, not over tokens
};

// Parts of a logit beside scale * q.k. Rows i and j are rows of the step's query and key buffers, never
// positions in an order.
// logit += weight * logits[i][j]; a table (H or 1, >= rows of q, >= rows of k).
struct TableTerm {
  Tensor logits;
  double weight = 1.0;
};
// logit += weight * a_i[j div cols(b)] * b_i[j mod cols(b)]: a row of logits as an outer product.
struct OuterTerm {
  BufferId a = kNoBuffer;
  BufferId b = kNoBuffer;
  double weight = 1.0;
};
// logit += weight * scores_i[label(i, j)].
struct LabelTerm {
  // Relative: x = j - i gives 0 for 0, min(x, clip) for x > 0, clip + min(-x, clip) for x < 0.
  // Linked: 2 clip + 2 where query and key stand for the same thing, else 2 clip + 1. An empty list is the
  // identity.
  enum class Rule { Relative, Linked };
  BufferId scores = kNoBuffer;
  Rule rule = Rule::Relative;
  Index clip = 0;
  std::shared_ptr<const std::vector<std::int32_t>> queryLink;
  std::shared_ptr<const std::vector<std::int32_t>> keyLink;
  double weight = 1.0;

  [[nodiscard]] Index label(Index i, Index j) const;
};
using ScoreTerm = std::variant<TableTerm, OuterTerm, LabelTerm>;

// Softmax attention over a pattern: logit = scale * q.k + terms - log(multiplicity), and - selfPenalty where
// query and key are the same token. Rows that read nothing give 0 and lse = -inf.
struct AttendStep {
  std::string title;    // "window", "round 1": for the teaching view and the timings
  BufferId q = kQuery;  // q = k = kNoBuffer: the terms alone make the logit
  BufferId k = kKey;
  BufferId v = kValue;
  BufferId out = kNoBuffer;
  BufferId lse = kNoBuffer;  // (rows of out, 1)
  KeyAxis axis = KeyAxis::Tokens;
  double scale = 1.0;
  double selfPenalty = 0.0;
  std::vector<ScoreTerm> terms;
  // A second value under the same weights, or kNoBuffer.
  BufferId v2 = kNoBuffer;
  BufferId out2 = kNoBuffer;
  // True: row p of out and lse belongs to position p of the query order, in which a query may occur several
  // times. False: to the query itself.
  bool rowsByPosition = false;
  std::vector<HeadAttend> heads;
};

// Joins partial results of the same queries: out = sum_p exp(lse_p - lse) out_p, lse = log sum_p exp lse_p.
struct MergeStep {
  std::string title;
  std::vector<BufferId> outs;
  std::vector<BufferId> lses;
  BufferId out = kNoBuffer;
  BufferId lse = kNoBuffer;
};

// How a length of n rows becomes k slots.
struct SegmentReduce {
  enum class Kind { Mean, Max, First };
  Kind kind = Kind::Mean;
  // k + 1 borders; slot a is made of the rows bounds[a] .. bounds[a+1]-1. A slot of no rows is 0: with it as
  // key and value, a query can attend to nothing.
  std::vector<Index> bounds;
};

// Blocks of rows mixed slot by slot: row t of mixed block u is sum_v P_uv in_v[t]. The last block may be
// short; rows that it lacks are mixed with shares of their own, so that who writes the plan decides what
// takes the place of the last block's share.
struct BlockMix {
  Tensor mix;  // P: (H or 1, mixed blocks, ceil(n / block))
  Index block = 1;
  Tensor shortMix;  // P of the rows that the last block lacks, its last column 0; empty if there are none

  // Rows [0, whole) of a block of n rows altogether are in every block.
  [[nodiscard]] Index whole(Index n) const { return n - (mix.dim(2) - 1) * block; }
  // The shares of row t of mixed block u, one for each block.
  [[nodiscard]] std::span<const float> shares(Index head, Index u, Index t, Index n) const {
    const Tensor& from = t < whole(n) ? mix : shortMix;
    return from.slice<float>(from.dim(0) == 1 ? 0 : head)
        .subspan(static_cast<std::size_t>(u * mix.dim(2)), static_cast<std::size_t>(mix.dim(2)));
  }
};

// out = weight x in along the length: a dense (H or 1, k, >= n) tensor (only its first n columns are used),
// a reduction of segments, or a mix of blocks.
using LengthWeight = std::variant<Tensor, SegmentReduce, BlockMix>;
struct ProjectStep {
  std::string title;
  BufferId in = kKey;
  BufferId out = kNoBuffer;
  LengthWeight weight;
};

// Rows made of other rows with given weights: row i of head h sums the entries [begin[i], begin[i + 1]).
struct SparseRows {
  struct Entry {
    std::int32_t input = 0;  // index into GatherStep::in
    std::int32_t row = 0;
    float weight = 1.0F;
  };
  std::vector<std::int64_t> begin;
  std::vector<Entry> entries;
};
struct GatherStep {
  std::string title;
  std::vector<BufferId> in;
  BufferId out = kNoBuffer;
  std::vector<std::shared_ptr<const SparseRows>> heads;  // one a head
};

// out = relu?(in W + bias) on every row. An empty W (H or 1, cols in, cols out) is the identity, an empty
// bias (H or 1, cols out) is 0.
struct AffineStep {
  std::string title;
  BufferId in = kQuery;
  BufferId out = kNoBuffer;
  Tensor weight;
  Tensor bias;
  bool relu = false;
};

// Columns of several buffers with the same rows, side by side, each times a factor.
struct ConcatStep {
  std::string title;
  std::vector<BufferId> in;
  std::vector<double> factors;
  BufferId out = kNoBuffer;
};

// Turns rows [a | b] of halves so that out_t . [sin(x w); cos(x w)] = a . sin((p_t - x) w) + b . cos((p_t -
// x) w) for every x, with w_c = 10000^(-2c / cols): a score that depends on the distance p_t - x becomes a
// plain dot product (angle addition). `positions` has one p for each row.
struct RotateStep {
  std::string title;
  BufferId in = kNoBuffer;
  BufferId out = kNoBuffer;
  std::vector<double> positions;
};

// out_b = bias + sum_t in_{b stride + t} weight[t]: a convolution whose stride is its width, rows beyond the
// input counting as 0. Rows of `out` beyond the last slot are 0 and get no bias.
struct ConvolveStep {
  std::string title;
  BufferId in = kKey;
  BufferId out = kNoBuffer;
  Tensor weight;  // (H, stride, cols, cols), applied to row vectors: x weight[t]
  Tensor bias;    // (H, cols), or empty
};

// Rows scaled to length 1 (a row of zeros stays 0), or standardised: less their mean, divided by
// sqrt(variance + 1e-6).
struct NormaliseRowsStep {
  enum class Kind { Unit, Standard };
  std::string title;
  BufferId in = kQuery;
  BufferId out = kNoBuffer;
  Kind kind = Kind::Unit;
};

enum class Feature { Elu1, Exp, Relu, Relu2, Poly2 };

// phi applied to each row: (n, d) -> (n, featureWidth(feature, d)).
struct FeatureMapStep {
  std::string title;
  BufferId in = kQuery;
  BufferId out = kNoBuffer;
  Feature feature = Feature::Elu1;
};

// Random features of rows x = inputScale * in, with directions w_a = row a of omega. Without their common
// factor 1/sqrt(m), which cancels. |y|_max is the largest norm of the step's rows of this head; what the
// query side leaves out is its row's own factor, which cancels too.
//   Positive    w_a.x - |x|^2/2                     exponents, m columns
//   Hyperbolic  [w_a.x - |x|^2/2, -w_a.x - |x|^2/2]  exponents, 2 m columns
//   Trig        [sin w_a.x, cos w_a.x], keys times exp((|y|^2 - |y|_max^2)/2), 2 m columns
//   Relu        max(w_a.x, 0) + eps, m columns
// In a probe exponents are 0 and features 1.
struct RandomFeatureStep {
  enum class Kind { Positive, Hyperbolic, Trig, Relu };
  enum class Side { Query, Key };
  std::string title;
  BufferId in = kQuery;
  BufferId out = kNoBuffer;
  Tensor omega;  // (H, m, d)
  Kind kind = Kind::Positive;
  Side side = Side::Query;
  double inputScale = 1.0;
  double eps = 0.0;
};
[[nodiscard]] bool holdsExponents(RandomFeatureStep::Kind kind);
[[nodiscard]] Index randomFeatureWidth(RandomFeatureStep::Kind kind, Index m);

// out_i = phi(q_i)^T S / (phi(q_i)^T Z + eps), S = sum_j phi(k_j) v_j^T, Z = sum_j phi(k_j): over all keys,
// or over keys j <= i + n_k - n_q when causal, by chunks with a running state. A denominator of exactly 0
// gives a row of 0.
//
// With `exponents` the buffers hold log phi. The state then carries the largest exponent c_a of each feature
// so far, S_a and Z_a are relative to exp(c_a), and a query reads exp(a_i + c - max_a(a_i + c)): every
// denominator, so scaled, is at least 1, whatever the size of the exponents. `denominator` holds
// log(phi(q_i)^T Z), -inf where nothing is read, and eps is not used.
struct LinearAttendStep {
  std::string title;
  BufferId phiQ = kNoBuffer;
  BufferId phiK = kNoBuffer;
  BufferId v = kValue;
  BufferId out = kNoBuffer;
  BufferId denominator = kNoBuffer;  // (n_q, 1)
  bool causal = false;
  bool exponents = false;
  double eps = 0.0;
  Index chunk = 64;        // at most: exponents that rise steeply end a chunk early
  std::uint8_t label = 0;  // why every (earlier) key is in the support
};

using Step =
    std::variant<AttendStep, MergeStep, ProjectStep, ConvolveStep, NormaliseRowsStep, FeatureMapStep,
                 LinearAttendStep, GatherStep, AffineStep, ConcatStep, RotateStep, RandomFeatureStep>;

[[nodiscard]] const std::string& stepTitle(const Step& step);
[[nodiscard]] const char* stepKind(const Step& step);  // "attend", "merge", ...
[[nodiscard]] Index featureWidth(Feature feature, Index d);

// A tensor that the mechanism owns, as used: drawn, fitted or read. Made on demand, since a projection of a
// long input can be large and nobody may ask for it.
struct ParamTensor {
  std::string name;    // "rotations": written as param/rotations
  std::string origin;  // "drawn from seed 0", "segment means", "file w.npz"
  std::function<Tensor()> make;
};

// One call of a mechanism on one input, lowered to primitives. All decisions that depend on data (buckets,
// tables, orders) are already made, on the host, in double: every backend executes the same plan.
struct Plan {
  std::string mechanism;
  Shape shape;
  bool causal = false;
  std::vector<BufferSpec> buffers;  // the first three are the input
  std::vector<std::pair<BufferId, Tensor>>
      constants;  // buffers filled before the first step: (H, rows, cols)
  std::vector<Step> steps;
  std::vector<Label> labels;  // of the patterns' runs
  BufferId out = kNoBuffer;
  BufferId lse = kNoBuffer;  // kNoBuffer: the mechanism has none

  // Key axis of pattern and probe: [n_k tokens | slots].
  Index slotCount = 0;
  BufferId slotValues = kNoBuffer;          // buffer of the slots' values, replaced by the identity in probes
  std::function<Tensor()> slotComposition;  // (H or 1, slots, n_k): what each slot's value is made of

  // Slots that live on from layer to layer (notes): what each reads in a layer, on the axis [tokens | slots],
  // by head. Empty: slots are made anew from the tokens of each layer.
  std::vector<PatternPtr> slotReads;
  BufferId slotOut = kNoBuffer;  // their rows of the output, (slots, d_v)

  // Effective support by head, where it is not the union of what the attend steps read (products of stages,
  // steps whose rows are not queries). Empty: that union.
  std::vector<PatternPtr> support;

  bool exact = true;  // false: no n x n matrix reproduces the output (value channels mixed, biases)
  std::string note;   // what the user should know about this call ("fewer blocks than ...: full attention")

  std::vector<ParamTensor> params;
  std::vector<NamedTensor> trace;  // decisions, written as trace/<name>: (H, ...) int32 or float32

  // Starts a plan with the three input buffers.
  [[nodiscard]] static Plan begin(std::string mechanism, const Shape& shape, bool causal);
  BufferId addBuffer(std::string name, Index rows, Index cols, std::string traceName = {});
  // True for a constant that is read as values of the tokens (a user's own global values).
  [[nodiscard]] bool standsForValues(BufferId id) const;
};

// Tile maps are what kernels need; a pattern of a million tokens is looked at long before, or without, a
// pass.
enum class Tiles { Now, Later };

// A plan that does not change any more: the only thing that backends execute and that views draw.
class FrozenPlan {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const FrozenPlan>> freeze(Plan plan, const JobContext& job = {},
                                                                        Tiles tiles = Tiles::Now);
  // Builds the tile maps unless they are there. Any thread; the only error is cancellation.
  [[nodiscard]] Status buildTiles(const JobContext& job = {}) const;
  [[nodiscard]] bool hasTiles() const { return m_hasTiles.load(std::memory_order_acquire); }

  [[nodiscard]] const Plan& plan() const { return m_plan; }
  // Tile map of head h of an attend step; builds the maps, without progress or cancelling, if nobody did.
  [[nodiscard]] const TileMap& tiles(std::size_t step, Index head) const;
  // Effective support of head h on the key axis [tokens | slots], in token order: which values reach which
  // output.
  [[nodiscard]] const PatternPtr& support(Index head) const {
    return m_support[static_cast<std::size_t>(head)];
  }
  [[nodiscard]] Index supportCols() const { return m_plan.shape.nK + m_plan.slotCount; }
  [[nodiscard]] Index slotCount() const { return m_plan.slotCount; }
  // True where heads a and b have the same support object.
  [[nodiscard]] bool sameSupport(Index a, Index b) const;

  // Something that lives as long as the plan: what a device remembers of it. Any thread.
  void attach(std::shared_ptr<const void> companion) const;

  [[nodiscard]] Index pairs(Index head) const;          // score cells of a head, summed over its attend steps
  [[nodiscard]] Index executedTiles(Index head) const;  // tiles of a head, summed over its attend steps

 private:
  Plan m_plan;
  mutable std::mutex m_building;
  mutable std::atomic<bool> m_hasTiles{false};
  // [step][head]; empty for other steps. Written once, before m_hasTiles.
  mutable std::vector<std::vector<std::shared_ptr<const TileMap>>> m_tiles;
  std::vector<PatternPtr> m_support;
  mutable std::mutex m_attaching;
  mutable std::vector<std::shared_ptr<const void>> m_companions;
};

}  // namespace attnscope
