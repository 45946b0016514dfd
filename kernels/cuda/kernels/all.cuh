// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/attend.cuh"
#include "kernels/cuda/kernels/linear.cuh"
#include "kernels/cuda/kernels/products.cuh"
#include "kernels/cuda/kernels/rows.cuh"
#include "kernels/cuda/kernels/weights.cuh"
