// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/sweep_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/build_info.h"
#include "app/cli/call_options.h"
#include "core/analysis/scaling_fit.h"
#include "core/base/units.h"
#include "core/mechanisms/registry.h"

namespace attnscope {

namespace {

using Json = nlohmann::ordered_json;

std::optional<ScalingFit> fitOf(const std::vector<SweepPoint>& points, std::size_t spec) {
  std::vector<double> n;
  std::vector<double> seconds;
  for (const SweepPoint& point : points) {
    if (point.spec != spec || !point.skipped.empty() || point.median <= 0.0) continue;
    n.push_back(static_cast<double>(point.n));
    seconds.push_back(point.median);
  }
  return fitScaling(n, seconds);
}

Json pointJson(const SweepPoint& point) {
  Json json{{"n", point.n}, {"pairs", point.pairs}, {"flops", point.flops}, {"bytes", point.bytes}};
  if (!point.skipped.empty()) {
    json["skipped"] = point.skipped;
    return json;
  }
  json["seconds"] = point.median;
  json["low"] = point.low;
  json["high"] = point.high;
  json["plan_seconds"] = point.planSeconds;
  json["repeats"] = point.repeats;
  return json;
}

// A field of CSV: quoted where it must be.
std::string csvField(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

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

std::string sweepCsv(const SweepRequest& request, const std::vector<SweepPoint>& points) {
  std::string text = "mechanism,n,d,heads,seconds,low,high,plan_seconds,repeats,pairs,flops,bytes,skipped\n";
  for (const SweepPoint& point : points) {
    const std::string spec = csvField(request.specs[point.spec].text());
    text += fmt::format("{},{},{},{}", spec, point.n, request.d, request.heads);
    if (point.skipped.empty()) {
      text += fmt::format(",{},{},{},{},{}", point.median, point.low, point.high, point.planSeconds,
                          point.repeats);
    } else {
      text += ",,,,,";
    }
    text += fmt::format(",{},{},{},{}\n", point.pairs, point.flops, point.bytes, csvField(point.skipped));
  }
  return text;
}

std::string sweepJson(const SweepRequest& request, const std::vector<SweepPoint>& points,
                      const std::string& device) {
  Json json{{"program", fmt::format("attnscope {}", buildInfo().version)},
            {"device", device},
            {"threads", request.threads},
            {"recipe", request.recipe},
            {"d", request.d},
            {"heads", request.heads},
            {"causal", request.causal},
            {"curves", Json::array()}};
  for (std::size_t spec = 0; spec < request.specs.size(); ++spec) {
    Json curve{{"mechanism", request.specs[spec].text()}, {"points", Json::array()}};
    for (const SweepPoint& point : points) {
      if (point.spec == spec) curve["points"].push_back(pointJson(point));
    }
    if (const auto fit = fitOf(points, spec)) {
      curve["exponent"] = {
          {"value", fit->exponent}, {"half_width", fit->halfWidth}, {"from", fit->fromN}, {"to", fit->toN}};
    }
    json["curves"].push_back(std::move(curve));
  }
  return json.dump(2) + "\n";
}

std::string sweepExponents(const SweepRequest& request, const std::vector<SweepPoint>& points) {
  std::string text;
  for (std::size_t spec = 0; spec < request.specs.size(); ++spec) {
    const auto fit = fitOf(points, spec);
    if (!fit) continue;
    text += fmt::format("{:<24} n^{:.2f} \u00b1 {:.2f} ({} to {})\n", request.specs[spec].text(),
                        fit->exponent, fit->halfWidth, countText(static_cast<Index>(fit->fromN)),
                        countText(static_cast<Index>(fit->toN)));
  }
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
