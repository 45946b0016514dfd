// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/bucket_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/softmax.h"
#include "core/analysis/spectrum.h"
#include "core/mechanisms/plan_reading.h"
#include "core/params/param_spec.h"

namespace attnscope {

namespace {

constexpr Index kMostQueries = 256;     // of what is measured pair by pair
constexpr Index kMostKeys = 4096;       // beyond it the pairs of a query would take seconds
constexpr Index kMostDirections = 128;  // more rays would cover the points
constexpr Index kBins = 10;             // of similarities

// Rounds of one head, and a group for each bucket of each of them.
struct Rounds {
  Index count = 0;
  Index n = 0;
  std::span<const std::int32_t> buckets;  // (rounds, n)
  std::span<const std::int32_t> order;
  TokenGroups groups;
  std::vector<Index> firstGroup;  // by round

  [[nodiscard]] std::int32_t bucket(Index round, Index token) const {
    return buckets[static_cast<std::size_t>(round * n + token)];
  }
  [[nodiscard]] std::int32_t group(Index round, Index token) const {
    return static_cast<std::int32_t>(firstGroup[static_cast<std::size_t>(round)]) + bucket(round, token);
  }
};

Rounds roundsOf(const Tensor& buckets, const Tensor& order, Index head) {
  Rounds rounds;
  rounds.count = buckets.dim(1);
  rounds.n = buckets.dim(2);
  rounds.buckets = buckets.slice<std::int32_t>(head);
  rounds.order = order.slice<std::int32_t>(head);
  std::vector<TokenGroup> groups;
  for (Index r = 0; r < rounds.count; ++r) {
    const auto of =
        rounds.buckets.subspan(static_cast<std::size_t>(r * rounds.n), static_cast<std::size_t>(rounds.n));
    const Index most = of.empty() ? 0 : *std::max_element(of.begin(), of.end()) + 1;
    rounds.firstGroup.push_back(std::ssize(groups));
    for (TokenGroup& group :
         groupsByLabel(of, most, [r](Index b) { return fmt::format("bucket {} of round {}", b, r + 1); }))
      groups.push_back(std::move(group));
  }
  rounds.groups = std::make_shared<const std::vector<TokenGroup>>(std::move(groups));
  return rounds;
}

// Tokens in their own order and in sorted order, coloured by bucket: one round, since the lines of several
// would cross in strips too low to tell a token in.
InsidePanel bucketStrips(const Rounds& rounds, Index round, Index chunk) {
  const Index n = rounds.n;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Strips;
  panel.series = "Sorting";
  panel.title = fmt::format("Sorted, round {}", round + 1);
  panel.caption = "A round colours the text by bucket, sorts it, and cuts the order into chunks.";
  panel.xTitle = "position";
  panel.stripsMove = true;
  panel.groups = rounds.groups;
  panel.stripGroup = Tensor(DType::I32, {2, n});
  panel.stripToken = Tensor(DType::I32, {2, n});
  panel.itemGroup.resize(static_cast<std::size_t>(2 * n));
  auto group = panel.stripGroup.mutableValues<std::int32_t>();
  auto token = panel.stripToken.mutableValues<std::int32_t>();
  const auto put = [&](Index row, Index place, Index stands) {
    const auto cell = static_cast<std::size_t>(row * n + place);
    group[cell] = rounds.bucket(round, stands);
    token[cell] = static_cast<std::int32_t>(stands);
    panel.itemGroup[cell] = rounds.group(round, stands);
  };
  for (Index p = 0; p < n; ++p) {
    put(0, p, p);
    put(1, p, rounds.order[static_cast<std::size_t>(round * n + p)]);
  }
  panel.stripNames = {"text", "sorted"};
  panel.stripBorders.resize(2);
  for (Index b = chunk; b < n; b += chunk) panel.stripBorders[1].push_back(b);
  return panel;
}

// The random directions of a round, unit rows (directions, d): +R and -R of the first hash.
std::vector<float> directionsOf(const Plan& plan, Index head, Index round, Index d) {
  std::vector<float> rows;
  for (const ParamTensor& param : plan.params) {
    if (param.name != "rotations" && param.name != "rotations_1") continue;
    const Tensor tensor = param.make();
    const Index half = tensor.dim(3);
    const auto cells = tensor.slice<float>(head).subspan(static_cast<std::size_t>(round * d * half));
    for (Index a = 0; a < 2 * half; ++a) {
      std::vector<double> row;
      double squares = 0.0;
      for (Index c = 0; c < d; ++c) {
        const double x = cells[static_cast<std::size_t>(c * half + a % half)];
        row.push_back(a < half ? x : -x);
        squares += x * x;
      }
      const double length = squares > 0.0 ? std::sqrt(squares) : 1.0;
      for (const double x : row) rows.push_back(static_cast<float>(x / length));
    }
  }
  return rows;
}

// How a round hashes: in one step, or in two of which each chooses among fewer directions.
struct Hashing {
  Index buckets = 1;  // that there are, whether taken or not
  bool twice = false;
};

Hashing hashingOf(const Plan& plan) {
  Hashing hashing;
  for (const ParamTensor& param : plan.params) {
    if (!param.name.starts_with("rotations")) continue;
    hashing.twice = hashing.buckets > 1;
    hashing.buckets *= 2 * param.make().dim(3);
  }
  return hashing;
}

// Unit queries, with the directions behind them, in the plane in which the queries vary most.
std::vector<float> unitRows(std::span<const float> q, Index n, Index d) {
  std::vector<float> rows(q.begin(), q.begin() + n * d);
  for (Index i = 0; i < n; ++i) {
    double squares = 0.0;
    for (Index c = 0; c < d; ++c) {
      const double x = rows[static_cast<std::size_t>(i * d + c)];
      squares += x * x;
    }
    const double length = squares > 0.0 ? std::sqrt(squares) : 1.0;
    for (Index c = 0; c < d; ++c)
      rows[static_cast<std::size_t>(i * d + c)] =
          static_cast<float>(rows[static_cast<std::size_t>(i * d + c)] / length);
  }
  return rows;
}

InsidePanel bucketScatter(const InsidesRequest& request, const Rounds& rounds, const std::vector<float>& unit,
                          Index round) {
  const Index d = request.input.shape().d;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Scatter;
  panel.series = "Queries";
  panel.title = fmt::format("Queries, round {}", round + 1);
  panel.xTitle = "component 1";
  panel.yTitle = "component 2";
  std::vector<float> all = unit;
  const std::vector<float> directions = directionsOf(request.plan.plan(), request.head, round, d);
  const Index rays = std::ssize(directions) / d;
  const bool drawn = rays > 0 && rays <= kMostDirections;
  if (drawn) all.insert(all.end(), directions.begin(), directions.end());
  const Tensor plane = projectToPlane(all, std::ssize(all) / d, d);
  const auto cells = plane.values<float>();
  const auto split = static_cast<std::size_t>(2 * rounds.n);
  panel.points = Tensor::fromFloats({rounds.n, 2}, cells.first(split));
  panel.caption = "Normalised queries in the two directions of largest variance, coloured by bucket.";
  if (drawn) {
    panel.anchors = Tensor::fromFloats({rays, 2}, cells.subspan(split));
    panel.anchorsAreRays = true;
    panel.caption +=
        " Lines: the random directions; a query goes to the one it is nearest to in all of them.";
  }
  panel.groups = rounds.groups;
  for (Index i = 0; i < rounds.n; ++i) {
    panel.group.push_back(rounds.bucket(round, i));
    panel.token.push_back(static_cast<std::int32_t>(i));
    panel.itemGroup.push_back(rounds.group(round, i));
  }
  return panel;
}

InsidePanel bucketSizes(const Rounds& rounds, Index round) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.series = "Sizes";
  panel.title = fmt::format("Bucket sizes, round {}", round + 1);
  panel.caption = "A bucket larger than a chunk loses pairs: its ends cannot see each other.";
  panel.xTitle = "bucket";
  panel.yTitle = "tokens";
  panel.groups = rounds.groups;
  const auto first = static_cast<std::size_t>(rounds.firstGroup[static_cast<std::size_t>(round)]);
  const auto past = static_cast<std::size_t>(round + 1) < rounds.firstGroup.size()
                        ? static_cast<std::size_t>(rounds.firstGroup[static_cast<std::size_t>(round + 1)])
                        : rounds.groups->size();
  for (std::size_t g = first; g < past; ++g) {
    panel.bars.push_back(static_cast<double>(countOf((*rounds.groups)[g].keys)));
    panel.itemGroup.push_back(static_cast<std::int32_t>(g));
  }
  return panel;
}

// Some queries and keys of a head, evenly spread.
struct Sampled {
  std::vector<Index> queries;
  std::vector<Index> keys;
};

Sampled sampleOf(Index n) {
  Sampled sample;
  for (Index t = 0; t < std::min(n, kMostQueries); ++t)
    sample.queries.push_back(t * n / std::min(n, kMostQueries));
  for (Index t = 0; t < std::min(n, kMostKeys); ++t) sample.keys.push_back(t * n / std::min(n, kMostKeys));
  return sample;
}

std::string sampleText(const Sampled& sample, Index n) {
  if (std::ssize(sample.keys) < n)
    return fmt::format(" Measured on {} queries and {} keys.", sample.queries.size(), sample.keys.size());
  if (std::ssize(sample.queries) < n) return fmt::format(" Measured on {} queries.", sample.queries.size());
  return {};
}

double product(const std::vector<float>& rows, Index a, Index b, Index d) {
  double sum = 0.0;
  for (Index c = 0; c < d; ++c)
    sum += static_cast<double>(rows[static_cast<std::size_t>(a * d + c)]) *
           rows[static_cast<std::size_t>(b * d + c)];
  return sum;
}

// How often two queries of some cosine share a bucket: in one round, and in at least one of all.
Result<InsidePanel> collisions(const InsidesRequest& request, const Rounds& rounds,
                               const std::vector<float>& unit) {
  const Index d = request.input.shape().d;
  const Sampled sample = sampleOf(rounds.n);
  std::vector<double> pairs(kBins, 0.0);
  std::vector<double> hits(kBins, 0.0);
  std::vector<double> found(kBins, 0.0);
  for (const Index i : sample.queries) {
    if (!request.job.advance(0)) return cancelled();
    for (const Index j : sample.keys) {
      if (i == j) continue;
      const double cosine = std::clamp(product(unit, i, j, d), -1.0, 1.0);
      const auto bin = static_cast<std::size_t>(
          std::min<double>(kBins - 1, std::floor((cosine + 1.0) / 2.0 * static_cast<double>(kBins))));
      Index shared = 0;
      for (Index r = 0; r < rounds.count; ++r) shared += rounds.bucket(r, i) == rounds.bucket(r, j) ? 1 : 0;
      pairs[bin] += 1.0;
      hits[bin] += static_cast<double>(shared) / static_cast<double>(rounds.count);
      found[bin] += shared > 0 ? 1.0 : 0.0;
    }
  }
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Collisions";
  panel.caption =
      "Share of the pairs with this cosine that meet in a bucket: similar queries should, others "
      "should not; more rounds lift both." +
      sampleText(sample, rounds.n);
  panel.xTitle = "cosine of two queries";
  panel.yTitle = "share";
  panel.curves = {{"in one round", {}, {}},
                  {rounds.count == 1 ? "in any round" : fmt::format("in any of {}", rounds.count), {}, {}}};
  for (std::size_t bin = 0; bin < pairs.size(); ++bin) {
    if (pairs[bin] == 0.0) continue;
    const double middle = (static_cast<double>(bin) + 0.5) / static_cast<double>(kBins) * 2.0 - 1.0;
    for (InsidePanel::Curve& curve : panel.curves) curve.x.push_back(middle);
    panel.curves[0].y.push_back(hits[bin] / pairs[bin]);
    panel.curves[1].y.push_back(found[bin] / pairs[bin]);
  }
  if (rounds.count == 1) panel.curves.pop_back();
  return panel;
}

// Keys that a query reads in the steps of the rounds, round by round.
class RoundReader {
 public:
  RoundReader(const Plan& plan, Index head) {
    for (const Step& step : plan.steps)
      if (const auto* attend = std::get_if<AttendStep>(&step)) {
        m_steps.push_back(&attend->heads[static_cast<std::size_t>(head)]);
        m_scale = attend->scale;
        const std::vector<std::int32_t>& order = *m_steps.back()->queryOrder;
        std::vector<std::int32_t> places(order.size());
        for (std::size_t p = 0; p < order.size(); ++p)
          places[static_cast<std::size_t>(order[p])] = static_cast<std::int32_t>(p);
        m_places.push_back(std::move(places));
      }
  }
  [[nodiscard]] double scale() const { return m_scale; }
  // Marks the keys of one round.
  void mark(std::size_t round, Index query, std::vector<std::uint8_t>& read) {
    const HeadAttend& step = *m_steps[round];
    step.pattern->row(m_places[round][static_cast<std::size_t>(query)], m_runs);
    for (const Run& run : m_runs)
      for (Index p = run.begin; p < run.end; p += run.stride)
        read[static_cast<std::size_t>((*step.keyOrder)[static_cast<std::size_t>(p)])] = 1;
  }

 private:
  std::vector<const HeadAttend*> m_steps;
  std::vector<std::vector<std::int32_t>> m_places;
  double m_scale = 1.0;
  RunList m_runs;
};

// Weights that full attention with shared queries and keys gives the keys but the query itself.
std::vector<double> fullRow(const std::vector<float>& unit, std::span<const float> q,
                            const std::vector<Index>& keys, Index i, Index d, double scale, bool causal) {
  std::vector<double> weights;
  for (const Index j : keys) {
    if (j == i || (causal && j > i)) {
      weights.push_back(-INFINITY);
      continue;
    }
    double dot = 0.0;
    for (Index c = 0; c < d; ++c)
      dot += static_cast<double>(q[static_cast<std::size_t>(i * d + c)]) *
             unit[static_cast<std::size_t>(j * d + c)];
    weights.push_back(scale * dot);
  }
  const double largest = *std::max_element(weights.begin(), weights.end());
  if (!std::isfinite(largest)) return {};
  double sum = 0.0;
  for (double& w : weights) sum += w = std::exp(w - largest);
  for (double& w : weights) w /= sum;
  return weights;
}

// How much of full attention's weight the keys of the first 1, 2, ... rounds hold.
Result<InsidePanel> recall(const InsidesRequest& request, const Rounds& rounds,
                           const std::vector<float>& unit) {
  const Index d = request.input.shape().d;
  const auto q = request.input.q.slice<float>(request.head);
  const bool causal = request.plan.plan().causal;
  const Sampled sample = sampleOf(rounds.n);
  RoundReader reader(request.plan.plan(), request.head);
  std::vector<double> together(static_cast<std::size_t>(rounds.count), 0.0);
  std::vector<double> best(static_cast<std::size_t>(rounds.count), 0.0);
  double count = 0.0;
  for (const Index i : sample.queries) {
    if (!request.job.advance(0)) return cancelled();
    const std::vector<double> weights = fullRow(unit, q, sample.keys, i, d, reader.scale(), causal);
    if (weights.empty()) continue;
    const auto top = std::max_element(weights.begin(), weights.end()) - weights.begin();
    std::vector<std::uint8_t> read(static_cast<std::size_t>(rounds.n), 0);
    count += 1.0;
    for (std::size_t r = 0; r < together.size(); ++r) {
      reader.mark(r, i, read);
      for (std::size_t t = 0; t < weights.size(); ++t)
        if (read[static_cast<std::size_t>(sample.keys[t])] != 0) together[r] += weights[t];
      best[r] += read[static_cast<std::size_t>(sample.keys[static_cast<std::size_t>(top)])] != 0 ? 1.0 : 0.0;
    }
  }
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Recall by rounds";
  panel.xTitle = "rounds together";
  panel.yTitle = "share of the weight";
  const double unitCount = std::max(1.0, count);
  for (std::size_t r = 0; r < together.size(); ++r) {
    panel.bars.push_back(together[r] / unitCount);
    panel.barNames.push_back(fmt::format("{}", r + 1));
  }
  panel.caption = fmt::format(
      "Mean share of full attention's weight (shared Q and K, without the query itself) on keys that the "
      "first rounds read. The strongest key is found by {:.0f} % of the queries after one round, by {:.0f} % "
      "after all.{}",
      100.0 * best.front() / unitCount, 100.0 * best.back() / unitCount, sampleText(sample, rounds.n));
  return panel;
}

}  // namespace

Result<std::vector<InsidePanel>> bucketPanels(const InsidesRequest& request, Index chunk) {
  const Tensor buckets = traceOf(request.plan.plan(), "buckets");
  const Tensor order = traceOf(request.plan.plan(), "order");
  const Rounds rounds = roundsOf(buckets, order, request.head);
  const Shape shape = request.input.shape();
  const std::vector<float> unit = unitRows(request.input.q.slice<float>(request.head), shape.nQ, shape.d);
  std::vector<InsidePanel> panels;
  for (Index r = 0; r < rounds.count; ++r) panels.push_back(bucketStrips(rounds, r, chunk));
  for (Index r = 0; r < rounds.count; ++r) {
    if (!request.job.advance(0)) return cancelled();
    panels.push_back(bucketScatter(request, rounds, unit, r));
  }
  for (Index r = 0; r < rounds.count; ++r) panels.push_back(bucketSizes(rounds, r));
  ATTN_ASSIGN(met, collisions(request, rounds, unit));
  panels.push_back(std::move(met));
  ATTN_ASSIGN(found, recall(request, rounds, unit));
  panels.push_back(std::move(found));
  return panels;
}

Result<std::vector<Decision>> bucketDecisions(const InsidesRequest& request, Index chunk) {
  const Plan& plan = request.plan.plan();
  const Tensor buckets = traceOf(plan, "buckets");
  const Tensor order = traceOf(plan, "order");
  const Rounds rounds = roundsOf(buckets, order, request.head);
  const Shape shape = request.input.shape();
  const std::vector<float> unit = unitRows(request.input.q.slice<float>(request.head), shape.nQ, shape.d);
  const Hashing hashing = hashingOf(plan);
  std::vector<Decision> decisions;
  for (Index r = 0; r < rounds.count; ++r) {
    if (!request.job.advance(0)) return cancelled();
    const Index step = stepOf<AttendStep>(plan, r);
    Decision hash{step, fmt::format("round {}: hash", r + 1), {}, {}};
    hash.panels = {bucketScatter(request, rounds, unit, r), bucketSizes(rounds, r)};
    const std::vector<double>& sizes = hash.panels[1].bars;
    hash.sentence = fmt::format(
        "Each of {} queries goes to the bucket of the {} nearest to it: {} of {} buckets are taken, the "
        "largest by "
        "{} queries.",
        rounds.n, hashing.twice ? "pair of random directions" : "random direction",
        std::count_if(sizes.begin(), sizes.end(), [](double size) { return size > 0.0; }), hashing.buckets,
        sizes.empty() ? 0.0 : *std::max_element(sizes.begin(), sizes.end()));
    decisions.push_back(std::move(hash));
    decisions.push_back({step,
                         fmt::format("round {}: sort and cut into chunks", r + 1),
                         fmt::format("Tokens are sorted by bucket, within a bucket as the text has them, and "
                                     "the order is cut into {} chunks of {}.",
                                     ceilDiv(rounds.n, chunk), chunk),
                         {bucketStrips(rounds, r, chunk)}});
  }
  return decisions;
}

}  // namespace attnscope
