// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/compression_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/channel_mixing.h"
#include "core/base/rng.h"

namespace attnscope {

namespace {

// init=demo: how far taps stray from the mean, in standard deviations of 1/sqrt(width).
constexpr double kDemoSpread = 0.25;
// The dilated function: two convolutions of this width.
constexpr Index kDilatedTaps = 3;

// (H, taps, width, width): `weight` times the identity in each tap of [from, to), and the demo's noise.
Tensor identityTaps(const LoweringRequest& request, const std::string& name, Index taps, Index width,
                    Index from, Index to, double weight) {
  const Index heads = request.input.shape().heads;
  Tensor tensor = Tensor::zeros(DType::F32, {heads, taps, width, width});
  auto cells = tensor.mutableValues<float>();
  const RandomStream stream(request.options.seed, "compressive", name);
  const bool demo = request.params.choice("init") == "demo";
  const auto spread = static_cast<float>(kDemoSpread / std::sqrt(static_cast<double>(width)));
  for (Index h = 0; h < heads; ++h)
    for (Index t = 0; t < taps; ++t)
      for (Index a = 0; a < width; ++a) {
        const auto row = cells.subspan(static_cast<std::size_t>(((h * taps + t) * width + a) * width),
                                       static_cast<std::size_t>(width));
        if (demo) {
          stream.fillNormals(
              {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(a)},
              row);
          for (float& x : row) x *= spread;
        }
        if (t >= from && t < to) row[static_cast<std::size_t>(a)] += static_cast<float>(weight);
      }
  return tensor;
}

class Compressor {
 public:
  Compressor(const LoweringRequest& request, Plan& plan, const CompressedTimeline& timeline,
             const MostUsed& chosen)
      : m_request(request), m_plan(plan), m_timeline(timeline), m_chosen(chosen) {}

  Result<CompressedRows> run() {
    CompressedRows rows;
    rows.keys = m_plan.addBuffer("slot_keys", slots(), m_plan.shape.d, "slot_keys");
    rows.values = m_plan.addBuffer("slot_values", slots(), m_plan.shape.dV, "slot_values");
    m_plan.slotValues = rows.values;
    const std::string& function = m_request.params.choice("function");
    if (function == "most-used") {
      copy("copy the most used keys", kKey, rows.keys);
      copy("copy their values", kValue, rows.values);
    } else if (function == "conv") {
      ATTN_TRY(convolve("conv_k", blocksOf(kKey), rows.keys));
      ATTN_TRY(convolve("conv_v", blocksOf(kValue), rows.values));
    } else {
      if (function == "dilated") {
        ATTN_TRY(convolveTwice(blocksOf(kKey), rows.keys));
      } else {
        reduce(function == "max" ? SegmentReduce::Kind::Max : SegmentReduce::Kind::Mean, "keys to slots",
               blocksOf(kKey), rows.keys);
      }
      reduce(SegmentReduce::Kind::Mean, "values to slots", blocksOf(kValue), rows.values);
    }
    m_plan.slotComposition = composition();
    return rows;
  }

 private:
  [[nodiscard]] Index slots() const { return m_timeline.slotCount(); }
  [[nodiscard]] Index rate() const { return m_timeline.sizes.rate; }

  // Rows in which the tokens of slot b are b rate .. b rate + rate - 1: the tokens themselves, or, where some
  // were lost, those that were not.
  BufferId blocksOf(BufferId in) {
    if (m_timeline.isGapless()) return in;
    auto rows = std::make_shared<SparseRows>();
    rows->begin.push_back(0);
    for (const Index begin : m_timeline.blockBegin)
      for (Index t = 0; t < rate(); ++t) {
        rows->entries.push_back({0, static_cast<std::int32_t>(begin + t), 1.0F});
        rows->begin.push_back(static_cast<std::int64_t>(rows->entries.size()));
      }
    return gather("line up the blocks that leave", in == kKey ? "leaving_keys" : "leaving_values", {in},
                  slots() * rate(), rows);
  }

  BufferId gather(const std::string& title, const std::string& name, std::vector<BufferId> in, Index count,
                  const std::shared_ptr<const SparseRows>& rows) {
    const BufferId out =
        m_plan.addBuffer(name, count, m_plan.buffers[static_cast<std::size_t>(in.front())].cols);
    m_plan.steps.emplace_back(GatherStep{
        title, std::move(in), out,
        std::vector<std::shared_ptr<const SparseRows>>(static_cast<std::size_t>(m_plan.shape.heads), rows)});
    return out;
  }

  void copy(const std::string& title, BufferId in, BufferId out) {
    GatherStep step{title, {in}, out, {}};
    for (const auto& tokens : m_chosen.copied) {
      auto rows = std::make_shared<SparseRows>();
      rows->begin.push_back(0);
      for (const std::int32_t token : tokens) {
        rows->entries.push_back({0, token, 1.0F});
        rows->begin.push_back(static_cast<std::int64_t>(rows->entries.size()));
      }
      step.heads.push_back(std::move(rows));
    }
    m_plan.steps.emplace_back(std::move(step));
  }

  void reduce(SegmentReduce::Kind kind, const std::string& title, BufferId in, BufferId out) {
    std::vector<Index> bounds;
    for (Index b = 0; b <= slots(); ++b) bounds.push_back(b * rate());
    m_plan.steps.emplace_back(ProjectStep{title, in, out, SegmentReduce{kind, std::move(bounds)}});
  }

  Result<Tensor> own(const std::string& name, const std::vector<Index>& rest, const std::string& origin,
                     const std::function<Tensor()>& draw) {
    ATTN_ASSIGN(owned, ownTensor(m_request, name, DType::F32, rest, {}, draw));
    const bool demo = m_request.params.choice("init") == "demo" && rest.size() > 1;
    m_plan.params.push_back({name,
                             owned.fromFile ? "file"
                             : demo ? fmt::format("{} and noise {}", origin, originText(m_request, false))
                                    : origin,
                             [tensor = owned.tensor] { return tensor; }});
    return owned.tensor;
  }

  Status convolve(const std::string& name, BufferId in, BufferId out) {
    const Index width = m_plan.buffers[static_cast<std::size_t>(out)].cols;
    ATTN_ASSIGN(taps, own(name, {rate(), width, width}, "mean", [&] {
                  return identityTaps(m_request, name, rate(), width, 0, rate(),
                                      1.0 / static_cast<double>(rate()));
                }));
    ATTN_ASSIGN(bias, own(fmt::format("{}_bias", name), {width}, "0", [&] {
                  return Tensor::zeros(DType::F32, {m_plan.shape.heads, width});
                }));
    if (out == m_plan.slotValues) noteMixing(taps, bias, width);
    m_plan.steps.emplace_back(ConvolveStep{fmt::format("{} to slots", name), in, out, taps, bias});
    return {};
  }

  void noteMixing(const Tensor& taps, const Tensor& bias, Index width) {
    m_valueTaps = taps;
    const auto cells = taps.values<float>();
    bool scalar = true;
    for (std::size_t at = 0; at < cells.size(); at += static_cast<std::size_t>(width * width))
      scalar = scalar && isScalarMap(cells.data() + at, width);
    const auto biases = bias.values<float>();
    m_plan.exact = scalar && std::all_of(biases.begin(), biases.end(), [](float b) { return b == 0.0F; });
    if (!m_plan.exact)
      m_plan.note = "conv_v mixes value channels or adds a bias: the matrix holds the part without mixing.";
  }

  // Two convolutions over the rows that leave together, the second with gaps of 2, rows beyond them counting
  // as 0; then a mean over each block. Geometry of our own: the paper gives none.
  Status convolveTwice(BufferId in, BufferId out) {
    BufferId at = in;
    for (Index layer = 1; layer <= 2; ++layer) {
      const std::string name = fmt::format("conv_k_{}", layer);
      const Index width = m_plan.shape.d;
      ATTN_ASSIGN(taps, own(name, {kDilatedTaps, width, width}, "identity",
                            [&] { return identityTaps(m_request, name, kDilatedTaps, width, 1, 2, 1.0); }));
      std::vector<BufferId> parts;
      for (Index t = 0; t < kDilatedTaps; ++t) parts.push_back(tapped(name, at, taps, t));
      at = gather(fmt::format("{}: add the taps, {} apart", name, layer), fmt::format("{}_sum", name), parts,
                  slots() * rate(), neighbours(layer));
    }
    reduce(SegmentReduce::Kind::Mean, "keys to slots", at, out);
    return {};
  }

  BufferId tapped(const std::string& name, BufferId in, const Tensor& taps, Index t) {
    const Index heads = m_plan.shape.heads;
    const Index width = m_plan.shape.d;
    AffineStep step;
    step.title = fmt::format("{}, tap {}", name, t);
    step.in = in;
    step.out = m_plan.addBuffer(fmt::format("{}_tap_{}", name, t), slots() * rate(), width);
    step.weight = Tensor(DType::F32, {heads, width, width});
    for (Index h = 0; h < heads; ++h) {
      const auto from = taps.slice<float>(h).subspan(static_cast<std::size_t>(t * width * width),
                                                     static_cast<std::size_t>(width * width));
      std::copy(from.begin(), from.end(), step.weight.mutableSlice<float>(h).begin());
    }
    const BufferId out = step.out;
    m_plan.steps.emplace_back(std::move(step));
    return out;
  }

  // Row p is the sum of tap t of row p + (t - 1) gap, as far as those rows leave together with p.
  std::shared_ptr<const SparseRows> neighbours(Index gap) const {
    auto rows = std::make_shared<SparseRows>();
    rows->begin.push_back(0);
    for (const Eviction& eviction : m_timeline.evictions)
      for (Index p = eviction.firstSlot * rate(); p < eviction.pastSlot * rate(); ++p) {
        for (Index t = 0; t < kDilatedTaps; ++t) {
          const Index from = p + (t - kDilatedTaps / 2) * gap;
          if (from >= eviction.firstSlot * rate() && from < eviction.pastSlot * rate())
            rows->entries.push_back({static_cast<std::int32_t>(t), static_cast<std::int32_t>(from), 1.0F});
        }
        rows->begin.push_back(static_cast<std::int64_t>(rows->entries.size()));
      }
    return rows;
  }

  // What each slot's value is made of, on demand.
  std::function<Tensor()> composition() const {
    return [heads = m_plan.shape.heads, n = m_plan.shape.nK, rate = rate(), blocks = m_timeline.blockBegin,
            copied = m_chosen.copied, taps = m_valueTaps] {
      const bool shared = taps.empty() && copied.empty();
      const auto count = static_cast<Index>(blocks.size());
      Tensor made = Tensor::zeros(DType::F32, {shared ? 1 : heads, count, n});
      for (Index h = 0; h < made.dim(0); ++h) {
        auto cells = made.mutableSlice<float>(h);
        for (Index b = 0; b < count; ++b) {
          const auto slot = static_cast<std::size_t>(b);
          if (!copied.empty()) {
            cells[slot * static_cast<std::size_t>(n) +
                  static_cast<std::size_t>(copied[static_cast<std::size_t>(h)][slot])] = 1.0F;
            continue;
          }
          for (Index t = 0; t < rate; ++t)
            cells[static_cast<std::size_t>(b * n + blocks[slot] + t)] =
                taps.empty() ? 1.0F / static_cast<float>(rate)
                             : static_cast<float>(meanDiagonal(
                                   taps.slice<float>(h).data() + t * taps.dim(2) * taps.dim(2), taps.dim(2)));
        }
      }
      return made;
    };
  }

  const LoweringRequest& m_request;
  Plan& m_plan;
  const CompressedTimeline& m_timeline;
  const MostUsed& m_chosen;
  Tensor m_valueTaps;
};

}  // namespace

Result<CompressedRows> addCompressionSteps(const LoweringRequest& request, Plan& plan,
                                           const CompressedTimeline& timeline, const MostUsed& chosen) {
  return Compressor(request, plan, timeline, chosen).run();
}

}  // namespace attnscope
