// SPDX-License-Identifier: GPL-3.0-or-later
// Extended Transformer Construction: Ainslie et al., arXiv 2004.08483, sections 3.1 to 3.3.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/rng.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/global_notes.h"
#include "core/mechanisms/note_panels.h"
#include "core/mechanisms/rule_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kLocal = 0, kOwnNote = 1, kOtherNote = 2 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "etc";
  card.name = "ETC";
  card.family = Family::Memories;
  card.paper = "ETC: Encoding Long and Structured Inputs in Transformers";
  card.authors = "Ainslie, Onta\u00f1\u00f3n, Alberti, Cvicek, Fisher, Pham, Ravula, Sanghai, Wang, Yang";
  card.year = 2020;
  card.arxiv = "2004.08483";
  card.surveyComplexity = "O(n_g\u00b2 + n n_g)";
  card.countedComplexity = "n (2 r + 1) + 2 n n_g + n_g\u00b2 pairs";
  card.causal = CausalSupport::Never;
  card.decodable = false;
  card.anyLengths = false;
  card.summary =
      "A small board of notes stands beside the long text, one note a sentence. Words read their neighbours "
      "and the "
      "notes; notes read everything. Labels on the pairs (how far, same sentence or not) bring the structure "
      "in.";
  card.formula =
      "o\u1d62 = softmax(s (q\u1d62\u00b7k\u2c7c + q\u1d62\u00b7a_l + b_l)) over |i \u2212 j| \u2264 r and "
      "the notes";
  card.ours =
      "Notes are the means of their segment's rows unless given; labels bend nothing unless given or "
      "init=demo. The "
      "output is that of the long side. The notes' own rows are computed beside it and count in its cost.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "radius", "r", "Tokens to each side that a token reads.", 0, noLimit,
      [](const Shape& s) { return std::max<Index>(1, ceilDiv(ceilSqrt(s.nK), 2)); },
      "half of sqrt n, rounded up"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{84}};
  params.back().paperText = "84, large model 169";
  params.push_back(intParam(
      "block", "", "Tokens that share a note; unless given, the sentences of the input where it has them.", 1,
      toN, [](const Shape&) { return Index{16}; }, "16, or the input's sentences"));
  params.back().unit = "tokens";
  params.push_back(boolParam("hard_g2l", "Notes read the tokens of their own segment only.", false));
  params.push_back(boolParam("hard_l2g", "Tokens read their own note only.", false));
  params.push_back(intParam(
      "clip", "k", "Distances that have labels of their own; 0: no labels at all.", 0,
      [](const Shape&) { return 64.0; }, [](const Shape&) { return Index{6}; }, "6"));
  params.back().paperValue = ParamValue{Index{12}};
  params.back().paperText = "12, large model 24";
  params.push_back(
      choiceParam("init", "What the labels start from.", {"zero", "demo"},
                  {"0: labels do not bend the scores",
                   "vectors from N(0, 1); biases +2 for the own note, -1 for others, falling with distance"},
                  "zero"));
  params.back().paperText = "N(0, 0.5), then learned";
  return params;
}

// Label tables of one side: what AffineStep needs to score every label for every query.
struct Labels {
  Tensor vectors;  // (H, 2k + 3, d)
  Tensor biases;   // (H, 2k + 3)
  bool any = false;
};

bool hasNonZero(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return std::any_of(values.begin(), values.end(), [](float x) { return x != 0.0F; });
}

Tensor demoBiases(Index heads, Index clip) {
  const Index count = 2 * clip + 3;
  Tensor tensor(DType::F32, {heads, count});
  auto values = tensor.mutableValues<float>();
  for (Index h = 0; h < heads; ++h) {
    float* row = values.data() + h * count;
    for (Index x = 0; x <= clip; ++x)
      row[x] = row[x > 0 ? clip + x : 0] = -static_cast<float>(x) / static_cast<float>(clip);
    row[2 * clip + 1] = -1.0F;
    row[2 * clip + 2] = 2.0F;
  }
  return tensor;
}

Result<Labels> labelsOf(const LoweringRequest& request, Plan& plan, const std::string& suffix) {
  const Shape& shape = plan.shape;
  const Index clip = request.params.integer("clip");
  Labels labels;
  if (clip == 0) return labels;
  const Index count = 2 * clip + 3;
  const bool demo = request.params.choice("init") == "demo";
  const std::string vectorName = "label_vectors" + suffix;
  ATTN_ASSIGN(vectors, ownTensor(request, vectorName, DType::F32, {count, shape.d}, {}, [&] {
                if (!demo) return Tensor::zeros(DType::F32, {shape.heads, count, shape.d});
                Tensor drawn(DType::F32, {shape.heads, count, shape.d});
                const RandomStream stream(request.options.seed, "etc", vectorName);
                for (Index h = 0; h < shape.heads; ++h)
                  for (Index l = 0; l < count; ++l)
                    stream.fillNormals(
                        {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(l), 0},
                        drawn.mutableSlice<float>(h).subspan(static_cast<std::size_t>(l * shape.d),
                                                             static_cast<std::size_t>(shape.d)));
                return drawn;
              }));
  ATTN_ASSIGN(biases, ownTensor(request, "label_bias" + suffix, DType::F32, {count}, {}, [&] {
                return demo ? demoBiases(shape.heads, clip) : Tensor::zeros(DType::F32, {shape.heads, count});
              }));
  const auto keep = [&](const std::string& name, const OwnedTensor& owned) {
    plan.params.push_back({name,
                           owned.fromFile ? "file"
                           : demo         ? originText(request, false)
                                          : "0",
                           [tensor = owned.tensor] { return tensor; }});
  };
  keep(vectorName, vectors);
  keep("label_bias" + suffix, biases);
  labels.vectors = vectors.tensor;
  labels.biases = biases.tensor;
  labels.any = hasNonZero(labels.vectors) || hasNonZero(labels.biases);
  return labels;
}

// q.a_l + b_l for every query and label; kNoBuffer where labels bend nothing.
BufferId scoreLabels(Plan& plan, const Labels& labels, BufferId queries, const std::string& name) {
  if (!labels.any) return kNoBuffer;
  const Index heads = labels.vectors.dim(0);
  const Index count = labels.vectors.dim(1);
  const Index d = labels.vectors.dim(2);
  Tensor weight(DType::F32, {heads, d, count});
  for (Index h = 0; h < heads; ++h) {
    const auto from = labels.vectors.slice<float>(h);
    auto to = weight.mutableSlice<float>(h);
    for (Index l = 0; l < count; ++l)
      for (Index c = 0; c < d; ++c)
        to[static_cast<std::size_t>(c * count + l)] = from[static_cast<std::size_t>(l * d + c)];
  }
  const BufferId scores =
      plan.addBuffer(name, plan.buffers[static_cast<std::size_t>(queries)].rows, count, name);
  plan.steps.emplace_back(AffineStep{"score the labels", queries, scores, weight, labels.biases, false});
  return scores;
}

class Etc final : public Mechanism {
 public:
  Etc() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

PatternPtr bandOf(Index n, Index radius) {
  return makePattern(n, n, [n, radius](Index i, RunList& runs) {
    runs.push_back({std::max<Index>(0, i - radius), std::min(n, i + radius + 1), 1, kLocal, 1});
  });
}

Result<Plan> Etc::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const Index n = shape.nK;
  const Index radius = request.params.integer("radius");
  const Index clip = request.params.integer("clip");
  const bool own = request.params.flag("hard_l2g");
  const double scale = request.defaultScale();
  Plan plan = Plan::begin(card().id, shape, false);
  plan.labels = {Label{"local", fmt::format("at most r = {} tokens away", radius)},
                 Label{"own note", "the note of the token's own sentence or block"},
                 Label{"other note", "the note of another sentence or block"}};
  ATTN_ASSIGN(notes, addGlobalNotes(request, plan));
  ATTN_ASSIGN(labels, labelsOf(request, plan, ""));
  const BufferId scores = scoreLabels(plan, labels, kQuery, "label_scores");
  JoinedAttention joined(plan, scale);
  joined.add("tokens read their neighbours", "l2l",
             sameForAllHeads(shape.heads, {nullptr, nullptr, bandOf(n, radius)}));
  if (scores != kNoBuffer)
    joined.addTerm(LabelTerm{scores, LabelTerm::Rule::Relative, clip, nullptr, nullptr, scale});
  joined.addSlots(
      "tokens read the notes", "l2g",
      sameForAllHeads(shape.heads, {nullptr, nullptr, notePattern(notes, own, 0, kOwnNote, kOtherNote)}),
      notes.k, notes.v);
  if (scores != kNoBuffer)
    joined.addTerm(LabelTerm{scores, LabelTerm::Rule::Linked, clip, notes.noteOf, nullptr, scale});
  joined.finish("one softmax over neighbours and notes");
  ATTN_ASSIGN(noteLabels, labelsOf(request, plan, "_global"));
  const BufferId noteScores = scoreLabels(plan, noteLabels, notes.q, "label_scores_global");
  addNoteRows(plan, notes, scale, request.params.flag("hard_g2l"), {noteScores, clip});
  plan.support.assign(static_cast<std::size_t>(shape.heads),
                      besideTokens(bandOf(n, radius), notePattern(notes, own, n, kOwnNote, kOtherNote)));
  return plan;
}

Result<std::vector<InsidePanel>> Etc::insides(const InsidesRequest& request) const {
  std::vector<InsidePanel> panels = notePanels(request);
  if (!request.job.advance(0)) return cancelled();
  for (InsidePanel& layer : ruleLayers(request.plan, request.head)) panels.push_back(std::move(layer));
  panels.push_back(keysByRule(request.plan, request.head));
  panels.push_back(pairsByRule(request.plan, request.head,
                               "Pairs of the long side: the window grows with n r, the notes with n n_g."));
  return panels;
}

}  // namespace

const Mechanism& etcMechanism() {
  static const Etc mechanism;
  return mechanism;
}

}  // namespace attnscope
