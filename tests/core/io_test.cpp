// SPDX-License-Identifier: GPL-3.0-or-later
#include <QtTest>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "core/io/array_file.h"
#include "core/io/elements.h"

using namespace attnscope;

namespace {

std::string dataPath(const std::string& name) {
  return std::string(ATTNSCOPE_TEST_DATA) + "/" + name;
}

std::string readAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void writeAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string safetensors(const std::string& header, std::size_t dataBytes) {
  std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(dataBytes, '\0');
}

std::string npy(const std::string& dict, std::size_t dataBytes) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(dict.size() & 0xFF);
  bytes += static_cast<char>(dict.size() >> 8);
  return bytes + dict + std::string(dataBytes, '\0');
}

double valueAt(const Tensor& tensor, std::size_t i) {
  switch (tensor.dtype()) {
    case DType::F32:
      return static_cast<double>(tensor.values<float>()[i]);
    case DType::F64:
      return tensor.values<double>()[i];
    case DType::I32:
      return tensor.values<std::int32_t>()[i];
    case DType::I64:
      return static_cast<double>(tensor.values<std::int64_t>()[i]);
    case DType::U8:
      return tensor.values<std::uint8_t>()[i];
  }
  return std::nan("");
}

// Reads everything a file offers; only that it returns is of interest.
void readEverything(const std::string& path) {
  const auto file = openArrayFile(path);
  if (!file) return;
  for (const ArrayFile::Entry& entry : (*file)->entries()) {
    (void)(*file)->read(entry.name);
    (void)(*file)->readStrings(entry.name);
  }
}

}  // namespace

class IoTest : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_folder;
  std::string path(const char* name) { return m_folder.filePath(QString::fromUtf8(name)).toStdString(); }

 private slots:
  void halfPrecisionIsExact() {
    QCOMPARE(halfToFloat(0x3C00), 1.0F);
    QCOMPARE(halfToFloat(0xC000), -2.0F);
    QCOMPARE(halfToFloat(0x7BFF), 65504.0F);
    QCOMPARE(halfToFloat(0x0001), 0x1p-24F);
    QCOMPARE(halfToFloat(0x03FF), 1023.0F * 0x1p-24F);
    QVERIFY(std::isinf(halfToFloat(0x7C00)) && std::isnan(halfToFloat(0x7E00)));
    QVERIFY(std::signbit(halfToFloat(0x8000)));
    QCOMPARE(brainToFloat(0x3F80), 1.0F);
  }

  void numpyFiles_data() {
    QTest::addColumn<QString>("name");
    QTest::newRow("stored") << "numpy.npz";
    QTest::newRow("deflated") << "deflated.npz";
  }
  void numpyFiles() {
    QFETCH(QString, name);
    const auto file = openArrayFile(dataPath(name.toStdString()));
    QVERIFY2(file.has_value(), file ? "" : file.error().message.c_str());
    int checked = 0;
    for (const ArrayFile::Entry& entry : (*file)->entries()) {
      if (entry.shape != std::vector<Index>{2, 3, 4}) continue;
      const auto tensor = (*file)->read(entry.name);
      QVERIFY2(tensor.has_value(), entry.name.c_str());
      const bool isBool = entry.dtype == "|b1";
      for (std::size_t i = 0; i < 24; ++i)
        QCOMPARE(valueAt(*tensor, i), isBool ? (i > 0 ? 1.0 : 0.0) : static_cast<double>(i));
      ++checked;
    }
    QCOMPARE(checked, 38);  // 19 types in two orders
  }

  void numpyOddities() {
    const auto file = *openArrayFile(dataPath("numpy.npz"));
    const auto tokens = file->readStrings("tokens");
    QCOMPARE(*tokens, (std::vector<std::string>{"the", "κόσμος", "世界", "👩‍👩‍👧‍👦"}));
    QCOMPARE(*file->readStrings("ascii"), (std::vector<std::string>{"a", "bcd"}));
    QCOMPARE(file->read("scalar")->values<float>()[0], 7.0F);
    QVERIFY(file->read("empty")->empty());
    QVERIFY(!file->read("tokens"));
    QVERIFY(!file->readStrings("le_f4_C"));
    QVERIFY(file->read("nothing").error().message.find("tokens") != std::string::npos);
    const auto fortran = (*openArrayFile(dataPath("fortran.npy")))->read("");
    for (std::size_t i = 0; i < 24; ++i) QCOMPARE(fortran->values<float>()[i], static_cast<float>(i));
    QCOMPARE((*openArrayFile(dataPath("version3.npy")))->read("")->values<float>()[5], 5.0F);
  }

  void writtenFilesComeBack() {
    std::vector<NamedTensor> tensors;
    for (const Index n : {0, 1, 15, 16, 17, 50}) {
      Tensor tensor(DType::F32, {n, 3});
      for (std::size_t i = 0; i < tensor.values<float>().size(); ++i)
        tensor.mutableValues<float>()[i] = static_cast<float>(i);
      tensors.push_back({"param/" + std::to_string(n), tensor});
    }
    for (const DType type : {DType::F64, DType::I32, DType::I64, DType::U8})
      tensors.push_back({dtypeName(type), Tensor::zeros(type, {2, 2})});
    QVERIFY(writeNpz(path("a.npz"), tensors));
    QVERIFY(writeNpz(path("b.npz"), tensors));
    QCOMPARE(readAll(path("a.npz")), readAll(path("b.npz")));
    const auto file = *openArrayFile(path("a.npz"));
    QCOMPARE(file->entries().size(), tensors.size());
    for (const NamedTensor& named : tensors) {
      const auto back = file->read(named.name);
      QVERIFY(back && back->shape() == named.tensor.shape());
      for (std::size_t i = 0; i < static_cast<std::size_t>(back->size()); ++i)
        QCOMPARE(valueAt(*back, i), valueAt(named.tensor, i));
    }
    QVERIFY(writeNpy(path("c.npy"), tensors.back().tensor));
    QCOMPARE((*openArrayFile(path("c.npy")))->read("")->dtype(), DType::U8);
    QCOMPARE(QDir(m_folder.path()).entryList(QDir::Files).filter("partial").size(), 0);
    QCOMPARE(writeNpz("/nonexistent/x.npz", tensors).error().kind, ErrorKind::Output);
    QVERIFY(!writeNpz(path("d.npz"), {tensors[0], tensors[0]}));
  }

  void mappedTensorsOutliveTheFile() {
    writeAll(path("m.safetensors"),
             safetensors(R"({"q":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})" + std::string(7, ' '),
                         16));
    Tensor tensor;
    {
      const auto file = *openArrayFile(path("m.safetensors"));
      QVERIFY(file->entries()[0].mapped);
      tensor = *file->read("q");
    }
    QCOMPARE(tensor.values<float>()[3], 0.0F);
  }

  void lyingSafetensors_data() {
    QTest::addColumn<QByteArray>("header");
    QTest::addColumn<int>("data");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const char* header, int data, const char* message) {
      QTest::newRow(name) << QByteArray(header) << data << message;
    };
    row("not json", "{\"q\":", 0, "not a JSON object");
    row("a list", "{]", 0, "not a JSON object");
    row("past the end", R"({"q":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "cut off");
    row("wrong extent", R"({"q":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "expected 12");
    row("overflow", R"({"q":{"dtype":"F32","shape":[4611686018427387903,4],"data_offsets":[0,8]}})", 8,
        "any machine");
    row("zero hides overflow",
        R"({"q":{"dtype":"F32","shape":[0,4611686018427387903,9],"data_offsets":[0,0]}})", 0, "any machine");
    row("negative", R"({"q":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8, "list of sizes");
    row("reversed", R"({"q":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "not a range");
    row("three offsets", R"({"q":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}})", 8, "lacks");
    row("no dtype", R"({"q":{"shape":[2],"data_offsets":[0,8]}})", 8, "lacks");
    row("overlap",
        R"({"q":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"k":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
        12, "overlaps");
    row("hole", R"({"q":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12, "hole");
    row("trailing", R"({"q":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 12, "follow the header");
    row("twice",
        R"({"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
        2, "twice");
    row("metadata", R"({"__metadata__":{"a":1}})", 0, "not a string");
  }
  void lyingSafetensors() {
    QFETCH(QByteArray, header);
    QFETCH(int, data);
    QFETCH(QString, message);
    writeAll(path("l.safetensors"), safetensors(header.toStdString(), static_cast<std::size_t>(data)));
    const auto file = openArrayFile(path("l.safetensors"));
    QVERIFY(!file);
    QCOMPARE(file.error().kind, ErrorKind::Input);
    QVERIFY2(file.error().message.find(message.toStdString()) != std::string::npos,
             file.error().message.c_str());
  }

  void lyingNpy_data() {
    QTest::addColumn<QByteArray>("dict");
    QTest::addColumn<int>("data");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const char* dict, int data, const char* message) {
      QTest::newRow(name) << QByteArray(dict) << data << message;
    };
    row("short", "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, "expected 12");
    row("long", "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 16, "expected 12");
    row("huge", "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 2), }", 8,
        "any machine");
    row("negative", "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", 8, "dictionary");
    row("objects", "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", 8, "'|O'");
    row("complex", "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "'<c8'");
    row("fields", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", 8, "structured");
    row("no shape", "{'descr': '<f4', 'fortran_order': False, }", 8, "dictionary");
    row("no end", "{'descr': '<f4', 'fortran_order': False, 'shape': (3", 8, "dictionary");
    row("rank",
        "{'descr': '<f4', 'fortran_order': False, 'shape': "
        "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
        "1,1,1,1,1,1,1,1), }",
        4, "dictionary");
  }
  void lyingNpy() {
    QFETCH(QByteArray, dict);
    QFETCH(int, data);
    QFETCH(QString, message);
    writeAll(path("l.npy"), npy(dict.toStdString(), static_cast<std::size_t>(data)));
    const auto file = openArrayFile(path("l.npy"));
    QVERIFY(!file);
    QVERIFY2(file.error().message.find(message.toStdString()) != std::string::npos,
             file.error().message.c_str());
  }

  void otherFilesAreNamed() {
    writeAll(path("x.h5"), std::string("\x89HDF\r\n\x1a\n____", 12));
    QVERIFY(openArrayFile(path("x.h5")).error().message.find("HDF5") != std::string::npos);
    writeAll(path("x.pt"), std::string("\x80\x02}q", 4));
    QVERIFY(openArrayFile(path("x.pt")).error().message.find("pickle") != std::string::npos);
    writeAll(path("x.safetensors"), std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10));
    QVERIFY(openArrayFile(path("x.safetensors")).error().message.find("header") != std::string::npos);
    writeAll(path("e.npy"), "");
    QVERIFY(openArrayFile(path("e.npy")).error().message.find("empty") != std::string::npos);
    QVERIFY(!openArrayFile(path("missing.npz")));
    const std::string whole = readAll(dataPath("numpy.npz"));
    writeAll(path("cut.npz"), whole.substr(0, whole.size() / 2));
    QVERIFY(openArrayFile(path("cut.npz")).error().message.find("cut off") != std::string::npos);
  }

  // Deterministic damage to valid files; every read has to end in a value or an error.
  void mutationsAreSurvived() {
    const std::vector<std::string> seeds = {
        readAll(dataPath("version3.npy")), readAll(dataPath("fortran.npy")),
        readAll(dataPath("deflated.npz")),
        safetensors(R"({"__metadata__":{"a":"b"},"k":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},)"
                    R"("q":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}})",
                    24)};
    std::mt19937 random(7);  // NOLINT: the same damage in every run
    QElapsedTimer clock;
    clock.start();
    int rounds = 0;
    for (; clock.elapsed() < 2000; ++rounds) {
      std::string bytes = seeds[static_cast<std::size_t>(rounds) % seeds.size()];
      const bool zip = bytes.starts_with("PK");
      const std::size_t reach = zip ? bytes.size() : std::min<std::size_t>(bytes.size(), 200);
      for (unsigned i = 0; i < 1 + random() % 6; ++i) bytes[random() % reach] = static_cast<char>(random());
      if (random() % 8 == 0) bytes.resize(random() % bytes.size());
      writeAll(path("mutant.bin"), bytes);
      readEverything(path("mutant.bin"));
    }
    QVERIFY(rounds > 100);
    qInfo("%d damaged files", rounds);
  }
};

QTEST_APPLESS_MAIN(IoTest)
#include "io_test.moc"
