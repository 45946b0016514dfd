// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/buffer_names.h"

#include <algorithm>
#include <cctype>

namespace attnscope {

namespace {

// Where a buffer comes in.
struct Uses {
  bool query = false;
  bool key = false;
  bool value = false;
  bool slots = false;  // as key or value of slots
  bool terms = false;  // as a part of the logits, with a row for each query
};

bool isReadBy(const ScoreTerm& term, BufferId id) {
  if (const auto* outer = std::get_if<OuterTerm>(&term)) return outer->a == id || outer->b == id;
  if (const auto* label = std::get_if<LabelTerm>(&term)) return label->scores == id;
  return false;
}

Uses usesOf(const Plan& plan, BufferId id) {
  Uses uses;
  const auto reads = [&](BufferId q, BufferId k, BufferId v, bool slots) {
    uses.query = uses.query || q == id;
    uses.key = uses.key || k == id;
    uses.value = uses.value || v == id;
    uses.slots = uses.slots || (slots && (k == id || v == id));
  };
  for (const Step& step : plan.steps) {
    if (const auto* attend = std::get_if<AttendStep>(&step)) {
      reads(attend->q, attend->k, attend->v, attend->axis == KeyAxis::Slots);
      for (const ScoreTerm& term : attend->terms) uses.terms = uses.terms || isReadBy(term, id);
    }
    if (const auto* linear = std::get_if<LinearAttendStep>(&step))
      reads(linear->phiQ, linear->phiK, linear->v, false);
  }
  return uses;
}

std::string roleOf(const Uses& uses) {
  const std::string of = uses.slots ? " of the slots" : "";
  if (uses.query && uses.key) return "Queries and keys";
  if (uses.query) return "Queries";
  if (uses.key && uses.value) return "Keys and values" + of;
  if (uses.key) return "Keys" + of;
  if (uses.value) return "Values" + of;
  if (uses.terms) return "Scores added to the logits";
  return {};
}

// What a step did to the rows, as the end of a name.
std::string madeBy(const Step& step) {
  if (const auto* normalise = std::get_if<NormaliseRowsStep>(&step))
    return normalise->kind == NormaliseRowsStep::Kind::Unit ? ", unit length" : ", mean 0 and variance 1";
  if (std::holds_alternative<FeatureMapStep>(step)) return ", features";
  if (const auto* random = std::get_if<RandomFeatureStep>(&step))
    return holdsExponents(random->kind) ? ", exponents of their features" : ", features";
  if (std::holds_alternative<RotateStep>(step)) return ", turned by their positions";
  return {};
}

bool isOutput(const Step& step) {
  return std::holds_alternative<AttendStep>(step) || std::holds_alternative<LinearAttendStep>(step) ||
         std::holds_alternative<MergeStep>(step) || std::holds_alternative<GatherStep>(step);
}

std::string spelledOut(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

std::string rowOf(const Plan& plan, const Step& step, BufferId id, const Uses& uses) {
  if (id == plan.out) return "query";
  if (uses.slots || id == plan.slotOut) return "slot";
  if (const auto* attend = std::get_if<AttendStep>(&step); attend && attend->rowsByPosition)
    return "place in the order of this step";
  if (uses.query || uses.terms) return "query";
  if (uses.key || uses.value) return "key";
  const Index rows = plan.buffers[static_cast<std::size_t>(id)].rows;
  if (isOutput(step) && rows == plan.shape.nQ) return "query";
  return isOutput(step) && rows == plan.slotCount ? "slot" : "row";
}

}  // namespace

BufferWords wordsOf(const Plan& plan, const Step& step) {
  const BufferId id = std::visit([](const auto& one) { return one.out; }, step);
  const Uses uses = usesOf(plan, id);
  const std::string role = roleOf(uses);
  BufferWords words;
  if (id == plan.out)
    words.name = "Output";
  else if (isOutput(step))
    words.name = "Output: " + stepTitle(step);
  else
    words.name =
        role.empty() ? spelledOut(plan.buffers[static_cast<std::size_t>(id)].name) : role + madeBy(step);
  words.row = rowOf(plan, step, id, uses);
  words.column =
      std::holds_alternative<FeatureMapStep>(step) || std::holds_alternative<RandomFeatureStep>(step)
          ? "feature"
          : "channel";
  return words;
}

}  // namespace attnscope
