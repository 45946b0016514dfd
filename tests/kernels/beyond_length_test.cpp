// SPDX-License-Identifier: GPL-3.0-or-later
// Parameters for which more than the length is legal: a paper's own window or memory on a shorter text.
#include <QTest>

#include "tests/support/against_oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using namespace attnscope::testing;

class BeyondLengthTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec :
         {"longformer:window=512", "longformer:window=512,causal=on", "longformer:window=6,dilation=64",
          "longformer:window=512,dilation=3+40", "etc:radius=84,init=demo",
          "transformer-xl:segment=16,memory=640,clamp=400,init=demo",
          "compressive:segment=9,memory=512,compressed=512,init=demo",
          "compressive:segment=9,memory=9,compressed=512,init=demo", "image:memory=256",
          "image:memory=256,causal=off", "reformer:buckets=512,seed=3", "reformer:buckets=200,causal=on",
          "set:inducing=64", "set:inducing=64,init=random"})
      QTest::newRow(spec) << spec;
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    for (const char* source : {"clustered:n=16,d=8,heads=2", "clustered:n=37,d=8,heads=2"})
      QCOMPARE(disagreement(spec.toStdString(), inputOf(source)), std::string());
  }

  // A window or a memory that covers the text is full attention.
  void coversTheText() {
    const AttentionInput input = inputOf("clustered:n=37,d=8,heads=2");
    QVERIFY(largestDifference(outputOf("longformer:window=512", input), outputOf("full", input)) < 1e-5);
    const Tensor causal = outputOf("full:causal=on", input);
    QVERIFY(largestDifference(outputOf("transformer-xl:segment=5,memory=640", input), causal) < 1e-5);
    QVERIFY(largestDifference(outputOf("compressive:segment=5,memory=512", input), causal) < 1e-5);
    QVERIFY(largestDifference(outputOf("image:query_block=5,memory=256", input), causal) < 1e-5);
  }

  void aThirdPositionTakesTheWordsOfASwitch() {
    const AttentionInput input = inputOf("gaussian:n=37,d=8,heads=2");
    const Tensor shared = outputOf("routing:share_qk=on", input);
    QCOMPARE(largestDifference(outputOf("routing:share_qk=true", input), shared), 0.0);
    QVERIFY(largestDifference(outputOf("routing:share_qk=false", input), shared) > 1e-3);
  }
};

QTEST_APPLESS_MAIN(BeyondLengthTest)
#include "beyond_length_test.moc"
