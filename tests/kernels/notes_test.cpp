// SPDX-License-Identifier: GPL-3.0-or-later
// A global memory of notes: ETC and Big Bird's extended construction, their labels, hard masks and own
// tensors.
#include <QTest>
#include <cmath>
#include <set>

#include "core/analysis/reach.h"
#include "core/base/rng.h"
#include "core/mechanisms/note_panels.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/explore.h"
#include "tests/support/against_oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

std::string sourceOf(Index n) {
  return "clustered:d=8,heads=2,seed=3,n=" + std::to_string(n);
}

std::shared_ptr<const Exploration> run(const AttentionInput& input, const std::string& spec,
                                       const WeightSet& weights = {}) {
  const auto explored = explore(*parseMechanismSpec(spec), input, cpuBackend(), {}, weights);
  if (!explored) qFatal("%s", explored.error().message.c_str());
  return *explored;
}

Tensor drawn(std::vector<Index> shape, std::uint64_t seed) {
  Tensor tensor(DType::F32, std::move(shape));
  RandomStream(seed, "notes_test", "tensor").fillNormals({0, 0, 0}, tensor.mutableValues<float>());
  return tensor;
}

std::shared_ptr<const attnscope::Reach> layersOf(const std::string& spec, const AttentionInput& input) {
  const auto reach = reachOverLayers(*run(input, spec)->call.plan, 2, std::nullopt);
  if (!reach) qFatal("%s", reach.error().message.c_str());
  return *reach;
}

// A text of four sentences of unequal length.
AttentionInput text() {
  AttentionInput input = attnscope::testing::inputOf(sourceOf(23));
  input.segments = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3};
  return input;
}

}  // namespace

class NotesTest : public QObject {
  Q_OBJECT

 private slots:
  void labelsAreNumberedAsInThePaper() {
    LabelTerm term;
    term.clip = 3;
    const std::vector<Index> first{0, 1, 2, 3, 3, 3};
    const std::vector<Index> fourth{6, 5, 4, 0, 1, 2};
    for (Index j = 0; j < 6; ++j) {
      QCOMPARE(term.label(0, j), first[static_cast<std::size_t>(j)]);
      QCOMPARE(term.label(3, j), fourth[static_cast<std::size_t>(j)]);
    }
    term.rule = LabelTerm::Rule::Linked;
    QCOMPARE(term.label(2, 2), Index{8});
    QCOMPARE(term.label(2, 3), Index{7});
  }

  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec :
         {"etc:radius=3,init=demo", "etc:radius=3,init=demo,clip=2,hard_l2g=on,hard_g2l=on,block=5",
          "etc:radius=0,init=demo", "bigbird:variant=etc,block=3,random=1",
          "bigbird:variant=etc,block=2,random=0", "bigbird:variant=etc,block=12"})
      QTest::newRow(spec) << spec;
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    const AttentionInput sentences = text();
    QCOMPARE(attnscope::testing::disagreement(spec.toStdString(), sentences), std::string());
    const Tensor own = drawn({2, run(sentences, spec.toStdString())->call.plan->slotCount(), 8}, 1);
    QCOMPARE(attnscope::testing::disagreement(spec.toStdString(), sentences, {{"k_global", own}}),
             std::string());
    QCOMPARE(attnscope::testing::disagreement(spec.toStdString(), sentences,
                                              {{"v_global", own}, {"q_global", own}}),
             std::string());
  }

  // r >= n - 1 and soft masks: notes and tokens together are dense attention over [tokens; notes].
  void aWideRadiusIsDense() {
    const AttentionInput input = text();
    const auto etc = run(input, "etc:radius=22");
    for (Index h = 0; h < 2; ++h) {
      const auto notes = etc->buffers->at("out_global").slice<float>(h);
      const auto q = etc->buffers->at("q_global").slice<float>(h);
      const auto noteK = etc->buffers->at("k_global").slice<float>(h);
      const auto noteV = etc->buffers->at("v_global").slice<float>(h);
      const auto k = input.k.slice<float>(h);
      const auto v = input.v.slice<float>(h);
      for (std::size_t a = 0; a < 4; ++a) {
        std::vector<double> weights;
        double total = 0.0;
        for (std::size_t j = 0; j < 27; ++j) {
          const float* key = j < 23 ? k.data() + 8 * j : noteK.data() + 8 * (j - 23);
          double dot = 0.0;
          for (std::size_t c = 0; c < 8; ++c) dot += double{q[8 * a + c]} * key[c];
          weights.push_back(std::exp(dot / std::sqrt(8.0)));
          total += weights.back();
        }
        for (std::size_t c = 0; c < 8; ++c) {
          double expected = 0.0;
          for (std::size_t j = 0; j < 27; ++j)
            expected += weights[j] / total * (j < 23 ? v[8 * j + c] : noteV[8 * (j - 23) + c]);
          QVERIFY(std::abs(expected - notes[8 * a + c]) < 1e-5);
        }
      }
    }
  }

  // Word, its note, any word: two layers connect all unless both masks are hard.
  void notesConnectTheText() {
    const AttentionInput input = text();
    QCOMPARE(layersOf("etc:radius=1", input)->share[1], 1.0);
    QCOMPARE(layersOf("etc:radius=1,hard_g2l=on", input)->share[1], 1.0);
    const auto apart = layersOf("etc:radius=0,hard_g2l=on,hard_l2g=on", input);
    // Notes read each other in the first layer, words their note in the second.
    for (Index i = 0; i < 23; ++i)
      for (Index j = 0; j < 23; ++j)
        if (apart->hopsOf(i, j) == 1)
          QCOMPARE(input.segments[static_cast<std::size_t>(i)], input.segments[static_cast<std::size_t>(j)]);
  }

  void countsEveryPart() {
    const Index n = 64;
    const auto etc = run(attnscope::testing::inputOf(sourceOf(n)), "etc:radius=5,block=16");
    const double window = n * 11.0 - 5.0 * 6.0;
    QCOMPARE(etc->cost.pairs, 2.0 * (window + n * 4.0 + 4.0 * 4.0 + 4.0 * n));
  }

  void contrastIsWorstWhereNotesAreAlike() {
    const std::vector<double> alike(12, 0.5);
    QVERIFY(std::abs(contrastiveLoss(alike, alike, 3) - std::log(4.0)) < 1e-12);
    std::vector<double> apart(16, 0.0);
    for (std::size_t a = 0; a < 4; ++a) apart[5 * a] = 6.0;
    QVERIFY(contrastiveLoss(apart, apart, 4) < 1e-12);
  }

  // Published planners draw from a part of the sequence: the first 1,024 tokens, or blocks 1 to 2 r + 3.
  void officialPlansStayInFront() {
    for (const auto& [n, last] : {std::pair<Index, Index>{2048, 15}, {1500, 7}}) {
      const auto planned = planCall(*parseMechanismSpec("bigbird:block=64,random=2,plan=official"),
                                    attnscope::testing::inputOf(sourceOf(n)));
      QVERIFY(planned);
      const Tensor blocks = planned->plan->plan().params.front().make();
      std::set<std::int32_t> seen;
      for (const std::int32_t b : blocks.values<std::int32_t>())
        if (b >= 0) seen.insert(b);
      QVERIFY(*seen.begin() >= 1 && *seen.rbegin() <= last);
      QVERIFY(seen.size() > 4);
    }
    const auto refused = planCall(*parseMechanismSpec("bigbird:block=64,random=2,plan=official"),
                                  attnscope::testing::inputOf(sourceOf(500)));
    QVERIFY(!refused && refused.error().message.find("plan=uniform") != std::string::npos);
  }
};

QTEST_APPLESS_MAIN(NotesTest)
#include "notes_test.moc"
