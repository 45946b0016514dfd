// SPDX-License-Identifier: GPL-3.0-or-later
// The rule read a second time, by recursive descent and pair by pair, without what the plan uses.
#include <cctype>
#include <cmath>
#include <map>
#include <string>

#include "core/params/sides_param.h"
#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

using Names = std::map<std::string, double>;

// or < and < not < comparison < sum < product < prefix < value.
class Reader {
 public:
  Reader(const std::string& text, const Names& names) : m_text(text), m_names(names) {}

  // True if one of the rules holds; labels are of no interest here.
  bool anyHolds() {
    bool holds = false;
    for (;;) {
      while (m_at < m_text.size() && (std::isspace(at()) != 0 || at() == ';')) ++m_at;
      if (m_at >= m_text.size()) return holds;
      const std::size_t end = std::min(m_text.find(';', m_at), m_text.size());
      const std::size_t colon = m_text.find(':', m_at);
      if (colon < end) m_at = colon + 1;
      if (disjunction() != 0.0) holds = true;
    }
  }

 private:
  [[nodiscard]] int at() const { return static_cast<unsigned char>(m_text[m_at]); }
  void skip() {
    while (m_at < m_text.size() && std::isspace(at()) != 0) ++m_at;
  }
  static bool isWordPart(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

  bool take(const std::string& token) {
    skip();
    if (m_text.compare(m_at, token.size(), token) != 0) return false;
    const std::size_t end = m_at + token.size();
    if (isWordPart(token.back()) && end < m_text.size() && isWordPart(m_text[end])) return false;
    m_at = end;
    return true;
  }

  double disjunction() {
    double value = conjunction();
    while (take("or") || take("||"))
      value = (static_cast<int>(conjunction() != 0.0) | static_cast<int>(value != 0.0));
    return value;
  }
  double conjunction() {
    double value = negation();
    while (take("and") || take("&&"))
      value = (static_cast<int>(negation() != 0.0) & static_cast<int>(value != 0.0));
    return value;
  }
  double negation() {
    if (take("not")) return negation() == 0.0 ? 1.0 : 0.0;
    return comparison();
  }
  double comparison() {
    double value = sum();
    for (;;) {
      if (take("<="))
        value = value <= sum() ? 1.0 : 0.0;
      else if (take(">="))
        value = value >= sum() ? 1.0 : 0.0;
      else if (take("=="))
        value = value == sum() ? 1.0 : 0.0;
      else if (take("!="))
        value = value != sum() ? 1.0 : 0.0;
      else if (take("<"))
        value = value < sum() ? 1.0 : 0.0;
      else if (take(">"))
        value = value > sum() ? 1.0 : 0.0;
      else
        return value;
    }
  }
  double sum() {
    double value = product();
    for (;;) {
      if (take("+"))
        value += product();
      else if (take("-"))
        value -= product();
      else
        return value;
    }
  }
  double product() {
    double value = prefix();
    for (;;) {
      if (take("*"))
        value *= prefix();
      else if (take("//"))
        value = std::floor(value / prefix());
      else if (take("/"))
        value /= prefix();
      else if (take("%") || take("mod"))
        value = remainder(value, prefix());
      else
        return value;
    }
  }
  static double remainder(double a, double b) {
    const double left = std::fmod(a, b);
    return left != 0.0 && (left < 0.0) != (b < 0.0) ? left + b : left;
  }
  double prefix() {
    if (take("-")) return -prefix();
    skip();
    if (m_at + 1 < m_text.size() && at() == '!' && m_text[m_at + 1] != '=') {
      ++m_at;
      return prefix() == 0.0 ? 1.0 : 0.0;
    }
    return value();
  }
  double value() {
    if (take("(")) return closed(disjunction());
    if (take("abs")) return take("("), closed(std::abs(disjunction()));
    if (take("floor")) return take("("), closed(std::floor(disjunction()));
    if (take("mod")) {
      take("(");
      const double a = disjunction();
      take(",");
      return closed(remainder(a, disjunction()));
    }
    if (take("min")) return extreme(false);
    if (take("max")) return extreme(true);
    skip();
    std::size_t end = m_at;
    while (end < m_text.size() && (isWordPart(m_text[end]) || m_text[end] == '.')) ++end;
    const std::string word = m_text.substr(m_at, end - m_at);
    m_at = end;
    const auto known = m_names.find(word);
    return known != m_names.end() ? known->second : std::stod(word);
  }
  double closed(double value) {
    take(")");
    return value;
  }
  double extreme(bool largest) {
    take("(");
    double value = disjunction();
    while (take(",")) {
      const double other = disjunction();
      value = largest ? std::fmax(value, other) : std::fmin(value, other);
    }
    return closed(value);
  }

  const std::string& m_text;
  const Names& m_names;
  std::size_t m_at = 0;
};

Names namesOf(const OracleRequest& request, Index i, Index j) {
  const Shape shape = request.input.shape();
  const auto number = [&](const char* id) { return request.params.integer(id); };
  const auto sides = parseSides(request.params.text("grid"));
  const Grid grid = sides ? *sides : request.input.grid ? *request.input.grid : squarestGrid(shape.nK);
  std::map<std::string, Index> whole{{"q", i},
                                     {"k", j},
                                     {"h", request.head},
                                     {"n", shape.nK},
                                     {"nk", shape.nK},
                                     {"nq", shape.nQ},
                                     {"w", number("w")},
                                     {"s", number("s")},
                                     {"g", number("g")},
                                     {"block", number("block")},
                                     {"qb", i / number("block")},
                                     {"kb", j / number("block")},
                                     {"qx", i % grid.width},
                                     {"qy", i / grid.width},
                                     {"kx", j % grid.width},
                                     {"ky", j / grid.width}};
  if (!request.input.segments.empty() && shape.nQ == shape.nK) {
    whole["qs"] = request.input.segments[static_cast<std::size_t>(i)];
    whole["ks"] = request.input.segments[static_cast<std::size_t>(j)];
  }
  return {whole.begin(), whole.end()};
}

}  // namespace

Result<OracleHead> customOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const std::string& text = request.params.text("rule");
  std::vector<bool> mask;
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) {
      const Names names = namesOf(request, i, j);
      mask.push_back(Reader(text, names).anyHolds());
    }
  const auto allowed = [&](Index i, Index j) {
    if (request.options.causal && j > dense::positionOf(i, q.rows, k.rows)) return false;
    return static_cast<bool>(mask[static_cast<std::size_t>(i * k.rows + j)]);
  };
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
