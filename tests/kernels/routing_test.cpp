// SPDX-License-Identifier: GPL-3.0-or-later
// Routing Transformer: what its definition promises whatever the input.
#include <QTest>
#include <array>

#include "core/mechanisms/routing_tables.h"
#include "kernels/explore.h"
#include "tests/support/against_oracle.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

const std::string kSource = "clustered:n=61,d=12,heads=2,seed=4";

Tensor traceOf(const PlannedCall& call, const std::string& name) {
  for (const NamedTensor& trace : call.plan->plan().trace)
    if (trace.name == name) return trace.tensor;
  return {};
}

Tensor centroidsOf(const PlannedCall& call) {
  return call.plan->plan().params.front().make();
}

// The input with queries and keys standardised, and the keys those of the queries if shared.
AttentionInput standardised(AttentionInput input, bool shared) {
  const auto standard = [](const Tensor& tensor) {
    const auto rows = standardisedRows(tensor.values<float>(), tensor.dim(0) * tensor.dim(1), tensor.dim(2));
    return Tensor::fromFloats(tensor.shape(), std::vector<float>(rows.begin(), rows.end()));
  };
  input.k = standard(shared ? input.q : input.k);
  input.q = standard(input.q);
  return input;
}

// The tensor with the centroids in another order, each times its factor.
Tensor rearranged(const Tensor& centroids, bool reverse, float factor) {
  Tensor tensor(DType::F32, centroids.shape());
  const Index k = centroids.dim(1);
  const Index d = centroids.dim(2);
  for (Index h = 0; h < centroids.dim(0); ++h)
    for (Index c = 0; c < k; ++c)
      for (Index x = 0; x < d; ++x)
        tensor.mutableSlice<float>(h)[static_cast<std::size_t>(c * d + x)] =
            factor * static_cast<float>(c + 1) *
            centroids.slice<float>(h)[static_cast<std::size_t>((reverse ? k - 1 - c : c) * d + x)];
  return tensor;
}

}  // namespace

class RoutingTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    const auto add = [](const std::string& spec, const std::string& source) {
      QTest::newRow((spec + " on " + source).c_str())
          << QString::fromStdString(spec) << QString::fromStdString(source);
    };
    for (const char* source : {"clustered:n=70,d=8,heads=3", "gaussian:n=97,d=16,dv=5,heads=6,kv_heads=3"})
      for (const char* spec :
           {"routing:clusters=5,window=30,local_heads=1,local_block=7", "routing:clusters=40,window=3",
            "routing:clusters=9,window=20,self_penalty=1,share_qk=on", "routing:clusters=70,window=1",
            "routing:clusters=3,window=64,init=random,self_penalty=1e5,local_heads=2",
            "routing:clusters=4,window=65,steps=1,seed=7", "routing:scale=1,init=random"})
        for (const char* causal : {",causal=off", ",causal=on"}) add(std::string(spec) + causal, source);
    for (const char* source : {"gaussian:n=80,nk=33,d=8,heads=2", "gaussian:n=33,nk=80,d=8,heads=2"})
      for (const char* spec : {"routing:clusters=4,window=50", "routing:clusters=6,window=9,self_penalty=1",
                               "routing:local_heads=1,local_block=5"})
        add(spec, source);
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const std::string wrong = disagreement(spec.toStdString(), inputOf(source.toStdString()));
    QVERIFY2(wrong.empty(), wrong.c_str());
  }

  // Tables with a seat for everybody are full attention on the normalised rows, however many there are.
  void seatsForAllIsFullAttention_data() {
    QTest::addColumn<QString>("options");
    QTest::addColumn<bool>("causal");
    for (const char* clusters : {"1", "2", "7", "61"})
      for (const bool causal : {false, true})
        QTest::newRow((std::string(clusters) + (causal ? " causal" : "")).c_str())
            << QString("clusters=%1,window=61").arg(clusters) << causal;
  }
  void seatsForAllIsFullAttention() {
    QFETCH(QString, options);
    QFETCH(bool, causal);
    const AttentionInput input = inputOf(kSource);
    const std::string mask = causal ? "causal=on" : "causal=off";
    const Tensor routed = outputOf("routing:" + options.toStdString() + "," + mask, input);
    QVERIFY(largestDifference(routed, outputOf("full:" + mask, standardised(input, causal))) < 1e-5);
  }

  void everySeatIsTaken() {
    const AttentionInput input = inputOf(kSource);
    for (const char* spec : {"routing:clusters=6,window=9", "routing:clusters=20,window=3,causal=on"}) {
      const PlannedCall call = planned(spec, input);
      for (const char* name : {"tables_q", "tables_k"}) {
        const Tensor tables = traceOf(call, name);
        const Index seats = tables.dim(2);
        const auto tokens = tables.values<std::int32_t>();
        for (std::size_t at = 0; at < tokens.size(); ++at) {
          QVERIFY(tokens[at] >= 0 && tokens[at] < 61);
          if (at % static_cast<std::size_t>(seats) != 0) QVERIFY(tokens[at] > tokens[at - 1]);
        }
      }
    }
  }

  void nobodyInvitesATokenTwiceOrForNothing() {
    const AttentionInput input = inputOf(kSource);
    const PlannedCall call = planned("routing:clusters=2,window=5", input);
    const Tensor tables = traceOf(call, "tables_q");
    const RunResult run = ran(call, input);
    for (Index h = 0; h < 2; ++h) {
      std::set<std::int32_t> seated;
      for (const std::int32_t i : tables.slice<std::int32_t>(h)) seated.insert(i);
      QVERIFY(seated.size() < 61);
      const Index dV = input.shape().dV;
      for (Index i = 0; i < 61; ++i) {
        const auto row =
            run.out.slice<float>(h).subspan(static_cast<std::size_t>(i * dV), static_cast<std::size_t>(dV));
        const bool zero = std::all_of(row.begin(), row.end(), [](float x) { return x == 0.0F; });
        QCOMPARE(zero, !seated.contains(static_cast<std::int32_t>(i)));
      }
    }
  }

  // Tables are chosen centroid by centroid: neither their order nor their lengths matter.
  void orderAndLengthOfCentroidsDoNotMatter() {
    const AttentionInput input = inputOf(kSource);
    const std::string spec = "routing:clusters=6,window=11";
    const PlannedCall call = planned(spec, input);
    const Tensor centroids = centroidsOf(call);
    const Tensor out = ran(call, input).out;
    for (const bool reverse : {false, true}) {
      const WeightSet weights{{"centroids", rearranged(centroids, reverse, 0.125F)}};
      const PlannedCall other = planned(spec, input, weights);
      QVERIFY(largestDifference(out, ran(other, input).out) < 1e-6);
      if (reverse) continue;
      const auto a = traceOf(call, "tables_k").values<std::int32_t>();
      const auto b = traceOf(other, "tables_k").values<std::int32_t>();
      QVERIFY(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
  }

  void causalReadsNothingLater() {
    const Reach reached = reach("routing:clusters=9,window=20,causal=on", kSource);
    for (std::size_t i = 0; i < reached.size(); ++i)
      QVERIFY(reached[i].empty() || *reached[i].rbegin() <= static_cast<Index>(i));
  }

  // With a penalty a token reads itself only at tables where it has nobody else.
  void selfIsTheLastResort() {
    const AttentionInput input = inputOf(kSource);
    const PlannedCall call = planned("routing:clusters=5,window=9,causal=on,self_penalty=1", input);
    const auto tables = traceOf(call, "tables_q").slice<std::int32_t>(0);
    std::set<Index> first;
    for (std::size_t at = 0; at < tables.size(); at += 9) first.insert(tables[at]);
    const Reach reached = reachOf(*call.plan->support(0));
    for (Index i = 0; i < 61; ++i)
      QCOMPARE(reached[static_cast<std::size_t>(i)].contains(i), first.contains(i));
  }

  void equalTokensAreSeatedInOrder() {
    AttentionInput input = inputOf("gaussian:n=20,d=4,heads=1");
    std::vector<float> same;
    for (int i = 0; i < 20; ++i) same.insert(same.end(), {1.0F, -2.0F, 0.5F, 3.0F});
    input.q = input.k = Tensor::fromFloats({1, 20, 4}, same);
    const auto seated = traceOf(planned("routing:clusters=3,window=4", input), "tables_q");
    const std::array<std::int32_t, 12> expected{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
    const auto tokens = seated.values<std::int32_t>();
    QVERIFY(std::equal(tokens.begin(), tokens.end(), expected.begin(), expected.end()));
  }

  // k-means never makes the sum of the best products smaller.
  void centroidsOnlyImprove() {
    const AttentionInput input = inputOf("gaussian:n=150,d=10,heads=1");
    const PlannedCall call = planned("routing:clusters=8,steps=12", input);
    const Tensor path = traceOf(call, "centroid_path");
    QCOMPARE(path.dim(1), Index{13});
    const auto q = standardisedRows(input.q.values<float>(), 150, 10);
    const auto k = standardisedRows(input.k.values<float>(), 150, 10);
    double last = 0.0;
    double first = 0.0;
    for (std::size_t step = 0; step < 13; ++step) {
      const auto set = path.values<float>().subspan(step * 80, 80);
      const std::vector<double> centroids(set.begin(), set.end());
      double sum = 0.0;
      for (const auto& rows : {q, k}) {
        const auto nearest = nearestCentroids({rows, 10}, centroids, {});
        QVERIFY(nearest);
        for (std::size_t i = 0; i < nearest->size(); ++i)
          for (std::size_t c = 0; c < 10; ++c)
            sum += rows[i * 10 + c] * centroids[static_cast<std::size_t>((*nearest)[i]) * 10 + c];
      }
      QVERIFY2(sum >= last - 1e-3, qPrintable(QString::number(step)));
      if (step == 0) first = sum;
      last = sum;
    }
    QVERIFY(last > first + 1.0);
    for (std::size_t c = 0; c < 8; ++c) {
      double squares = 0.0;
      for (const float x : centroidsOf(call).values<float>().subspan(c * 10, 10))
        squares += static_cast<double>(x) * static_cast<double>(x);
      QVERIFY(std::abs(squares - 10.0) < 1e-4);
    }
  }

  void localHeadsAreTheImageTransformers() {
    const AttentionInput input = inputOf(kSource);
    const Tensor routed = outputOf("routing:local_heads=2,local_block=8,causal=on", input);
    QVERIFY(largestDifference(routed, outputOf("image:kind=1d,query_block=8,memory=8,causal=on", input)) <
            1e-6);
  }

  void centroidsFromAFileServeAllHeads() {
    const AttentionInput input = inputOf(kSource);
    const Tensor one = Tensor::fromFloats(
        {3, 12}, centroidsOf(planned("routing:clusters=3,window=8", input)).slice<float>(1));
    const WeightSet weights{{"centroids", one}};
    const std::string wrong = disagreement("routing:clusters=3,window=8", input, weights);
    QVERIFY2(wrong.empty(), wrong.c_str());
    QVERIFY(contains(messageOf("routing:clusters=4,window=8", input, weights),
                     "'centroids' has the shape (3, 12)"));
  }

  void refusals() {
    const AttentionInput square = inputOf(kSource);
    const AttentionInput cross = inputOf("gaussian:n=20,nk=30,d=4,heads=1");
    QVERIFY(contains(messageOf("routing:share_qk=off,causal=on", square), "Use share_qk=on"));
    QVERIFY(contains(messageOf("routing:share_qk=on", cross), "20 queries and 30 keys"));
    QVERIFY(contains(messageOf("routing:causal=on", cross), "as many queries as keys when causal"));
    QVERIFY(contains(messageOf("routing:window=62", square), "nearest valid value is 61"));
    QVERIFY(contains(messageOf("routing:local_heads=3", square), "nearest valid value is 2"));
  }

  void insides() {
    const AttentionInput input = inputOf("gaussian:n=3000,d=8,heads=2");
    const auto run =
        explore(*parseMechanismSpec("routing:clusters=20,window=40,local_heads=1"), input, cpuBackend());
    QVERIFY(run);
    const auto panels = (*run)->insides(0);
    QVERIFY(panels);
    QCOMPARE(panels->size(), std::size_t{6});
    QCOMPARE((*panels)[0].points.dim(0), Index{3000});
    QCOMPARE((*panels)[0].anchors.dim(0), Index{20});
    // 3000 queries on 2048 columns: every seat adds its share of a column.
    QCOMPARE((*panels)[1].values.dim(1), Index{2048});
    double tokens = 0.0;
    double seats = 0.0;
    for (std::size_t visits = 0; visits < (*panels)[2].bars.size(); ++visits) {
      tokens += (*panels)[2].bars[visits];
      seats += static_cast<double>(visits) * (*panels)[2].bars[visits];
    }
    QCOMPARE(tokens, 3000.0);
    QCOMPARE(seats, 800.0);
    double nearest = 0.0;
    for (const double size : (*panels)[3].curves[0].y) nearest += size;
    QCOMPARE(nearest, 3000.0);
    QCOMPARE((*panels)[4].curves[0].y.size(), std::size_t{10});
    QCOMPARE((*panels)[5].curves.size(), std::size_t{3});
    QVERIFY((*panels)[5].curves[0].y.back() < (*panels)[5].curves[0].y.front());
    const auto local = (*run)->insides(1);
    QVERIFY(local);
    QCOMPARE(local->size(), std::size_t{1});
  }

  // Seats are those of rows standardised by plain sums in double, however far from 0 the rows lie.
  void seatsOfExactRows() {
    const AttentionInput input = inputOf("clustered:n=150,d=8,heads=1,seed=3");
    const auto centroids = input.k.slice<float>(0).subspan(0, 6 * 8);
    for (const float offset : {0.0F, 900.0F, 30000.0F, 1e6F, 1e9F}) {
      std::vector<float> raw(input.q.slice<float>(0).begin(), input.q.slice<float>(0).end());
      for (float& x : raw) x += offset;
      const auto rows = standardisedRows(raw, 150, 8);
      const auto seated = seatRows(raw, 8, centroids, 40, {});
      QVERIFY(seated);
      for (std::size_t c = 0; c < 6; ++c) {
        std::vector<std::pair<double, std::int32_t>> scores;
        for (std::int32_t i = 0; i < 150; ++i) {
          double sum = 0.0;
          for (std::size_t t = 0; t < 8; ++t)
            sum += rows[static_cast<std::size_t>(i) * 8 + t] * static_cast<double>(centroids[c * 8 + t]);
          scores.emplace_back(-sum, i);
        }
        std::sort(scores.begin(), scores.end());
        std::vector<std::int32_t> expected;
        for (std::size_t s = 0; s < 40; ++s) expected.push_back(scores[s].second);
        std::sort(expected.begin(), expected.end());
        QVERIFY(std::equal(expected.begin(), expected.end(), seated->begin() + static_cast<int>(c) * 40));
      }
    }
  }

  // The way of k-means is that of plain loops, to the last bit, also once some centroids have settled.
  void stepsOfPlainLoops() {
    const AttentionInput input = inputOf("clustered:n=120,d=8,heads=1,seed=5");
    const auto rows = standardisedRows(input.q.slice<float>(0), 120, 8);
    std::vector<std::vector<double>> path{{rows.begin(), rows.begin() + 7 * 8}};
    std::vector<double> plain = path.front();
    QVERIFY(spherewiseLloyd({{rows, 8}}, 12, path, {}));
    std::vector<std::size_t> settled;
    for (std::size_t step = 1; step < path.size(); ++step) {
      std::vector<double> sums(plain.size(), 0.0);
      std::vector<bool> read(7, false);
      for (std::size_t i = 0; i < 120; ++i) {
        std::array<double, 7> products{};
        for (std::size_t c = 0; c < 7; ++c)
          for (std::size_t t = 0; t < 8; ++t) products[c] += rows[i * 8 + t] * plain[c * 8 + t];
        const auto best =
            static_cast<std::size_t>(std::max_element(products.begin(), products.end()) - products.begin());
        read[best] = true;
        for (std::size_t t = 0; t < 8; ++t) sums[best * 8 + t] += rows[i * 8 + t];
      }
      std::size_t same = 0;
      for (std::size_t c = 0; c < 7; ++c) {
        if (!read[c]) continue;
        double squares = 0.0;
        for (std::size_t t = 0; t < 8; ++t) squares += sums[c * 8 + t] * sums[c * 8 + t];
        const double factor = std::sqrt(8.0 / squares);
        bool moved = false;
        for (std::size_t t = 0; t < 8; ++t) {
          moved |= plain[c * 8 + t] != factor * sums[c * 8 + t];
          plain[c * 8 + t] = factor * sums[c * 8 + t];
        }
        same += moved ? 0 : 1;
      }
      settled.push_back(same);
      QVERIFY2(plain == path[step], qPrintable(QString::number(step)));
    }
    QVERIFY(std::any_of(settled.begin(), settled.end(), [](std::size_t s) { return s > 0 && s < 7; }));
  }

  // Exponential averages: a decay of 1 moves nothing, one between leaves centroids on the sphere and nearer.
  void averagesOfCentroids() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=90,d=8,heads=1,seed=2");
    const auto rows = standardisedRows(input.q.slice<float>(0), 90, 8);
    const RowsView view{rows, 8};
    const std::vector<double> start(rows.begin() + 80, rows.begin() + 80 + 5 * 8);
    std::vector<std::vector<double>> still{start};
    QVERIFY(spherewiseLloyd({view}, 3, still, {}, 1.0));
    for (std::size_t c = 0; c < start.size(); ++c) QVERIFY(std::abs(still.back()[c] - start[c]) < 1e-5);
    std::vector<std::vector<double>> slow{start};
    std::vector<std::vector<double>> fast{start};
    QVERIFY(spherewiseLloyd({view}, 1, slow, {}, 0.9));
    QVERIFY(spherewiseLloyd({view}, 1, fast, {}));
    double slowMove = 0.0;
    double fastMove = 0.0;
    for (std::size_t c = 0; c < start.size(); ++c) {
      slowMove += std::pow(slow.back()[c] - start[c], 2);
      fastMove += std::pow(fast.back()[c] - start[c], 2);
    }
    QVERIFY(slowMove > 0.0 && slowMove < 0.25 * fastMove);
    for (std::size_t k = 0; k < 5; ++k) {
      double length = 0.0;
      for (std::size_t c = 0; c < 8; ++c) length += std::pow(slow.back()[8 * k + c], 2);
      QVERIFY(std::abs(length - 8.0) < 1e-9);
    }
  }
};

QTEST_APPLESS_MAIN(RoutingTest)
#include "routing_test.moc"
