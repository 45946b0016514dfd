// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>

#include "core/mechanisms/registry.h"
#include "core/params/mechanism_spec.h"
#include "core/params/param_values.h"

using namespace attnscope;

namespace {
const Shape kShape{4, 4, 100, 100, 16, 16};
}

class ParamsTest : public QObject {
  Q_OBJECT

 private slots:
  void specRoundTrip() {
    for (const char* text :
         {"full", "reformer:chunk=32,rounds=4", "longformer:dilation=1+1+2+2,window=64,causal=on",
          "linformer:k=8,scale=0.25,seed=7", "reformer:seed=0", "custom:rule=\"abs(q - k) <= w, or\",w=8",
          "custom:rule=\"a: q<k; \"\"b\"\": k % 2 == 0\",causal=on"}) {
      const auto spec = parseMechanismSpec(text);
      QVERIFY(spec);
      QCOMPARE(parseMechanismSpec(spec->text())->text(), spec->text());
    }
    QCOMPARE(parseMechanismSpec("reformer:chunk=32,rounds=4")->text(),
             std::string("reformer:chunk=32,rounds=4"));
  }

  // Any text can be a value, whatever it contains.
  void valuesInQuotes() {
    for (const std::string& value : std::vector<std::string>{"q<k", "a,b=c", "\"", "\"\"", "x\"", "\",\"", "",
                                                             " ", "a\nb", "100%", "8x32", "a:b;c", "'"}) {
      MechanismSpec spec;
      spec.id = "custom";
      spec.params = {{"rule", value}, {"w", std::string("4")}};
      const auto read = parseMechanismSpec(spec.text());
      QVERIFY2(read, spec.text().c_str());
      QVERIFY2(*read == spec && read->params.at("rule") == value, spec.text().c_str());
    }
    QCOMPARE(parseMechanismSpec("a:x=\"1,2\",y=3")->params.at("x"), std::string("1,2"));
    QCOMPARE(parseMechanismSpec("a:x=1\"2")->params.at("x"), std::string("1\"2"));
  }

  void badSpecs_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("word");
    QTest::newRow("nothing") << ""
                             << "names no mechanism";
    QTest::newRow("no value") << "full:causal"
                              << "name=value";
    QTest::newRow("bad flag") << "full:causal=maybe"
                              << "on or off";
    QTest::newRow("bad scale") << "full:scale=-1"
                               << "above 0";
    QTest::newRow("nan scale") << "full:scale=nan"
                               << "above 0";
    QTest::newRow("open quote") << "custom:rule=\"q<k"
                                << "not closed";
    QTest::newRow("after the quote") << "custom:rule=\"q<k\"w=3"
                                     << "followed by";
    QTest::newRow("bad seed") << "full:seed=x"
                              << "whole number";
  }
  void badSpecs() {
    QFETCH(QString, text);
    QFETCH(QString, word);
    const auto spec = parseMechanismSpec(text.toStdString());
    QVERIFY(!spec);
    QCOMPARE(spec.error().kind, ErrorKind::Usage);
    QVERIFY2(QString::fromStdString(spec.error().message).contains(word), spec.error().message.c_str());
  }

  void badValuesOfferTheNearest_data() {
    QTest::addColumn<QString>("id");
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("value");
    QTest::addColumn<QString>("word");
    QTest::newRow("too large") << "reformer"
                               << "chunk"
                               << "1000"
                               << "nearest valid value is 100";
    QTest::newRow("odd") << "reformer"
                         << "buckets"
                         << "7"
                         << "nearest valid value is 6";
    QTest::newRow("odd window") << "longformer"
                                << "window"
                                << "33"
                                << "even";
    QTest::newRow("fraction") << "reformer"
                              << "rounds"
                              << "1.5"
                              << "whole number";
    QTest::newRow("word") << "reformer"
                          << "rounds"
                          << "many"
                          << "not a number";
    QTest::newRow("choice") << "linear"
                            << "feature"
                            << "tanh"
                            << "elu1, exp, relu";
    QTest::newRow("unknown") << "reformer"
                             << "round"
                             << "4"
                             << "Did you mean 'rounds'";
    QTest::newRow("outside") << "longformer"
                             << "globals"
                             << "0+100"
                             << "from 0 to 99";
    QTest::newRow("not a flag") << "reformer"
                                << "dedup"
                                << "2"
                                << "on or off";
  }
  void badValuesOfferTheNearest() {
    QFETCH(QString, id);
    QFETCH(QString, key);
    QFETCH(QString, value);
    QFETCH(QString, word);
    const auto mechanism = findMechanism(id.toStdString());
    QVERIFY(mechanism);
    const auto values = ParamValues::resolve(
        (*mechanism)->params(), {{key.toStdString(), value.toStdString()}}, kShape, id.toStdString());
    QVERIFY(!values);
    QCOMPARE(values.error().kind, ErrorKind::Usage);
    QVERIFY2(QString::fromStdString(values.error().message).contains(word), values.error().message.c_str());
  }

  // Defaults are valid at every length, down to a single token.
  void defaultsAlwaysFit() {
    for (const Index n : {1, 2, 3, 7, 64, 65, 1000})
      for (const Mechanism* mechanism : allMechanisms()) {
        const Shape shape{2, 2, n, n, 8, 8};
        const auto values = ParamValues::resolve(mechanism->params(), {}, shape, mechanism->card().id);
        QVERIFY(values);
        for (const ParamSpec& spec : mechanism->params()) {
          const auto again = parseParam(spec, paramText(values->all().at(spec.id)), shape);
          QVERIFY2(again, again ? "" : again.error().message.c_str());
        }
      }
  }

  void bucketsFollowTheChunk() {
    const auto mechanism = findMechanism("reformer");
    const auto values = ParamValues::resolve((*mechanism)->params(), {{"chunk", "25"}}, kShape, "reformer");
    QCOMPARE(values->integer("buckets"), Index{8});
  }

  void rootsRoundUp() {
    for (Index n = 1; n < 5000; ++n) {
      const Index root = ceilSqrt(n);
      QVERIFY(root * root >= n && (root - 1) * (root - 1) < n);
    }
  }

  void unknownMechanismIsGuessed() {
    const auto mechanism = findMechanism("reformr");
    QVERIFY(!mechanism);
    QVERIFY(mechanism.error().message.find("Did you mean 'reformer'") != std::string::npos);
  }
};

QTEST_APPLESS_MAIN(ParamsTest)
#include "params_test.moc"
