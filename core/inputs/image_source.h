// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/inputs/source_options.h"

namespace attnscope {

// Options of a picture: patch (pixels along a side of a token), max (tokens along the longer side), d, heads,
// seed.
[[nodiscard]] const std::vector<SourceKey>& imageKeys();

// A picture as a grid of tokens without a model. It is scaled down to at most max * patch pixels along its
// longer side (never up, save for the last fraction of a patch) and cut into patches. A patch is described by
// 9 features:
//   colour    mean luma and two colour differences, each in about [0, 1]
//   texture   contrast (standard deviation of luma), strength and direction of its gradients (a structure
//   tensor) position  row and column in units of the longer side
// Random Fourier features x = sqrt(2) [cos(w.f), sin(w.f)], w normal, make x.x' / d close to exp(-|f - f'|^2
// / 2), so that like attends to like. Heads weigh the groups differently, in turn: all, colour, texture,
// position. See embedding.h for Q, K and V. The picture itself is kept, at most 512 pixels along its longer
// side.
[[nodiscard]] Result<AttentionInput> makeImageInput(const PixelImage& image, const SourceOptions& options,
                                                    const std::string& where, const JobContext& job = {});

}  // namespace attnscope
