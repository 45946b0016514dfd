// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/bench/sweep_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/csv_field.h"
#include "core/base/shell_word.h"

namespace attnscope {

namespace {

using Json = nlohmann::ordered_json;

bool isMeasured(const SweepPoint& point) {
  return point.skipped.empty() && point.median > 0.0;
}

struct Curve {
  std::vector<double> n;
  std::vector<double> seconds;
};

Curve curveOf(const std::vector<SweepPoint>& points, std::size_t spec) {
  Curve curve;
  for (const SweepPoint& point : points) {
    if (point.spec != spec || !isMeasured(point)) continue;
    curve.n.push_back(static_cast<double>(point.n));
    curve.seconds.push_back(point.median);
  }
  return curve;
}

Json pointJson(const SweepPoint& point) {
  Json json{{"n", point.n},
            {"pairs", point.pairs},
            {"flops", point.flops},
            {"bytes", point.bytes},
            {"cell_density", point.cellDensity},
            {"tile_density", point.tileDensity}};
  if (!point.skipped.empty()) {
    json["skipped"] = point.skipped;
    return json;
  }
  json["seconds"] = point.median;
  json["low"] = point.low;
  json["high"] = point.high;
  json["plan_seconds"] = point.planSeconds;
  json["transfer_seconds"] = point.transferSeconds;
  json["repeats"] = point.repeats;
  json["peak_bytes"] = point.peakBytes;
  json["ceiling_flops"] = point.peakFlops;
  json["ceiling_share"] = ceilingShare(point);
  return json;
}

SweepPoint pointOf(const Json& json, std::size_t spec) {
  SweepPoint point;
  point.spec = spec;
  point.n = json.at("n").get<Index>();
  point.pairs = json.value("pairs", 0.0);
  point.flops = json.value("flops", 0.0);
  point.bytes = json.value("bytes", 0.0);
  point.cellDensity = json.value("cell_density", 0.0);
  point.tileDensity = json.value("tile_density", 0.0);
  point.skipped = json.value("skipped", std::string());
  if (!point.skipped.empty()) return point;
  point.median = json.at("seconds").get<double>();
  point.low = json.value("low", point.median);
  point.high = json.value("high", point.median);
  point.planSeconds = json.value("plan_seconds", 0.0);
  point.transferSeconds = json.value("transfer_seconds", 0.0);
  point.repeats = json.value("repeats", 0);
  point.peakBytes = json.value("peak_bytes", 0.0);
  point.peakFlops = json.value("ceiling_flops", 0.0);
  return point;
}

Result<SweepRun> runOf(const Json& json) {
  SweepRun run;
  run.program = json.value("program", std::string());
  run.device = json.at("device").get<std::string>();
  run.request.threads = json.value("threads", 0);
  ATTN_ASSIGN(precision, parsePrecision(json.value("precision", std::string("fp32"))));
  run.request.precision = precision;
  run.request.recipe = json.at("recipe").get<std::string>();
  run.request.d = json.at("d").get<Index>();
  run.request.heads = json.at("heads").get<Index>();
  run.request.causal = json.value("causal", false);
  for (const Json& curve : json.at("curves")) {
    ATTN_ASSIGN(spec, parseMechanismSpec(curve.at("mechanism").get<std::string>()));
    for (const Json& point : curve.at("points")) {
      run.points.push_back(pointOf(point, run.request.specs.size()));
      run.request.lengths.push_back(run.points.back().n);
    }
    run.request.specs.push_back(std::move(spec));
  }
  std::sort(run.request.lengths.begin(), run.request.lengths.end());
  run.request.lengths.erase(std::unique(run.request.lengths.begin(), run.request.lengths.end()),
                            run.request.lengths.end());
  return run;
}

// Measured points of these mechanisms, by their index in `specs`.
std::vector<SweepPoint> pointsOf(const SweepRun& run, const std::vector<MechanismSpec>& specs) {
  std::vector<SweepPoint> points;
  for (const SweepPoint& point : run.points) {
    if (!isMeasured(point)) continue;
    for (std::size_t s = 0; s < specs.size(); ++s)
      if (specs[s].text() == run.request.specs[point.spec].text()) {
        points.push_back(point);
        points.back().spec = s;
      }
  }
  return points;
}

}  // namespace

std::optional<ScalingFit> fitOfCurve(const std::vector<SweepPoint>& points, std::size_t spec) {
  const Curve curve = curveOf(points, spec);
  return fitScaling(curve.n, curve.seconds);
}

std::vector<CurveCrossing> crossingsOf(const std::vector<SweepPoint>& points, std::size_t curves) {
  std::vector<CurveCrossing> found;
  for (std::size_t a = 0; a < curves; ++a)
    for (std::size_t b = a + 1; b < curves; ++b) {
      const Curve x = curveOf(points, a);
      const Curve y = curveOf(points, b);
      for (const Crossing& crossing : crossings(x.n, x.seconds, y.n, y.seconds))
        found.push_back(crossing.firstWasFaster ? CurveCrossing{a, b, crossing.n}
                                                : CurveCrossing{b, a, crossing.n});
    }
  std::sort(found.begin(), found.end(), [](const auto& p, const auto& q) { return p.n < q.n; });
  return found;
}

std::string sweepCsv(const SweepRun& run) {
  std::string text =
      "mechanism,n,d,heads,precision,seconds,low,high,plan_seconds,transfer_seconds,repeats,peak_bytes,"
      "ceiling_flops,pairs,"
      "flops,bytes,"
      "cell_density,tile_density,skipped\n";
  for (const SweepPoint& point : run.points) {
    text += fmt::format("{},{},{},{},{}", csvField(run.request.specs[point.spec].text()), point.n,
                        run.request.d, run.request.heads, precisionName(run.request.precision));
    if (point.skipped.empty())
      text += fmt::format(",{},{},{},{},{},{},{},{}", point.median, point.low, point.high, point.planSeconds,
                          point.transferSeconds, point.repeats, point.peakBytes, point.peakFlops);
    else
      text += ",,,,,,,,";
    text += fmt::format(",{},{},{},{},{},{}\n", point.pairs, point.flops, point.bytes, point.cellDensity,
                        point.tileDensity, csvField(point.skipped));
  }
  return text;
}

std::string sweepJson(const SweepRun& run) {
  const SweepRequest& request = run.request;
  Json json{{"program", run.program},
            {"device", run.device},
            {"threads", request.threads},
            {"precision", precisionName(request.precision)},
            {"recipe", request.recipe},
            {"d", request.d},
            {"heads", request.heads},
            {"causal", request.causal},
            {"command", benchCommandLine(request)},
            {"curves", Json::array()}};
  for (std::size_t spec = 0; spec < request.specs.size(); ++spec) {
    Json curve{{"mechanism", request.specs[spec].text()}, {"points", Json::array()}};
    for (const SweepPoint& point : run.points)
      if (point.spec == spec) curve["points"].push_back(pointJson(point));
    if (const auto fit = fitOfCurve(run.points, spec))
      curve["exponent"] = {
          {"value", fit->exponent}, {"half_width", fit->halfWidth}, {"from", fit->fromN}, {"to", fit->toN}};
    json["curves"].push_back(std::move(curve));
  }
  json["crossings"] = Json::array();
  for (const CurveCrossing& crossing : crossingsOf(run.points, request.specs.size()))
    json["crossings"].push_back({{"n", crossing.n},
                                 {"faster_below", request.specs[crossing.before].text()},
                                 {"faster_above", request.specs[crossing.after].text()}});
  return json.dump(2) + "\n";
}

Result<SweepRun> readSweep(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::Input, fmt::format("{} cannot be opened; check the name.", path));
  std::stringstream text;
  text << file.rdbuf();
  try {  // the library reports by exceptions; they end here
    return runOf(Json::parse(text.str()));
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorKind::Input,
                fmt::format("{} is no measurement of `attnscope bench --json`: {}.", path, error.what()));
  }
}

Result<std::vector<SweepPoint>> knownPoints(const SweepRun& run, const SweepRequest& request,
                                            const std::string& device) {
  const auto differs = [&](const char* what, const std::string& found, const std::string& expected) {
    return fail(
        ErrorKind::Usage,
        fmt::format("The earlier run has another {}: {} instead of {}. Its times cannot be continued; "
                    "measure into another file.",
                    what, found, expected));
  };
  const SweepRequest& old = run.request;
  if (run.device != device) return differs("device", run.device, device);
  if (old.precision != request.precision)
    return differs("precision", precisionName(old.precision), precisionName(request.precision));
  if (old.recipe != request.recipe) return differs("input", old.recipe, request.recipe);
  if (old.d != request.d || old.heads != request.heads)
    return differs("width or number of heads", fmt::format("{} x {}", old.heads, old.d),
                   fmt::format("{} x {}", request.heads, request.d));
  if (old.causal != request.causal)
    return differs("mask", old.causal ? "causal" : "none", request.causal ? "causal" : "none");
  if (old.threads != request.threads)
    return differs("number of threads", std::to_string(old.threads), std::to_string(request.threads));
  return pointsOf(run, request.specs);
}

Result<std::vector<SweepPoint>> overlayPoints(const SweepRun& run, const std::vector<MechanismSpec>& specs) {
  std::vector<SweepPoint> points = pointsOf(run, specs);
  if (!points.empty()) return points;
  std::vector<std::string> names;
  for (const MechanismSpec& spec : run.request.specs) names.push_back(spec.text());
  return fail(ErrorKind::Usage,
              fmt::format("The other run measured {}: none of the mechanisms of this figure.",
                          fmt::join(names, ", ")));
}

std::string benchCommandLine(const SweepRequest& request) {
  std::vector<std::string> words{"attnscope", "bench"};
  for (const MechanismSpec& spec : request.specs) words.push_back(shellWord(spec.text()));
  words.push_back("--lengths");
  words.push_back(fmt::format("{}", fmt::join(request.lengths, "+")));
  words.push_back("--recipe");
  words.push_back(shellWord(request.recipe));
  words.push_back(fmt::format("--d {} --heads {}", request.d, request.heads));
  if (request.causal) words.push_back("--causal");
  words.push_back(fmt::format("--seconds {:g}", request.secondsPerPoint));
  if (request.device != "auto") words.push_back("--device " + request.device);
  if (request.precision != Precision::Fp32)
    words.push_back("--precision " + precisionName(request.precision));
  if (request.threads > 0) words.push_back(fmt::format("--threads {}", request.threads));
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace attnscope
