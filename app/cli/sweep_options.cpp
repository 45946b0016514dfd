// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/sweep_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "app/cli/call_options.h"
#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "kernels/bench/sweep_file.h"

namespace attnscope {

Result<std::vector<Index>> parseLengths(const std::string& text) {
  const std::size_t dots = text.find("..");
  std::vector<Index> lengths;
  if (dots == std::string::npos) {
    ATTN_ASSIGN(list, parseIndexList(text, "--lengths"));
    lengths = std::move(list);
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  } else {
    ATTN_ASSIGN(ends, parseIndexList(text.substr(0, dots) + "+" + text.substr(dots + 2), "--lengths"));
    if (ends.size() != 2 || ends[0] > ends[1] || ends[0] < 1) {
      return fail(
          ErrorKind::Usage,
          fmt::format("--lengths {}: write two lengths from small to large, such as 256..65536.", text));
    }
    for (Index n = ends[0]; n <= ends[1]; n *= 2) lengths.push_back(n);
  }
  constexpr Index kLongest = Index{1} << 24;
  if (lengths.front() < 1 || lengths.back() > kLongest) {
    return fail(ErrorKind::Usage,
                fmt::format("--lengths {}: lengths go from 1 to {}.", text, countText(kLongest)));
  }
  return lengths;
}

Status checkMechanisms(const std::vector<MechanismSpec>& specs) {
  for (const MechanismSpec& spec : specs) {
    if (const auto found = findMechanism(spec.id); !found) return tl::unexpected<Error>(found.error());
  }
  return {};
}

Result<std::string> mechanismTitle(const MechanismSpec& spec) {
  ATTN_ASSIGN(mechanism, findMechanism(spec.id));
  std::vector<std::string> parts;
  for (const ParamSpec& param : mechanism->params()) {
    const auto given = spec.params.find(param.id);
    if (given == spec.params.end()) continue;
    parts.push_back(fmt::format("{} = {}", param.symbol.empty() ? param.id : param.symbol, given->second));
  }
  const std::string& name = mechanism->card().name;
  return parts.empty() ? name : fmt::format("{} ({})", name, fmt::join(parts, ", "));
}

std::string sweepExponents(const SweepRequest& request, const std::vector<SweepPoint>& points) {
  std::string text;
  for (std::size_t spec = 0; spec < request.specs.size(); ++spec) {
    const auto fit = fitOfCurve(points, spec);
    if (!fit) continue;
    text += fmt::format("{:<24} n^{:.2f} \u00b1 {:.2f} ({} to {})\n", request.specs[spec].text(),
                        fit->exponent, fit->halfWidth, countText(static_cast<Index>(fit->fromN)),
                        countText(static_cast<Index>(fit->toN)));
  }
  for (const CurveCrossing& crossing : crossingsOf(points, request.specs.size()))
    text += fmt::format("{} is faster than {} from n = {}\n", request.specs[crossing.after].text(),
                        request.specs[crossing.before].text(),
                        countText(static_cast<Index>(std::llround(crossing.n))));
  return text;
}

Status writeText(const std::string& path, const std::string& text) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool flushed = file != nullptr && (path == "-" ? std::fflush(file) : std::fclose(file)) == 0;
  if (written && flushed) return {};
  return fail(
      ErrorKind::Output,
      fmt::format("{} cannot be written; check that the folder exists, is writable and has room.", path));
}

}  // namespace attnscope
