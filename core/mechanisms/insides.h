// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"
#include "core/inputs/attention_input.h"
#include "core/params/param_values.h"
#include "core/plan/plan.h"

namespace attnscope {

// One picture of a mechanism's insides, as data: the window and the figure export know how to draw each kind,
// and no mechanism knows how it is drawn.
struct InsidePanel {
  enum class Kind { Matrix, Curves, Bars, Scatter, Strips };
  Kind kind = Kind::Matrix;
  std::string title;    // "buckets, round 1": a heading
  std::string caption;  // one sentence: what to see in it
  std::string xTitle;
  std::string yTitle;

  // Matrix: float32 (rows, cols). Diverging: signed, zero in the middle of the colour scale.
  Tensor values;
  bool diverging = false;

  // Curves: y over x. A marker is a vertical line with a text.
  struct Curve {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;
  };
  std::vector<Curve> curves;
  struct Marker {
    double x = 0.0;
    std::string text;
  };
  std::vector<Marker> markers;
  bool logX = false;
  bool logY = false;

  // Bars: one a category.
  std::vector<double> bars;
  std::vector<std::string> barNames;  // empty, or a name for each bar

  // Scatter: float32 (m, 2), coloured by group; token[p] links a point to a query row (-1: none). Anchors are
  // the centroids, hash directions or inducing points, (a, 2), group a.
  Tensor points;
  std::vector<std::int32_t> group;
  std::vector<std::int32_t> token;
  Tensor anchors;
  bool anchorsAreRays = false;  // draw a line from the origin instead of a mark

  // Strips: rows of n cells. stripGroup (rows, n) int32 colours each cell (-1: empty); stripToken (rows, n)
  // int32 says which token stands there, so that a selection can be followed from row to row. Borders are
  // drawn before these cells.
  Tensor stripGroup;
  Tensor stripToken;
  std::vector<std::string> stripNames;
  std::vector<std::vector<Index>> stripBorders;
};

struct InsidesRequest {
  const AttentionInput& input;
  const ParamValues& params;
  const FrozenPlan& plan;
  Index head = 0;
  // Buffers of the run by name, e.g. "phi_k": (H, rows, cols). Empty tensor if the run did not keep it.
  std::function<Tensor(const std::string& name)> buffer;
  const JobContext& job;
};

}  // namespace attnscope
