// SPDX-License-Identifier: GPL-3.0-or-later
// Set Transformer, the induced set attention block: Lee et al., arXiv 1810.00825, section 3.1.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/kmeans.h"
#include "core/analysis/softmax.h"
#include "core/analysis/spectrum.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/catalogue_support.h"

namespace attnscope {

namespace {

constexpr Index kLloydSteps = 10;

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "set";
  card.name = "Set Transformer";
  card.family = Family::Memories;
  card.paper = "Set Transformer: A Framework for Attention-based Permutation-Invariant Neural Networks";
  card.authors = "Lee, Lee, Kim, Kosiorek, Choi, Teh";
  card.year = 2018;
  card.arxiv = "1810.00825";
  card.surveyComplexity = "O(kn)";
  card.countedComplexity = "2 m n pairs (m inducing points read n keys, n queries read m points)";
  card.causal = CausalSupport::Never;
  card.decodable = false;
  card.summary =
      "A few inducing points, like reporters, read the whole set; every element then reads only what the "
      "reporters have gathered. Order plays no part.";
  card.formula = "O = softmax(s Q (P\u2081K)\u1d40) P\u2081V,  P\u2081 = softmax(s I K\u1d40)";
  card.ours =
      "The two attention maps of the block without its residuals, norms and feed-forward layer. Inducing "
      "points "
      "are fitted to the keys by default, because drawn ones are nearly equal to each other. A block without "
      "inducing points (SAB) is full attention.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "inducing", "m", "Inducing points that read all keys and are read by all queries.", 1,
      [](const Shape& s) { return static_cast<double>(std::max<Index>(4096, s.nK)); },
      [](const Shape& s) { return ceilSqrt(s.nK); }, "ceil(sqrt n)"));
  params.back().unit = "points";
  params.back().paperValue = ParamValue{Index{32}};
  params.back().paperText = "16 and 32 in its experiments";
  params.push_back(choiceParam("init", "Where inducing points come from.", {"fitted", "random"},
                               {"k-means centroids of the keys times the gain", "drawn from N(0, 1)"},
                               "fitted"));
  params.back().paperText = "learned";
  params.push_back(realParam(
      "gain", "g", "Factor on fitted points: larger ones read fewer keys each.", 0.0, 100.0,
      [](const Shape&) { return 2.0; }, "2"));
  params.back().visibleWhenId = "init";
  params.back().visibleWhenValues = {"fitted"};
  params.push_back(intParam(
      "seeds", "k", "Seeds of the pooling block (PMA) shown among the insides; not part of the output.", 1,
      [](const Shape&) { return 16.0; }, [](const Shape&) { return Index{4}; }, "4"));
  return params;
}

Tensor drawPoints(const LoweringRequest& request, Index count) {
  const Shape shape = request.input.shape();
  const RandomStream stream(request.options.seed, "set", "inducing");
  Tensor tensor(DType::F32, {shape.heads, count, shape.d});
  auto values = tensor.mutableValues<float>();
  for (Index h = 0; h < shape.heads; ++h)
    for (Index a = 0; a < count; ++a)
      stream.fillNormals({static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(a), 0},
                         values.subspan(static_cast<std::size_t>((h * count + a) * shape.d),
                                        static_cast<std::size_t>(shape.d)));
  return tensor;
}

Result<Tensor> fitPoints(const LoweringRequest& request, Index count) {
  const Shape shape = request.input.shape();
  const double gain = request.params.real("gain");
  Tensor tensor(DType::F32, {shape.heads, count, shape.d});
  for (Index h = 0; h < shape.heads; ++h) {
    ATTN_ASSIGN(points, kMeans(request.input.k.slice<float>(request.input.kvHead(h)), shape.nK, shape.d,
                               count, kLloydSteps, request.job));
    auto target = tensor.mutableSlice<float>(h);
    for (std::size_t i = 0; i < points.size(); ++i) target[i] = static_cast<float>(gain * points[i]);
  }
  return tensor;
}

class SetTransformer final : public Mechanism {
 public:
  SetTransformer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Result<Plan> SetTransformer::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const Index count = request.params.integer("inducing");
  const double scale = request.defaultScale();
  Plan plan = Plan::begin(card().id, shape, false);
  plan.labels = {
      Label{"inducing point", "every query reads every inducing point, and these have read every key"}};
  plan.slotCount = count;
  Tensor points;
  std::string origin = originText(request, false);
  if (isGivenTensor(request, "inducing")) {
    ATTN_ASSIGN(owned,
                ownTensor(request, "inducing", DType::F32, {count, shape.d}, {}, [] { return Tensor(); }));
    points = owned.tensor;
    origin = "file";
  } else if (request.params.choice("init") == "random") {
    points = drawPoints(request, count);
  } else if (request.patternOnly()) {
    points = Tensor::outline(DType::F32, {shape.heads, count, shape.d});
    origin = "fitted to this input";
  } else {
    ATTN_ASSIGN(fitted, fitPoints(request, count));
    points = std::move(fitted);
    origin = "fitted to this input";
  }
  plan.params.push_back({"inducing", origin, [points] { return points; }});
  const BufferId inducing = plan.addBuffer("inducing", count, shape.d);
  plan.constants.push_back({inducing, points});
  const BufferId keys = plan.addBuffer("slot_keys", count, shape.d, "slot_keys");
  plan.slotValues = plan.addBuffer("slot_values", count, shape.dV, "slot_values");

  AttendStep gather;
  gather.title = "inducing points read the keys";
  gather.q = inducing;
  gather.out = plan.slotValues;
  gather.lse = plan.addBuffer("lse_inducing", count, 1);
  gather.v2 = kKey;
  gather.out2 = keys;
  gather.scale = scale;
  gather.heads = sameForAllHeads(shape.heads, {nullptr, nullptr, densePattern(count, shape.nK, false)});
  plan.steps.emplace_back(std::move(gather));

  AttendStep read;
  read.title = "queries read the inducing points";
  read.k = keys;
  read.v = plan.slotValues;
  read.axis = KeyAxis::Slots;
  plan.out = read.out = plan.addBuffer("out", shape.nQ, shape.dV);
  read.lse = plan.addBuffer("lse_read", shape.nQ, 1);
  read.scale = scale;
  read.heads = sameForAllHeads(shape.heads, {nullptr, nullptr, densePattern(shape.nQ, count, false)});
  plan.steps.emplace_back(std::move(read));

  const PatternPtr support =
      makePattern(shape.nQ, shape.nK + count, [n = shape.nK, count](Index, RunList& runs) {
        runs.push_back({n, n + count, 1, 0, 1});
      });
  plan.support.assign(static_cast<std::size_t>(shape.heads), support);
  plan.slotComposition = [input = request.input, points, scale, count] {
    const Shape made = input.shape();
    Tensor composition(DType::F32, {made.heads, count, made.nK});
    for (Index h = 0; h < made.heads; ++h) {
      const auto weights =
          softmaxProducts(points.slice<float>(h), input.k.slice<float>(input.kvHead(h)), made.d, scale);
      std::copy(weights.begin(), weights.end(), composition.mutableSlice<float>(h).begin());
    }
    return composition;
  };
  return plan;
}

InsidePanel mapPanel(const std::string& title, const std::string& caption, const std::string& xTitle,
                     const std::string& yTitle, std::span<const double> cells, Index rows) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = title;
  panel.caption = caption;
  panel.xTitle = xTitle;
  panel.yTitle = yTitle;
  const std::vector<float> narrow(cells.begin(), cells.end());
  panel.values = Tensor::fromFloats({rows, static_cast<Index>(cells.size()) / rows}, narrow);
  return panel;
}

// Keys and inducing points in one plane, each key coloured by the point that weighs it most.
InsidePanel scatterPanel(std::span<const float> keys, std::span<const float> points, Index n, Index count,
                         Index d, std::span<const std::int32_t> reader) {
  std::vector<float> all(keys.begin(), keys.end());
  all.insert(all.end(), points.begin(), points.end());
  const Tensor plane = projectToPlane(all, n + count, d);
  const auto cells = plane.values<float>();
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Scatter;
  panel.title = "Inducing points among the keys";
  panel.caption = "Keys in the plane of largest variance, coloured by the point that reads them most.";
  panel.points = Tensor::fromFloats({n, 2}, cells.first(static_cast<std::size_t>(2 * n)));
  panel.anchors = Tensor::fromFloats({count, 2}, cells.subspan(static_cast<std::size_t>(2 * n)));
  panel.group.assign(reader.begin(), reader.end());
  panel.itemGroup = panel.group;
  for (Index j = 0; j < n; ++j) panel.token.push_back(static_cast<std::int32_t>(j));
  for (Index a = 0; a < count; ++a) panel.anchorGroup.push_back(static_cast<std::int32_t>(a));
  return panel;
}

// The largest of each column, or of each row, of a (rows, cols) matrix: ties to the smaller index.
std::vector<std::int32_t> strongest(std::span<const double> matrix, Index rows, Index cols, bool ofColumns) {
  std::vector<std::int32_t> best(static_cast<std::size_t>(ofColumns ? cols : rows), 0);
  const auto at = [&](Index r, Index c) { return matrix[static_cast<std::size_t>(r * cols + c)]; };
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) {
      std::int32_t& held = best[static_cast<std::size_t>(ofColumns ? c : r)];
      if (at(r, c) > (ofColumns ? at(held, c) : at(r, held)))
        held = static_cast<std::int32_t>(ofColumns ? r : c);
    }
  return best;
}

// An inducing point stands for the keys that it reads more than any other point does, and for the queries
// that read it most.
std::vector<TokenGroup> groupsOf(std::span<const std::int32_t> keys, std::span<const std::int32_t> queries,
                                 Index count) {
  const auto name = [](Index a) { return fmt::format("inducing point {}", a); };
  std::vector<TokenGroup> groups = groupsByLabel(keys, count, name);
  const std::vector<TokenGroup> reading = groupsByLabel(queries, count, name);
  for (std::size_t a = 0; a < groups.size(); ++a) {
    groups[a].queries = reading[a].queries;
    groups[a].slotColumns = {{static_cast<Index>(a), static_cast<Index>(a) + 1}};
  }
  return groups;
}

// P2 P1: what is left of a query's map once it went through the points.
InsidePanel productPanel(std::span<const double> p2, std::span<const double> p1, Index count, Index nQ,
                         Index n, const std::string& cut) {
  constexpr Index kMostShown = 512;
  const Index rows = std::min(nQ, kMostShown);
  const Index cols = std::min(n, kMostShown);
  InsidePanel panel;
  panel.title = "P\u2082 P\u2081";
  panel.caption = fmt::format(
      "The two maps in a row: what a query gets of each key through {} points, a matrix of rank at most "
      "{}{}.",
      count, count, rows < nQ || cols < n ? fmt::format(" (first {} elements)", kMostShown) : cut);
  panel.xTitle = "key";
  panel.yTitle = "query";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Keys;
  panel.yTokens.tokens = InsidePanel::AxisTokens::Queries;
  panel.values = Tensor::zeros(DType::F32, {rows, cols});
  auto cells = panel.values.mutableValues<float>();
  std::vector<double> sums(static_cast<std::size_t>(cols));
  for (Index i = 0; i < rows; ++i) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (Index a = 0; a < count; ++a) {
      const double share = p2[static_cast<std::size_t>(i * count + a)];
      for (Index j = 0; j < cols; ++j)
        sums[static_cast<std::size_t>(j)] += share * p1[static_cast<std::size_t>(a * n + j)];
    }
    std::transform(sums.begin(), sums.end(), cells.begin() + i * cols,
                   [](double x) { return static_cast<float>(x); });
  }
  return panel;
}

Result<std::vector<InsidePanel>> SetTransformer::insides(const InsidesRequest& request) const {
  const Shape shape = request.input.shape();
  const Index count = request.params.integer("inducing");
  // Longer inputs are shown by their first elements, and the captions say so.
  const Index n = std::min<Index>(shape.nK, std::max<Index>(1, 1000000 / count));
  const Index nQ = std::min<Index>(shape.nQ, n);
  const std::string cut = n < shape.nK ? fmt::format(" (first {} elements)", n) : std::string();
  const Tensor inducing = request.plan.plan().params.front().make();
  const auto points = inducing.slice<float>(request.head);
  const auto keys = request.input.k.slice<float>(request.input.kvHead(request.head))
                        .first(static_cast<std::size_t>(n * shape.d));
  const auto queries =
      request.input.q.slice<float>(request.head).first(static_cast<std::size_t>(nQ * shape.d));
  const double scale = std::get<AttendStep>(request.plan.plan().steps.front()).scale;
  const auto p1 = softmaxProducts(points, keys, shape.d, scale);
  if (!request.job.advance(0)) return cancelled();
  const auto reader = strongest(p1, count, n, true);
  const Tensor slotKeys = request.buffer("slot_keys");
  std::vector<double> p2;
  if (!slotKeys.empty()) p2 = softmaxProducts(queries, slotKeys.slice<float>(request.head), shape.d, scale);
  const std::vector<std::int32_t> read =
      p2.empty() ? std::vector<std::int32_t>{} : strongest(p2, nQ, count, false);
  const auto groups = std::make_shared<const std::vector<TokenGroup>>(groupsOf(reader, read, count));
  std::vector<std::int32_t> all;
  for (Index a = 0; a < count; ++a) all.push_back(static_cast<std::int32_t>(a));
  std::vector<InsidePanel> panels;
  panels.push_back(scatterPanel(keys, points, n, count, shape.d, reader));
  panels.back().groups = groups;
  panels.push_back(
      mapPanel("P\u2081", "Whom each inducing point reads" + cut + ".", "key", "inducing point", p1, count));
  panels.back().groups = groups;
  panels.back().rowGroup = all;
  panels.back().xTokens.tokens = InsidePanel::AxisTokens::Keys;
  if (!p2.empty()) {
    panels.push_back(mapPanel("P\u2082", "Which inducing points each query reads" + cut + ".",
                              "inducing point", "query", p2, nQ));
    panels.back().groups = groups;
    panels.back().columnGroup = all;
    panels.back().yTokens.tokens = InsidePanel::AxisTokens::Queries;
    panels.push_back(productPanel(p2, p1, count, nQ, n, cut));
  }
  if (!request.job.advance(0)) return cancelled();
  const Index seeds = std::min(request.params.integer("seeds"), n);
  ATTN_ASSIGN(centres, kMeans(keys, n, shape.d, seeds, kLloydSteps, request.job));
  std::vector<float> seedRows(centres.begin(), centres.end());
  for (float& x : seedRows) x *= 2.0F;
  panels.push_back(
      mapPanel("Pooling (PMA)",
               "A pooling block reads the set the same way with k seeds, here fitted to the keys: a soft "
               "clustering" +
                   cut + ".",
               "key", "seed", softmaxProducts(seedRows, keys, shape.d, scale), seeds));
  return panels;
}

}  // namespace

const Mechanism& setMechanism() {
  static const SetTransformer mechanism;
  return mechanism;
}

}  // namespace attnscope
