// SPDX-License-Identifier: GPL-3.0-or-later

// What InsidePlot marks over its picture, and what stands under a position of it.
#include <qcustomplot.h>

#include <QPainter>
#include <algorithm>
#include <cmath>

#include "core/params/param_spec.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/group_bands.h"
#include "ui/plots/inside_plot.h"

namespace attnscope {

namespace {

std::int32_t at(const std::vector<std::int32_t>& groups, Index item) {
  return item >= 0 && item < std::ssize(groups) ? groups[static_cast<std::size_t>(item)] : -1;
}

const TokenGroup* groupOf(const InsidePanel& panel, std::int32_t group) {
  return panel.groups && group >= 0 && group < std::ssize(*panel.groups)
             ? &(*panel.groups)[static_cast<std::size_t>(group)]
             : nullptr;
}

// The one in the middle of what the cell stands for.
qint64 tokenOf(const InsidePanel::TokenAxis& axis, Index cell, Index cells) {
  return axis.first + (2 * cell + 1) * countOn(axis, cells) / (2 * cells);
}

void name(const InsidePanel::TokenAxis& axis, qint64 token, InsideHit& hit) {
  if (axis.tokens == InsidePanel::AxisTokens::Queries) hit.query = token;
  if (axis.tokens == InsidePanel::AxisTokens::Keys) hit.key = token;
}

bool belongs(const TokenGroup& group, std::int32_t token) {
  return contains(group.queries, token) || contains(group.keys, token);
}

// Runs of neighbouring cells for which `chosen` holds.
template <class Chosen>
std::vector<PixelRun> runsWhere(Index count, const Chosen& chosen) {
  std::vector<PixelRun> runs;
  for (Index i = 0; i < count; ++i) {
    if (!chosen(i)) continue;
    if (!runs.empty() && runs.back().begin + runs.back().length == i)
      ++runs.back().length;
    else
      runs.push_back({static_cast<int>(i), 1});
  }
  return runs;
}

}  // namespace

SelectedGroupPtr selectionOf(const InsidePanel& panel, const InsideHit& hit, const QString& owner) {
  const TokenGroup* rows = groupOf(panel, hit.group);
  const TokenGroup* columns = groupOf(panel, hit.keyGroup);
  if (!rows) std::swap(rows, columns);
  if (!rows) return nullptr;
  auto made = std::make_shared<SelectedGroup>();
  made->owner = owner;
  made->tokens = *rows;
  made->chosen = {rows->name};
  if (columns && columns != rows && panel.cellsAreTokens) {
    const auto both = [](TokenRanges a, const TokenRanges& b) {
      a.insert(a.end(), b.begin(), b.end());
      std::vector<std::int32_t> tokens;
      for (const TokenRange& range : a)
        for (Index t = range.begin; t < range.end; ++t) tokens.push_back(static_cast<std::int32_t>(t));
      return rangesOf(std::move(tokens));
    };
    made->tokens = {rows->name + " and " + columns->name,
                    both(rows->queries, columns->queries),
                    both(rows->keys, columns->keys),
                    {}};
    made->chosen.push_back(columns->name);
  } else if (columns && columns != rows) {
    made->tokens = {rows->name + " reads " + columns->name, rows->queries, columns->keys,
                    columns->slotColumns};
    made->chosen.push_back(columns->name);
  }
  return made;
}

bool InsidePlot::isChosen(std::int32_t group) const {
  const TokenGroup* one = groupOf(m_panel, group);
  if (!one || !m_marks.group || !m_marks.ownGroup) return false;
  const std::vector<std::string>& chosen = m_marks.group->chosen;
  return std::find(chosen.begin(), chosen.end(), one->name) != chosen.end();
}

InsideHit InsidePlot::hitAt(QPointF position) const {
  InsideHit hit;
  if (!m_rect || !QRectF(m_area).contains(position)) return hit;
  switch (m_panel.kind) {
    case InsidePanel::Kind::Bars: {
      const double x = m_rect->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
      const auto bar = static_cast<Index>(std::floor(x));
      if (bar >= 0 && bar < std::ssize(m_panel.bars)) hit.group = at(m_panel.itemGroup, bar);
      break;
    }
    case InsidePanel::Kind::Curves:
      hitCurves(position, hit);
      break;
    case InsidePanel::Kind::Matrix:
      hitMatrix(position, hit);
      break;
    case InsidePanel::Kind::Strips:
      hitStrips(position, hit);
      break;
    case InsidePanel::Kind::Scatter:
      hitPoints(position, hit);
      break;
  }
  return hit;
}

void InsidePlot::hitCurves(QPointF position, InsideHit& hit) const {
  const double x = m_rect->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
  if (m_panel.xTokens.tokens != InsidePanel::AxisTokens::None && !m_panel.curves.empty() &&
      !m_panel.curves[0].x.empty() && x >= m_panel.curves[0].x.front() && x <= m_panel.curves[0].x.back())
    name(m_panel.xTokens, std::lround(x), hit);
  if (m_panel.itemGroup.empty() || m_panel.curves.empty()) return;
  const std::vector<double>& xs = m_panel.curves[0].x;
  const auto nearest = std::min_element(
      xs.begin(), xs.end(), [x](double a, double b) { return std::abs(a - x) < std::abs(b - x); });
  if (nearest != xs.end()) hit.group = at(m_panel.itemGroup, nearest - xs.begin());
}

void InsidePlot::hitMatrix(QPointF position, InsideHit& hit) const {
  if (m_panel.values.rank() != 2 || m_panel.values.empty()) return;
  const auto column = static_cast<Index>((position.x() - m_area.left()) / m_area.width() *
                                         static_cast<double>(m_panel.values.dim(1)));
  const auto row = static_cast<Index>((position.y() - m_area.top()) / m_area.height() *
                                      static_cast<double>(m_panel.values.dim(0)));
  if (row >= m_panel.values.dim(0) || column >= m_panel.values.dim(1)) return;
  name(m_panel.xTokens, tokenOf(m_panel.xTokens, column, m_panel.values.dim(1)), hit);
  name(m_panel.yTokens, tokenOf(m_panel.yTokens, row, m_panel.values.dim(0)), hit);
  hit.group = at(m_panel.rowGroup, row);
  hit.keyGroup = at(m_panel.columnGroup, column);
  if (!m_panel.cellsAreTokens) return;
  const Index cell = row * m_panel.values.dim(1) + column;
  hit.query = hit.key = cell;
  if (const std::int32_t group = at(m_panel.itemGroup, cell); group >= 0) hit.group = group;
}

void InsidePlot::hitStrips(QPointF position, InsideHit& hit) const {
  if (m_panel.stripGroup.rank() != 2 || m_panel.stripGroup.empty()) return;
  const Index rows = m_panel.stripGroup.dim(0);
  const Index cells = m_panel.stripGroup.dim(1);
  const auto row =
      static_cast<Index>((position.y() - m_area.top()) / m_area.height() * static_cast<double>(rows));
  const auto cell =
      static_cast<Index>((position.x() - m_area.left()) / m_area.width() * static_cast<double>(cells));
  if (row >= rows || cell >= cells) return;
  const Index item = row * cells + cell;
  if (m_panel.stripToken.rank() == 2)
    hit.query = m_panel.stripToken.values<std::int32_t>()[static_cast<std::size_t>(item)];
  hit.group = at(m_panel.itemGroup, item);
}

void InsidePlot::hitPoints(QPointF position, InsideHit& hit) const {
  double nearest = 0.6 * m_metrics.em;
  const auto look = [&](const Tensor& points, const auto& take) {
    if (points.rank() != 2) return;
    const auto values = points.values<float>();
    for (Index p = 0; p < points.dim(0); ++p) {
      const auto x = static_cast<double>(values[static_cast<std::size_t>(2 * p)]);
      const auto y = static_cast<double>(values[static_cast<std::size_t>(2 * p + 1)]);
      const QPointF away = toPixel(x, y) - position;
      const double distance = std::hypot(away.x(), away.y());
      if (distance >= nearest) continue;
      nearest = distance;
      take(p);
    }
  };
  look(m_panel.points, [&](Index p) {
    hit.query = at(m_panel.token, p);
    hit.group = at(m_panel.itemGroup, p);
  });
  // Anchors are drawn over the points.
  if (m_panel.anchorsAreRays) return;
  nearest = 0.4 * m_metrics.em;
  look(m_panel.anchors, [&](Index a) {
    hit.query = -1;
    hit.group = at(m_panel.anchorGroup, a);
  });
}

void InsidePlot::paintMarks(QPainter& painter) const {
  if (!m_rect) return;
  painter.setRenderHint(QPainter::Antialiasing, true);
  painter.setBrush(Qt::NoBrush);
  if (m_marks.group) {
    painter.save();
    paintAxisMarks(painter);
    paintItemMarks(painter);
    painter.restore();
  }
  painter.setPen(QPen(m_theme.crosshair, 2.0 * m_metrics.line));
  if (m_panel.kind == InsidePanel::Kind::Scatter) paintPointMarks(painter);
  if (m_panel.kind == InsidePanel::Kind::Matrix) paintGridMarks(painter);
  if (m_panel.kind == InsidePanel::Kind::Strips) paintStripMarks(painter);
  if (!m_marks.focused) return;
  QPen focus(m_theme.accent, m_metrics.line);
  focus.setDashPattern({2.0, 2.0});
  painter.setPen(focus);
  painter.drawRect(QRectF(m_area).adjusted(-2.5, -2.5, 2.5, 2.5));
}

// Along axes that count tokens.
void InsidePlot::paintAxisMarks(QPainter& painter) const {
  if (m_panel.kind != InsidePanel::Kind::Matrix && m_panel.kind != InsidePanel::Kind::Curves) return;
  if (m_panel.logX) return;
  const double thick = 3.0 * m_metrics.line;
  const TokenGroup& group = m_marks.group->tokens;
  const auto mark = [&](const InsidePanel::TokenAxis& axis, QCPAxis::AxisType type, BandSide side,
                        int pixels) {
    if (axis.tokens == InsidePanel::AxisTokens::None) return;
    // In tokens: of curves the axis counts them, of a matrix it counts cells.
    QCPRange range = m_rect->axis(type)->range();
    if (m_panel.kind == InsidePanel::Kind::Matrix)
      range.upper = static_cast<double>(countOn(axis, static_cast<Index>(range.upper)));
    const TokenRanges& tokens = axis.tokens == InsidePanel::AxisTokens::Queries ? group.queries : group.keys;
    const auto first = static_cast<double>(axis.first);
    paintBands(painter, bandRuns(tokens, first + range.lower, range.size(), pixels), m_area, side, thick,
               m_theme.accent);
  };
  mark(m_panel.xTokens, QCPAxis::atBottom, BandSide::Columns, m_area.width());
  if (m_panel.kind == InsidePanel::Kind::Matrix)
    mark(m_panel.yTokens, QCPAxis::atLeft, BandSide::Rows, m_area.height());
}

// The bars, rows, columns and places that stand for the group.
void InsidePlot::paintItemMarks(QPainter& painter) const {
  const QRectF area(m_area);
  const auto chosenAt = [this](const std::vector<std::int32_t>& groups) {
    return [this, &groups](Index item) { return isChosen(at(groups, item)); };
  };
  painter.setPen(QPen(m_theme.accent, 2.0 * m_metrics.line));
  if (m_panel.kind == InsidePanel::Kind::Bars) {
    for (const PixelRun& run : runsWhere(std::ssize(m_panel.bars), chosenAt(m_panel.itemGroup)))
      painter.drawRect(QRectF(QPointF(toPixel(run.begin, 0.0).x() + 1.0, area.top() + 1.0),
                              QPointF(toPixel(run.begin + run.length, 0.0).x() - 1.0, area.bottom() - 1.0)));
  } else if (m_panel.kind == InsidePanel::Kind::Curves && !m_panel.curves.empty()) {
    const std::vector<double>& xs = m_panel.curves[0].x;
    for (std::size_t p = 0; p < xs.size(); ++p)
      if (isChosen(at(m_panel.itemGroup, static_cast<Index>(p)))) {
        const double x = toPixel(xs[p], 0.0).x();
        painter.drawLine(QLineF(x, area.top(), x, area.bottom()));
      }
  } else if (m_panel.kind == InsidePanel::Kind::Matrix && m_panel.values.rank() == 2) {
    for (const PixelRun& run : runsWhere(m_panel.values.dim(0), chosenAt(m_panel.rowGroup)))
      painter.drawRect(QRectF(QPointF(area.left() - 1.0, toPixel(0.0, run.begin).y()),
                              QPointF(area.right() + 1.0, toPixel(0.0, run.begin + run.length).y())));
    for (const PixelRun& run : runsWhere(m_panel.values.dim(1), chosenAt(m_panel.columnGroup)))
      painter.drawRect(QRectF(QPointF(toPixel(run.begin, 0.0).x(), area.top() - 1.0),
                              QPointF(toPixel(run.begin + run.length, 0.0).x(), area.bottom() + 1.0)));
  }
}

// On a grid of tokens: corners of the cells of the group, and a frame around the token of the cross-hair.
void InsidePlot::paintGridMarks(QPainter& painter) const {
  if (!m_panel.cellsAreTokens || m_panel.values.rank() != 2) return;
  const Index rows = m_panel.values.dim(0);
  const Index cols = m_panel.values.dim(1);
  const auto cell = [&](Index token) {
    return QRectF(toPixel(static_cast<double>(token % cols), static_cast<double>(token / cols)),
                  toPixel(static_cast<double>(token % cols + 1), static_cast<double>(token / cols + 1)));
  };
  if (m_marks.query >= 0 && m_marks.query < rows * cols) painter.drawRect(cell(m_marks.query));
  if (!m_marks.group) return;
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing, false);
  for (const auto& [tokens, mark] : {std::pair{&m_marks.group->tokens.keys, m_theme.accent},
                                     std::pair{&m_marks.group->tokens.queries, m_theme.crosshair}}) {
    for (const TokenRange& range : *tokens)
      for (Index token = range.begin; token < std::min(range.end, rows * cols); ++token) {
        const QRectF place = cell(token);
        const double side = std::max(2.0, 0.3 * place.width());
        painter.fillRect(QRectF(place.topLeft(), QSizeF(side, side)), mark);
      }
  }
  painter.restore();
}

void InsidePlot::paintPointMarks(QPainter& painter) const {
  if (m_panel.points.rank() != 2) return;
  const auto values = m_panel.points.values<float>();
  const auto pixel = [&](Index p) {
    return toPixel(static_cast<double>(values[static_cast<std::size_t>(2 * p)]),
                   static_cast<double>(values[static_cast<std::size_t>(2 * p + 1)]));
  };
  const QPen hovered = painter.pen();
  for (Index p = 0; p < std::min(m_panel.points.dim(0), static_cast<Index>(m_panel.token.size())); ++p) {
    const std::int32_t token = at(m_panel.token, p);
    if (m_marks.group && belongs(m_marks.group->tokens, token)) {
      painter.setPen(QPen(m_theme.accent, 1.5 * m_metrics.line));
      painter.drawEllipse(pixel(p), 0.3 * m_metrics.em, 0.3 * m_metrics.em);
      painter.setPen(hovered);
    }
    if (token >= 0 && token == m_marks.query)
      painter.drawEllipse(pixel(p), 0.45 * m_metrics.em, 0.45 * m_metrics.em);
  }
  if (m_panel.anchorsAreRays || m_panel.anchors.rank() != 2) return;
  const auto anchors = m_panel.anchors.values<float>();
  painter.setPen(QPen(m_theme.accent, 2.0 * m_metrics.line));
  for (Index a = 0; a < m_panel.anchors.dim(0); ++a)
    if (isChosen(at(m_panel.anchorGroup, a))) {
      const QPointF middle = toPixel(static_cast<double>(anchors[static_cast<std::size_t>(2 * a)]),
                                     static_cast<double>(anchors[static_cast<std::size_t>(2 * a + 1)]));
      painter.drawRect(QRectF(middle - QPointF(0.45, 0.45) * m_metrics.em, QSizeF(0.9, 0.9) * m_metrics.em));
    }
}

void InsidePlot::paintStripMarks(QPainter& painter) const {
  if (m_panel.stripGroup.rank() != 2) return;
  const Index rows = m_panel.stripGroup.dim(0);
  const Index cells = m_panel.stripGroup.dim(1);
  const bool named = m_panel.stripToken.rank() == 2;
  const auto tokens = named ? m_panel.stripToken.values<std::int32_t>() : std::span<const std::int32_t>();
  // A picture of its own groups marks these; others mark where the tokens of the group stand.
  const bool own = m_marks.ownGroup && !m_panel.itemGroup.empty();
  for (Index row = 0; row < rows && m_marks.group; ++row) {
    const auto inGroup = [&](Index cell) {
      const Index item = row * cells + cell;
      if (own && isChosen(at(m_panel.itemGroup, item))) return true;
      return named && belongs(m_marks.group->tokens, tokens[static_cast<std::size_t>(item)]);
    };
    for (const PixelRun& run : runsWhere(cells, inGroup)) {
      const QRectF first = stripCell(row, run.begin);
      const double thick = std::max(2.0, 0.2 * first.height());
      const QRectF bar(first.left(), first.bottom() - thick, std::max(1.0, run.length * first.width()),
                       thick);
      painter.fillRect(bar.adjusted(0.0, -1.0, 0.0, 0.0), m_theme.background);
      painter.fillRect(bar, m_theme.accent);
    }
  }
  if (m_marks.query < 0) return;
  for (std::size_t p = 0; p < tokens.size(); ++p)
    if (tokens[p] == m_marks.query) {
      const QRectF cell = stripCell(static_cast<Index>(p) / cells, static_cast<Index>(p) % cells);
      painter.drawRect(cell.adjusted(-1.0, -1.0, 1.0, 1.0));
    }
}

namespace {

// A ribbon ends with the strips, which the ends of a wide pen would not.
void paintMove(QPainter& painter, QPointF from, QPointF to, double wide, const QColor& color) {
  constexpr double kLine = 3.0;  // narrower, a pen gives the better line
  if (wide < kLine) {
    painter.setPen(QPen(color, wide, Qt::SolidLine, Qt::FlatCap));
    painter.drawLine(from, to);
    return;
  }
  const QPointF half(0.5 * wide, 0.0);
  painter.setPen(Qt::NoPen);
  painter.setBrush(color);
  painter.drawPolygon(QPolygonF{from - half, from + half, to + half, to - half});
  painter.setBrush(Qt::NoBrush);
}

}  // namespace

// Lines from tokens in the upper strip of a pair to the same tokens in the lower one; of a long text some.
void InsidePlot::paintMoves(QPainter& painter) const {
  if (m_panel.stripToken.rank() != 2) return;
  const Index cells = m_panel.stripToken.dim(1);
  const auto tokens = m_panel.stripToken.values<std::int32_t>();
  const auto groups = m_panel.stripGroup.values<std::int32_t>();
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing, true);
  constexpr Index kMostLines = 1024;
  const Index stride = ceilDiv(cells, kMostLines);
  const double wide = std::max(0.5, 0.6 * stripCell(0, 0).width());
  for (Index row = 0; row + 1 < m_panel.stripToken.dim(0); row += 2) {
    std::vector<std::vector<Index>> arrived(static_cast<std::size_t>(cells));
    for (Index c = 0; c < cells; ++c) {
      const std::int32_t token = tokens[static_cast<std::size_t>((row + 1) * cells + c)];
      if (token >= 0 && token < cells) arrived[static_cast<std::size_t>(token)].push_back(c);
    }
    for (Index c = 0; c < cells; c += stride) {
      const auto item = static_cast<std::size_t>(row * cells + c);
      if (tokens[item] < 0 || tokens[item] >= cells || groups[item] < 0) continue;
      QColor color = categoryQColor(static_cast<std::size_t>(groups[item]));
      color.setAlphaF(0.45F);
      const QRectF from = stripCell(row, c);
      const QPointF start(from.center().x(), from.bottom());
      for (const Index to : arrived[static_cast<std::size_t>(tokens[item])]) {
        const QRectF place = stripCell(row + 1, to);
        paintMove(painter, start, QPointF(place.center().x(), place.top()), wide, color);
      }
    }
  }
  painter.restore();
}

}  // namespace attnscope
