// SPDX-License-Identifier: GPL-3.0-or-later
// Routing Transformer: Roy, Saffar, Vaswani, Grangier, arXiv 2003.05997.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/local_blocks.h"
#include "core/mechanisms/routing_panels.h"
#include "core/mechanisms/routing_tables.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kTable = 0, kBlock = 1, kMemory = 2 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "routing";
  card.name = "Routing Transformer";
  card.family = Family::LearnablePatterns;
  card.paper = "Efficient Content-Based Sparse Attention with Routing Transformers";
  card.authors = "Roy, Saffar, Vaswani, Grangier";
  card.year = 2020;
  card.arxiv = "2003.05997";
  card.surveyComplexity = "O(n\u221an)";
  card.countedComplexity = "k w\u00b2 pairs, n\u00b2/k with w = n/k; n k d for the choice of tables";
  card.causalAnyLengths = false;
  card.summary =
      "Every topic has a table and invites the w tokens that fit it best; whoever sits at a table reads the "
      "others there. The topics are centroids that move towards their tokens, so the groups are learned and "
      "not hashed.";
  card.formula =
      "T\u1d62 = { c : i among the w largest \u03bc\u1d9c\u00b7LN(q) },  o\u1d62 = mean over c \u2208 "
      "T\u1d62 of softmax(s LN(q\u1d62) LN(K\u1d9c)\u1d40) V\u1d9c";
  card.ours =
      "The scale 1/\u221ad after the normalisation; centroids fitted to the input by spherical k-means "
      "unless "
      "told otherwise. When causal, queries and keys are shared (K is not read), but who sits where still "
      "depends on later tokens. A token that no table invites gets a row of 0.";
  return card;
}

// The n of the parameters: tables must seat queries and keys.
Index lengthOf(const Shape& shape) {
  return std::max(shape.nQ, shape.nK);
}

ParamSpec sharingParam() {
  ParamSpec spec = choiceParam("share_qk", "Use the queries as keys.", {"default", "on", "off"},
                               {"when causal", "always", "never (not causal)"}, "default");
  // Off is refused when causal; otherwise it is the default.
  spec.examples = [](const Shape& s) {
    return s.nQ == s.nK ? std::vector<std::string>{"default", "on"} : std::vector<std::string>{"default"};
  };
  spec.paperText = "shared in causal models";
  return spec;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(lengthOf(s)); };
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "clusters", "k", "Centroids, each with a table.", 1, toN,
      [](const Shape& s) { return ceilSqrt(lengthOf(s)); }, "ceil(sqrt n)"));
  params.back().paperValue = ParamValue{Index{16}};
  params.back().paperText = "8 (WikiText-103), 16 (enwik8)";
  params.push_back(intParam(
      "window", "w", "Seats at each table.", 1, toN,
      [](const Shape& s) { return ceilDiv(lengthOf(s), ceilSqrt(lengthOf(s))); }, "ceil(n/k)"));
  params.back().derivedDefault = [](const Shape& s, const ParamValues& before) {
    return ParamValue{ceilDiv(lengthOf(s), before.integer("clusters"))};
  };
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{512}};
  params.back().paperText = "n/k: 256 or 512";
  params.push_back(sharingParam());
  params.push_back(realParam(
      "self_penalty", "", "Above 0, a token is left out of its own keys at a table with another key.", 0.0,
      1e9, [](const Shape&) { return 0.0; }, "0"));
  params.push_back(
      choiceParam("init", "Where the centroids come from, unless they are given.", {"fitted", "random"},
                  {"spherical k-means on this input", "normalised N(0, 1), as initialised"}, "fitted"));
  params.push_back(intParam(
      "steps", "", "Steps of k-means.", 0, [](const Shape&) { return 1000.0; },
      [](const Shape&) { return Index{10}; }, "10"));
  params.back().visibleWhenId = "init";
  params.back().visibleWhenValues = {"fitted"};
  params.push_back(intParam(
      "local_heads", "", "The last heads read their own block and the one before instead.", 0,
      [](const Shape& s) { return static_cast<double>(s.heads); }, [](const Shape&) { return Index{0}; },
      "0"));
  params.back().unit = "heads";
  params.back().paperText = "half of the heads";
  params.push_back(intParam(
      "local_block", "", "Tokens in a block of a local head.", 1,
      [](const Shape& s) { return static_cast<double>(s.nK); }, [](const Shape& s) { return ceilSqrt(s.nK); },
      "ceil(sqrt n)"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{256}};
  return params;
}

// What is decided before the steps are written: sizes and switches of one call.
struct Setting {
  Shape shape;
  Index k = 1;
  Index wQ = 1;
  Index wK = 1;
  Index routed = 0;  // heads with tables; the others are local
  bool causal = false;
  bool shared = false;
  bool leaveOutSelf = false;
};

Result<Setting> settle(const LoweringRequest& request) {
  const Shape shape = request.input.shape();
  const bool causal = request.options.causal;
  const std::string& choice = request.params.choice("share_qk");
  if (causal && choice == "off")
    return fail(ErrorKind::Usage,
                "routing: share_qk=off with causal is not defined: a query could sit at a table with later "
                "keys only, and causal routing shares queries and keys (arXiv 2003.05997). Use share_qk=on.");
  const bool shared = choice == "on" || (choice == "default" && causal);
  if (shared && shape.nQ != shape.nK)
    return fail(
        ErrorKind::Usage,
        fmt::format("routing: share_qk=on uses the queries as keys and needs as many of both, but the "
                    "input has {} queries and {} keys. Use share_qk=off.",
                    shape.nQ, shape.nK));
  const Index window = request.params.integer("window");
  Setting setting{shape,
                  request.params.integer("clusters"),
                  std::min(window, shape.nQ),
                  std::min(window, shape.nK),
                  shape.heads - request.params.integer("local_heads"),
                  causal,
                  shared,
                  request.params.real("self_penalty") > 0.0};
  const double seats = static_cast<double>(setting.k) * static_cast<double>(setting.wQ + setting.wK);
  ATTN_TRY(requireMemory(static_cast<double>(setting.routed) * seats * 16.0 +
                             8.0 * static_cast<double>((shape.nQ + shape.nK) * shape.d),
                         fmt::format("routing: {} tables of {} seats", setting.k, window)));
  return setting;
}

// One head while its tables are made.
struct HeadRows {
  std::vector<double> queries;
  std::vector<double> keys;  // empty if shared
};

HeadRows standardise(const LoweringRequest& request, const Setting& setting, Index head) {
  const Shape& shape = setting.shape;
  HeadRows rows;
  rows.queries = standardisedRows(request.input.q.slice<float>(head), shape.nQ, shape.d);
  if (!setting.shared)
    rows.keys = standardisedRows(request.input.k.slice<float>(request.input.kvHead(head)), shape.nK, shape.d);
  return rows;
}

// As initialised: normalised N(0, 1).
std::vector<double> randomCentroids(const LoweringRequest& request, Index head, Index k, Index d) {
  const RandomStream stream(request.options.seed, "routing", "centroids");
  std::vector<float> draws(static_cast<std::size_t>(k * d));
  for (Index c = 0; c < k; ++c)
    stream.fillNormals(
        {static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(c), 0},
        std::span(draws).subspan(static_cast<std::size_t>(c * d), static_cast<std::size_t>(d)));
  return standardisedRows(draws, k, d);
}

// Tokens in a random order: the first k different ones are where k-means starts.
std::vector<std::int32_t> shuffledTokens(const LoweringRequest& request, Index head, Index n) {
  const RandomStream stream(request.options.seed, "routing", "centroid_tokens");
  std::vector<double> keys;
  for (Index i = 0; i < n; ++i)
    keys.push_back(stream.uniform({static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(i), 0}));
  std::vector<std::int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return keys[static_cast<std::size_t>(a)] < keys[static_cast<std::size_t>(b)];
  });
  return order;
}

// Centroids of a head after every step of k-means.
Result<std::vector<std::vector<double>>> fitCentroids(const LoweringRequest& request, const Setting& setting,
                                                      const HeadRows& rows, Index head) {
  const Index d = setting.shape.d;
  const RowsView queries{rows.queries, d};
  std::vector<double> start =
      firstDistinctRows(queries, shuffledTokens(request, head, setting.shape.nQ), setting.k);
  const std::vector<double> rest = randomCentroids(request, head, setting.k, d);
  start.insert(start.end(), rest.begin() + static_cast<std::ptrdiff_t>(start.size()), rest.end());
  std::vector<RowsView> points{queries};
  if (!setting.shared) points.push_back({rows.keys, d});
  std::vector<std::vector<double>> path{std::move(start)};
  ATTN_TRY(spherewiseLloyd(points, request.params.integer("steps"), path, request.job));
  return path;
}

// Centroids of all heads and, where they were fitted, the way they took.
struct Centroids {
  Tensor tensor;  // (H, k, d)
  Tensor path;    // (H, steps + 1, k, d), or empty
};

void copyRounded(const std::vector<double>& from, std::span<float> to) {
  std::transform(from.begin(), from.end(), to.begin(), [](double x) { return static_cast<float>(x); });
}

Result<Centroids> makeCentroids(const LoweringRequest& request, const Setting& setting, Plan& plan) {
  const Index d = setting.shape.d;
  const std::string name = "centroids";
  Centroids centroids;
  if (isGivenTensor(request, name)) {
    ATTN_ASSIGN(given, givenTensor(request, name, DType::F32, {setting.k, d}));
    centroids.tensor = std::move(given);
  } else {
    const bool fitted = request.params.choice("init") == "fitted";
    const Index sets = request.params.integer("steps") + 1;
    if (fitted)
      ATTN_TRY(requireMemory(
          12.0 * static_cast<double>(sets * setting.k) * static_cast<double>(d * setting.shape.heads),
          "routing: the paths of the centroids"));
    centroids.tensor = Tensor(DType::F32, {setting.shape.heads, setting.k, d});
    if (fitted) centroids.path = Tensor(DType::F32, {setting.shape.heads, sets, setting.k, d});
    for (Index h = 0; h < setting.shape.heads; ++h) {
      if (!fitted) {
        copyRounded(randomCentroids(request, h, setting.k, d), centroids.tensor.mutableSlice<float>(h));
        continue;
      }
      ATTN_ASSIGN(path, fitCentroids(request, setting, standardise(request, setting, h), h));
      copyRounded(path.back(), centroids.tensor.mutableSlice<float>(h));
      const auto target = centroids.path.mutableSlice<float>(h);
      for (std::size_t step = 0; step < path.size(); ++step)
        copyRounded(path[step], target.subspan(step * path[step].size(), path[step].size()));
    }
  }
  std::string origin = originText(request, isGivenTensor(request, name));
  if (!centroids.path.empty())
    origin = fmt::format("fitted to this input in {} steps from seed {}", request.params.integer("steps"),
                         request.options.seed);
  plan.params.push_back({name, origin, [tensor = centroids.tensor] { return tensor; }});
  if (!centroids.path.empty()) plan.trace.push_back({"centroid_path", centroids.path});
  return centroids;
}

// Who sits at the tables of one head: k tables after each other.
struct Tables {
  std::vector<std::int32_t> queries;
  std::vector<std::int32_t> keys;
};

// Place of each seated query among the keys of its table, or -1.
std::vector<std::int32_t> selfPlaces(const Setting& setting, const Tables& tables) {
  std::vector<std::int32_t> places;
  for (std::size_t p = 0; p < tables.queries.size(); ++p) {
    const Index token = tables.queries[p] + setting.shape.nK - setting.shape.nQ;
    const Index table = static_cast<Index>(p) / setting.wQ;
    const auto begin = tables.keys.begin() + table * setting.wK;
    const auto at = std::lower_bound(begin, begin + setting.wK, token);
    const bool seated = at != begin + setting.wK && *at == token;
    places.push_back(seated ? static_cast<std::int32_t>(at - tables.keys.begin()) : -1);
  }
  return places;
}

// Tables are blocks on the diagonal; when causal both sides list the same tokens in the order of the text, so
// earlier in the text is earlier at the table.
PatternPtr tablePattern(const Setting& setting, const Tables& tables) {
  const Order self = setting.leaveOutSelf ? makeOrder(selfPlaces(setting, tables)) : nullptr;
  return makePattern(
      setting.k * setting.wQ, setting.k * setting.wK,
      [self, wQ = setting.wQ, wK = setting.wK, causal = setting.causal](Index p, RunList& runs) {
        const Index begin = p / wQ * wK;
        const Index end = causal ? begin + p % wQ + 1 : begin + wK;
        const Index own = self ? (*self)[static_cast<std::size_t>(p)] : -1;
        if (own < begin || own >= end || end - begin == 1) {
          runs.push_back({begin, end, 1, kTable, 1});
          return;
        }
        if (own > begin) runs.push_back({begin, own, 1, kTable, 1});
        if (own + 1 < end) runs.push_back({own + 1, end, 1, kTable, 1});
      });
}

// o_i = mean of the rows of token i: the tables that invited it.
std::shared_ptr<const SparseRows> meanOverTables(const Tables& tables, Index n) {
  auto rows = std::make_shared<SparseRows>();
  rows->begin.assign(static_cast<std::size_t>(n) + 1, 0);
  for (const std::int32_t i : tables.queries) ++rows->begin[static_cast<std::size_t>(i) + 1];
  std::partial_sum(rows->begin.begin(), rows->begin.end(), rows->begin.begin());
  rows->entries.resize(tables.queries.size());
  std::vector<std::int64_t> next(rows->begin.begin(), rows->begin.end() - 1);
  for (std::size_t p = 0; p < tables.queries.size(); ++p) {
    const auto i = static_cast<std::size_t>(tables.queries[p]);
    const auto visits = static_cast<float>(rows->begin[i + 1] - rows->begin[i]);
    rows->entries[static_cast<std::size_t>(next[i]++)] = {0, static_cast<std::int32_t>(p), 1.0F / visits};
  }
  return rows;
}

// A local head takes its rows from the local step, the second input.
std::shared_ptr<const SparseRows> rowsAsTheyAre(Index n) {
  auto rows = std::make_shared<SparseRows>();
  for (Index i = 0; i <= n; ++i) rows->begin.push_back(i);
  for (Index i = 0; i < n; ++i) rows->entries.push_back({1, static_cast<std::int32_t>(i), 1.0F});
  return rows;
}

Result<std::vector<Tables>> seatHeads(const LoweringRequest& request, const Setting& setting,
                                      const Tensor& centroids, Plan& plan) {
  std::vector<Tables> heads;
  Tensor seatedQ(DType::I32, {setting.routed, setting.k, setting.wQ});
  Tensor seatedK(DType::I32, {setting.routed, setting.k, setting.wK});
  for (Index h = 0; h < setting.routed; ++h) {
    const Index d = setting.shape.d;
    ATTN_ASSIGN(queries, seatRows(request.input.q.slice<float>(h), d, centroids.slice<float>(h), setting.wQ,
                                  request.job));
    Tables tables{queries, queries};
    if (!setting.shared) {
      ATTN_ASSIGN(keys, seatRows(request.input.k.slice<float>(request.input.kvHead(h)), d,
                                 centroids.slice<float>(h), setting.wK, request.job));
      tables.keys = std::move(keys);
    }
    std::copy(tables.queries.begin(), tables.queries.end(), seatedQ.mutableSlice<std::int32_t>(h).begin());
    std::copy(tables.keys.begin(), tables.keys.end(), seatedK.mutableSlice<std::int32_t>(h).begin());
    heads.push_back(std::move(tables));
  }
  plan.trace.push_back({"tables_q", seatedQ});
  plan.trace.push_back({"tables_k", seatedK});
  return heads;
}

// Attention at the tables: one row of results for every seat.
AttendStep tableStep(const LoweringRequest& request, const Setting& setting, const std::vector<Tables>& heads,
                     Plan& plan) {
  const Shape& shape = setting.shape;
  AttendStep step;
  step.title = "tables";
  step.q = plan.addBuffer("q_standard", shape.nQ, shape.d);
  plan.steps.emplace_back(
      NormaliseRowsStep{"standardise queries", kQuery, step.q, NormaliseRowsStep::Kind::Standard});
  step.k = step.q;
  if (!setting.shared) {
    step.k = plan.addBuffer("k_standard", shape.nK, shape.d);
    plan.steps.emplace_back(
        NormaliseRowsStep{"standardise keys", kKey, step.k, NormaliseRowsStep::Kind::Standard});
  }
  step.scale = request.defaultScale();
  step.rowsByPosition = true;
  step.out = plan.addBuffer("out_tables", setting.k * setting.wQ, shape.dV);
  step.lse = plan.addBuffer("lse_tables", setting.k * setting.wQ, 1);
  for (const Tables& tables : heads)
    step.heads.push_back({makeOrder(tables.queries), makeOrder(tables.keys), tablePattern(setting, tables)});
  const HeadAttend nobody{makeOrder({0}), nullptr, makePattern(1, 1, [](Index, RunList&) {})};
  step.heads.resize(static_cast<std::size_t>(shape.heads), nobody);
  return step;
}

AttendStep localStep(const LoweringRequest& request, const Setting& setting, Plan& plan) {
  const Shape& shape = setting.shape;
  const Index block = request.params.integer("local_block");
  AttendStep step;
  step.title = "local heads";
  step.scale = request.defaultScale();
  step.out = plan.addBuffer("out_local", shape.nQ, shape.dV);
  step.lse = plan.addBuffer("lse_local", shape.nQ, 1);
  step.heads = sameForAllHeads(
      shape.heads,
      {nullptr, nullptr, localBlocksPattern(shape, {block, block, setting.causal, kBlock, kMemory})});
  std::fill_n(step.heads.begin(), setting.routed, nothingToRead(shape));
  return step;
}

class Routing final : public Mechanism {
 public:
  Routing() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  bool patternNeedsValues(const ParamValues&) const override { return true; }
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    return routingPanels(request);
  }
  Result<std::vector<Decision>> decisions(const InsidesRequest& request) const override {
    return routingDecisions(request);
  }
};

Result<Plan> Routing::lower(const LoweringRequest& request) const {
  ATTN_ASSIGN(setting, settle(request));
  const Shape& shape = setting.shape;
  Plan plan = Plan::begin(card().id, shape, setting.causal);
  plan.labels = {Label{"table", "query and key sit at the same table"}};
  GatherStep gather;
  gather.title = "mean over the tables";
  ATTN_ASSIGN(centroids, makeCentroids(request, setting, plan));
  ATTN_ASSIGN(heads, seatHeads(request, setting, centroids.tensor, plan));
  AttendStep tables = tableStep(request, setting, heads, plan);
  gather.in.push_back(tables.out);
  plan.steps.emplace_back(std::move(tables));
  for (const Tables& head : heads) gather.heads.push_back(meanOverTables(head, shape.nQ));
  if (setting.routed < shape.heads) {
    const Index block = request.params.integer("local_block");
    plan.labels.push_back({"block", fmt::format("local head: in the query's own block of {}", block)});
    plan.labels.push_back({"memory", "local head: in a block beside it"});
    AttendStep local = localStep(request, setting, plan);
    gather.in.push_back(local.out);
    plan.steps.emplace_back(std::move(local));
    gather.heads.resize(static_cast<std::size_t>(shape.heads), rowsAsTheyAre(shape.nQ));
  }
  plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
  gather.out = plan.out;
  plan.steps.emplace_back(std::move(gather));
  if (setting.shared) plan.note = "Queries serve as keys: the tables do not read K.";
  return plan;
}

}  // namespace

const Mechanism& routingMechanism() {
  static const Routing mechanism;
  return mechanism;
}

}  // namespace attnscope
