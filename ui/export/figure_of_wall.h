// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "kernels/bench/sweep.h"
#include "ui/export/figure.h"

namespace attnscope {

class BaselineService;
class ComputeService;
class Document;
class ReachService;

// Where a figure finds what is on the wall.
struct WallSources {
  const Document& document;
  const ComputeService& service;
  const ReachService& reach;
  const BaselineService& baselines;
};

// Some columns and rows of the wall as a figure, without what belongs to the view: order, viewport, session.
// Titles, metadata and pictures are those of one state. Where the wall does not show what is chosen (it
// computes, failed or was cancelled), the error (Usage) says which column, and what to do. GUI thread.
[[nodiscard]] Result<FigureSpec> figureOfWall(const WallSources& wall, const std::vector<int>& columns,
                                              const std::vector<PanelKind>& rows);

// "Longformer (window = 32)"
[[nodiscard]] QString figureTitle(const MechanismSpec& spec);

// Puts the page and the file's name into the command line that the figure's metadata carry.
void namePage(FigureSpec& figure, const QString& path);

// What a figure's metadata say about measured curves: program, device, input, mechanisms.
[[nodiscard]] QString sweepProvenance(const SweepRequest& request);

}  // namespace attnscope
