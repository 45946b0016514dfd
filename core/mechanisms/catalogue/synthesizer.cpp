// SPDX-License-Identifier: GPL-3.0-or-later
// Synthesizer: Tay, Bahri, Metzler, Juan, Zhao, Zheng, arXiv 2005.00743.
#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/synthetic_panels.h"

namespace attnscope {

namespace {

constexpr double kTableDeviation = 2.0;  // of drawn logits: about a fifteenth of the keys matter

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "synthesizer";
  card.name = "Synthesizer";
  card.family = Family::LowRankKernels;
  card.paper = "Synthesizer: Rethinking Self-Attention in Transformer Models";
  card.authors = "Tay, Bahri, Metzler, Juan, Zhao, Zheng";
  card.year = 2020;
  card.arxiv = "2005.00743";
  card.surveyComplexity = "O(n\u00b2)";
  card.countedComplexity = "n\u00b2 pairs in every mode; dense: n h (d + n) multiply-adds for the logits";
  card.readsKeys = false;
  card.summary =
      "What if nothing is compared at all? Each token writes down its own row of attention, or one fixed "
      "table "
      "serves every sentence; what is lost shows how much of attention is really matching.";
  card.formula =
      "softmax((1 \u2212 \u03b1) s Q K\u1d40 + \u03b1 B) V;  B = relu(x W\u2081 + b\u2081) W\u2082 + b\u2082 "
      "(dense), R (random), A\u2032 B\u2032\u1d40 (factorised-random), a[j div b] b[j mod b] "
      "(factorised-dense)";
  card.ours =
      "x is the head's query row, where the paper has the layer's input. K is read only where \u03b1 < 1; "
      "\u03b1 is one number, in the paper it is learnt. Nothing is trained here: drawn tables have logits of "
      "standard deviation 2, dense layers start as He proposed.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(choiceParam("mode", "Where the logits come from.",
                               {"dense", "random", "factorised-random", "factorised-dense"},
                               {"a small network on each token", "one table for all inputs",
                                "a table of low rank", "two short vectors of each token, multiplied"},
                               "dense"));
  params.back().paperText = "all four, and mixtures of them";
  params.push_back(realParam(
      "alpha", "\u03b1", "Share of the synthesised logits; the rest is ordinary attention's.", 0.0, 1.0,
      [](const Shape&) { return 1.0; }, "1"));
  params.back().paperText = "learnt";
  params.push_back(intParam(
      "rank", "k", "Rank of the table (factorised-random).", 1,
      [](const Shape& s) { return static_cast<double>(s.nK); }, [](const Shape&) { return Index{8}; }, "8"));
  params.back().paperValue = ParamValue{Index{8}};
  params.back().visibleWhenId = "mode";
  params.back().visibleWhenValues = {"factorised-random"};
  return params;
}

// A table of a long input has hundreds of millions of numbers: rows are drawn in parallel, and each asks
// whether it is still wanted.
Result<Tensor> drawNormals(const LoweringRequest& request, const std::string& name, Index rows, Index cols,
                           double deviation) {
  const RandomStream stream(request.options.seed, "synthesizer", name);
  Tensor tensor(DType::F32, {request.input.shape().heads, rows, cols});
  auto values = tensor.mutableValues<float>();
  tbb::parallel_for(Index{0}, tensor.dim(0) * rows, [&](Index row) {
    if (request.job.isCancelled()) return;
    const RandomStream::Counter counter{static_cast<std::uint32_t>(row / rows),
                                        static_cast<std::uint32_t>(row % rows), 0};
    const auto cells = values.subspan(static_cast<std::size_t>(row * cols), static_cast<std::size_t>(cols));
    stream.fillNormals(counter, cells);
    for (float& x : cells) x = static_cast<float>(deviation * static_cast<double>(x));
  });
  if (request.job.isCancelled()) return cancelled();
  return tensor;
}

// Last size of a given tensor, counted from its end: 0 is the last axis. 0 where it is not given.
Index givenSize(const LoweringRequest& request, const std::string& name, std::size_t fromEnd = 0) {
  const Tensor* given = request.given(name);
  if (given == nullptr || given->rank() <= fromEnd) return 0;
  return given->dim(given->rank() - 1 - fromEnd);
}

Index firstPositive(std::initializer_list<Index> sizes) {
  for (const Index size : sizes)
    if (size > 0) return size;
  return 0;
}

// Writes the logits of one call: what is synthesised, and what is left of ordinary attention.
class Lowering {
 public:
  explicit Lowering(const LoweringRequest& request)
      : m_request(request),
        m_shape(request.input.shape()),
        m_alpha(request.params.real("alpha")),
        m_plan(Plan::begin("synthesizer", m_shape, request.options.causal)) {
    m_step.scale = (1.0 - m_alpha) * request.defaultScale();
    if (m_alpha == 1.0) m_step.q = m_step.k = kNoBuffer;
  }

  Result<Plan> run() {
    const std::string& mode = m_request.params.choice("mode");
    Status added = mode == "dense"               ? dense()
                   : mode == "random"            ? table()
                   : mode == "factorised-random" ? factors()
                                                 : outer();
    ATTN_TRY(added);
    finish();
    return std::move(m_plan);
  }

 private:
  Status dense();
  Status table();
  Status factors();
  Status outer();
  void finish();

  // A tensor of the mechanism's, drawn unless given, named in the plan.
  Result<Tensor> own(const std::string& name, const std::vector<Index>& rest,
                     const std::vector<std::size_t>& atLeast, double deviation);
  BufferId affine(const std::string& title, const std::string& name, Tensor weight, Tensor bias, bool relu);
  BufferId constant(const std::string& name, const Tensor& tensor);
  void addProduct(BufferId q, BufferId k);

  const LoweringRequest& m_request;
  Shape m_shape;
  double m_alpha;
  Plan m_plan;
  AttendStep m_step;
};

Result<Tensor> Lowering::own(const std::string& name, const std::vector<Index>& rest,
                             const std::vector<std::size_t>& atLeast, double deviation) {
  Tensor tensor;
  std::string origin = "0";
  if (isGivenTensor(m_request, name)) {
    ATTN_ASSIGN(owned, ownTensor(m_request, name, DType::F32, rest, atLeast, [] { return Tensor(); }));
    tensor = std::move(owned.tensor);
    origin = originText(m_request, true);
  } else {
    std::vector<Index> shape{m_shape.heads};
    shape.insert(shape.end(), rest.begin(), rest.end());
    if (m_request.patternOnly()) {
      tensor = Tensor::outline(DType::F32, std::move(shape));
      m_plan.params.push_back({name, origin, [tensor] { return tensor; }});
      return tensor;
    }
    double bytes = 4.0;
    for (const Index size : shape) bytes *= static_cast<double>(size);
    ATTN_TRY(requireMemory(bytes, fmt::format("synthesizer: the tensor {}", name)));
    if (deviation > 0.0) {
      ATTN_ASSIGN(drawn, drawNormals(m_request, name, rest[0], rest[1], deviation));
      tensor = std::move(drawn);
      origin = originText(m_request, false);
    } else {
      tensor = Tensor::zeros(DType::F32, std::move(shape));
    }
  }
  m_plan.params.push_back({name, origin, [tensor] { return tensor; }});
  return tensor;
}

BufferId Lowering::affine(const std::string& title, const std::string& name, Tensor weight, Tensor bias,
                          bool relu) {
  const BufferId out = m_plan.addBuffer(name, m_shape.nQ, weight.dim(2), name);
  m_plan.steps.emplace_back(AffineStep{title, kQuery, out, std::move(weight), std::move(bias), relu});
  return out;
}

BufferId Lowering::constant(const std::string& name, const Tensor& tensor) {
  const BufferId id = m_plan.addBuffer(name, tensor.dim(1), tensor.dim(2));
  m_plan.constants.emplace_back(id, tensor);
  return id;
}

// Logits that are dot products themselves: alone, or as further columns of q and k.
void Lowering::addProduct(BufferId q, BufferId k) {
  if (m_alpha == 1.0) {
    m_step.q = q;
    m_step.k = k;
    m_step.scale = 1.0;
    return;
  }
  const Index width = m_shape.d + m_plan.buffers[static_cast<std::size_t>(q)].cols;
  const BufferId queries = m_plan.addBuffer("mixed_queries", m_shape.nQ, width);
  const BufferId keys = m_plan.addBuffer("mixed_keys", m_shape.nK, width);
  m_plan.steps.emplace_back(
      ConcatStep{"queries beside what is synthesised", {kQuery, q}, {m_step.scale, m_alpha}, queries});
  m_plan.steps.emplace_back(ConcatStep{"keys beside the weights", {kKey, k}, {1.0, 1.0}, keys});
  m_step.q = queries;
  m_step.k = keys;
  m_step.scale = 1.0;
}

// A tensor (H, rows, cols) with one more column, or (H, cols) with one more entry.
Tensor withColumn(const Tensor& tensor, float value) {
  const Index cols = tensor.shape().back();
  std::vector<Index> shape = tensor.shape();
  shape.back() = cols + 1;
  if (!tensor.hasValues()) return Tensor::outline(DType::F32, std::move(shape));
  Tensor wider(DType::F32, shape);
  const auto from = tensor.values<float>();
  auto to = wider.mutableValues<float>();
  for (Index r = 0; r < tensor.size() / cols; ++r) {
    std::copy_n(from.begin() + r * cols, cols, to.begin() + r * (cols + 1));
    to[static_cast<std::size_t>(r * (cols + 1) + cols)] = value;
  }
  return wider;
}

// Rows [w2^T | b2] of the first n keys: the second layer as keys.
Result<Tensor> secondLayer(const LoweringRequest& request, const Tensor& w2, const Tensor& b2) {
  const Index hidden = w2.dim(1);
  const Index keys = request.input.shape().nK;
  if (!w2.hasValues() || !b2.hasValues()) return Tensor::outline(DType::F32, {w2.dim(0), keys, hidden + 1});
  Tensor rows(DType::F32, {w2.dim(0), keys, hidden + 1});
  auto values = rows.mutableValues<float>();
  tbb::parallel_for(Index{0}, w2.dim(0) * keys, [&](Index row) {
    if (request.job.isCancelled()) return;
    const Index h = row / keys;
    const Index j = row % keys;
    const auto weight = w2.slice<float>(h);
    const auto to = values.subspan(static_cast<std::size_t>(row * (hidden + 1)));
    for (Index c = 0; c < hidden; ++c)
      to[static_cast<std::size_t>(c)] = weight[static_cast<std::size_t>(c * w2.dim(2) + j)];
    to[static_cast<std::size_t>(hidden)] = b2.slice<float>(h)[static_cast<std::size_t>(j)];
  });
  if (request.job.isCancelled()) return cancelled();
  return rows;
}

// The hidden layer has a unit that is always 1, so that the second bias is a weight like any other.
Status Lowering::dense() {
  const Index hidden = firstPositive(
      {givenSize(m_request, "w1"), givenSize(m_request, "b1"), givenSize(m_request, "w2", 1), m_shape.d});
  ATTN_ASSIGN(w1, own("w1", {m_shape.d, hidden}, {}, std::sqrt(2.0 / static_cast<double>(m_shape.d))));
  ATTN_ASSIGN(b1, own("b1", {hidden}, {}, 0.0));
  ATTN_ASSIGN(w2, own("w2", {hidden, m_shape.nK}, {1}, std::sqrt(2.0 / static_cast<double>(hidden))));
  ATTN_ASSIGN(b2, own("b2", {m_shape.nK}, {0}, 0.0));
  if (m_alpha == 0.0) return {};
  const BufferId layer =
      affine("hidden layer", "hidden_and_one", withColumn(w1, 0.0F), withColumn(b1, 1.0F), true);
  ATTN_ASSIGN(keys, secondLayer(m_request, w2, b2));
  addProduct(layer, constant("second_layer", keys));
  return {};
}

Status Lowering::table() {
  ATTN_ASSIGN(logits, own("logits", {m_shape.nQ, m_shape.nK}, {0, 1}, kTableDeviation));
  if (m_alpha > 0.0) m_step.terms.emplace_back(TableTerm{logits, m_alpha});
  return {};
}

// The first `rows` rows of a longer tensor.
Tensor firstRows(const Tensor& tensor, Index rows) {
  if (tensor.dim(1) == rows) return tensor;
  if (!tensor.hasValues()) return Tensor::outline(DType::F32, {tensor.dim(0), rows, tensor.dim(2)});
  Tensor cut(DType::F32, {tensor.dim(0), rows, tensor.dim(2)});
  for (Index h = 0; h < tensor.dim(0); ++h)
    std::copy_n(tensor.slice<float>(h).begin(), rows * tensor.dim(2), cut.mutableSlice<float>(h).begin());
  return cut;
}

// Factors drawn so that a sum of k products has the table's deviation at every rank.
Status Lowering::factors() {
  const Index rank = m_request.params.integer("rank");
  const double deviation = std::sqrt(kTableDeviation) / std::pow(static_cast<double>(rank), 0.25);
  ATTN_ASSIGN(a, own("logits_a", {m_shape.nQ, rank}, {0}, deviation));
  ATTN_ASSIGN(b, own("logits_b", {m_shape.nK, rank}, {0}, deviation));
  if (m_alpha == 0.0) return {};
  addProduct(constant("factor_a", firstRows(a, m_shape.nQ)), constant("factor_b", firstRows(b, m_shape.nK)));
  return {};
}

Status Lowering::outer() {
  Index defaultA = 1;
  while (4 * defaultA * defaultA <= m_shape.nK) defaultA *= 2;
  const Index givenB = firstPositive({givenSize(m_request, "w_b"), givenSize(m_request, "b_b")});
  const Index a = firstPositive({givenSize(m_request, "w_a"), givenSize(m_request, "b_a"),
                                 givenB > 0 ? ceilDiv(m_shape.nK, givenB) : 0, defaultA});
  const Index b = firstPositive({givenB, ceilDiv(m_shape.nK, a)});
  if (a * b < m_shape.nK)
    return fail(
        ErrorKind::Usage,
        fmt::format("synthesizer: the weights make vectors of {} and {} numbers, whose products give "
                    "{} logits, but there are {} keys: a b \u2265 n must hold. With a = {} the nearest "
                    "valid b is {}.",
                    a, b, a * b, m_shape.nK, a, ceilDiv(m_shape.nK, a)));
  const double deviation = 1.0 / std::sqrt(static_cast<double>(m_shape.d));
  ATTN_ASSIGN(wA, own("w_a", {m_shape.d, a}, {}, deviation));
  ATTN_ASSIGN(bA, own("b_a", {a}, {}, 0.0));
  ATTN_ASSIGN(wB, own("w_b", {m_shape.d, b}, {}, deviation));
  ATTN_ASSIGN(bB, own("b_b", {b}, {}, 0.0));
  if (m_alpha == 0.0) return {};
  const BufferId first = affine("first vector of each token", "vector_a", wA, bA, false);
  const BufferId second = affine("second vector of each token", "vector_b", wB, bB, false);
  m_step.terms.emplace_back(OuterTerm{first, second, m_alpha});
  return {};
}

void Lowering::finish() {
  m_plan.labels = {Label{"key", "every (earlier) key, whatever it contains"}};
  m_plan.out = m_plan.addBuffer("out", m_shape.nQ, m_shape.dV);
  m_plan.lse = m_plan.addBuffer("lse", m_shape.nQ, 1);
  m_step.title = "softmax and mix";
  m_step.out = m_plan.out;
  m_step.lse = m_plan.lse;
  m_step.heads = sameForAllHeads(
      m_shape.heads, {nullptr, nullptr, densePattern(m_shape.nQ, m_shape.nK, m_request.options.causal)});
  m_plan.steps.emplace_back(std::move(m_step));
  if (m_alpha == 0.0) m_plan.note = "alpha = 0: ordinary attention, nothing is synthesised.";
}

class Synthesizer final : public Mechanism {
 public:
  Synthesizer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override { return Lowering(request).run(); }
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    return syntheticPanels(request);
  }
};

}  // namespace

const Mechanism& synthesizerMechanism() {
  static const Synthesizer mechanism;
  return mechanism;
}

}  // namespace attnscope
