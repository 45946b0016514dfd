// SPDX-License-Identifier: GPL-3.0-or-later
// Reformer: Kitaev, Kaiser, Levskaya, arXiv 2001.04451, section 2 (LSH attention with shared queries and
// keys).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/rng.h"
#include "core/mechanisms/bucket_panels.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/lsh_rounds.h"

namespace attnscope {

namespace {

constexpr double kSelfPenalty = 1e5;    // as the paper and trax
constexpr Index kFactoriseAbove = 128;  // buckets; one rotation for all would cost n d b / 2

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "reformer";
  card.name = "Reformer";
  card.family = Family::LearnablePatterns;
  card.paper = "Reformer: The Efficient Transformer";
  card.authors = "Kitaev, Kaiser, Levskaya";
  card.year = 2020;
  card.arxiv = "2001.04451";
  card.surveyComplexity = "O(n log n)";
  card.countedComplexity = "at most n_r (2nm \u2212 m\u00b2) pairs; n log n needs a constant chunk m";
  card.readsKeys = false;
  card.anyLengths = false;
  card.summary =
      "Softmax is ruled by the few most similar keys, so sort tokens into buckets of similar direction and "
      "compare only "
      "inside a bucket. A random rotation gives the bucket for free; several rounds repair unlucky splits.";
  card.formula =
      "h(x) = argmax [xR; \u2212xR],  k\u2c7c = q\u2c7c/|q\u2c7c|,  o\u1d62 = \u03a3\u1d63 "
      "exp(z\u1d62\u207d\u02b3\u207e \u2212 z\u1d62) o\u1d62\u207d\u02b3\u207e";
  card.ours =
      "K is not read: queries and keys are shared. A token reads itself only if it has nobody else (the "
      "limit of the "
      "paper's penalty of 10\u2075). The last chunk may be shorter, nothing is padded.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "rounds", "n_r", "Independent hashings whose results are merged.", 1, [](const Shape&) { return 32.0; },
      [](const Shape&) { return Index{2}; }, "2"));
  params.back().paperValue = ParamValue{Index{4}};
  params.back().paperText = "1, 2, 4 and 8 studied; 4 nearly solves the copy task";
  params.push_back(intParam(
      "chunk", "m", "Tokens in one chunk of the sorted order.", 1, toN,
      [](const Shape& s) { return ceilSqrt(s.nK); }, "ceil(sqrt n)"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{64}};
  params.back().paperText = "64 to 256";
  ParamSpec buckets = intParam(
      "buckets", "b", "Number of hash buckets; the default fills half a chunk with each.", 2,
      [](const Shape& s) { return static_cast<double>(std::max<Index>(4096, 2 * s.nK)); },
      [](const Shape& s) { return 2 * ceilDiv(s.nK, ceilSqrt(s.nK)); }, "2 ceil(n/m)");
  buckets.multipleOf = 2;
  buckets.derivedDefault = [](const Shape& s, const ParamValues& before) {
    return ParamValue{2 * ceilDiv(s.nK, before.integer("chunk"))};
  };
  params.push_back(std::move(buckets));
  params.push_back(intParam(
      "look_back", "", "Chunks before the own one that are read.", 0, toN,
      [](const Shape&) { return Index{1}; }, "1"));
  params.back().unit = "chunks";
  params.push_back(intParam(
      "look_ahead", "", "Chunks after the own one that are read.", 0, toN,
      [](const Shape&) { return Index{0}; }, "0"));
  params.back().unit = "chunks";
  params.push_back(boolParam("restrict_to_bucket",
                             "Compare only tokens of the same bucket, as the paper; published code "
                             "compares the whole chunk.",
                             true));
  params.push_back(boolParam("dedup", "Count a pair found in several rounds once.", true));
  params.push_back(choiceParam(
      "self", "When a token may read itself.", {"fallback", "penalty", "always"},
      {"only if it has nobody else", "with a penalty of 100,000 on the logit", "like any other key"},
      "fallback"));
  params.push_back(
      boolParam("wrap",
                "The first chunk of a round also reads the last chunk of the round before, as published "
                "code does; no effect inside buckets.",
                false));
  params.back().visibleWhenId = "restrict_to_bucket";
  params.back().visibleWhenValues = {"off"};
  return params;
}

// One rotation matrix per head and round, or two for the factorised hash.
struct Rotations {
  Tensor first;   // (H, rounds, d, half_1)
  Tensor second;  // empty unless factorised
  Index buckets = 0;
};

Tensor drawRotations(const LoweringRequest& request, const std::string& name, Index rounds, Index half) {
  const Shape shape = request.input.shape();
  const RandomStream stream(request.options.seed, "reformer", name);
  Tensor tensor(DType::F32, {shape.heads, rounds, shape.d, half});
  for (Index h = 0; h < shape.heads; ++h)
    for (Index r = 0; r < rounds; ++r)
      for (Index c = 0; c < shape.d; ++c)
        stream.fillNormals(
            {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(r), static_cast<std::uint32_t>(c)},
            tensor.mutableSlice<float>(h).subspan(static_cast<std::size_t>((r * shape.d + c) * half),
                                                  static_cast<std::size_t>(half)));
  return tensor;
}

Result<Rotations> makeRotations(const LoweringRequest& request, Plan& plan) {
  const Index rounds = request.params.integer("rounds");
  const Index buckets = request.params.integer("buckets");
  Rotations rotations;
  const auto own = [&](const std::string& name, Index half) -> Result<Tensor> {
    ATTN_ASSIGN(owned, ownTensor(request, name, DType::F32, {rounds, plan.shape.d, half}, {},
                                 [&] { return drawRotations(request, name, rounds, half); }));
    plan.params.push_back(
        {name, originText(request, owned.fromFile), [tensor = owned.tensor] { return tensor; }});
    return owned.tensor;
  };
  if (buckets <= kFactoriseAbove) {
    rotations.buckets = buckets;
    ATTN_ASSIGN(first, own("rotations", buckets / 2));
    rotations.first = std::move(first);
    return rotations;
  }
  const auto root = std::sqrt(static_cast<double>(buckets));
  const auto b1 = static_cast<Index>(std::exp2(std::ceil(std::log2(root))));
  const Index b2 = 2 * (buckets / (2 * b1));
  rotations.buckets = b1 * b2;
  ATTN_ASSIGN(first, own("rotations_1", b1 / 2));
  ATTN_ASSIGN(second, own("rotations_2", b2 / 2));
  rotations.first = std::move(first);
  rotations.second = std::move(second);
  return rotations;
}

std::span<const float> rotationOf(const Tensor& tensor, Index head, Index round) {
  const auto block = static_cast<std::size_t>(tensor.dim(2) * tensor.dim(3));
  return tensor.slice<float>(head).subspan(static_cast<std::size_t>(round) * block, block);
}

Result<std::vector<std::int32_t>> bucketsOf(const LoweringRequest& request, const Rotations& rotations,
                                            Index head, Index round) {
  const Shape shape = request.input.shape();
  const auto q = request.input.q.slice<float>(head);
  ATTN_ASSIGN(bucket, hashRows(q, shape.nQ, shape.d, rotationOf(rotations.first, head, round),
                               rotations.first.dim(3), request.job));
  if (rotations.second.empty()) return bucket;
  ATTN_ASSIGN(high, hashRows(q, shape.nQ, shape.d, rotationOf(rotations.second, head, round),
                             rotations.second.dim(3), request.job));
  const auto b1 = static_cast<std::int32_t>(2 * rotations.first.dim(3));
  for (std::size_t i = 0; i < bucket.size(); ++i) bucket[i] += b1 * high[i];
  return bucket;
}

// Appends the positions of a span as runs of equal counts, without `left`. Counts are as good as random, so
// there is no branch on them.
void appendCounted(const LshCandidates::Span& span, const std::vector<std::uint8_t>& counts, Index left,
                   std::uint8_t label, RunList& runs) {
  const std::size_t before = runs.size();
  runs.resize(before + static_cast<std::size_t>(span.end - span.begin) + 1);
  Run* last = runs.data() + before;
  *last = {span.begin, span.begin, 1, label, counts.front()};
  for (Index at = span.begin; at < span.end; ++at) {
    const std::uint8_t times = counts[static_cast<std::size_t>(at - span.begin)];
    const bool goesOn = last->end == at && last->multiplicity == times;
    const bool empty = last->begin == last->end;
    last += goesOn || empty ? 0 : 1;
    last->begin = goesOn ? last->begin : at;
    last->end = at + (at == left ? 0 : 1);
    last->stride = 1;
    last->label = label;
    last->multiplicity = times;
  }
  runs.resize(static_cast<std::size_t>(last - runs.data()) + (last->begin < last->end ? 1 : 0));
}

// What a query at a position of one round reads, with the counts that the softmax needs.
PatternPtr roundPattern(std::shared_ptr<const LshCandidates> lsh, std::size_t round, bool dedup,
                        bool fallback) {
  const Index n = lsh->length();
  const auto rule = [lsh, round, dedup, fallback](Index p, RunList& runs) {
    const auto& order = lsh->rounds()[round].order;
    const std::int32_t i = order[static_cast<std::size_t>(p)];
    const bool skipSelf = fallback && !lsh->isAlone(i);
    const bool many = dedup && lsh->rounds().size() > 1;
    const auto label = static_cast<std::uint8_t>(round);
    thread_local std::vector<LshCandidates::Span> spans;  // asked for row by row: no allocation each time
    thread_local std::vector<std::uint8_t> counts;
    lsh->candidates(round, p, spans);
    for (const auto& span : spans) {
      const auto length = static_cast<std::size_t>(span.end - span.begin);
      counts.assign(length, 1);
      if (many)
        lsh->countRounds(round, i, std::span(order).subspan(static_cast<std::size_t>(span.begin), length),
                         counts);
      appendCounted(span, counts, skipSelf ? p : Index{-1}, label, runs);
    }
  };
  // Which pairs there are, without how often the other rounds count them.
  const auto countingRule = [lsh, round, fallback](Index p, SignedRunList& runs) {
    const std::int32_t i = lsh->rounds()[round].order[static_cast<std::size_t>(p)];
    const auto label = static_cast<std::uint8_t>(round);
    thread_local std::vector<LshCandidates::Span> spans;
    lsh->candidates(round, p, spans);
    const bool skipSelf = fallback && !lsh->isAlone(i);
    const auto add = [&](Index begin, Index end) {
      if (begin < end) runs.push_back({{begin, end, 1, label, 1}, false});
    };
    for (const auto& span : spans) {
      const bool split = skipSelf && span.begin <= p && p < span.end;
      add(span.begin, split ? p : span.end);
      if (split) add(p + 1, span.end);
    }
  };
  if (lsh->isRing()) return makePattern(n, n, rule, countingRule);
  return makePattern(n, n, rule, countingRule,
                     [lsh, round, dedup, fallback](Index tileRow, std::vector<TileCells>& tiles) {
                       lsh->countTiles(round, tileRow, fallback, dedup, tiles);
                     });
}

Tensor stackTrace(const std::vector<std::shared_ptr<const LshCandidates>>& heads, bool order) {
  const auto rounds = static_cast<Index>(heads.front()->rounds().size());
  const Index n = heads.front()->length();
  Tensor tensor(DType::I32, {static_cast<Index>(heads.size()), rounds, n});
  auto out = tensor.mutableValues<std::int32_t>().begin();
  for (const auto& head : heads)
    for (const LshRound& round : head->rounds())
      out = std::copy_n((order ? round.order : round.bucket).begin(), n, out);
  return tensor;
}

class Reformer final : public Mechanism {
 public:
  Reformer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  bool patternNeedsValues(const ParamValues&) const override { return true; }
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
  Result<std::vector<Decision>> decisions(const InsidesRequest& request) const override {
    return bucketDecisions(request, request.params.integer("chunk"));
  }

 private:
  Result<std::vector<std::shared_ptr<const LshCandidates>>> decide(const LoweringRequest& request,
                                                                   Plan& plan) const;
};

Result<std::vector<std::shared_ptr<const LshCandidates>>> Reformer::decide(const LoweringRequest& request,
                                                                           Plan& plan) const {
  ATTN_ASSIGN(rotations, makeRotations(request, plan));
  LshRules rules;
  rules.chunk = request.params.integer("chunk");
  rules.lookBack = request.params.integer("look_back");
  rules.lookAhead = request.params.integer("look_ahead");
  rules.restrictToBucket = request.params.flag("restrict_to_bucket");
  rules.causal = request.options.causal;
  rules.wrap = request.params.flag("wrap");
  std::vector<std::shared_ptr<const LshCandidates>> heads;
  for (Index h = 0; h < plan.shape.heads; ++h) {
    std::vector<LshRound> rounds;
    for (Index r = 0; r < request.params.integer("rounds"); ++r) {
      ATTN_ASSIGN(bucket, bucketsOf(request, rotations, h, r));
      rounds.push_back(sortByBucket(std::move(bucket)));
    }
    heads.push_back(std::make_shared<LshCandidates>(std::move(rounds), rules));
  }
  return heads;
}

Result<Plan> Reformer::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  Plan plan = Plan::begin(card().id, shape, request.options.causal);
  ATTN_ASSIGN(heads, decide(request, plan));
  const auto rounds = heads.front()->rounds().size();
  plan.trace.push_back({"buckets", stackTrace(heads, false)});
  plan.trace.push_back({"order", stackTrace(heads, true)});

  const BufferId unitKeys = plan.addBuffer("unit_keys", shape.nK, shape.d);
  plan.steps.emplace_back(NormaliseRowsStep{"keys are unit queries", kQuery, unitKeys});
  const std::string& self = request.params.choice("self");
  MergeStep merge;
  merge.title = "merge rounds";
  for (std::size_t r = 0; r < rounds; ++r) {
    plan.labels.push_back(
        {fmt::format("round {}", r + 1),
         fmt::format("first found in the same {} in round {}",
                     request.params.flag("restrict_to_bucket") ? "bucket" : "chunk", r + 1)});
    AttendStep step;
    step.title = fmt::format("round {}", r + 1);
    step.k = unitKeys;
    step.scale = request.scaleOr(1.0);
    step.selfPenalty = self == "penalty" ? kSelfPenalty : 0.0;
    step.out = plan.addBuffer(fmt::format("out_round_{}", r + 1), shape.nQ, shape.dV);
    step.lse =
        plan.addBuffer(fmt::format("lse_round_{}", r + 1), shape.nQ, 1, fmt::format("lse_round_{}", r + 1));
    for (const auto& lsh : heads) {
      const Order order = makeOrder(lsh->rounds()[r].order);
      step.heads.push_back(
          {order, order, roundPattern(lsh, r, request.params.flag("dedup"), self == "fallback")});
    }
    merge.outs.push_back(step.out);
    merge.lses.push_back(step.lse);
    plan.steps.emplace_back(std::move(step));
  }
  plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
  plan.lse = plan.addBuffer("lse", shape.nQ, 1);
  merge.out = plan.out;
  merge.lse = plan.lse;
  plan.steps.emplace_back(std::move(merge));
  return plan;
}

Result<std::vector<InsidePanel>> Reformer::insides(const InsidesRequest& request) const {
  return bucketPanels(request, request.params.integer("chunk"));
}

}  // namespace

const Mechanism& reformerMechanism() {
  static const Reformer mechanism;
  return mechanism;
}

}  // namespace attnscope
