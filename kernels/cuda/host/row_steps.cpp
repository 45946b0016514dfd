// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <cstring>

#include "core/analysis/channel_mixing.h"
#include "kernels/cuda/host/steps.h"
#include "kernels/shared/initial_buffers.h"

namespace attnscope::cuda {

namespace {

Result<const Rows*> uploadInputs(const std::vector<BufferId>& ids, DeviceRun& run) {
  std::vector<Rows> inputs;
  for (const BufferId id : ids) inputs.push_back(run.rows(id));
  return run.upload(inputs);
}

}  // namespace

Status runStep(const MergeStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  ATTN_ASSIGN(lse, run.create(step.lse));
  ATTN_ASSIGN(outs, uploadInputs(step.outs, run));
  ATTN_ASSIGN(lses, uploadInputs(step.lses, run));
  const Index rows = run.rowCount(step.out);
  const MergeArgs args{
      outs, lses, static_cast<std::int32_t>(step.outs.size()), out, lse, rows, run.colCount(step.out)};
  return run.device().launch(args, rowBlocks(rows, run.heads()));
}

namespace {

Status project(const Tensor& weight, const ProjectStep& step, float* out, DeviceRun& run) {
  ATTN_ASSIGN(left, run.keepRows(weight));
  const Index slots = run.rowCount(step.out);
  const Index cols = run.colCount(step.out);
  const ProductArgs args{left, run.rows(step.in), {}, out, slots, cols, run.rowCount(step.in), 0};
  return run.multiply(args);
}

Status project(const SegmentReduce& reduce, const ProjectStep& step, float* out, DeviceRun& run) {
  ATTN_ASSIGN(bounds, run.keep(reduce.bounds));
  const auto kind = reduce.kind == SegmentReduce::Kind::Mean  ? SegmentsArgs::Mean
                    : reduce.kind == SegmentReduce::Kind::Max ? SegmentsArgs::Max
                                                              : SegmentsArgs::First;
  const Index segments = run.rowCount(step.out);
  return run.device().launch(SegmentsArgs{run.rows(step.in), bounds, out, segments, kind},
                             rowBlocks(segments, run.heads()));
}

Status project(const BlockMix& blocks, const ProjectStep& step, float* out, DeviceRun& run) {
  ATTN_ASSIGN(mix, run.keepRows(blocks.mix));
  MixArgs args{run.rows(step.in), mix, {}, out, run.rowCount(step.in), blocks.mix.dim(1), blocks.block};
  if (!blocks.shortMix.empty()) {
    ATTN_ASSIGN(cut, run.keepRows(blocks.shortMix));
    args.shortMix = cut;
  }
  return run.device().launch(args, rowBlocks(args.mixed * args.block, run.heads()));
}

}  // namespace

Status runStep(const ProjectStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  return std::visit([&](const auto& weight) { return project(weight, step, out, run); }, step.weight);
}

Status runStep(const ConvolveStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  const Index cols = run.colCount(step.in);
  const Index stride = step.weight.dim(1);
  ATTN_ASSIGN(weight, run.keepRows(step.weight));
  ConvolveArgs args{run.rows(step.in),      weight, {}, nullptr, out, run.rowCount(step.in),
                    run.rowCount(step.out), stride};
  if (!step.bias.empty()) {
    ATTN_ASSIGN(bias, run.keepRows(step.bias));
    args.bias = bias;
  }
  // Channels of the identity are keys: of a tap only the part that does not mix channels is used.
  if (run.options().identity && movesTokenValues(run.plan(), step.in)) {
    std::vector<double> alone;
    for (Index h = 0; h < run.heads(); ++h)
      for (Index t = 0; t < stride; ++t)
        alone.push_back(meanDiagonal(step.weight.slice<float>(h).data() + t * cols * cols, cols));
    ATTN_ASSIGN(uploaded, run.upload(alone));
    args.alone = uploaded;
  }
  return run.device().launch(args, rowBlocks(args.rows, run.heads()));
}

Status runStep(const NormaliseRowsStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  const Index rows = run.rowCount(step.out);
  const bool standard = step.kind == NormaliseRowsStep::Kind::Standard;
  return run.device().launch(
      NormaliseArgs{run.rows(step.in), out, rows, 1.0 / static_cast<double>(run.colCount(step.in)),
                    standard ? 1 : 0},
      rowBlocks(rows, run.heads()));
}

Status runStep(const FeatureMapStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  if (run.options().zeroLogits) return run.fillFloats(out, run.floats(step.out), 1.0F);
  const auto kind = [&] {
    switch (step.feature) {
      case Feature::Elu1:
        return FeaturesArgs::Elu1;
      case Feature::Exp:
        return FeaturesArgs::Exp;
      case Feature::Relu:
        return FeaturesArgs::Relu;
      case Feature::Relu2:
        return FeaturesArgs::Relu2;
      case Feature::Poly2:
        return FeaturesArgs::Poly2;
    }
    return FeaturesArgs::Relu;
  }();
  const Index rows = run.rowCount(step.out);
  const Index cols = run.colCount(step.out);
  return run.device().launch(FeaturesArgs{run.rows(step.in), out, rows, cols, kind},
                             cellBlocks(rows * cols, run.heads()));
}

namespace {

// The directions as the right side of a product, times the scale of the input: (H, d, m).
Tensor transposedDirections(const RandomFeatureStep& step) {
  const Index heads = step.omega.dim(0);
  const Index m = step.omega.dim(1);
  const Index d = step.omega.dim(2);
  Tensor turned(DType::F32, {heads, d, m});
  for (Index h = 0; h < heads; ++h) {
    const auto from = step.omega.slice<float>(h);
    auto to = turned.mutableSlice<float>(h);
    for (Index a = 0; a < m; ++a)
      for (Index c = 0; c < d; ++c)
        to[static_cast<std::size_t>(c * m + a)] =
            static_cast<float>(step.inputScale * from[static_cast<std::size_t>(a * d + c)]);
  }
  return turned;
}

RandomFeaturesArgs::Kind kindOf(const RandomFeatureStep& step) {
  switch (step.kind) {
    case RandomFeatureStep::Kind::Positive:
      return RandomFeaturesArgs::Positive;
    case RandomFeatureStep::Kind::Hyperbolic:
      return RandomFeaturesArgs::Hyperbolic;
    case RandomFeatureStep::Kind::Trig:
      return RandomFeaturesArgs::Trig;
    case RandomFeatureStep::Kind::Relu:
      break;
  }
  return RandomFeaturesArgs::Relu;
}

}  // namespace

Status runStep(const RandomFeatureStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  if (run.options().zeroLogits)
    return run.fillFloats(out, run.floats(step.out), holdsExponents(step.kind) ? 0.0F : 1.0F);
  const Index rows = run.rowCount(step.in);
  const Index m = step.omega.dim(1);
  ATTN_ASSIGN(directions, run.keepRows(&step, {step.omega.dim(0), step.omega.dim(2), m},
                                       [&] { return transposedDirections(step); }));
  ATTN_ASSIGN(products, run.scratch<float>(run.heads() * rows * m));
  ATTN_ASSIGN(half, run.scratch<double>(run.heads() * rows));
  ATTN_ASSIGN(largest, run.scratch<unsigned long long>(run.heads()));
  ATTN_TRY(run.fill(largest, 2 * run.heads(), 0));
  ATTN_TRY(run.device().launch(RowNormsArgs{run.rows(step.in), half, largest, rows, step.inputScale},
                               rowBlocks(rows, run.heads())));
  const ProductArgs product{run.rows(step.in), directions, {}, products, rows, m, run.colCount(step.in), 0};
  ATTN_TRY(run.multiply(product));
  const bool damped = step.kind == RandomFeatureStep::Kind::Trig && step.side == RandomFeatureStep::Side::Key;
  const RandomFeaturesArgs args{products, half, damped ? largest : nullptr,   out,
                                rows,     m,    static_cast<float>(step.eps), kindOf(step)};
  return run.device().launch(args, cellBlocks(rows * m, run.heads()));
}

Status runStep(const GatherStep& step, std::size_t, DeviceRun& run) {
  static_assert(sizeof(GatherEntry) == sizeof(SparseRows::Entry));
  ATTN_ASSIGN(out, run.create(step.out));
  ATTN_ASSIGN(inputs, uploadInputs(step.in, run));
  std::vector<GatherHead> heads;
  for (Index h = 0; h < run.heads(); ++h) {
    const auto& rows = step.heads[static_cast<std::size_t>(h)];
    if (h > 0 && rows == step.heads[static_cast<std::size_t>(h) - 1]) {
      heads.push_back(heads.back());
      continue;
    }
    ATTN_ASSIGN(begin, run.keep(rows->begin));
    ATTN_ASSIGN(uploaded, run.keep<GatherEntry>(rows.get(), 0, [&] {
      std::vector<GatherEntry> entries;
      entries.reserve(rows->entries.size());
      for (const SparseRows::Entry& entry : rows->entries)
        entries.push_back({entry.input, entry.row, entry.weight});
      return entries;
    }));
    heads.push_back({begin, uploaded});
  }
  ATTN_ASSIGN(sparse, run.keep<GatherHead>(&step, 0, [&] { return heads; }));
  const Index rows = run.rowCount(step.out);
  return run.device().launch(GatherArgs{inputs, sparse, out, rows, run.colCount(step.out)},
                             rowBlocks(rows, run.heads()));
}

Status runStep(const AffineStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  Rows bias;
  if (!step.bias.empty()) {
    ATTN_ASSIGN(uploaded, run.keepRows(step.bias));
    bias = uploaded;
  }
  const Index rows = run.rowCount(step.out);
  const Index cols = run.colCount(step.out);
  const std::int32_t relu = step.relu ? 1 : 0;
  if (step.weight.empty())
    return run.device().launch(BiasArgs{run.rows(step.in), bias, out, rows, relu},
                               cellBlocks(rows * cols, run.heads()));
  ATTN_ASSIGN(weight, run.keepRows(step.weight));
  const ProductArgs args{run.rows(step.in), weight, bias, out, rows, cols, run.colCount(step.in), relu};
  return run.multiply(args);
}

Status runStep(const ConcatStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  const Index rows = run.rowCount(step.out);
  Index at = 0;
  for (std::size_t p = 0; p < step.in.size(); ++p) {
    const Index cols = run.colCount(step.in[p]);
    const ConcatArgs args{run.rows(step.in[p]),   out, rows,
                          run.colCount(step.out), at,  static_cast<float>(step.factors[p])};
    ATTN_TRY(run.device().launch(args, cellBlocks(rows * cols, run.heads())));
    at += cols;
  }
  return {};
}

Status runStep(const RotateStep& step, std::size_t, DeviceRun& run) {
  ATTN_ASSIGN(out, run.create(step.out));
  const Index rows = run.rowCount(step.out);
  const Index cols = run.colCount(step.in);
  ATTN_ASSIGN(positions, run.keep(step.positions));
  ATTN_ASSIGN(uploaded, run.keep<double>(&step, 0, [cols] {
    std::vector<double> frequencies;
    for (Index c = 0; c < cols / 2; ++c)
      frequencies.push_back(std::pow(10000.0, -2.0 * static_cast<double>(c) / static_cast<double>(cols)));
    return frequencies;
  }));
  return run.device().launch(RotateArgs{run.rows(step.in), positions, uploaded, out, rows},
                             rowBlocks(rows, run.heads()));
}

namespace {

struct ScratchOf {
  const FrozenPlan& frozen;
  std::size_t index;

  double operator()(const AttendStep& step) const { return attendScratchBytes(frozen, step, index); }
  double operator()(const LinearAttendStep& step) const { return linearScratchBytes(frozen.plan(), step); }
  double operator()(const ProjectStep& step) const {
    if (const auto* dense = std::get_if<Tensor>(&step.weight)) return static_cast<double>(dense->bytes());
    if (const auto* blocks = std::get_if<BlockMix>(&step.weight))
      return static_cast<double>(blocks->mix.bytes() + blocks->shortMix.bytes());
    return 8.0 * static_cast<double>(std::get<SegmentReduce>(step.weight).bounds.size());
  }
  double operator()(const ConvolveStep& step) const { return static_cast<double>(step.weight.bytes()); }
  double operator()(const AffineStep& step) const { return static_cast<double>(step.weight.bytes()); }
  double operator()(const RandomFeatureStep& step) const {
    const auto rows = frozen.plan().buffers[static_cast<std::size_t>(step.in)].rows;
    return static_cast<double>(step.omega.bytes()) +
           static_cast<double>(frozen.plan().shape.heads * rows * (4 * step.omega.dim(1) + 8));
  }
  double operator()(const GatherStep& step) const {
    double bytes = 0.0;
    for (const auto& rows : step.heads)
      bytes +=
          8.0 * static_cast<double>(rows->begin.size()) + 12.0 * static_cast<double>(rows->entries.size());
    return bytes;
  }
  double operator()(const RotateStep& step) const { return 8.0 * static_cast<double>(step.positions.size()); }
  template <class Other>
  double operator()(const Other&) const {
    return 0.0;
  }
};

}  // namespace

double scratchBytes(const FrozenPlan& frozen, std::size_t index) {
  return std::visit(ScratchOf{frozen, index}, frozen.plan().steps[index]);
}

}  // namespace attnscope::cuda
