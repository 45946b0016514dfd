// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan.h"

#include <algorithm>
#include <map>

#include "core/plan/plan_support.h"

namespace attnscope {

namespace {

// Heads whose steps share every pattern and order look the same: one support object serves them all.
bool headsAlike(const Plan& plan, Index a, Index b) {
  for (const Step& step : plan.steps) {
    const auto* attend = std::get_if<AttendStep>(&step);
    if (attend == nullptr) continue;
    const HeadAttend& x = attend->heads[static_cast<std::size_t>(a)];
    const HeadAttend& y = attend->heads[static_cast<std::size_t>(b)];
    if (x.pattern != y.pattern || x.queryOrder != y.queryOrder || x.keyOrder != y.keyOrder) return false;
  }
  return true;
}

}  // namespace

const std::string& stepTitle(const Step& step) {
  return std::visit([](const auto& s) -> const std::string& { return s.title; }, step);
}

const char* stepKind(const Step& step) {
  struct Namer {
    const char* operator()(const AttendStep&) const { return "attend"; }
    const char* operator()(const MergeStep&) const { return "merge"; }
    const char* operator()(const ProjectStep&) const { return "project"; }
    const char* operator()(const ConvolveStep&) const { return "convolve"; }
    const char* operator()(const NormaliseRowsStep&) const { return "normalise"; }
    const char* operator()(const FeatureMapStep&) const { return "feature map"; }
    const char* operator()(const RandomFeatureStep&) const { return "random features"; }
    const char* operator()(const LinearAttendStep&) const { return "linear attend"; }
    const char* operator()(const GatherStep&) const { return "gather"; }
    const char* operator()(const AffineStep&) const { return "affine"; }
    const char* operator()(const ConcatStep&) const { return "concatenate"; }
    const char* operator()(const RotateStep&) const { return "rotate"; }
  };
  return std::visit(Namer{}, step);
}

Index featureWidth(Feature feature, Index d) {
  return feature == Feature::Poly2 ? d * d : d;
}

bool holdsExponents(RandomFeatureStep::Kind kind) {
  return kind == RandomFeatureStep::Kind::Positive || kind == RandomFeatureStep::Kind::Hyperbolic;
}

Index randomFeatureWidth(RandomFeatureStep::Kind kind, Index m) {
  return kind == RandomFeatureStep::Kind::Hyperbolic || kind == RandomFeatureStep::Kind::Trig ? 2 * m : m;
}

Index LabelTerm::label(Index i, Index j) const {
  if (rule == Rule::Linked) {
    const Index x = queryLink ? (*queryLink)[static_cast<std::size_t>(i)] : i;
    const Index y = keyLink ? (*keyLink)[static_cast<std::size_t>(j)] : j;
    return 2 * clip + (x == y ? 2 : 1);
  }
  const Index x = j - i;
  return x >= 0 ? std::min(x, clip) : clip + std::min(-x, clip);
}

Plan Plan::begin(std::string mechanism, const Shape& shape, bool causal) {
  Plan plan;
  plan.mechanism = std::move(mechanism);
  plan.shape = shape;
  plan.causal = causal;
  plan.addBuffer("q", shape.nQ, shape.d);
  plan.addBuffer("k", shape.nK, shape.d);
  plan.addBuffer("v", shape.nK, shape.dV);
  return plan;
}

BufferId Plan::addBuffer(std::string name, Index rows, Index cols, std::string traceName) {
  buffers.push_back({std::move(name), rows, cols, std::move(traceName)});
  return static_cast<BufferId>(buffers.size() - 1);
}

bool Plan::standsForValues(BufferId id) const {
  const bool constant =
      std::any_of(constants.begin(), constants.end(), [id](const auto& held) { return held.first == id; });
  return constant && std::any_of(steps.begin(), steps.end(), [id](const Step& step) {
           const auto* attend = std::get_if<AttendStep>(&step);
           return attend != nullptr && attend->axis == KeyAxis::Tokens && attend->v == id;
         });
}

Result<std::shared_ptr<const FrozenPlan>> FrozenPlan::freeze(Plan plan, const JobContext& job, Tiles tiles) {
  auto frozen = std::make_shared<FrozenPlan>();
  frozen->m_plan = std::move(plan);
  const Plan& made = frozen->m_plan;
  frozen->m_support = made.support;
  for (Index h = 0; h < made.shape.heads && made.support.empty(); ++h) {
    Index like = 0;
    while (like < h && !headsAlike(made, like, h)) ++like;
    frozen->m_support.push_back(like < h ? frozen->m_support[static_cast<std::size_t>(like)]
                                         : supportOf(made, h));
  }
  if (tiles == Tiles::Now) ATTN_TRY(frozen->buildTiles(job));
  return std::shared_ptr<const FrozenPlan>(std::move(frozen));
}

Status FrozenPlan::buildTiles(const JobContext& job) const {
  const std::lock_guard lock(m_building);
  if (hasTiles()) return {};
  std::map<const Pattern*, std::shared_ptr<const TileMap>> known;
  std::vector<std::vector<std::shared_ptr<const TileMap>>> all(m_plan.steps.size());
  for (std::size_t s = 0; s < m_plan.steps.size(); ++s) {
    const auto* attend = std::get_if<AttendStep>(&m_plan.steps[s]);
    if (attend == nullptr) continue;
    for (const HeadAttend& head : attend->heads) {
      auto& map = known[head.pattern.get()];
      if (!map) {
        ATTN_ASSIGN(built, TileMap::build(*head.pattern, job));
        map = std::move(built);
      }
      all[s].push_back(map);
    }
  }
  m_tiles = std::move(all);
  m_hasTiles.store(true, std::memory_order_release);
  return {};
}

const TileMap& FrozenPlan::tiles(std::size_t step, Index head) const {
  if (!hasTiles()) (void)buildTiles();  // nobody can cancel it, so it cannot fail
  return *m_tiles[step][static_cast<std::size_t>(head)];
}

void FrozenPlan::attach(std::shared_ptr<const void> companion) const {
  const std::lock_guard lock(m_attaching);
  m_companions.push_back(std::move(companion));
}

bool FrozenPlan::sameSupport(Index a, Index b) const {
  return support(a) == support(b);
}

Index FrozenPlan::pairs(Index head) const {
  Index pairs = 0;
  if (!hasTiles()) (void)buildTiles();
  for (const auto& maps : m_tiles)
    if (!maps.empty()) pairs += maps[static_cast<std::size_t>(head)]->pairs();
  return pairs;
}

Index FrozenPlan::executedTiles(Index head) const {
  Index tiles = 0;
  if (!hasTiles()) (void)buildTiles();
  for (const auto& maps : m_tiles)
    if (!maps.empty()) tiles += maps[static_cast<std::size_t>(head)]->tiles();
  return tiles;
}

}  // namespace attnscope
