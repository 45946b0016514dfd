// SPDX-License-Identifier: GPL-3.0-or-later
#include <QtTest>

#include <cmath>
#include <fstream>
#include <limits>

#include "core/inputs/input_document.h"
#include "core/inputs/recipes.h"
#include "core/inputs/text_source.h"
#include "core/io/array_file.h"

using namespace attnscope;

namespace {

const std::string kExamples = std::string(ATTNSCOPE_SOURCE_DIR) + "/resources/examples/";

Tensor ramp(std::vector<Index> shape) {
  Tensor tensor(DType::F32, std::move(shape));
  auto values = tensor.mutableValues<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return tensor;
}

AttentionInput plainInput() {
  AttentionInput input;
  input.q = ramp({4, 6, 3});
  input.k = ramp({2, 6, 3});
  input.v = ramp({2, 6, 5});
  return input;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> split(const std::string& text, const std::string& unit) {
  const auto tokens = splitText(text, unit, 1000, "t");
  return tokens ? tokens->texts : std::vector<std::string>{tokens.error().message};
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

std::span<const float> rowOf(const Tensor& tensor, Index head, Index i) {
  const auto width = static_cast<std::size_t>(tensor.dim(2));
  return tensor.slice<float>(head).subspan(static_cast<std::size_t>(i) * width, width);
}

}  // namespace

class InputsTest : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_folder;
  std::string path(const char* name) { return m_folder.filePath(QString::fromUtf8(name)).toStdString(); }
  void write(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  }

 private slots:
  void finishChecksEverything() {
    QVERIFY(finishInput(plainInput(), "w"));
    const auto refused = [](const AttentionInput& input, const char* part) {
      const auto result = finishInput(input, "w");
      return !result && has(result.error().message, part) && result.error().kind == ErrorKind::Input;
    };
    AttentionInput bad = plainInput();
    bad.q = ramp({3, 6, 3});
    QVERIFY(refused(bad, "divide"));
    bad = plainInput();
    bad.k = ramp({2, 6, 4});
    QVERIFY(refused(bad, "width"));
    bad = plainInput();
    bad.v = ramp({2, 5, 5});
    QVERIFY(refused(bad, "tokens"));
    bad = plainInput();
    bad.v = ramp({1, 6, 5});
    QVERIFY(refused(bad, "heads"));
    bad = plainInput();
    bad.q = ramp({4, 18});
    QVERIFY(refused(bad, "(4, 18)"));
    bad = plainInput();
    bad.tokensQ = {"a"};
    QVERIFY(refused(bad, "tokens of q has 1"));
    bad = plainInput();
    bad.grid = Grid{2, 2};
    QVERIFY(refused(bad, "grid"));
    bad.grid = Grid{Index{1} << 62, 4};
    QVERIFY(refused(bad, "grid"));
    bad = plainInput();
    bad.segments = {0, 0, 1, 0, 1, 1};
    QVERIFY(refused(bad, "segments"));
    bad = plainInput();
    bad.v.mutableValues<float>()[37] = std::numeric_limits<float>::infinity();
    QVERIFY(refused(bad, "v[1, 1, 2] is inf"));
    bad.v.mutableValues<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    QVERIFY(refused(bad, "v[0, 0, 0] is nan"));
  }

  void headsAndLengthsAreCut() {
    const AttentionInput input = *finishInput(plainInput(), "w");
    const auto pair = *selectHeads(input, {2, 3});
    QCOMPARE(pair.shape(), (Shape{2, 1, 6, 6, 3, 5}));
    QCOMPARE(pair.q.values<float>()[0], 36.0F);
    QCOMPARE(pair.k.values<float>()[0], 18.0F);
    const auto mixed = *selectHeads(input, {3, 0, 1});
    QCOMPARE(mixed.shape(), (Shape{3, 3, 6, 6, 3, 5}));
    QCOMPARE(mixed.k.slice<float>(1)[0], 0.0F);
    QVERIFY(!selectHeads(input, {4}) && !selectHeads(input, {}) && !selectHeads(input, {-1}));
    const auto cut = *truncateTokens(input, 4);
    QCOMPARE(cut.shape(), (Shape{4, 2, 4, 4, 3, 5}));
    QCOMPARE(cut.q.slice<float>(1)[0], 18.0F);
    QVERIFY(cut.digest != input.digest && !truncateTokens(input, 0));
    QCOMPARE(truncateTokens(input, 99)->digest, input.digest);
  }

  void recipesRepeatAndGrow_data() {
    QTest::addColumn<QString>("id");
    for (const Recipe& recipe : recipes())
      QTest::newRow(recipe.id.c_str()) << QString::fromStdString(recipe.id);
  }
  void recipesRepeatAndGrow() {
    QFETCH(QString, id);
    const std::string name = id.toStdString();
    for (const int n : {1, 127, 128, 129, 386}) {
      const std::string size = name + ":n=" + std::to_string(n) + ",d=16";
      const auto once = makeRecipe(size);
      QVERIFY2(once.has_value(), once ? "" : once.error().message.c_str());
      QCOMPARE(once->digest, makeRecipe(size)->digest);
      const auto longer = *makeRecipe(name + ":d=16,n=" + std::to_string(n + 70));
      QCOMPARE(truncateTokens(longer, n)->digest, once->digest);
      QVERIFY(makeRecipe(size + ",seed=1")->digest != once->digest);
      // The source is what makes it again.
      QCOMPARE(makeRecipe(once->source)->digest, once->digest);
    }
    const auto odd = makeRecipe(name + ":n=5,nk=9,d=1,dv=3,heads=6,kv_heads=2");
    QVERIFY(odd);
    QCOMPARE(odd->shape(), (Shape{6, 2, 5, 9, 1, 3}));
    QVERIFY(makeRecipe(name + ":n=9,nk=5"));
  }

  void likeAttendsToLike() {
    const auto input = *makeRecipe("clustered:n=200,stay=0,groups=2,position=0");
    // Kinds alternate when a token never stays and there are two: the same kind two apart, the other one
    // apart.
    for (Index i = 2; i < 200; ++i) {
      const double same = dot(rowOf(input.q, 0, i), rowOf(input.k, 0, i - 2));
      QVERIFY(same > dot(rowOf(input.q, 0, i), rowOf(input.k, 0, i - 1)));
      QVERIFY(std::abs(dot(rowOf(input.q, 0, i), rowOf(input.q, 0, i)) / 64.0 - 1.0) < 0.6);
    }
  }

  void usageErrorsHelp() {
    QVERIFY(has(makeRecipe("clusterd").error().message, "Did you mean 'clustered'"));
    QVERIFY(has(makeRecipe("gaussian:sead=1").error().message, "Did you mean 'seed'"));
    for (const char* spec :
         {"clustered:n=0", "clustered:n=1048577", "clustered:n=2.5", "clustered:n=", "clustered:n",
          "clustered:n=4,n=4", "clustered:kv_heads=3", "clustered:noise=nan", "smooth:rho=1.1"}) {
      const auto result = makeRecipe(spec);
      QVERIFY2(!result && result.error().kind == ErrorKind::Usage, spec);
    }
    JobContext job;
    job.cancel();
    QCOMPARE(makeRecipe("clustered:n=4096", job).error().kind, ErrorKind::Cancelled);
  }

  // A name that promises a picture or tensors is never read as text.
  void misnamedFilesAreRefused() {
    for (const char* name : {"broken.png", "broken.JPG", "broken.npz"}) {
      write(path(name), "The cat sat.");
      const auto result = loadInput(path(name));
      QVERIFY(!result);
      QCOMPARE(result.error().kind, ErrorKind::Input);
      QVERIFY2(has(result.error().message, "by its content"), result.error().message.c_str());
    }
    write(path("fine.txt"), "The cat sat.");
    QVERIFY(loadInput(path("fine.txt")));
  }

  void textInManyScripts() {
    using List = std::vector<std::string>;
    QCOMPARE(split("The cat, it's  here!\n", "word"), (List{"The", "cat", ",", "it's", "here", "!"}));
    QCOMPARE(split("Καλημέρα κόσμε.", "word"), (List{"Καλημέρα", "κόσμε", "."}));
    QCOMPARE(split("مرحبا بالعالم", "word"), (List{"مرحبا", "بالعالم"}));
    QCOMPARE(split("世界", "char"), (List{"世", "界"}));
    QCOMPARE(split("a👩‍👩‍👧‍👦e\u0301 b\n", "char"),
             (List{"a", "👩‍👩‍👧‍👦", "e\u0301", " ", "b", "↵"}));
    QCOMPARE(split("é a", "byte"), (List{"0xC3", "0xA9", " ", "a"}));
    QVERIFY(has(split("ab\xFFz", "word")[0], "byte 2 is 0xFF"));
    QVERIFY(has(split("", "word")[0], "no text") && has(split(" \n", "char")[0], "no text"));
    QVERIFY(has(split("\xFF\xFE"
                      "a",
                      "word")[0],
                "UTF-16"));
    const auto sentences = splitText("One two. Three\nfour. Five", "word", 100, "t");
    QCOMPARE(sentences->segments, (std::vector<Index>{0, 0, 0, 1, 1, 1, 2}));
    QVERIFY(splitText("a b c", "word", 2, "t")->cut && !splitText("a b", "word", 2, "t")->cut);
  }

  // A long text is split when it is opened; its vectors wait until they are asked for.
  void aLongTextIsAnOutline() {
    std::string text = "text:n=110000,position=0,heads=3:";
    for (int i = 0; i < 70000; ++i) text += i % 2 == 0 ? "The " : "cat. ";
    const auto document = openSource(text);
    QVERIFY(document);
    const auto outline = (*document)->outline(0);
    QVERIFY(outline && outline->isOutline());
    QCOMPARE(outline->tokensQ.size(), std::size_t{105000});
    QCOMPARE(outline->shape().nK, Index{105000});
    QCOMPARE(outline->segments.back(), Index{34999});
    const auto made = (*document)->layer(0);
    QVERIFY(made && !made->isOutline());
    QCOMPARE(made->title, outline->title);
    QCOMPARE(made->digest, outline->digest);
    QCOMPARE(made->tokensK, outline->tokensK);
    const auto other = *loadInput("text:position=0:on The mat");
    QVERIFY(std::abs(dot(rowOf(made->q, 0, 104997), rowOf(other.k, 0, 1)) - 64.0) < 1e-3);
  }

  void equalTokensMatch() {
    const auto input = *loadInput("text:position=0:the cat saw the dog");
    QCOMPARE(input.queryName(1), std::string("token 1 'cat'"));
    QVERIFY(std::abs(dot(rowOf(input.q, 0, 0), rowOf(input.k, 0, 3)) - 64.0) < 1e-3);
    QVERIFY(dot(rowOf(input.q, 0, 0), rowOf(input.k, 0, 1)) < 40.0);
    const auto other = *loadInput("text:position=0:on the mat");
    QVERIFY(std::abs(dot(rowOf(input.q, 0, 0), rowOf(other.k, 0, 1)) - 64.0) < 1e-3);
    QCOMPARE(loadInput(input.source)->digest, input.digest);
  }

  void picturesBecomeGrids() {
    const std::string shapes = kExamples + "shapes.png";
    const auto input = *loadInput(shapes + ":patch=4");
    QCOMPARE(*input.grid, (Grid{16, 16}));
    QCOMPARE(input.image.width, Index{64});
    QCOMPARE(loadInput(shapes + ":patch=1,max=20")->grid->width, Index{20});
    QCOMPARE(loadInput(shapes + ":patch=64")->grid->height, Index{1});
    const auto rows = *truncateTokens(input, 32);
    QCOMPARE(*rows.grid, (Grid{2, 16}));
    QCOMPARE(rows.image.height, Index{8});
    QVERIFY(!truncateTokens(input, 33)->grid);
    std::ifstream file(shapes, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    write(path("cut.png"), bytes.substr(0, bytes.size() / 2));
    QVERIFY(has(loadInput(path("cut.png")).error().message, "PNG that cannot be decoded"));
    write(path("cut.jpg"), std::string("\xff\xd8\xff\xe0\0\0", 6));
    QVERIFY(has(loadInput(path("cut.jpg")).error().message, "JPEG that cannot be decoded"));
  }

  void sampleIsAModel() {
    const auto document = *openSource("sample");
    QCOMPARE(document->layerNames().size(), std::size_t{6});
    const auto input = *loadInput("sample:layer=3");
    QCOMPARE(input.shape(), (Shape{12, 12, 128, 128, 32, 32}));
    QCOMPARE(input.tokensQ[2], std::string("instrument"));
    QCOMPARE(input.digest, document->layer(3)->digest);
    QCOMPARE(input.source, std::string("sample:layer=3"));
    QCOMPARE(loadInput(kExamples + "minilm-paragraph.safetensors", 3)->digest, input.digest);
    QVERIFY(!loadInput("sample", 6) && !loadInput("sample:layer=6"));
  }

  void tensorsInEveryLayout() {
    const Tensor values = ramp({2, 5, 3});
    Tensor turned(DType::F32, {5, 2, 3});
    for (Index h = 0; h < 2; ++h)
      for (Index i = 0; i < 5; ++i)
        std::copy_n(rowOf(values, h, i).data(), 3, turned.mutableValues<float>().data() + (i * 2 + h) * 3);
    const auto save = [&](const Tensor& t) {
      return writeNpz(path("t.npz"), {{"q", t}, {"k", t}, {"v", t}});
    };
    QVERIFY(save(values));
    const auto plain = *loadInput(path("t.npz"));
    QVERIFY(save(turned));
    QCOMPARE(loadInput(path("t.npz") + ":layout=nhd")->digest, plain.digest);
    QVERIFY(save(values.reshaped({1, 2, 5, 3})));
    QCOMPARE(loadInput(path("t.npz"))->digest, plain.digest);
    QVERIFY(save(values.reshaped({10, 3})));
    QCOMPARE(loadInput(path("t.npz"))->shape(), (Shape{1, 1, 10, 10, 3, 3}));
    QVERIFY(save(values.reshaped({2, 1, 5, 3})));
    const auto second = *loadInput(path("t.npz") + ":batch=1");
    QCOMPARE(second.q.values<float>()[0], 15.0F);
    QVERIFY(has(second.title, "batch 1"));
    QVERIFY(!loadInput(path("t.npz") + ":batch=2"));
    const Tensor hook = turned.reshaped({1, 5, 2, 3});
    QVERIFY(writeNpz(
        path("h.npz"),
        {{"blocks.0.attn.hook_q", hook}, {"blocks.0.attn.hook_k", hook}, {"blocks.0.attn.hook_v", hook}}));
    QCOMPARE(loadInput(path("h.npz"))->digest, plain.digest);
  }

  // A .npy has room for one array: the three one after the other.
  void threeArraysInOne() {
    Tensor packed(DType::F32, {3, 2, 5, 4});
    const auto values = packed.mutableValues<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 64.0F;
    QVERIFY(writeNpy(path("p.npy"), packed));
    const auto input = loadInput(path("p.npy"));
    QVERIFY2(input, input ? "" : input.error().message.c_str());
    QCOMPARE(input->q.shape(), (std::vector<Index>{2, 5, 4}));
    QCOMPARE(input->q.values<float>()[1], values[1]);
    QCOMPARE(input->k.values<float>()[1], values[41]);
    QCOMPARE(input->v.values<float>()[39], values[119]);
    QVERIFY(writeNpy(path("p.npy"), Tensor::zeros(DType::F32, {5, 4})));
    const auto one = loadInput(path("p.npy"));
    QVERIFY(!one && one.error().kind == ErrorKind::Input);
    QVERIFY2(one.error().message.find("(3, heads, tokens, width)") != std::string::npos,
             one.error().message.c_str());
  }

  void missingArraysAreNamed() {
    const Tensor t = ramp({2, 5, 3});
    QVERIFY(writeNpz(path("m.npz"), {{"q", t}, {"k", t}, {"values", t}}));
    const std::string message = openSource(path("m.npz")).error().message;
    QVERIFY2(has(message, "no 'v'") && has(message, "values"), message.c_str());
    QVERIFY(writeNpz(path("n.npz"), {{"weights", t}}));
    QVERIFY(has(openSource(path("n.npz")).error().message, "weights"));
    QVERIFY(writeNpz(path("i.npz"), {{"q", Tensor::zeros(DType::I32, {2, 2})}, {"k", t}, {"v", t}}));
    QVERIFY(has(loadInput(path("i.npz")).error().message, "int32"));
    QVERIFY(has(openSource("sampel").error().message, "Did you mean 'sample'"));
    QVERIFY(has(openSource("/no/such.npz").error().message, "/no/such.npz"));
  }
};

QTEST_APPLESS_MAIN(InputsTest)
#include "inputs_test.moc"
