// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/mechanisms/insides.h"

namespace attnscope {

// Pictures of a global memory of notes (plan slots made of segments, buffers q_global, k_global, v_global and
// out_global): which tokens stand for which note, what each note reads, and how well a note that knows the
// whole text finds the one that knows its own sentence only (contrastive predictive coding: Ainslie et al.,
// arXiv 2004.08483, section 3.4), with the loss in the caption.
[[nodiscard]] std::vector<InsidePanel> notePanels(const InsidesRequest& request);

// The contrastive loss: mean over rows s of -log softmax_u(h_s . t_u)[s] for (count, width) row vectors.
[[nodiscard]] double contrastiveLoss(const std::vector<double>& context, const std::vector<double>& targets,
                                     Index width);

}  // namespace attnscope
