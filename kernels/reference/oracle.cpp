// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/reference/oracle.h"

#include <fmt/format.h>

#include "core/base/memory.h"

namespace attnscope {

#define ATTN_ORACLE(id) Result<OracleHead> id##Oracle(const OracleRequest& request);
#include "oracle_list.inc"
#undef ATTN_ORACLE

OracleFunction findOracle(const std::string& mechanism) {
  std::string name = mechanism;
  for (char& c : name)
    if (c == '-') c = '_';
#define ATTN_ORACLE(id) \
  if (name == #id) return &id##Oracle;
#include "oracle_list.inc"
#undef ATTN_ORACLE
  return nullptr;
}

Result<OracleResult> runOracle(const PlannedCall& call, const AttentionInput& input, const JobContext& job) {
  const std::string& id = call.mechanism->card().id;
  const OracleFunction oracle = findOracle(id);
  if (oracle == nullptr) return fail(ErrorKind::Compute, id + " has no reference implementation.");
  const Shape shape = input.shape();
  const auto square = static_cast<double>(shape.nQ) * static_cast<double>(shape.nK);
  ATTN_TRY(requireMemory(square * (8.0 * static_cast<double>(shape.heads) + 40.0),
                         fmt::format("The dense reference of {} for n = {}", id, shape.nK)));
  std::map<std::string, Tensor> tensors;
  for (const ParamTensor& param : call.plan->plan().params) tensors[param.name] = param.make();
  OracleResult result;
  result.out = Tensor(DType::F32, {shape.heads, shape.nQ, shape.dV});
  result.matrix = Tensor(DType::F64, {shape.heads, shape.nQ, shape.nK});
  job.beginPhase(static_cast<double>(shape.heads));
  for (Index h = 0; h < shape.heads; ++h) {
    ATTN_ASSIGN(head, oracle({input, call.params, call.options, tensors, h}));
    std::copy(head.out.begin(), head.out.end(), result.out.mutableSlice<float>(h).begin());
    std::copy(head.matrix.begin(), head.matrix.end(), result.matrix.mutableSlice<double>(h).begin());
    if (!head.lse.empty()) {
      if (result.lse.empty()) result.lse = Tensor(DType::F32, {shape.heads, shape.nQ});
      std::copy(head.lse.begin(), head.lse.end(), result.lse.mutableSlice<float>(h).begin());
    }
    result.supportCols = shape.nK + head.slotCount;
    result.support.push_back(std::move(head.support));
    if (!job.advance()) return cancelled();
  }
  return result;
}

}  // namespace attnscope
