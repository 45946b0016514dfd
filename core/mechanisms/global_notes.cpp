// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/global_notes.h"

#include "core/mechanisms/catalogue_support.h"

namespace attnscope {

namespace {

std::vector<Index> noteBounds(const LoweringRequest& request) {
  const AttentionInput& input = request.input;
  const Index n = input.shape().nK;
  std::vector<Index> bounds{0};
  if (!input.segments.empty() && !request.params.isGiven("block")) {
    for (Index j = 0; j < n; ++j)
      while (static_cast<Index>(bounds.size()) <= input.segments[static_cast<std::size_t>(j)])
        bounds.push_back(j);
    bounds.push_back(n);
    return bounds;
  }
  const Index block = request.params.integer("block");
  for (Index end = block; end < n; end += block) bounds.push_back(end);
  bounds.push_back(n);
  return bounds;
}

Tensor compositionOf(const std::vector<Index>& bounds) {
  const auto count = static_cast<Index>(bounds.size()) - 1;
  const Index n = bounds.back();
  Tensor tensor = Tensor::zeros(DType::F32, {1, count, n});
  auto cells = tensor.mutableValues<float>();
  for (Index a = 0; a < count; ++a) {
    const Index begin = bounds[static_cast<std::size_t>(a)];
    const Index end = bounds[static_cast<std::size_t>(a) + 1];
    for (Index j = begin; j < end; ++j)
      cells[static_cast<std::size_t>(a * n + j)] = 1.0F / static_cast<float>(end - begin);
  }
  return tensor;
}

}  // namespace

Result<GlobalNotes> addGlobalNotes(const LoweringRequest& request, Plan& plan) {
  GlobalNotes notes;
  notes.bounds = noteBounds(request);
  notes.count = static_cast<Index>(notes.bounds.size()) - 1;
  std::vector<std::int32_t> noteOf;
  for (Index a = 0; a < notes.count; ++a)
    noteOf.resize(static_cast<std::size_t>(notes.bounds[static_cast<std::size_t>(a) + 1]),
                  static_cast<std::int32_t>(a));
  notes.noteOf = std::make_shared<const std::vector<std::int32_t>>(std::move(noteOf));
  const struct {
    const char* name;
    BufferId in;
    BufferId* out;
  } wanted[] = {{"q_global", kQuery, &notes.q}, {"k_global", kKey, &notes.k}, {"v_global", kValue, &notes.v}};
  for (const auto& [name, in, out] : wanted) {
    const Index width = plan.buffers[static_cast<std::size_t>(in)].cols;
    *out = plan.addBuffer(name, notes.count, width, name);
    if (!isGivenTensor(request, name)) {
      plan.steps.emplace_back(ProjectStep{std::string("notes are means: ") + name, in, *out,
                                          SegmentReduce{SegmentReduce::Kind::Mean, notes.bounds}});
      continue;
    }
    ATTN_ASSIGN(tensor, givenTensor(request, name, DType::F32, {notes.count, width}));
    plan.constants.push_back({*out, tensor});
    plan.params.push_back({name, "file", [tensor] { return tensor; }});
  }
  plan.slotCount = notes.count;
  plan.slotValues = notes.v;
  const bool own = isGivenTensor(request, "v_global");
  if (own) {
    plan.exact = false;
    plan.note =
        "Notes have values of their own (v_global): the matrix holds the part that tokens contribute.";
  }
  plan.slotComposition = [bounds = notes.bounds, own] {
    return own ? Tensor::zeros(DType::F32, {1, static_cast<Index>(bounds.size()) - 1, bounds.back()})
               : compositionOf(bounds);
  };
  return notes;
}

PatternPtr notePattern(const GlobalNotes& notes, bool ownOnly, Index offset, std::uint8_t ownLabel,
                       std::uint8_t otherLabel) {
  const auto rule = [noteOf = notes.noteOf, count = notes.count, ownOnly, offset, ownLabel, otherLabel](
                        Index i, RunList& runs) {
    const Index a = (*noteOf)[static_cast<std::size_t>(i)];
    if (!ownOnly && a > 0) runs.push_back({offset, offset + a, 1, otherLabel, 1});
    runs.push_back({offset + a, offset + a + 1, 1, ownLabel, 1});
    if (!ownOnly && a + 1 < count) runs.push_back({offset + a + 1, offset + count, 1, otherLabel, 1});
  };
  return makePattern(static_cast<Index>(notes.noteOf->size()), offset + notes.count, rule);
}

PatternPtr besideTokens(const PatternPtr& tokens, const PatternPtr& notes) {
  return makePattern(tokens->rows(), notes->cols(), [tokens, notes](Index i, RunList& runs) {
    tokens->row(i, runs);
    RunList more;
    notes->row(i, more);
    runs.insert(runs.end(), more.begin(), more.end());
  });
}

void addNoteRows(Plan& plan, const GlobalNotes& notes, double scale, bool ownTokensOnly,
                 const NoteLabels& labels) {
  const Index n = plan.shape.nK;
  const PatternPtr tokens =
      makePattern(notes.count, n, [n, bounds = notes.bounds, ownTokensOnly](Index a, RunList& runs) {
        const Index begin = ownTokensOnly ? bounds[static_cast<std::size_t>(a)] : 0;
        const Index end = ownTokensOnly ? bounds[static_cast<std::size_t>(a) + 1] : n;
        if (begin < end) runs.push_back({begin, end, 1, 0, 1});
      });
  const auto step = [&](const std::string& title, const std::string& name, const PatternPtr& pattern) {
    AttendStep attend;
    attend.title = title;
    attend.q = notes.q;
    attend.scale = scale;
    attend.out = plan.addBuffer("out_" + name, notes.count, plan.shape.dV);
    attend.lse = plan.addBuffer("lse_" + name, notes.count, 1);
    attend.heads = sameForAllHeads(plan.shape.heads, {nullptr, nullptr, pattern});
    return attend;
  };
  AttendStep toNotes = step("notes read the notes", "g2g", densePattern(notes.count, notes.count, false));
  toNotes.k = notes.k;
  toNotes.v = notes.v;
  toNotes.axis = KeyAxis::Slots;
  AttendStep toTokens = step("notes read the tokens", "g2l", tokens);
  if (labels.scores != kNoBuffer) {
    toNotes.terms.emplace_back(
        LabelTerm{labels.scores, LabelTerm::Rule::Relative, labels.clip, nullptr, nullptr, scale});
    toTokens.terms.emplace_back(
        LabelTerm{labels.scores, LabelTerm::Rule::Linked, labels.clip, nullptr, notes.noteOf, scale});
  }
  MergeStep merge;
  merge.title = "rows of the notes";
  merge.outs = {toNotes.out, toTokens.out};
  merge.lses = {toNotes.lse, toTokens.lse};
  merge.out = plan.addBuffer("out_global", notes.count, plan.shape.dV, "out_global");
  plan.slotOut = merge.out;
  merge.lse = plan.addBuffer("lse_global", notes.count, 1, "lse_global");
  plan.steps.emplace_back(std::move(toNotes));
  plan.steps.emplace_back(std::move(toTokens));
  plan.steps.emplace_back(std::move(merge));
  const PatternPtr all =
      makePattern(notes.count, n + notes.count, [tokens, n, count = notes.count](Index a, RunList& runs) {
        tokens->row(a, runs);
        runs.push_back({n, n + count, 1, 0, 1});
      });
  plan.slotReads.assign(static_cast<std::size_t>(plan.shape.heads), all);
}

}  // namespace attnscope
