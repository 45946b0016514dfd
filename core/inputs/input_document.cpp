// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/input_document.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "core/base/units.h"
#include "core/inputs/image_file.h"
#include "core/inputs/image_source.h"
#include "core/inputs/recipes.h"
#include "core/inputs/sample.h"
#include "core/inputs/shared_values.h"
#include "core/inputs/source_options.h"
#include "core/inputs/tensor_source.h"
#include "core/inputs/text_source.h"
#include "core/io/array_formats.h"
#include "core/io/file_kind.h"

namespace attnscope {

namespace {

constexpr double kLargeBytes = 128.0 * 1024 * 1024;

using Document = std::shared_ptr<const InputDocument>;
using Facts = std::vector<std::pair<std::string, std::string>>;

// A source with one layer that was made while it was opened.
class SingleInput final : public InputDocument {
 public:
  SingleInput(AttentionInput input, Facts facts, std::optional<FileReading> reading)
      : m_input(std::move(input)), m_facts(std::move(facts)), m_reading(std::move(reading)) {
    m_facts.emplace_back("q", shapeText(m_input.q.shape()));
    m_facts.emplace_back("k", shapeText(m_input.k.shape()));
    m_facts.emplace_back("v", shapeText(m_input.v.shape()));
  }
  [[nodiscard]] std::string title() const override { return m_input.title; }
  [[nodiscard]] std::string source() const override { return m_input.source; }
  [[nodiscard]] std::vector<std::string> layerNames() const override { return {"q, k, v"}; }
  [[nodiscard]] Shape layerShape(Index) const override { return m_input.shape(); }
  [[nodiscard]] Result<AttentionInput> layer(Index layer) const override {
    if (layer == 0) return m_input;
    return fail(ErrorKind::Usage,
                fmt::format("{}: there is no layer {}; it has one, number 0.", m_input.source, layer));
  }
  [[nodiscard]] Facts facts() const override { return m_facts; }
  [[nodiscard]] std::optional<FileReading> reading() const override { return m_reading; }

 private:
  AttentionInput m_input;
  Facts m_facts;
  std::optional<FileReading> m_reading;
};

Document single(AttentionInput input, Facts facts, std::optional<FileReading> reading = {}) {
  return std::make_shared<const SingleInput>(std::move(input), std::move(facts), std::move(reading));
}

bool isFile(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

std::string withOptions(const std::string& source, const std::string& options) {
  return options.empty() ? source : source + ":" + options;
}

// Up to `most` characters of a text for a title, never half of one.
std::string beginning(std::string_view text, std::size_t most) {
  std::string line(text.substr(0, most));
  while (line.size() < text.size() && !line.empty() &&
         (static_cast<unsigned char>(text[line.size()]) & 0xC0U) == 0x80U)
    line.pop_back();
  for (char& c : line) c = c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  return line.size() < text.size() ? line + "..." : line;
}

// A recipe or a text that is too large to be made before anybody asks for its values.
class LargeInput final : public InputDocument {
 public:
  LargeInput(AttentionInput outline, JobContext job, Facts facts, std::optional<FileReading> reading)
      : m_outline(std::move(outline)),
        m_job(std::move(job)),
        m_facts(std::move(facts)),
        m_reading(std::move(reading)) {
    m_outline.make = sharedMaker(std::move(m_outline.make));  // gigabytes: once for all columns
    m_facts.emplace_back("q", shapeText(m_outline.q.shape()));
    m_facts.emplace_back("k", shapeText(m_outline.k.shape()));
    m_facts.emplace_back("v", shapeText(m_outline.v.shape()));
  }
  [[nodiscard]] std::string title() const override { return m_outline.title; }
  [[nodiscard]] std::string source() const override { return m_outline.source; }
  [[nodiscard]] std::vector<std::string> layerNames() const override { return {"q, k, v"}; }
  [[nodiscard]] Shape layerShape(Index) const override { return m_outline.shape(); }
  [[nodiscard]] Result<AttentionInput> layer(Index layer) const override {
    ATTN_ASSIGN(input, outline(layer));
    return withValues(input, m_job);
  }
  [[nodiscard]] Result<AttentionInput> outline(Index layer) const override {
    if (layer == 0) return m_outline;
    return fail(ErrorKind::Usage,
                fmt::format("{}: there is no layer {}; it has one, number 0.", m_outline.source, layer));
  }
  [[nodiscard]] Facts facts() const override { return m_facts; }
  [[nodiscard]] std::optional<FileReading> reading() const override { return m_reading; }

 private:
  AttentionInput m_outline;
  JobContext m_job;
  Facts m_facts;
  std::optional<FileReading> m_reading;
};

double valueBytes(const AttentionInput& input) {
  return 4.0 * static_cast<double>(input.q.size() + input.k.size() + input.v.size());
}

Result<Document> openRecipe(const std::string& source, const JobContext& job) {
  const Recipe* recipe = findRecipe(source.substr(0, source.find(':')));
  ATTN_ASSIGN(outline, outlineRecipe(source));
  if (valueBytes(outline) > kLargeBytes) {
    Facts facts = {{"recipe", outline.source}, {"about", recipe->help}};
    return Document(
        std::make_shared<const LargeInput>(std::move(outline), job, std::move(facts), std::nullopt));
  }
  ATTN_ASSIGN(input, makeRecipe(source, job));
  Facts facts = {{"recipe", input.source}, {"about", recipe->help}};
  return single(std::move(input), std::move(facts));
}

Facts textFacts(const AttentionInput& input, const SourceOptions& options, std::size_t bytes) {
  const Index n = input.q.dim(1);
  Facts facts = {{"text", fmt::format("{} bytes", countText(static_cast<Index>(bytes)))},
                 {"unit", options.choice("unit")},
                 {"tokens", countText(n)}};
  if (n == options.integer("n")) facts.back().second += " (the limit; the rest, if any, is left out)";
  facts.emplace_back("sentences", countText(input.segments.empty() ? 0 : input.segments.back() + 1));
  return facts;
}

// With its values where these are small.
Result<Document> openText(AttentionInput outline, Facts facts, const JobContext& job,
                          std::optional<FileReading> reading = {}) {
  if (valueBytes(outline) > kLargeBytes)
    return Document(
        std::make_shared<const LargeInput>(std::move(outline), job, std::move(facts), std::move(reading)));
  ATTN_ASSIGN(input, outline.make(job));
  input.title = outline.title;
  input.source = outline.source;
  return single(std::move(input), std::move(facts), std::move(reading));
}

// "text:unit=word:The cat": the options end at the second colon.
Result<Document> openTypedText(const std::string& source, const JobContext& job) {
  const std::string rest = source.substr(5);
  const std::size_t colon = rest.find(':');
  const std::string given = colon == std::string::npos ? "" : rest.substr(0, colon);
  const std::string text = colon == std::string::npos ? rest : rest.substr(colon + 1);
  auto options = SourceOptions::parse("text", textKeys(), given);
  if (!options)
    return fail(options.error().kind,
                options.error().message +
                    " A text with a colon in it is written \"text::" + beginning(rest, 40) + "\".");
  ATTN_ASSIGN(input, outlineTextInput(text, *options, "text"));
  input.title = beginning(text, 40);
  input.source = "text:" + options->text() + ":" + text;
  Facts facts = textFacts(input, *options, text.size());
  return openText(std::move(input), std::move(facts), job);
}

Result<Document> openTextFile(const FileBytes& file, const std::string& given, const JobContext& job) {
  ATTN_ASSIGN(options, SourceOptions::parse(file.path, textKeys(), given));
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  ATTN_ASSIGN(input, outlineTextInput(text, options, file.path));
  input.title = std::filesystem::path(file.path).filename().string();
  input.source = withOptions(file.path, options.text());
  Facts facts = textFacts(input, options, text.size());
  facts.insert(facts.begin(), {"file", file.path});
  return openText(std::move(input), std::move(facts), job,
                  FileReading{file.path, textKeys(), options.text()});
}

Result<Document> openPicture(const FileBytes& file, const std::string& given, const JobContext& job) {
  ATTN_ASSIGN(options, SourceOptions::parse(file.path, imageKeys(), given));
  ATTN_ASSIGN(image, decodeImage(file));
  ATTN_ASSIGN(input, makeImageInput(image, options, file.path, job));
  input.title = std::filesystem::path(file.path).filename().string();
  input.source = withOptions(file.path, options.text());
  Facts facts = {
      {"file", file.path},
      {"format", fileKind(file) == FileKind::Png ? "PNG" : "JPEG"},
      {"pixels", fmt::format("{} x {}", image.width, image.height)},
      {"grid", fmt::format("{} x {} tokens of {} x {} pixels", input.grid->width, input.grid->height,
                           options.integer("patch"), options.integer("patch"))}};
  return single(std::move(input), std::move(facts), FileReading{file.path, imageKeys(), options.text()});
}

// A name that promises a picture or tensors must not be read as text because the content turns out to be
// something else: that would hide a damaged file behind a plausible result.
Status checkTextByName(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const char* binary : {".png", ".jpg", ".jpeg", ".npy", ".npz"})
    if (ending == binary)
      return fail(ErrorKind::Input,
                  fmt::format("{}: is no {} file by its content. It is damaged or misnamed; save it again, "
                              "or rename it to .txt if it is text.",
                              path, ending.substr(1)));
  return {};
}

Result<Document> openFile(const std::string& path, const std::string& options, const JobContext& job) {
  ATTN_ASSIGN(file, mapFile(path));
  switch (fileKind(file)) {
    case FileKind::Png:
    case FileKind::Jpeg:
      return openPicture(file, options, job);
    case FileKind::OtherImage:
      return fail(ErrorKind::Input,
                  path + ": is a picture or document in a format that is not read. Convert it to PNG.");
    case FileKind::Session:
      return fail(ErrorKind::Input,
                  fmt::format("{0}: is a session, which names an input and is none. `attnscope {0}` "
                              "opens it in the window, `attnscope info {0}` says what it holds.",
                              path));
    case FileKind::Other:
      ATTN_TRY(checkTextByName(path));
      return openTextFile(file, options, job);
    default:
      break;
  }
  ATTN_ASSIGN(arrays, openArrayFile(path));
  return openTensors(std::move(arrays), options);
}

Result<Document> openPath(const std::string& source, const JobContext& job) {
  if (isFile(source)) return openFile(source, "", job);
  // The longest front part that is a file: a name may have colons, options have none.
  const std::size_t colon = source.rfind(':');
  if (colon != std::string::npos && isFile(source.substr(0, colon)))
    return openFile(source.substr(0, colon), source.substr(colon + 1), job);
  const std::string name = source.substr(0, source.find(':'));
  if (name.find_first_of("/.\\") != std::string::npos) return openFile(source, "", job);
  std::vector<std::string> known = {"sample", "text"};
  std::string list = "sample, text:";
  for (const Recipe& recipe : recipes()) {
    known.push_back(recipe.id);
    list += ", " + recipe.id;
  }
  const std::string near = nearestSpelling(name, known);
  return fail(ErrorKind::Input,
              fmt::format("'{}' is neither a file nor one of {}. {}", name, list,
                          near.empty() ? "Check the path." : "Did you mean '" + near + "'?"));
}

}  // namespace

Result<Document> openSource(const std::string& source, const JobContext& job) {
  if (source.empty())
    return fail(ErrorKind::Usage, "The input has no name. Give a file, a recipe or 'sample'.");
  const std::string name = source.substr(0, source.find(':'));
  if (name == "sample") {
    ATTN_ASSIGN(arrays, openSafetensors(sampleBytes()));
    return openTensors(std::move(arrays), source.size() > name.size() ? source.substr(name.size() + 1) : "");
  }
  if (findRecipe(name) != nullptr) return openRecipe(source, job);
  if (source.starts_with("text:")) return openTypedText(source, job);
  return openPath(source, job);
}

Result<AttentionInput> loadInput(const std::string& source, Index layer, const JobContext& job) {
  ATTN_ASSIGN(document, openSource(source, job));
  return document->layer(document->chosenLayer().value_or(layer));
}

}  // namespace attnscope
