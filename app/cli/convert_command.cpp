// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/inputs/input_document.h"
#include "core/io/array_file.h"

namespace attnscope {

namespace {

Result<std::vector<NamedTensor>> readAll(const ArrayFile& file) {
  std::vector<NamedTensor> arrays;
  for (const ArrayFile::Entry& entry : file.entries()) {
    ATTN_ASSIGN(tensor, file.read(entry.name));
    arrays.push_back({entry.name.empty() ? "array" : entry.name, std::move(tensor)});
  }
  return arrays;
}

// Texts, pictures and recipes become the q, k and v that they stand for.
Result<std::vector<NamedTensor>> readInput(const std::string& source, Index layer, const JobContext& job) {
  ATTN_ASSIGN(input, loadInput(source, layer, job));
  std::vector<NamedTensor> arrays{{"q", input.q}, {"k", input.k}, {"v", input.v}};
  if (input.grid) {
    const std::vector<std::int32_t> grid{static_cast<std::int32_t>(input.grid->height),
                                         static_cast<std::int32_t>(input.grid->width)};
    arrays.push_back({"grid", Tensor::fromInts({2}, grid)});
  }
  if (!input.segments.empty()) {
    const std::vector<std::int32_t> segments(input.segments.begin(), input.segments.end());
    arrays.push_back({"segments", Tensor::fromInts({static_cast<Index>(segments.size())}, segments)});
  }
  return arrays;
}

std::string namesOf(const std::vector<NamedTensor>& arrays) {
  std::vector<std::string> names;
  for (const NamedTensor& array : arrays) names.push_back(array.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

class ConvertCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("in", m_in, "File of tensors (.npz .npy .safetensors), or any input of the other commands")
        ->required();
    app.add_option("out", m_out, "File to write (.npz, or .npy for one array)")->required();
    app.add_option("--array", m_array, "Write only the array of this name");
    app.add_option("--layer", m_layer, "Layer of an input that is no file of tensors")
        ->check(CLI::NonNegativeNumber);
  }

  Status run(const JobContext& job) override {
    const bool npz = m_out.ends_with(".npz");
    if (!npz && !m_out.ends_with(".npy")) {
      return fail(ErrorKind::Usage,
                  fmt::format("{}: the formats that can be written are .npz and .npy.", m_out));
    }
    ATTN_ASSIGN(arrays, read(job));
    if (!m_array.empty()) ATTN_TRY(keepOnly(arrays));
    if (npz) return writeNpz(m_out, arrays);
    if (arrays.size() != 1) {
      return fail(ErrorKind::Usage,
                  fmt::format("{} holds {} arrays and a .npy file one; choose it with --array ({}).", m_in,
                              arrays.size(), namesOf(arrays)));
    }
    return writeNpy(m_out, arrays[0].tensor);
  }

 private:
  Result<std::vector<NamedTensor>> read(const JobContext& job) const {
    const auto file = openArrayFile(m_in);
    if (file) {
      if (!(*file)->metadata().empty()) {
        fmt::print(stderr, "attnscope: {} carries metadata, which {} cannot hold; it is left out.\n", m_in,
                   m_out);
      }
      return readAll(**file);
    }
    // A damaged file of tensors is reported as such: both readers agree then that it is one.
    auto input = readInput(m_in, m_layer, job);
    if (!input) return tl::unexpected<Error>(input.error());
    return input;
  }

  Status keepOnly(std::vector<NamedTensor>& arrays) const {
    for (NamedTensor& array : arrays) {
      if (array.name != m_array) continue;
      const NamedTensor kept = array;
      arrays = {kept};
      return {};
    }
    return fail(ErrorKind::Usage, fmt::format("--array {}: {} holds {}.", m_array, m_in, namesOf(arrays)));
  }

  std::string m_in;
  std::string m_out;
  std::string m_array;
  Index m_layer = 0;
};

}  // namespace

std::unique_ptr<Command> makeConvertCommand() {
  return std::make_unique<ConvertCommand>();
}

}  // namespace attnscope
