// SPDX-License-Identifier: GPL-3.0-or-later
// What insides say about tokens: groups that fit their pictures, for every mechanism, and pictures that are
// measured against the matrix that was executed.
#include <QTest>
#include <cmath>
#include <set>

#include "kernels/explore.h"
#include "tests/support/against_oracle.h"
#include "tests/support/call_rows.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

std::vector<InsidePanel> panelsOf(const std::string& spec, const std::string& source, Index head = 0) {
  const auto run = explore(*parseMechanismSpec(spec), inputOf(source), cpuBackend());
  if (!run) qFatal("%s", run.error().message.c_str());
  auto panels = (*run)->insides(head);
  if (!panels) qFatal("%s", panels.error().message.c_str());
  return std::move(*panels);
}

const InsidePanel* named(const std::vector<InsidePanel>& panels, const std::string& title) {
  for (const InsidePanel& panel : panels)
    if (panel.title == title) return &panel;
  return nullptr;
}

bool isWithin(const TokenRanges& ranges, Index n) {
  Index last = -1;  // ranges do not touch
  for (const TokenRange& range : ranges) {
    if (range.begin <= last || range.end <= range.begin || range.end > n) return false;
    last = range.end;
  }
  return true;
}

}  // namespace

class InsidesTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void groupsFitTheirPictures_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=60,d=8,heads=2", "gaussian:n=1,d=2,heads=1", "gaussian:n=37,d=4,heads=1"}, false);
    for (const char* more : {"bigbird:variant=etc", "image:kind=2d", "reformer:rounds=3,buckets=4",
                             "sinkhorn:causal=on", "memory-compressed:causal=on", "axial:mode=decoder"})
      QTest::newRow(more) << QString(more) << QStringLiteral("clustered:n=60,d=8,heads=2");
  }

  void groupsFitTheirPictures() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const auto run =
        explore(*parseMechanismSpec(spec.toStdString()), inputOf(source.toStdString()), cpuBackend());
    QVERIFY(run);
    const FrozenPlan& plan = *(*run)->call.plan;
    const Shape shape = plan.plan().shape;
    const auto panels = (*run)->insides(shape.heads - 1);
    QVERIFY(panels);
    std::set<std::string> closed;  // series that are over
    for (std::size_t p = 0; p < panels->size(); ++p) {
      const InsidePanel& panel = (*panels)[p];
      QVERIFY2(!panel.title.empty(), panel.title.c_str());
      QVERIFY(panel.series.empty() || !closed.contains(panel.series));
      if (p > 0 && (*panels)[p - 1].series != panel.series) closed.insert((*panels)[p - 1].series);
      const Index groups = panel.groups ? std::ssize(*panel.groups) : 0;
      std::set<std::string> names;
      for (Index g = 0; g < groups; ++g) {
        const TokenGroup& group = (*panel.groups)[static_cast<std::size_t>(g)];
        QVERIFY2(names.insert(group.name).second, group.name.c_str());
        QVERIFY2(isWithin(group.queries, shape.nQ) && isWithin(group.keys, shape.nK), group.name.c_str());
        QVERIFY2(isWithin(group.slotColumns, plan.plan().slotCount), group.name.c_str());
      }
      const auto fits = [&](const std::vector<std::int32_t>& items, Index count) {
        return items.empty() ||
               (std::ssize(items) == count && std::all_of(items.begin(), items.end(), [&](std::int32_t g) {
                  return g >= -1 && g < groups;
                }));
      };
      const bool matrix = panel.kind == InsidePanel::Kind::Matrix;
      const Index items = panel.kind == InsidePanel::Kind::Bars      ? std::ssize(panel.bars)
                          : panel.kind == InsidePanel::Kind::Scatter ? panel.points.dim(0)
                          : panel.kind == InsidePanel::Kind::Strips  ? panel.stripGroup.size()
                          : matrix                                   ? panel.values.size()
                          : panel.curves.empty()                     ? 0
                                                                     : std::ssize(panel.curves[0].x);
      QVERIFY2(fits(panel.itemGroup, items), panel.title.c_str());
      if (matrix) {
        QVERIFY2(fits(panel.rowGroup, panel.values.dim(0)), panel.title.c_str());
        QVERIFY2(fits(panel.columnGroup, panel.values.dim(1)), panel.title.c_str());
      }
      if (!panel.anchors.empty()) QVERIFY(fits(panel.anchorGroup, panel.anchors.dim(0)));
      for (const InsidePanel::Curve& curve : panel.curves)
        for (const double y : curve.y) QVERIFY2(std::isfinite(y), panel.title.c_str());
    }
  }

  // Bars count what a click on them selects, and every token has one bucket in each round.
  void bucketsPartitionTheTokens() {
    const auto panels = panelsOf("reformer:rounds=3", "clustered:n=60,d=8,heads=1");
    std::vector<int> seen(60, 0);
    int rounds = 0;
    for (const InsidePanel& panel : panels) {
      if (!panel.title.starts_with("Bucket sizes")) continue;
      ++rounds;
      for (std::size_t b = 0; b < panel.bars.size(); ++b) {
        const TokenGroup& group = (*panel.groups)[static_cast<std::size_t>(panel.itemGroup[b])];
        QCOMPARE(panel.bars[b], static_cast<double>(countOf(group.keys)));
        for (const TokenRange& range : group.keys)
          for (Index t = range.begin; t < range.end; ++t) ++seen[static_cast<std::size_t>(t)];
      }
    }
    // Cells and points belong to the bucket of their own token, in their own round.
    for (int r = 1; r <= 3; ++r) {
      const InsidePanel* strips = named(panels, "Sorted, round " + std::to_string(r));
      QVERIFY(strips && strips->series == "Sorting" && strips->itemGroup.size() == 120);
      for (std::size_t cell = 0; cell < strips->itemGroup.size(); ++cell) {
        const TokenGroup& group = (*strips->groups)[static_cast<std::size_t>(strips->itemGroup[cell])];
        QVERIFY(contains(group.keys, strips->stripToken.values<std::int32_t>()[cell]));
        QVERIFY(group.name.ends_with("round " + std::to_string(r)));
      }
      const InsidePanel* points = named(panels, "Queries, round " + std::to_string(r));
      QVERIFY(points && points->anchorsAreRays);
      for (std::size_t p = 0; p < 60; ++p) {
        const TokenGroup& group = (*points->groups)[static_cast<std::size_t>(points->itemGroup[p])];
        QVERIFY(contains(group.keys, points->token[p]) && group.name.ends_with("round " + std::to_string(r)));
      }
    }
    QCOMPARE(rounds, 3);
    QCOMPARE(seen, std::vector<int>(60, 3));
  }

  // With one chunk for everything the rounds find all of full attention; more rounds never find less.
  void recallIsAShareOfFullAttention() {
    const auto all =
        panelsOf("reformer:chunk=60,restrict_to_bucket=off,rounds=2", "clustered:n=60,d=8,heads=1");
    for (const double share : named(all, "Recall by rounds")->bars) QVERIFY(std::abs(share - 1.0) < 1e-9);
    const auto some = panelsOf("reformer:rounds=8,chunk=4", "clustered:n=60,d=8,heads=1");
    const std::vector<double>& bars = named(some, "Recall by rounds")->bars;
    QCOMPARE(bars.size(), std::size_t{8});
    QVERIFY(std::is_sorted(bars.begin(), bars.end()) && bars.front() < 0.9 && bars.back() > bars.front());
    const InsidePanel* collisions = named(some, "Collisions");
    QVERIFY(collisions && collisions->curves[0].y.back() > collisions->curves[0].y.front());
  }

  // The two maps of the inducing points in a row are the matrix that was executed.
  void productOfTheMapsIsTheMatrix() {
    const auto run = explore(*parseMechanismSpec("set"), inputOf("clustered:n=40,d=8,heads=2"), cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(1);
    const auto matrix = (*run)->matrix->block(1, 0, 40, 0, 40);
    QVERIFY(panels && matrix);
    const auto drawn = named(*panels, "P₂ P₁")->values.values<float>();
    const auto executed = matrix->values<float>();
    QCOMPARE(drawn.size(), executed.size());
    for (std::size_t i = 0; i < drawn.size(); ++i) QVERIFY(std::abs(drawn[i] - executed[i]) < 1e-5F);
  }

  // The running sums at the end are sums over all keys.
  void runningSumsEndAtTheWholeSum() {
    const auto run =
        explore(*parseMechanismSpec("performer"), inputOf("clustered:n=40,d=8,heads=2"), cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(1);
    QVERIFY(panels);
    const InsidePanel* state = named(*panels, "State over time");
    const InsidePanel* features = named(*panels, "log φ(K)");
    QVERIFY(state && features);
    const Index r = features->values.dim(1);
    double squares = 0.0;
    for (Index a = 0; a < r; ++a) {
      double sum = 0.0;
      for (Index j = 0; j < 40; ++j)
        sum += std::exp(static_cast<double>(features->values.slice<float>(j)[static_cast<std::size_t>(a)]));
      squares += sum * sum;
    }
    QCOMPARE(state->curves[0].x.back(), 40.0);
    QVERIFY(std::abs(state->curves[0].y.back() - 0.5 * std::log(squares)) < 1e-6);
    QVERIFY(std::is_sorted(state->curves[0].y.begin(), state->curves[0].y.end()));
  }

  // Rules drawn alone are the pattern, label by label.
  void layersAreThePattern() {
    for (const char* spec : {"longformer", "sparse", "bigbird:block=4"}) {
      const auto run =
          explore(*parseMechanismSpec(spec), inputOf("clustered:n=60,d=8,heads=1"), cpuBackend());
      QVERIFY(run);
      const auto panels = (*run)->insides(0);
      QVERIFY(panels);
      const FrozenPlan& plan = *(*run)->call.plan;
      RunList runs;
      for (std::size_t label = 0; label < plan.plan().labels.size(); ++label) {
        const InsidePanel* layer =
            named(*panels, std::string("Only ").append(plan.plan().labels[label].name));
        QVERIFY(layer);
        for (Index i = 0; i < 60; ++i) {
          std::vector<float> expected(60, 0.0F);
          plan.support(0)->row(i, runs);
          for (const Run& run1 : runs)
            for (Index j = run1.begin; j < std::min<Index>(run1.end, 60); j += run1.stride)
              if (run1.label == label) expected[static_cast<std::size_t>(j)] = 1.0F;
          const auto row = layer->values.slice<float>(i);
          QVERIFY(std::equal(row.begin(), row.end(), expected.begin()));
        }
      }
    }
  }

  // A long text: shares of all pairs, also of strided ones, add up to the number of pairs.
  void layersOfLongTextsCountPairs() {
    const auto run = explore(*parseMechanismSpec("sparse:stride=20"), inputOf("gaussian:n=1000,d=4,heads=1"),
                             cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(0);
    QVERIFY(panels);
    double pairs = 0.0;
    for (const InsidePanel& panel : *panels) {
      if (panel.series != "Rules") continue;
      const Index cells = panel.values.dim(0);
      for (Index r = 0; r < cells; ++r)
        for (Index c = 0; c < cells; ++c) {
          const auto tokens = [&](Index at) {
            return ceilDiv((at + 1) * 1000, cells) - ceilDiv(at * 1000, cells);
          };
          pairs += static_cast<double>(panel.values.slice<float>(r)[static_cast<std::size_t>(c)]) *
                   static_cast<double>(tokens(r) * tokens(c));
        }
    }
    double expected = 0.0;
    for (Index i = 0; i < 1000; ++i)
      expected += static_cast<double>(rowCount(*(*run)->call.plan->support(0), i));
    QVERIFY2(std::abs(pairs - expected) < 1e-4 * expected, qPrintable(QString::number(pairs / expected)));
  }

  // One step is what is read; a chain of windows needs as many steps as it has windows.
  void distancesAreNumbersOfReads() {
    const auto panels = panelsOf("bigbird:block=4,random=1", "clustered:n=60,d=8,heads=1");
    const InsidePanel* graph = named(panels, "Graph of the blocks");
    const InsidePanel* hops = named(panels, "Distances in the graph");
    const InsidePanel* ring = named(panels, "The graph as a ring");
    QVERIFY(graph && hops && ring);
    const Index blocks = graph->values.dim(0);
    std::size_t edges = 0;
    for (Index a = 0; a < blocks; ++a)
      for (Index b = 0; b < blocks; ++b) {
        const auto at = static_cast<std::size_t>(b);
        const float steps = hops->values.slice<float>(a)[at];
        const bool reads = a != b && graph->values.slice<float>(a)[at] > 0.0F;
        QCOMPARE(steps == 1.0F, reads);
        QCOMPARE(steps == 0.0F, a == b);
        edges += reads ? 1 : 0;
        // No detour is shorter than the distance.
        for (Index c = 0; c < blocks; ++c)
          QVERIFY(steps <= hops->values.slice<float>(a)[static_cast<std::size_t>(c)] +
                               hops->values.slice<float>(c)[at]);
      }
    QCOMPARE(ring->edges.size(), edges);
  }

  // A slot of a compressed memory names the tokens it stands for and how old they are.
  void slotsNameTheirTokens() {
    const auto panels =
        panelsOf("compressive:rate=3,segment=6,memory=6,compressed=4", "clustered:n=66,d=8,heads=1");
    const InsidePanel* line = named(panels, "Segments over time");
    QVERIFY(line);
    // Row 10 reads tokens 60 .. 65; memory 54 .. 59; 4 slots of 3 tokens before it.
    const auto groupAt = [&](Index row, Index token) -> const TokenGroup& {
      return (*line->groups)[static_cast<std::size_t>(
          line->itemGroup[static_cast<std::size_t>(row * 66 + token)])];
    };
    QCOMPARE(groupAt(10, 63).keys, (TokenRanges{{60, 66}}));
    QCOMPARE(groupAt(10, 55).name, std::string("memory of segment 10, 1 segment old"));
    const TokenGroup& slot = groupAt(10, 52);
    QCOMPARE(slot.keys, (TokenRanges{{51, 54}}));
    QCOMPARE(slot.queries, (TokenRanges{{60, 66}}));
    QCOMPARE(slot.slotColumns, (TokenRanges{{17, 18}}));
    QCOMPARE(slot.name, std::string("slot 17 in sight of segment 10, 2 segments old"));
  }

  // Until a slot is full its tokens are out of sight.
  void blindZoneGrowsUntilASlotIsFull() {
    const auto panels = panelsOf("memory-compressed:causal=on", "clustered:n=60,d=8,heads=1");
    const InsidePanel* blind = named(panels, "Blind zone");
    const InsidePanel* made = named(panels, "Slots");
    QVERIFY(blind && made);
    for (std::size_t i = 0; i < 60; ++i) {
      Index past = 0;
      for (const TokenGroup& slot : *made->groups)
        if (!slot.keys.empty() && slot.keys.back().end <= static_cast<Index>(i) + 1)
          past = std::max(past, slot.keys.back().end);
      QCOMPARE(blind->curves[0].y[i], static_cast<double>(static_cast<Index>(i) + 1 - past));
    }
  }
};

QTEST_APPLESS_MAIN(InsidesTest)
#include "insides_test.moc"
