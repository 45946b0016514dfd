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
#include "core/plan/token_group.h"

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
  // Sums of its rows and columns as bars beside it, on one scale; empty: none.
  std::vector<double> rowSums;
  std::vector<double> columnSums;
  // The matrix is a grid of tokens: cell (r, c) is token r cols + c, as query and as key.
  bool cellsAreTokens = false;

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
  // Empty, or a name for each bar. Of strips: what their colours 0, 1, ... mean, as a legend ("": none).
  std::vector<std::string> barNames;

  // Scatter: float32 (m, 2), coloured by group; token[p] links a point to a query row (-1: none). Anchors are
  // the centroids, hash directions or inducing points, (a, 2), group a.
  Tensor points;
  std::vector<std::int32_t> group;
  std::vector<std::int32_t> token;
  Tensor anchors;
  bool anchorsAreRays = false;  // draw a line from the origin instead of a mark
  // Lines between points, below them, coloured by category (-1: faint).
  struct Edge {
    std::int32_t from = 0;
    std::int32_t to = 0;
    std::int32_t category = 0;
  };
  std::vector<Edge> edges;

  // Strips: rows of n cells. stripGroup (rows, n) int32 colours each cell (-1: empty); stripToken (rows, n)
  // int32 says which token stands there, so that a selection can be followed from row to row. Borders are
  // drawn before these cells.
  Tensor stripGroup;
  Tensor stripToken;
  std::vector<std::string> stripNames;
  std::vector<std::vector<Index>> stripBorders;
  // Draws how the tokens of the strips 0, 2, 4, ... move to the strips below them.
  bool stripsMove = false;

  // Things in the picture that stand for several tokens. A click on one selects it: the squares mark its rows
  // and columns, the text and the picture its tokens, and the inspector names it; a second click or Escape
  // clears. itemGroup says which group an item belongs to (-1: none), for all items in their order: bars,
  // points of a scatter, cells of strips and of a grid of tokens row by row, or places of the curves. A cell
  // of another matrix belongs to the group of its row and that of its column; with both it stands for the
  // queries of the one and the keys of the other, on a grid of tokens for the tokens of both.
  TokenGroups groups;
  std::vector<std::int32_t> itemGroup;
  std::vector<std::int32_t> anchorGroup;  // of a scatter
  std::vector<std::int32_t> rowGroup;     // of a matrix
  std::vector<std::int32_t> columnGroup;

  // What an axis of a matrix, or the horizontal one of curves, counts: such a token is followed by the
  // cross-hair. Cell c of a matrix is token first + c; an x of curves is the token itself. A matrix that is
  // drawn with fewer cells says how many things (tokens or not) they stand for: cell c of m is those from
  // first + c count / m up to first + (c + 1) count / m, and the axis is numbered 0 to count - 1.
  enum class AxisTokens { None, Queries, Keys };
  struct TokenAxis {
    AxisTokens tokens = AxisTokens::None;
    Index first = 0;
    Index count = 0;  // of things along the axis of a matrix; 0: as many as cells
  };
  TokenAxis xTokens;
  TokenAxis yTokens;

  // Panels that follow each other under the same name take one place of the window, with a switch between
  // them: the half-iterations of a balancing, the terms of a logit. Empty: a place of its own.
  std::string series;
};

// Something that was decided while the plan was made, before the step that it was decided for: whoever goes
// through a plan step by step finds hashing, seating and balancing there, which are no steps themselves.
struct Decision {
  Index step = 0;                   // index into Plan::steps
  std::string title;                // "round 1: hash"
  std::string sentence;             // what was decided, with the numbers of this call
  std::vector<InsidePanel> panels;  // one or two
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
