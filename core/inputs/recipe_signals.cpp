// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/recipe_signals.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/base/rng.h"
#include "core/inputs/embedding.h"

namespace attnscope {

namespace {

std::uint32_t u32(Index value) {
  return static_cast<std::uint32_t>(value);
}

std::uint64_t seedOf(const SourceOptions& options) {
  return static_cast<std::uint64_t>(options.integer("seed"));
}

// Random unit vectors, a set for each key head: what tokens of one kind have in common.
class Prototypes {
 public:
  Prototypes(const SourceOptions& options, const std::string& owner, const Shape& shape)
      : m_count(options.integer("groups")),
        m_width(shape.d),
        m_rows(static_cast<std::size_t>(shape.kvHeads * m_count * m_width)) {
    const RandomStream stream(seedOf(options), owner, "prototypes");
    for (Index group = 0; group < shape.kvHeads; ++group) {
      for (Index i = 0; i < m_count; ++i) {
        const auto row = mutableRow(group, i);
        stream.fillNormals({u32(group), u32(i), 0}, row);
        normalise(row);
      }
    }
  }

  [[nodiscard]] Index count() const { return m_count; }
  void copy(Index group, Index i, std::span<float> to) const {
    const auto from = m_rows.begin() + (group * m_count + i) * m_width;
    std::copy(from, from + m_width, to.begin());
  }

 private:
  std::span<float> mutableRow(Index group, Index i) {
    return std::span(m_rows).subspan(static_cast<std::size_t>((group * m_count + i) * m_width),
                                     static_cast<std::size_t>(m_width));
  }
  Index m_count;
  Index m_width;
  std::vector<float> m_rows;
};

// Every token belongs to a prototype; it keeps that of its left neighbour with probability `stay`.
class Clustered final : public TokenSignal {
 public:
  Clustered(const SourceOptions& options, const Shape& shape)
      : m_prototypes(options, "clustered", shape), m_length(std::max(shape.nQ, shape.nK)) {
    const RandomStream chain(seedOf(options), "clustered", "chain");
    const double stay = options.real("stay");
    const auto kinds = u32(m_prototypes.count());
    m_kinds.resize(static_cast<std::size_t>(shape.kvHeads * m_length));
    for (Index group = 0; group < shape.kvHeads; ++group) {
      std::uint32_t kind = 0;
      for (Index i = 0; i < m_length; ++i) {
        if (i == 0) {
          kind = chain.below(kinds, {u32(group), 0, 1});
        } else if (kinds > 1 && chain.uniform({u32(group), u32(i), 0}) >= stay) {
          kind = (kind + 1 + chain.below(kinds - 1, {u32(group), u32(i), 1})) % kinds;  // another one
        }
        m_kinds[static_cast<std::size_t>(group * m_length + i)] = kind;
      }
    }
  }
  void row(Index group, Index position, std::span<float> row) const override {
    m_prototypes.copy(group, m_kinds[static_cast<std::size_t>(group * m_length + position)], row);
  }

 private:
  Prototypes m_prototypes;
  Index m_length;
  std::vector<std::uint32_t> m_kinds;
};

// A random word of symbols, repeated; now and then a symbol is replaced.
class Motif final : public TokenSignal {
 public:
  Motif(const SourceOptions& options, const Shape& shape)
      : m_prototypes(options, "motif", shape),
        m_stream(seedOf(options), "motif", "symbols"),
        m_length(options.integer("length")),
        m_mutation(options.real("mutation")) {}
  void row(Index group, Index position, std::span<float> row) const override {
    const auto kinds = u32(m_prototypes.count());
    std::uint32_t symbol = m_stream.below(kinds, {u32(group), u32(position % m_length), 0});
    if (m_stream.uniform({u32(group), u32(position), 1}) < m_mutation)
      symbol = m_stream.below(kinds, {u32(group), u32(position), 2});
    m_prototypes.copy(group, symbol, row);
  }

 private:
  Prototypes m_prototypes;
  RandomStream m_stream;
  Index m_length;
  double m_mutation;
};

// Harmonics of one phase: x_i . x_j depends on (i - j) modulo the period only. Head g repeats g + 1 times as
// slowly.
class Periodic final : public TokenSignal {
 public:
  explicit Periodic(const SourceOptions& options)
      : m_period(options.integer("period")), m_harmonics(options.integer("harmonics")) {}
  void row(Index group, Index position, std::span<float> row) const override {
    const Index period = m_period * (group + 1);
    const Index harmonics = std::min(m_harmonics, (std::ssize(row) + 1) / 2);
    const double amplitude = 1.0 / std::sqrt(static_cast<double>(harmonics));
    std::fill(row.begin(), row.end(), 0.0F);
    for (Index harmonic = 0; harmonic < harmonics; ++harmonic) {
      const double phase = 2.0 * std::numbers::pi *
                           static_cast<double>((harmonic + 1) * (position % period)) /
                           static_cast<double>(period);
      const auto column = static_cast<std::size_t>(2 * harmonic);
      row[column] = static_cast<float>(amplitude * std::cos(phase));
      if (column + 1 < row.size()) row[column + 1] = static_cast<float>(amplitude * std::sin(phase));
    }
  }

 private:
  Index m_period;
  Index m_harmonics;
};

// An AR(1) process in every column: neighbours are alike, and the likeness decays as rho^distance. Head g
// decays g + 1 times as slowly.
class Smooth final : public TokenSignal {
 public:
  explicit Smooth(const Shape& shape) : m_length(std::max(shape.nQ, shape.nK)), m_width(shape.d) {
    m_rows.resize(static_cast<std::size_t>(shape.kvHeads * m_length * m_width));
  }

  [[nodiscard]] bool fill(const SourceOptions& options, Index groups, const JobContext& job) {
    const RandomStream stream(seedOf(options), "smooth", "innovations");
    job.beginPhase(static_cast<double>(groups * m_length), 0.0, 0.0);
    const bool drawn = parallelUnits(groups * m_length, job, [&](Index unit) {
      stream.fillNormals({u32(unit / m_length), u32(unit % m_length), 0}, at(unit));
    });
    for (Index group = 0; drawn && group < groups; ++group) {
      const auto rho =
          static_cast<float>(std::pow(options.real("rho"), 1.0 / static_cast<double>(group + 1)));
      const float fresh = std::sqrt(std::max(0.0F, 1.0F - rho * rho));
      for (Index i = 1; i < m_length; ++i) {
        const auto before = at(group * m_length + i - 1);
        const auto here = at(group * m_length + i);
        for (std::size_t c = 0; c < here.size(); ++c) here[c] = rho * before[c] + fresh * here[c];
      }
      if (job.isCancelled()) return false;
    }
    return drawn;
  }

  void row(Index group, Index position, std::span<float> row) const override {
    const float scale = 1.0F / std::sqrt(static_cast<float>(m_width));
    const auto from = m_rows.begin() + (group * m_length + position) * m_width;
    std::transform(from, from + m_width, row.begin(), [scale](float value) { return scale * value; });
  }

 private:
  std::span<float> at(Index unit) {
    return std::span(m_rows).subspan(static_cast<std::size_t>(unit * m_width),
                                     static_cast<std::size_t>(m_width));
  }
  Index m_length;
  Index m_width;
  std::vector<float> m_rows;
};

}  // namespace

std::unique_ptr<TokenSignal> makeSignal(const std::string& recipe, const SourceOptions& options,
                                        const Shape& shape, const JobContext& job) {
  if (recipe == "motif") return std::make_unique<Motif>(options, shape);
  if (recipe == "periodic") return std::make_unique<Periodic>(options);
  if (recipe == "smooth") {
    auto smooth = std::make_unique<Smooth>(shape);
    if (!smooth->fill(options, shape.kvHeads, job)) return nullptr;
    return smooth;
  }
  return std::make_unique<Clustered>(options, shape);
}

}  // namespace attnscope
