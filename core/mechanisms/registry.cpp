// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/params/mechanism_spec.h"

namespace attnscope {

#define ATTN_MECHANISM(id) const Mechanism& id##Mechanism();
#include "mechanism_list.inc"
#undef ATTN_MECHANISM

std::span<const Mechanism* const> allMechanisms() {
  static const std::vector<const Mechanism*> all = [] {
    std::vector<const Mechanism*> list = {
#define ATTN_MECHANISM(id) &id##Mechanism(),
#include "mechanism_list.inc"
#undef ATTN_MECHANISM
    };
    std::sort(list.begin(), list.end(), [](const Mechanism* a, const Mechanism* b) {
      return std::tie(a->card().family, a->card().year, a->card().name) <
             std::tie(b->card().family, b->card().year, b->card().name);
    });
    return list;
  }();
  return all;
}

Result<const Mechanism*> findMechanism(const std::string& id) {
  std::vector<std::string> ids;
  for (const Mechanism* mechanism : allMechanisms()) {
    if (mechanism->card().id == id) return mechanism;
    ids.push_back(mechanism->card().id);
  }
  const std::string near = nearestWord(id, ids);
  return fail(ErrorKind::Usage,
              fmt::format("There is no mechanism '{}'.{} Known: {}.", id,
                          near.empty() ? "" : " Did you mean '" + near + "'?", fmt::join(ids, ", ")));
}

}  // namespace attnscope
