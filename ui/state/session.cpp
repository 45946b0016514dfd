// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/session.h"

#include <fmt/format.h>

#include <QDir>
#include <QFileInfo>
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/mechanisms/registry.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr Index kMostIndex = Index{1} << 40;  // far beyond any length, layer or head

constexpr std::array<const char*, 3> kCausalNames{"paper", "on", "off"};
constexpr std::array<const char*, 3> kScaleNames{"linear", "log", "rowmax"};
constexpr std::array<const char*, 3> kRangeNames{"fixed", "percentiles", "nosinks"};
constexpr std::array<const char*, 2> kReduceNames{"max", "mean"};
static_assert(static_cast<int>(CausalChoice::Off) == 2 && static_cast<int>(ValueScale::Kind::RowMax) == 2 &&
              static_cast<int>(ScaleRange::WithoutSinks) == 2 &&
              static_cast<int>(EffectiveMatrix::Reduce::Mean) == 1);

// Reads keys of an object; the first that does not fit is the error, later ones are not looked at.
class Reader {
 public:
  Reader(const Json& root, std::string name) : m_object(&root), m_name(std::move(name)) {}

  [[nodiscard]] bool failed() const { return m_error.has_value(); }
  [[nodiscard]] Error error() const { return *m_error; }

  // The object under `key`, for the calls in `read`; nothing where there is none.
  template <class Read>
  void object(const char* key, Read read) {
    const Json* found = find(key);
    if (!found) return;
    if (!found->is_object()) return expected(key, *found, "an object");
    inside(*found, key, read);
  }

  template <class Read>
  void each(const char* key, std::size_t atMost, Read read) {
    const Json* found = find(key);
    if (!found) return;
    if (!found->is_array() || found->size() > atMost)
      return expected(key, *found, fmt::format("a list of at most {}", atMost));
    for (std::size_t i = 0; i < found->size(); ++i) read((*found)[i], fmt::format("{}[{}]", key, i));
  }

  template <class Read>
  void inside(const Json& object, const std::string& key, Read read) {
    const Json* outer = std::exchange(m_object, &object);
    const std::string path = std::exchange(m_path, m_path + key + '.');
    read();
    m_object = outer;
    m_path = path;
  }

  void text(const char* key, QString& value) {
    if (const Json* found = find(key)) {
      if (!found->is_string()) return expected(key, *found, "a text");
      value = toQ(found->get<std::string>());
    }
  }
  void flag(const char* key, bool& value) {
    if (const Json* found = find(key)) {
      if (!found->is_boolean()) return expected(key, *found, "true or false");
      value = found->get<bool>();
    }
  }
  void whole(const char* key, Index low, Index high, Index& value) {
    if (const Json* found = find(key)) {
      const bool fits = found->is_number_integer() && *found >= low && *found <= high;
      if (!fits) return expected(key, *found, fmt::format("a whole number from {} to {}", low, high));
      value = found->get<Index>();
    }
  }
  void seed(const char* key, std::uint64_t& value) {
    if (const Json* found = find(key)) {
      if (!found->is_number_unsigned()) return expected(key, *found, "a whole number from 0 on");
      value = found->get<std::uint64_t>();
    }
  }
  void real(const char* key, double low, double& value) {
    if (const Json* found = find(key)) {
      if (!found->is_number() || !(found->get<double>() > low) || !std::isfinite(found->get<double>()))
        return expected(key, *found,
                        std::isinf(low) ? "a finite number" : fmt::format("a number above {}", low));
      value = found->get<double>();
    }
  }
  template <class Enum, std::size_t N>
  void choice(const char* key, const std::array<const char*, N>& names, Enum& value) {
    if (const Json* found = find(key)) {
      const auto at =
          std::find_if(names.begin(), names.end(), [&](const char* name) { return *found == name; });
      if (at == names.end()) return expected(key, *found, fmt::format("one of {}", fmt::join(names, ", ")));
      value = static_cast<Enum>(at - names.begin());
    }
  }
  void expected(const std::string& key, const Json& found, const std::string& what) {
    if (m_error) return;
    std::string shown = found.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
    m_error = Error{ErrorKind::Input,
                    fmt::format("{}: '{}{}' is {}, expected {}. Mend the file, or save the session again.",
                                m_name, m_path, key, shown, what)};
  }
  void wrong(Error error) {
    if (!m_error) m_error = std::move(error);
  }

 private:
  [[nodiscard]] const Json* find(const char* key) const {
    if (m_error) return nullptr;
    const auto found = m_object->find(key);
    return found == m_object->end() || found->is_null() ? nullptr : &*found;
  }

  const Json* m_object;
  std::string m_name;
  std::string m_path;
  std::optional<Error> m_error;
};

Json styleJson(const ViewStyle& style) {
  Json hidden = Json::array();
  for (const QString& name : style.hidden) hidden.push_back(name.toStdString());
  return {{"colormap", style.colorMap.toStdString()},
          {"scale", kScaleNames[static_cast<std::size_t>(style.scale.kind)]},
          {"low", style.scale.low},
          {"high", style.scale.high},
          {"range", kRangeNames[static_cast<std::size_t>(style.range)]},
          {"reduce", kReduceNames[static_cast<std::size_t>(style.reduce)]},
          {"marginals", style.marginals},
          {"hidden", hidden}};
}

void readStyle(Reader& reader, ViewStyle& style) {
  reader.text("colormap", style.colorMap);
  const auto known = colorMapNames();
  if (std::find(known.begin(), known.end(), style.colorMap.toStdString()) == known.end())
    reader.expected("colormap", style.colorMap.toStdString(),
                    fmt::format("one of {}", fmt::join(known, ", ")));
  reader.choice("scale", kScaleNames, style.scale.kind);
  reader.real("low", 0.0, style.scale.low);
  reader.real("high", 0.0, style.scale.high);
  if (!(style.scale.high > style.scale.low))
    reader.expected("high", style.scale.high, fmt::format("a number above 'low', {}", style.scale.low));
  reader.choice("range", kRangeNames, style.range);
  reader.choice("reduce", kReduceNames, style.reduce);
  reader.flag("marginals", style.marginals);
  reader.each("hidden", 256, [&](const Json& item, const std::string& key) {
    if (!item.is_string()) return reader.expected(key, item, "a text");
    style.hidden << toQ(item.get<std::string>());
  });
  style.hidden.sort();
}

Json mechanismJson(const MechanismSpec& spec, const ColumnView& view) {
  Json json{{"spec", spec.text()}};
  if (view.ownZoom) json["own_zoom"] = true;
  if (view.ownScale) json["own_scale"] = true;
  if (view.baseline) json["baseline"] = true;
  if (view.sortBy >= 0) json["sort_by"] = view.sortBy;
  return json;
}

void readMechanism(Reader& reader, const Json& item, const std::string& key, const std::string& name,
                   DocumentState& state) {
  if (!item.is_object()) return reader.expected(key, item, "an object with 'spec'");
  reader.inside(item, key, [&] {
    QString text;
    ColumnView view;
    Index sortBy = -1;
    reader.text("spec", text);
    reader.flag("own_zoom", view.ownZoom);
    reader.flag("own_scale", view.ownScale);
    reader.flag("baseline", view.baseline);
    reader.whole("sort_by", -1, 1000, sortBy);
    view.sortBy = static_cast<int>(sortBy);
    if (reader.failed()) return;
    auto spec = parseMechanismSpec(text.toStdString());
    if (spec)
      if (const auto known = findMechanism(spec->id); !known) spec = tl::unexpected<Error>(known.error());
    if (!spec)
      return reader.wrong(
          {ErrorKind::Input, fmt::format("{}: '{}.spec': {}", name, key, spec.error().message)});
    // One column sorts, and one is the baseline: the first that says so.
    if (sortingColumn(state) >= 0) view.sortBy = -1;
    if (baselineColumn(state) >= 0) view.baseline = false;
    state.columns.push_back(std::move(*spec));
    state.views.push_back(view);
  });
}

void readRows(Reader& reader, RowChoice& rows) {
  RowChoice chosen{false, false, false, false, false};
  reader.each("rows", kRowOrder.size(), [&](const Json& item, const std::string& key) {
    const auto known =
        std::find_if(kRowOrder.begin(), kRowOrder.end(), [&](const RowName& row) { return item == row.id; });
    if (known == kRowOrder.end())
      return reader.expected(key, item, "one of pattern, map, difference, reach, insides");
    chosen.of(known->kind) = true;
  });
  if (!chosen.none()) rows = chosen;
}

void readView(Reader& reader, Session& session) {
  std::vector<double> sides;
  reader.each("viewport", 4, [&](const Json& item, const std::string& key) {
    if (!item.is_number() || !std::isfinite(item.get<double>()))
      return reader.expected(key, item, "a number");
    sides.push_back(item.get<double>());
  });
  if (sides.size() == 4) session.viewport = QRectF(sides[0], sides[1], sides[2], sides[3]);
  reader.whole("query", -1, kMostIndex, session.selectedQuery);
  reader.whole("key", -1, kMostIndex, session.selectedKey);
}

}  // namespace

std::string sessionText(const Session& session) {
  const DocumentState& state = session.state;
  const QFileInfo file(state.source);
  Json mechanisms = Json::array();
  for (std::size_t i = 0; i < state.columns.size(); ++i)
    mechanisms.push_back(
        mechanismJson(state.columns[i], i < state.views.size() ? state.views[i] : ColumnView()));
  Json rows = Json::array();
  for (const auto& [kind, id] : kRowOrder)
    if (state.rows.shows(kind)) rows.push_back(id);
  Json json{{"attnscope_session", kVersion},
            {"input",
             {{"source", (file.isFile() ? file.absoluteFilePath() : state.source).toStdString()},
              {"layer", state.layer},
              {"head", state.head}}},
            {"mechanisms", mechanisms},
            {"options",
             {{"causal", kCausalNames[static_cast<std::size_t>(state.causal)]},
              {"scale", state.scale ? Json(*state.scale) : Json()},
              {"seed", state.seed}}},
            {"rows", rows},
            {"reach_layers", state.reachLayers},
            {"style", styleJson(state.style)}};
  Json view{{"query", session.selectedQuery}, {"key", session.selectedKey}};
  const QRectF& seen = session.viewport;
  if (!seen.isEmpty()) view["viewport"] = {seen.x(), seen.y(), seen.width(), seen.height()};
  json["view"] = view;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Result<Session> parseSession(std::string_view text, const std::string& name) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    return fail(ErrorKind::Input,
                fmt::format("{}: is not a session that can be read: {}. Take another copy of it.", name,
                            error.what()));
  }
  if (!json.is_object() || !json.contains("attnscope_session"))
    return fail(
        ErrorKind::Input,
        fmt::format("{}: has no key 'attnscope_session', so it is not a session of Attnscope.", name));
  const Json& version = json["attnscope_session"];
  if (version != kVersion)
    return fail(
        ErrorKind::Input,
        fmt::format("{}: is a session of version {}, and this program reads version {}. Open it with the "
                    "program that wrote it.",
                    name, version.dump(-1, ' ', false, Json::error_handler_t::replace), kVersion));
  Session session;
  DocumentState& state = session.state;
  Reader reader(json, name);
  reader.object("input", [&] {
    reader.text("source", state.source);
    reader.whole("layer", 0, kMostIndex, state.layer);
    reader.whole("head", 0, kMostIndex, state.head);
  });
  reader.each("mechanisms", kMaxColumns, [&](const Json& item, const std::string& key) {
    readMechanism(reader, item, key, name, state);
  });
  if (!reader.failed() && state.columns.empty())
    return fail(ErrorKind::Input,
                fmt::format("{}: 'mechanisms' names none; a wall has 1 to {}.", name, kMaxColumns));
  reader.object("options", [&] {
    reader.choice("causal", kCausalNames, state.causal);
    double scale = std::numeric_limits<double>::quiet_NaN();
    reader.real("scale", -std::numeric_limits<double>::infinity(), scale);
    if (std::isfinite(scale)) state.scale = scale;
    reader.seed("seed", state.seed);
  });
  readRows(reader, state.rows);
  reader.whole("reach_layers", 1, 12, state.reachLayers);
  reader.object("style", [&] { readStyle(reader, state.style); });
  reader.object("view", [&] { readView(reader, session); });
  if (reader.failed()) return tl::unexpected<Error>(reader.error());
  return session;
}

void findInputBeside(Session& session, const QString& folder) {
  const QFileInfo file(session.state.source);
  if (!file.isAbsolute() || file.exists()) return;
  const QFileInfo beside(QDir(folder), file.fileName());
  if (beside.isFile()) session.state.source = beside.absoluteFilePath();
}

}  // namespace attnscope
