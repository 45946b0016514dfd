// SPDX-License-Identifier: GPL-3.0-or-later
// The rule language: what it means (against the same conditions written in C++), where its errors point, and
// that no text brings it down.
#include <QTest>
#include <functional>
#include <random>
#include <thread>

#include "core/rules/mask_mod.h"
#include "core/rules/rule_pattern.h"

using namespace attnscope;

namespace {

RuleScope scopeOf(Index nQ, Index nK) {
  RuleScope scope;
  scope.nQ = nQ;
  scope.nK = nK;
  scope.head = 2;
  scope.window = 7;
  scope.stride = 5;
  scope.globals = 3;
  scope.block = 16;
  scope.grid = {nK / 20, 20};
  for (Index token = 0; token < nK; ++token) scope.segments.push_back(token * token / 9000);
  return scope;
}

Result<PatternPtr> compile(const std::string& text, const RuleScope& scope, bool causal = false) {
  ATTN_ASSIGN(rule, parseMaskRule(text));
  return makeRulePattern(rule, scope, causal, {});
}

Index floorDiv(Index a, Index b) {
  return static_cast<Index>(std::floor(static_cast<double>(a) / static_cast<double>(b)));
}
Index floorMod(Index a, Index b) {
  return a - b * floorDiv(a, b);
}

using Condition = std::function<bool(Index q, Index k)>;
struct Meaning {
  const char* text;
  Condition condition;
};

// On 240 x 240 tokens with the scope above.
const std::vector<Meaning>& meanings() {
  static const std::vector<Meaning> table{
      {"k <= q && q - k < w || k % s == 0",
       [](Index q, Index k) { return (k <= q && q - k < 7) || k % 5 == 0; }},
      {"abs(q - k) <= w / 2", [](Index q, Index k) { return 2 * std::abs(q - k) <= 7; }},
      {"not q == k", [](Index q, Index k) { return q != k; }},
      {"!(q - k) or q < 1", [](Index q, Index k) { return q == k || q < 1; }},
      {"not q < k and k < 9", [](Index q, Index k) { return q >= k && k < 9; }},
      {"q < 3 or q < 9 and k < 9", [](Index q, Index k) { return q < 3 || (q < 9 && k < 9); }},
      {"qb == kb", [](Index q, Index k) { return q / 16 == k / 16; }},
      {"q // block == k // block + 1", [](Index q, Index k) { return q / 16 == k / 16 + 1; }},
      {"(q - k) % s == 2", [](Index q, Index k) { return floorMod(q - k, 5) == 2; }},
      {"(q - k) mod -s == -2", [](Index q, Index k) { return floorMod(q - k, -5) == -2; }},
      {"mod(k - q, 64) < 10", [](Index q, Index k) { return floorMod(k - q, 64) < 10; }},
      {"(k - q) // 7 >= -2 and (k - q) // 7 <= 0",
       [](Index q, Index k) { return floorDiv(k - q, 7) >= -2 && floorDiv(k - q, 7) <= 0; }},
      {"floor((q - k) / 3) == -4", [](Index q, Index k) { return floorDiv(q - k, 3) == -4; }},
      {"k // max(q // 50, 1) < 20", [](Index q, Index k) { return k / std::max<Index>(q / 50, 1) < 20; }},
      {"k % max(abs(q - k), 1) == 3",
       [](Index q, Index k) { return k % std::max<Index>(std::abs(q - k), 1) == 3; }},
      {"min(q, k, 100) * 2 > max(q, k)",
       [](Index q, Index k) {
         return std::min({q, k, Index{100}}) * 2 > std::max(q, k);
       }},
      {"max(abs(qx - kx), abs(qy - ky)) <= 2",
       [](Index q, Index k) { return std::max(std::abs(q % 20 - k % 20), std::abs(q / 20 - k / 20)) <= 2; }},
      {"qs == ks", [](Index q, Index k) { return q * q / 9000 == k * k / 9000; }},
      {"(q < 100) == (k < 100)", [](Index q, Index k) { return (q < 100) == (k < 100); }},
      {"(q < 100) + (k < 100) + (q == k) >= 2",
       [](Index q, Index k) { return (q < 100 ? 1 : 0) + (k < 100 ? 1 : 0) + (q == k ? 1 : 0) >= 2; }},
      {"h == 2 and nq - q > nk - k", [](Index q, Index k) { return q < k; }},
      {"q*q + k*k < n*n", [](Index q, Index k) { return q * q + k * k < 240 * 240; }},
      {"-q + -(k) >= -60", [](Index q, Index k) { return q + k <= 60; }},
      {"k \u2264 q \u2227 q \u2212 k < 4 \u2228 \u00ack",
       [](Index q, Index k) { return (k <= q && q - k < 4) || k == 0; }},
      {"q % 2", [](Index q, Index) { return q % 2 != 0; }},
      {"0", [](Index, Index) { return false; }},
      {"1 != 2", [](Index, Index) { return true; }},
      {"k*3 >= 100 and\n k*3 < 200\n", [](Index, Index k) { return k * 3 >= 100 && k * 3 < 200; }},
      {"q != k", [](Index q, Index k) { return q != k; }},
      {"0.5 * q < k - .25", [](Index q, Index k) { return 2 * q < 4 * k - 1; }},
  };
  return table;
}

std::vector<std::vector<int>> labelsOf(const Pattern& pattern) {
  std::vector<std::vector<int>> labels(static_cast<std::size_t>(pattern.rows()),
                                       std::vector<int>(static_cast<std::size_t>(pattern.cols()), -1));
  RunList runs;
  for (Index i = 0; i < pattern.rows(); ++i) {
    pattern.row(i, runs);
    Index before = -1;
    for (const Run& run : runs) {
      if (run.begin <= before || run.count() == 0 || run.end > pattern.cols())
        qFatal("runs are out of order");
      before = run.begin;
      for (Index j = run.begin; j < run.end; j += run.stride)
        labels[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = run.label;
    }
  }
  return labels;
}

Index differences(const Pattern& pattern, const std::function<int(Index, Index)>& expected) {
  const auto labels = labelsOf(pattern);
  Index count = 0;
  for (Index q = 0; q < pattern.rows(); ++q)
    for (Index k = 0; k < pattern.cols(); ++k)
      count += labels[static_cast<std::size_t>(q)][static_cast<std::size_t>(k)] != expected(q, k) ? 1 : 0;
  return count;
}

// Letters that rules are made of, and some that they are not.
std::string randomText(std::mt19937& random) {
  static const std::vector<std::string> pieces{"q",
                                               "k",
                                               "h",
                                               "n",
                                               "w",
                                               "s",
                                               "g",
                                               "block",
                                               "qx",
                                               "ky",
                                               "qs",
                                               "qb",
                                               "(",
                                               ")",
                                               "(",
                                               ")",
                                               "abs(",
                                               "min(",
                                               "max(",
                                               "floor(",
                                               "mod(",
                                               ",",
                                               ";",
                                               ":",
                                               "local:",
                                               "+",
                                               "-",
                                               "*",
                                               "/",
                                               "//",
                                               "%",
                                               "<",
                                               "<=",
                                               ">",
                                               ">=",
                                               "==",
                                               "!=",
                                               "!",
                                               "and",
                                               "or",
                                               "not",
                                               "mod",
                                               "&&",
                                               "||",
                                               "0",
                                               "1",
                                               "2.5",
                                               ".",
                                               "1e9",
                                               "99999999999999999999",
                                               "1125899906842624",
                                               "=",
                                               "&",
                                               "^",
                                               "\"",
                                               "'",
                                               "\\",
                                               "\n",
                                               "\t",
                                               "\xff",
                                               "\xe2\x89",
                                               "\u2264",
                                               "\u2212",
                                               "?",
                                               "nan",
                                               "inf",
                                               "_",
                                               "#"};
  std::string text;
  const auto length = random() % 14;
  for (std::size_t i = 0; i < length; ++i) {
    text += pieces[random() % pieces.size()];
    if (random() % 2 == 0) text += ' ';
  }
  return text;
}

}  // namespace

class RulesTest : public QObject {
  Q_OBJECT

 private slots:
  void meansWhatItSays_data() {
    QTest::addColumn<int>("at");
    for (std::size_t i = 0; i < meanings().size(); ++i)
      QTest::newRow(meanings()[i].text) << static_cast<int>(i);
  }
  void meansWhatItSays() {
    QFETCH(int, at);
    const Meaning& meaning = meanings()[static_cast<std::size_t>(at)];
    for (const bool causal : {false, true}) {
      const auto pattern = compile(meaning.text, scopeOf(240, 240), causal);
      QVERIFY2(pattern, pattern ? "" : pattern.error().message.c_str());
      QCOMPARE(differences(
                   **pattern,
                   [&](Index q, Index k) { return meaning.condition(q, k) && (!causal || k <= q) ? 0 : -1; }),
               Index{0});
    }
  }

  void raggedSizes() {
    for (const Index nQ : {Index{1}, Index{63}, Index{64}, Index{65}, Index{300}})
      for (const Index nK : {Index{1}, Index{64}, Index{129}, Index{257}}) {
        const auto pattern =
            compile("near: abs(q - k) <= w; far: (q + k) % s == 0 and k > q", scopeOf(nQ, nK), true);
        QVERIFY(pattern);
        QCOMPARE(differences(**pattern,
                             [&](Index q, Index k) {
                               if (k > q + nK - nQ) return -1;
                               return std::abs(q - k) <= 7 ? 0 : (q + k) % 5 == 0 && k > q ? 1 : -1;
                             }),
                 Index{0});
      }
  }

  void firstLabelThatHoldsWins() {
    const auto rule = parseMaskRule("local: abs(q - k) <= w; k < g; far away: q > 100 and k > 100;");
    QVERIFY(rule);
    QCOMPARE(rule->sections.size(), std::size_t{3});
    QCOMPARE(rule->sections[0].label, std::string("local"));
    QCOMPARE(rule->sections[1].label, std::string("rule 2"));
    QCOMPARE(rule->sections[2].label, std::string("far away"));
    const auto pattern = makeRulePattern(*rule, scopeOf(200, 200), false, {});
    QVERIFY(pattern);
    QCOMPARE(differences(**pattern,
                         [](Index q, Index k) {
                           return std::abs(q - k) <= 7 ? 0 : k < 3 ? 1 : q > 100 && k > 100 ? 2 : -1;
                         }),
             Index{0});
  }

  // Rows are computed on demand where their bits would not fit: the same answer.
  void largePatternsAreNotKept() {
    const Index n = 24000;
    const auto pattern = compile("(q * 7 + k * 3) % s == 0; (q + k) % s == 9; q + k < 0", scopeOf(n, n));
    QVERIFY2(pattern, pattern ? "" : pattern.error().message.c_str());
    RunList runs;
    for (const Index q : {Index{0}, Index{63}, Index{12001}, n - 1}) {
      (*pattern)->row(q, runs);
      std::vector<Index> keys;
      for (const Run& run : runs)
        for (Index k = run.begin; k < run.end; k += run.stride) keys.push_back(k);
      std::vector<Index> expected;
      for (Index k = 0; k < n; ++k)
        if ((q * 7 + k * 3) % 5 == 0) expected.push_back(k);
      QVERIFY(keys == expected);
    }
  }

  // A window at a million tokens: decided by squares, never pair by pair.
  void windowsReachAMillion() {
    const Index n = Index{1} << 20;
    RuleScope scope = scopeOf(n, n);
    const auto pattern = compile("local: abs(q - k) <= w; global: k < g or q < g", scope);
    QVERIFY2(pattern, pattern ? "" : pattern.error().message.c_str());
    RunList runs;
    (*pattern)->row(n / 2, runs);
    const RunList expected{{0, 3, 1, 1, 1}, {n / 2 - 7, n / 2 + 8, 1, 0, 1}};
    QVERIFY(runs == expected);
  }

  void tooManyPairsAreRefused() {
    for (const char* text : {"(q - k) % s == 0", "(q // 64 + k // 64) % 2 == 0"}) {
      const auto pattern = compile(text, scopeOf(Index{1} << 20, Index{1} << 20));
      QVERIFY(!pattern);
      QCOMPARE(pattern.error().kind, ErrorKind::Usage);
      QVERIFY2(pattern.error().message.find("32,768") != std::string::npos, pattern.error().message.c_str());
    }
  }

  void errorsPointAtTheCharacter_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<int>("begin");
    QTest::addColumn<QString>("word");
    const auto row = [](const char* text, int begin, const char* word) {
      QTest::newRow(text) << text << begin << word;
    };
    row("", 0, "empty");
    row(" ;; ", 0, "empty");
    row("abs(q", 5, "expected ')'");
    row("q +", 3, "a value is still to come");
    row("q k", 2, "found 'k', expected an operator");
    row("(q < k))", 7, "no bracket, as none is open");
    row("q < qq", 4, "there is no 'qq'; the names are q, k, h, n, nq, nk, w");
    row("sin(q) < k", 0, "no function 'sin'; there are abs");
    row("q < 3 and abs k", 10, "write abs(...)");
    row("abs(q, k)", 0, "abs takes one value");
    row("q < min()", 4, "at least one value");
    row("mod(q) == 0", 0, "mod takes two values");
    row("q < k, k < 3", 5, "separated by ';'");
    row("q = k", 2, "expected ==");
    row("q < k & k < 3", 6, "expected and");
    row("q ^ 2 < k", 2, "q * q");
    row("0 < q - k < w", 10, "a < b and b < c");
    row("q / 2 % 2 == 0", 0, "floor(...)");
    row("1..5 < q", 0, "not a number");
    row("q < 1125899906842625", 4, "2^50");
    row("q*n*n*n*n*n*n*n*n < k", 0, "2^50");
    row("(q-k)*n*n*n*n*n*n*n < 4", 1, "2^50");
    row("k % q == 0", 2, "'q' is 0 for query 0");
    row("q / (k - 5) < 2", 2, "'k - 5' is 0 for key 5");
    row("q // (q - k - 3) < 2", 2, "is 0 for query 3 and key 0");
    row("q / (w - 7) < 2", 2, "division by zero: 'w - 7' is 0.");
    row("(q - k) % (w - 7) < 2", 8, "division by zero: 'w - 7' is 0.");
    row("q > 0 and k % q == 0", 12, "max(..., 1)");
    row("local abs(q - k) < 3", 0, "there is no 'local'");
    row("3rd: q < k", 3, "label");
    row("near: ; q < k", 6, "no condition");
    row("q < \u00e4", 4, "'\u00e4', which no rule contains");
    row("q ! k", 2, "found '!'");
    row("!!q", 1, "found '!'");
    row("a: q; b: q; c: q; d: q; e: q; f: q; g: q; h: q; i: q", 50, "at most 8");
  }
  void errorsPointAtTheCharacter() {
    QFETCH(QString, text);
    QFETCH(int, begin);
    QFETCH(QString, word);
    const auto pattern = compile(text.toStdString(), scopeOf(100, 100));
    QVERIFY(!pattern);
    QCOMPARE(pattern.error().kind, ErrorKind::Usage);
    const QString message = QString::fromStdString(pattern.error().message);
    QVERIFY2(message.contains(word), qPrintable(message));
    QVERIFY(pattern.error().fault);
    QCOMPARE(static_cast<int>(pattern.error().fault->begin), begin);
    QVERIFY(pattern.error().fault->end > pattern.error().fault->begin);
    QVERIFY(pattern.error().fault->text == text.toStdString());
    QVERIFY2(message.startsWith(QStringLiteral("Rule, character %1: ").arg(begin + 1)), qPrintable(message));
  }

  // The texts are those that tests/benchmark/mask_mod_against_torch.py has executed in PyTorch.
  void pythonForFlexAttention_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<bool>("causal");
    QTest::addColumn<QString>("body");
    const auto row = [](const char* text, bool causal, const char* body) {
      QTest::addRow("%s%s", text, causal ? " causal" : "") << text << causal << body;
    };
    row("abs(q - k) <= w", false, "    return torch.abs(q_idx - kv_idx) <= 7\n");
    row("k <= q && q - k < w || k % s == 0", false,
        "    return (kv_idx <= q_idx) & (q_idx - kv_idx < 7) | (kv_idx % 5 == 0)\n");
    row("not (q - k) % s == 0 and qb == kb", false,
        "    return ~((q_idx - kv_idx) % 5 == 0) & (q_idx // 16 == kv_idx // 16)\n");
    row("near: abs(q - k) <= w * (h + 1); k < g", true,
        "    return (\n"
        "        ((torch.abs(q_idx - kv_idx) <= 7 * (h + 1))  # near\n"
        "        | (kv_idx < 3))  # rule 2\n"
        "        & (kv_idx <= q_idx)  # causal\n"
        "    )\n");
    row("0.5 * q < k", false, "    return 0.5 * q_idx.to(torch.float64) < kv_idx.to(torch.float64)\n");
    row("q - (k - 3) - w / 2 < 0", false, "    return (q_idx - (kv_idx - 3)).to(torch.float64) - 3.5 < 0\n");
    row("min(q, k, 100) < floor(q / 3)", false,
        "    return torch.clamp(torch.minimum(q_idx, kv_idx), max=100) < "
        "torch.floor(q_idx.to(torch.float64) / 3).to(torch.int64)\n");
    row("(q < 9) + (k < 9) == 1", false,
        "    return (q_idx < 9).to(torch.int64) + (kv_idx < 9).to(torch.int64) == 1\n");
    row("1 < 2", false, "    return (q_idx >= 0)\n");
    row("w > n or k == 3", false, "    return kv_idx == 3\n");
  }
  void pythonForFlexAttention() {
    QFETCH(QString, text);
    QFETCH(bool, causal);
    QFETCH(QString, body);
    const auto rule = parseMaskRule(text.toStdString());
    QVERIFY(rule);
    const QString python = QString::fromStdString(maskModPython(*rule, scopeOf(100, 100), causal));
    const QString head = QStringLiteral("def mask_mod(b, h, q_idx, kv_idx):\n");
    QVERIFY(python.contains(head));
    QCOMPARE(python.mid(python.indexOf(head) + head.size()), body);
  }

  // Characters, not bytes.
  void placesCountCharacters() {
    const auto rule = parseMaskRule("q \u2264 k \u2227 x");
    QVERIFY(!rule);
    QVERIFY2(rule.error().message.starts_with("Rule, character 9: there is no 'x'"),
             rule.error().message.c_str());
  }

  void namesThatTheCallLacks() {
    RuleScope scope = scopeOf(100, 100);
    scope.segments.clear();
    scope.grid = {};
    QVERIFY(compile("qs == ks", scope).error().message.find("no segments") != std::string::npos);
    QVERIFY(compile("q < k or kx == 1", scope).error().message.find("no grid") != std::string::npos);
    QVERIFY(compile("qx == kx", scopeOf(40, 100)).error().message.find("as many queries as keys") !=
            std::string::npos);
  }

  void cancelled() {
    const JobContext job;
    job.cancel();
    const auto pattern = makeRulePattern(*parseMaskRule("q % 3 == k % 3"), scopeOf(300, 300), false, job);
    QVERIFY(!pattern);
    QCOMPARE(pattern.error().kind, ErrorKind::Cancelled);
  }

  void noTextBringsItDown() {
    std::mt19937 random(1);
    int valid = 0;
    for (int i = 0; i < 30000; ++i) {
      const std::string text = randomText(random);
      const auto pattern = compile(text, scopeOf(70, 70));
      if (pattern) {
        ++valid;
        (void)labelsOf(**pattern);
        continue;
      }
      QVERIFY2(!pattern.error().message.empty(), text.c_str());
      QVERIFY2(pattern.error().fault, text.c_str());
      QVERIFY2(pattern.error().fault->begin <= text.size(), text.c_str());
      QVERIFY2(pattern.error().message.find("Rule, character ") == 0, text.c_str());
    }
    QVERIFY2(valid > 300, qPrintable(QString::number(valid)));
    for (int i = 0; i < 3000; ++i) {
      std::string bytes(random() % 40, ' ');
      for (char& c : bytes) c = static_cast<char>(random() % 256);
      const auto rule = parseMaskRule(bytes);
      if (!rule) QVERIFY(rule.error().fault->begin <= bytes.size());
    }
  }

  void deepAndLong() {
    const auto repeated = [](const std::string& piece, std::size_t count, const std::string& last = {},
                             const std::string& close = {}) {
      std::string text;
      for (std::size_t i = 0; i < count; ++i) text.append(piece);
      text.append(last);
      for (std::size_t i = 0; i < count; ++i) text.append(close);
      return text;
    };
    QVERIFY(compile(repeated("(", 900, "q<k", ")"), scopeOf(70, 70)));
    QVERIFY(compile(repeated("abs(", 300, "q-k", ")"), scopeOf(70, 70)));
    QVERIFY(compile(repeated("k+", 900, "q<4"), scopeOf(70, 70)));
    QVERIFY(compile(repeated("q<k or ", 280, "k<3"), scopeOf(70, 70)));
    QVERIFY(!compile(repeated("(", 1990), scopeOf(70, 70)));
    QVERIFY(!compile(repeated("-", 1990, "q"), scopeOf(70, 70)));
    QVERIFY(!compile(repeated("min(", 400), scopeOf(70, 70)));
    QVERIFY(!compile(repeated("9", 1000), scopeOf(70, 70)));
    const auto tooLong = compile(repeated(" ", 2001), scopeOf(70, 70));
    QVERIFY(!tooLong && tooLong.error().message.find("at most 2000") != std::string::npos);
  }

  // Parsing and rows from several threads at once.
  void threads() {
    const auto pattern = compile("(q * 7 + k) % 3 == 0 and abs(q - k) < 100", scopeOf(500, 500));
    QVERIFY(pattern);
    const auto expected = labelsOf(**pattern);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) {
          const auto own = compile("(q * 7 + k) % 3 == 0 and abs(q - k) < 100", scopeOf(500, 500));
          if (!own || labelsOf(**own) != expected || labelsOf(**pattern) != expected) ++wrong;
        }
      });
    for (std::thread& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
  }
};

QTEST_APPLESS_MAIN(RulesTest)
#include "rules_test.moc"
