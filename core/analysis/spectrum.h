// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "core/base/tensor.h"

namespace attnscope {

// Singular values of a float32 (rows, cols) matrix, falling. Exact (Eigen) up to 512 rows or columns; the
// leading `atMost` ones by a partial decomposition (Spectra) above.
[[nodiscard]] std::vector<double> singularValues(const Tensor& matrix, Index atMost = 512);

// Points (n, 2) in the plane of the two directions of largest variance of the rows (n, d). Deterministic: the
// sign of each direction makes its largest component positive.
[[nodiscard]] Tensor projectToPlane(std::span<const float> rows, Index n, Index d);

}  // namespace attnscope
