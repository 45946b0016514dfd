// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/relative_positions.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>

#include "core/base/rng.h"

namespace attnscope {

namespace {

// How far the preset `recency` pulls: the weight of sum_c cos(x w_c) / sqrt(d), a bump at distance 0.
constexpr float kRecency = 2.0F;

bool isZero(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return std::all_of(values.begin(), values.end(), [](float x) { return x == 0.0F; });
}

Tensor normals(const LoweringRequest& request, const std::string& name, std::vector<Index> shape,
               double deviation) {
  const RandomStream stream(request.options.seed, "relative positions", name);
  const Index rows = shape.size() == 3 ? shape[1] : 1;
  const Index cols = shape.back();
  Tensor tensor(DType::F32, std::move(shape));
  auto values = tensor.mutableValues<float>();
  for (std::size_t begin = 0; begin < values.size(); begin += static_cast<std::size_t>(cols)) {
    const auto row = static_cast<Index>(begin) / cols;
    const auto part = values.subspan(begin, static_cast<std::size_t>(cols));
    stream.fillNormals({static_cast<std::uint32_t>(row / rows), static_cast<std::uint32_t>(row % rows), 0},
                       part);
    for (float& x : part) x = static_cast<float>(deviation * x);
  }
  return tensor;
}

Tensor identities(Index heads, Index d) {
  Tensor tensor = Tensor::zeros(DType::F32, {heads, d, d});
  auto values = tensor.mutableValues<float>();
  for (Index h = 0; h < heads; ++h)
    for (Index c = 0; c < d; ++c) values[static_cast<std::size_t>((h * d + c) * d + c)] = 1.0F;
  return tensor;
}

Tensor recencyBias(Index heads, Index d) {
  Tensor tensor = Tensor::zeros(DType::F32, {heads, d});
  auto values = tensor.mutableValues<float>();
  for (std::size_t at = 0; at < values.size(); ++at)
    if (static_cast<Index>(at) % d >= d / 2) values[at] = kRecency;
  return tensor;
}

Tensor transposed(const Tensor& matrices) {
  const Index d = matrices.dim(1);
  Tensor result(DType::F32, matrices.shape());
  for (Index h = 0; h < matrices.dim(0); ++h) {
    const auto from = matrices.slice<float>(h);
    auto to = result.mutableSlice<float>(h);
    for (Index a = 0; a < d; ++a)
      for (Index c = 0; c < d; ++c)
        to[static_cast<std::size_t>(c * d + a)] = from[static_cast<std::size_t>(a * d + c)];
  }
  return result;
}

}  // namespace

void addRelativeParams(std::vector<ParamSpec>& params) {
  params.push_back(
      choiceParam("init", "What the tensors of the positions start from.", {"zero", "demo", "recency"},
                  {"0: positions do not bend the scores", "P from N(0, 2/d), u and w from N(0, 1)",
                   "P the identity, u = 0, w = 2 on the cosines: near keys are favoured"},
                  "zero"));
  params.back().paperText = "N(0, 0.02), then learned";
  params.push_back(boolParam("term_a", "Term (a), content to content: q.k.", true));
  params.push_back(boolParam("term_b", "Term (b), content to distance: q.r.", true));
  params.push_back(boolParam("term_c", "Term (c), what every query likes in a key: u.k.", true));
  params.push_back(boolParam("term_d", "Term (d), what every query likes in a distance: w.r.", true));
}

bool RelativeTerms::usesPositions() const {
  return !isZero(projection) && (b || (d && !isZero(positionBias)));
}

Result<RelativeTerms> ownRelativeTerms(const LoweringRequest& request, Plan& plan) {
  const Index heads = plan.shape.heads;
  const Index width = plan.shape.d;
  if (width % 2 != 0)
    return fail(
        ErrorKind::Usage,
        fmt::format("{}: the head width d is {}, but distances are written as pairs of sine and cosine "
                    "(Dai et al., section 3.3), which needs an even d. Use an input with d = {} or {}.",
                    plan.mechanism, width, width - 1, width + 1));
  const std::string& init = request.params.choice("init");
  const std::string origin = init == "demo"      ? originText(request, false)
                             : init == "recency" ? "preset: recency"
                                                 : "0";
  const auto own = [&](const char* name, const std::vector<Index>& rest, const std::function<Tensor()>& draw,
                       Tensor& tensor) -> Status {
    ATTN_ASSIGN(owned, ownTensor(request, name, DType::F32, rest, {}, draw));
    tensor = owned.tensor;
    plan.params.push_back({name, owned.fromFile ? "file" : origin, [tensor] { return tensor; }});
    return {};
  };
  const auto bias = [&](const char* name) {
    return [&request, &init, name, heads, width] {
      if (init == "demo") return normals(request, name, {heads, width}, 1.0);
      return init == "recency" && name == std::string("position_bias")
                 ? recencyBias(heads, width)
                 : Tensor::zeros(DType::F32, {heads, width});
    };
  };
  RelativeTerms terms;
  ATTN_TRY(own(
      "rel_proj", {width, width},
      [&] {
        if (init == "demo")
          return normals(request, "rel_proj", {heads, width, width},
                         std::sqrt(2.0 / static_cast<double>(width)));
        return init == "recency" ? identities(heads, width)
                                 : Tensor::zeros(DType::F32, {heads, width, width});
      },
      terms.projection));
  ATTN_TRY(own("content_bias", {width}, bias("content_bias"), terms.contentBias));
  ATTN_TRY(own("position_bias", {width}, bias("position_bias"), terms.positionBias));
  terms.a = request.params.flag("term_a");
  terms.b = request.params.flag("term_b");
  terms.c = request.params.flag("term_c");
  terms.d = request.params.flag("term_d");
  return terms;
}

RelativeTerms relativeTermsOf(const Plan& plan, const ParamValues& params) {
  RelativeTerms terms;
  for (const ParamTensor& param : plan.params) {
    if (param.name == "rel_proj") terms.projection = param.make();
    if (param.name == "content_bias") terms.contentBias = param.make();
    if (param.name == "position_bias") terms.positionBias = param.make();
  }
  terms.a = params.flag("term_a");
  terms.b = params.flag("term_b");
  terms.c = params.flag("term_c");
  terms.d = params.flag("term_d");
  return terms;
}

void joinReads(Plan& plan, std::vector<AttendStep> steps, const std::vector<std::string>& names,
               const std::string& mergeTitle) {
  MergeStep merge;
  merge.title = mergeTitle;
  const bool single = steps.size() == 1;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const std::string suffix = single ? std::string() : fmt::format("_{}", names[s]);
    steps[s].out = plan.addBuffer(fmt::format("out{}", suffix), plan.shape.nQ, plan.shape.dV);
    steps[s].lse = plan.addBuffer(fmt::format("lse{}", suffix), plan.shape.nQ, 1);
    merge.outs.push_back(steps[s].out);
    merge.lses.push_back(steps[s].lse);
    plan.steps.emplace_back(std::move(steps[s]));
  }
  plan.out = single ? merge.outs.front() : plan.addBuffer("out", plan.shape.nQ, plan.shape.dV);
  plan.lse = single ? merge.lses.front() : plan.addBuffer("lse", plan.shape.nQ, 1);
  if (single) return;
  merge.out = plan.out;
  merge.lse = plan.lse;
  plan.steps.emplace_back(std::move(merge));
}

std::vector<double> tokenPositions(Index n) {
  std::vector<double> positions(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) positions[static_cast<std::size_t>(i)] = static_cast<double>(i);
  return positions;
}

double scaleOf(const Plan& plan) {
  for (const Step& step : plan.steps)
    if (const auto* attend = std::get_if<AttendStep>(&step)) return attend->scale;
  return 1.0;
}

namespace {

std::vector<double> frequencies(Index d) {
  std::vector<double> all;
  for (Index c = 0; c < d / 2; ++c)
    all.push_back(std::pow(10000.0, -2.0 * static_cast<double>(c) / static_cast<double>(d)));
  return all;
}

template <class T>
void fillSinusoid(double x, const std::vector<double>& omega, T* row) {
  for (std::size_t c = 0; c < omega.size(); ++c) {
    row[c] = static_cast<T>(std::sin(x * omega[c]));
    row[omega.size() + c] = static_cast<T>(std::cos(x * omega[c]));
  }
}

}  // namespace

std::vector<double> sinusoid(double x, Index d) {
  std::vector<double> row(static_cast<std::size_t>(d));
  fillSinusoid(x, frequencies(d), row.data());
  return row;
}

std::vector<double> timesTransposed(const float* row, std::span<const float> matrix, Index d) {
  std::vector<double> product(static_cast<std::size_t>(d), 0.0);
  for (Index a = 0; a < d; ++a)
    for (Index c = 0; c < d; ++c)
      product[static_cast<std::size_t>(a)] +=
          static_cast<double>(row[c]) * matrix[static_cast<std::size_t>(a * d + c)];
  return product;
}

RelativeRows::RelativeRows(Plan& plan, const RelativeTerms& terms) : m_plan(plan), m_terms(terms) {
  addContent();
  if (terms.usesPositions()) addPosition();
}

// q + u, or what the switches leave of it.
void RelativeRows::addContent() {
  const Shape& shape = m_plan.shape;
  const bool bias = m_terms.c && !isZero(m_terms.contentBias);
  if (m_terms.a && !bias) return;
  AffineStep step;
  step.title = m_terms.a ? "add the content bias u" : bias ? "the content bias u alone" : "no content";
  step.out = m_content = m_plan.addBuffer("content_query", shape.nQ, shape.d, "content_query");
  if (!m_terms.a) step.weight = Tensor::zeros(DType::F32, {1, shape.d, shape.d});
  if (bias) step.bias = m_terms.contentBias;
  m_plan.steps.emplace_back(std::move(step));
}

// (q + w).(R P) = ((q + w) P^T).R: the projection is taken to the query's side once.
void RelativeRows::addPosition() {
  const Shape& shape = m_plan.shape;
  AffineStep step;
  step.title = "queries as they meet distances: (q + w) P^T";
  step.out = m_position = m_plan.addBuffer("position_query", shape.nQ, shape.d, "position_query");
  step.weight = m_terms.b ? transposed(m_terms.projection) : Tensor::zeros(DType::F32, {1, shape.d, shape.d});
  if (m_terms.d) {
    step.bias = Tensor(DType::F32, {shape.heads, shape.d});
    for (Index h = 0; h < shape.heads; ++h) {
      const auto row = timesTransposed(m_terms.positionBias.slice<float>(h).data(),
                                       m_terms.projection.slice<float>(h), shape.d);
      std::copy(row.begin(), row.end(), step.bias.mutableSlice<float>(h).begin());
    }
  }
  m_plan.steps.emplace_back(std::move(step));
}

BufferId RelativeRows::concat(const std::string& name, BufferId a, BufferId b) {
  const auto& buffers = m_plan.buffers;
  const Index rows = buffers[static_cast<std::size_t>(a)].rows;
  const Index cols = buffers[static_cast<std::size_t>(a)].cols + buffers[static_cast<std::size_t>(b)].cols;
  const BufferId out = m_plan.addBuffer(name, rows, cols);
  m_plan.steps.emplace_back(
      ConcatStep{fmt::format("{}: content beside position", name), {a, b}, {1.0, 1.0}, out});
  return out;
}

BufferId RelativeRows::queries(const std::string& name, const std::vector<double>& positions) {
  if (m_position == kNoBuffer) return m_content;
  const BufferId turned = m_plan.addBuffer(fmt::format("turned_{}", name), m_plan.shape.nQ, m_plan.shape.d);
  m_plan.steps.emplace_back(RotateStep{"turn by the query's position", m_position, turned, positions});
  return concat(name, m_content, turned);
}

BufferId RelativeRows::keys(const std::string& name, BufferId in,
                            const std::vector<std::vector<double>>& positions) {
  if (m_position == kNoBuffer) return in;
  const auto rows = static_cast<Index>(positions.front().size());
  const Index d = m_plan.shape.d;
  Tensor waves(DType::F32, {static_cast<Index>(positions.size()), rows, d});
  const std::vector<double> omega = frequencies(d);
  for (std::size_t h = 0; h < positions.size(); ++h) {
    float* cells = waves.mutableSlice<float>(static_cast<Index>(h)).data();
    tbb::parallel_for(Index{0}, rows, [&](Index j) {
      fillSinusoid(positions[h][static_cast<std::size_t>(j)], omega, cells + j * d);
    });
  }
  const BufferId constant = m_plan.addBuffer(fmt::format("waves_{}", name), rows, d);
  m_plan.constants.emplace_back(constant, std::move(waves));
  return concat(name, in, constant);
}

BufferId RelativeRows::queriesAt(const std::string& name, Index distance) {
  if (m_position == kNoBuffer) return m_content;
  const auto row = sinusoid(static_cast<double>(distance), m_plan.shape.d);
  AffineStep step;
  step.title = fmt::format("score of distance {}", distance);
  step.in = m_position;
  step.out = m_plan.addBuffer(fmt::format("score_{}", name), m_plan.shape.nQ, 1);
  step.weight = Tensor(DType::F32, {1, m_plan.shape.d, 1});
  std::copy(row.begin(), row.end(), step.weight.mutableValues<float>().begin());
  const BufferId score = step.out;
  m_plan.steps.emplace_back(std::move(step));
  return concat(name, m_content, score);
}

BufferId RelativeRows::keysAt(const std::string& name, BufferId in) {
  if (m_position == kNoBuffer) return in;
  const Index rows = m_plan.buffers[static_cast<std::size_t>(in)].rows;
  const BufferId constant = m_plan.addBuffer(fmt::format("ones_{}", name), rows, 1);
  Tensor ones(DType::F32, {1, rows, 1});
  for (float& x : ones.mutableValues<float>()) x = 1.0F;
  m_plan.constants.emplace_back(constant, std::move(ones));
  return concat(name, in, constant);
}

}  // namespace attnscope
