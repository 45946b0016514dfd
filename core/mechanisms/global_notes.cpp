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

}  // namespace attnscope
