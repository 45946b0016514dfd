// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTest>
#include <string>
#include <vector>

#include "tests/support/call_table.h"

namespace attnscope::testing {

// Distances as pairs of sine and cosine: these refuse an odd head width (relative_positions_test checks
// that).
inline bool needsEvenWidth(const std::string& id) {
  return id == "transformer-xl" || id == "compressive";
}

// Rows of the columns "spec" and "source": every mechanism on every input that it takes, with its default or
// with every parameter at its ends.
inline void addCalls(const std::vector<std::string>& sources, bool allParams) {
  for (const std::string& source : sources) {
    const Shape shape = inputOf(source).shape();
    for (const Mechanism* mechanism : allMechanisms()) {
      if (shape.nQ != shape.nK && !mechanism->card().anyLengths) continue;
      if (shape.d % 2 != 0 && needsEvenWidth(mechanism->card().id)) continue;
      auto specs = specsOf(*mechanism, shape);
      if (!allParams) specs.resize(1);
      for (const MechanismSpec& spec : withCausal(*mechanism, specs)) {
        if (shape.nQ != shape.nK && spec.options.causal && !mechanism->card().causalAnyLengths) continue;
        const Call call{spec, source};
        QTest::newRow(call.name().c_str())
            << QString::fromStdString(spec.text()) << QString::fromStdString(source);
      }
    }
  }
}

}  // namespace attnscope::testing
