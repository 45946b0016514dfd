// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/input_shade.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr Index kMostTokens = 400;  // more would not fit beside anything
constexpr int kLineGap = 3;

const std::vector<std::string>& tokensOf(const LoadedInput& input) {
  return input.input.tokensK.empty() ? input.input.tokensQ : input.input.tokensK;
}

QString shownToken(const std::string& token) {
  QString text = toQ(token);
  text.replace(QLatin1Char('\n'), QChar(0x21b5));
  text.replace(QLatin1Char(' '), QChar(0x00b7));
  return text.isEmpty() ? QString(QChar(0x00b7)) : text;
}

}  // namespace

InputShade::InputShade(QWidget* parent) : QWidget(parent) {
  setMouseTracking(true);
  QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
  setAccessibleName(tr("Weights of the query on the input"));
}

void InputShade::setInput(LoadedInputPtr input) {
  m_input = std::move(input);
  m_picture = {};
  m_row = nullptr;
  m_group.clear();
  m_first = 0;
  if (m_input && !m_input->input.image.rgb.empty()) {
    const PixelImage& image = m_input->input.image;
    m_picture = QImage(image.rgb.data(), static_cast<int>(image.width), static_cast<int>(image.height),
                       static_cast<qsizetype>(image.width * 3), QImage::Format_RGB888)
                    .copy();
  }
  layOut(width());
}

void InputShade::setRow(std::shared_ptr<const std::vector<float>> row, Index query, Index key,
                        const QColor& color) {
  m_row = std::move(row);
  m_query = query;
  m_key = key;
  m_color = color;
  m_largest = 0.0;
  if (m_row)
    for (const float w : *m_row) m_largest = std::max<double>(m_largest, std::abs(w));
  goTo(query);
  update();
}

// A long text shows the part around a token.
void InputShade::goTo(Index token) {
  if (!m_input || !m_picture.isNull() || token < 0) return;
  const auto count = static_cast<Index>(tokensOf(*m_input).size());
  const bool seen = token >= m_first && token < m_first + static_cast<Index>(m_places.size());
  if (count <= kMostTokens || seen) return;
  m_first = std::clamp<Index>(token - kMostTokens / 2, 0, count - kMostTokens);
  layOut(width());
}

void InputShade::setGroup(const TokenRanges& tokens) {
  if (tokens == m_group) return;
  m_group = tokens;
  if (!tokens.empty() && !meets(tokens, m_first, m_first + static_cast<Index>(m_places.size())))
    goTo(tokens.front().begin);
  update();
}

QRectF InputShade::placeOf(Index token) const {
  if (!m_picture.isNull() && m_input->input.grid) {
    const QRectF area = pictureRect(width());
    const Grid grid = *m_input->input.grid;
    if (token < 0 || token >= grid.width * grid.height) return {};
    const double w = area.width() / static_cast<double>(grid.width);
    const double h = area.height() / static_cast<double>(grid.height);
    return {static_cast<double>(token % grid.width) * w, static_cast<double>(token / grid.width) * h, w, h};
  }
  const Index place = token - m_first;
  return place >= 0 && place < std::ssize(m_places) ? m_places[static_cast<std::size_t>(place)] : QRectF();
}

double InputShade::share(Index key) const {
  if (!m_row || m_largest <= 0.0 || key < 0 || key >= static_cast<Index>(m_row->size())) return 0.0;
  return std::abs((*m_row)[static_cast<std::size_t>(key)]) / m_largest;
}

void InputShade::layOut(int width) {
  m_places.clear();
  if (!m_picture.isNull()) {
    m_height = static_cast<int>(pictureRect(width).height()) + 2;
  } else if (m_input && !tokensOf(*m_input).empty()) {
    const auto& tokens = tokensOf(*m_input);
    const QFontMetrics metrics(font());
    const int line = metrics.height() + 3;
    const Index end = std::min<Index>(static_cast<Index>(tokens.size()), m_first + kMostTokens);
    double x = 0;
    double y = 0;
    for (Index i = m_first; i < end; ++i) {
      const double w = metrics.horizontalAdvance(shownToken(tokens[static_cast<std::size_t>(i)])) + 6;
      if (x > 0 && x + w > width) {
        x = 0;
        y += line + kLineGap;
      }
      m_places.emplace_back(x, y, w, line);
      x += w + 1;
    }
    m_height = static_cast<int>(y) + line + 2;
  } else {
    m_height = QFontMetrics(smallFont()).height() + 4;
  }
  updateGeometry();
  update();
}

int InputShade::heightForWidth(int width) const {
  if (!m_picture.isNull()) return static_cast<int>(pictureRect(width).height()) + 2;
  return m_height;
}

QRectF InputShade::pictureRect(int width) const {
  if (m_picture.isNull()) return {};
  const double scale = std::min(width / double(m_picture.width()), 280.0 / m_picture.height());
  return QRectF(0, 0, m_picture.width() * scale, m_picture.height() * scale);
}

void InputShade::resizeEvent(QResizeEvent*) {
  layOut(width());
}

void InputShade::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  if (!m_picture.isNull()) return paintPicture(painter);
  if (!m_places.empty()) return paintText(painter);
  painter.setFont(smallFont());
  painter.setPen(Chrome::of(palette()).secondary);
  painter.drawText(rect(), Qt::AlignLeft | Qt::AlignVCenter, tr("This input has neither text nor picture."));
}

void InputShade::paintText(QPainter& painter) const {
  const Chrome chrome = Chrome::of(palette());
  const auto& tokens = tokensOf(*m_input);
  painter.setRenderHint(QPainter::Antialiasing);
  for (std::size_t p = 0; p < m_places.size(); ++p) {
    const Index token = m_first + static_cast<Index>(p);
    QColor shade = m_color;
    shade.setAlphaF(static_cast<float>(0.85 * std::sqrt(share(token))));
    painter.setPen(Qt::NoPen);
    painter.setBrush(shade);
    painter.drawRoundedRect(m_places[p], 3, 3);
    if (token == m_query || token == m_key) {
      painter.setPen(
          QPen(chrome.text, token == m_query ? 1.4 : 1.0, token == m_query ? Qt::SolidLine : Qt::DotLine));
      painter.setBrush(Qt::NoBrush);
      painter.drawRoundedRect(m_places[p].adjusted(0.5, 0.5, -0.5, -0.5), 3, 3);
    }
    if (contains(m_group, token))
      painter.fillRect(QRectF(m_places[p].left() - 0.5, m_places[p].bottom(), m_places[p].width() + 1.0, 2.0),
                       chrome.accent);
    const double strength = shade.alphaF();
    const QColor ground(
        static_cast<int>(chrome.panel.red() + (m_color.red() - chrome.panel.red()) * strength),
        static_cast<int>(chrome.panel.green() + (m_color.green() - chrome.panel.green()) * strength),
        static_cast<int>(chrome.panel.blue() + (m_color.blue() - chrome.panel.blue()) * strength));
    painter.setPen(strength > 0.45 ? readableOn(ground) : chrome.text);
    painter.drawText(m_places[p], Qt::AlignCenter, shownToken(tokens[static_cast<std::size_t>(token)]));
  }
}

void InputShade::paintPicture(QPainter& painter) const {
  const QRectF area = pictureRect(width());
  painter.setRenderHint(QPainter::SmoothPixmapTransform, m_picture.width() > area.width());
  painter.drawImage(area, m_picture);
  if (!m_input->input.grid) return;
  const Grid grid = *m_input->input.grid;
  const auto cell = [this](Index token) { return placeOf(token); };
  for (Index token = 0; m_row && token < grid.height * grid.width; ++token) {
    // What is not read is veiled, what is read shines through in the column's colour.
    QColor veil = Qt::black;
    veil.setAlphaF(static_cast<float>(0.55 * (1.0 - std::sqrt(share(token)))));
    painter.fillRect(cell(token), veil);
    QColor shade = m_color;
    shade.setAlphaF(static_cast<float>(0.5 * share(token)));
    painter.fillRect(cell(token), shade);
  }
  paintGroupOutline(painter);
  painter.setBrush(Qt::NoBrush);
  if (m_query >= 0) {
    painter.setPen(QPen(Qt::white, 2));
    painter.drawRect(cell(m_query));
    painter.setPen(QPen(Qt::black, 1));
    painter.drawRect(cell(m_query).adjusted(-1, -1, 1, 1));
  }
}

// The outer edges of the cells that belong to the group, dark under light, to be seen on any picture.
void InputShade::paintGroupOutline(QPainter& painter) const {
  if (m_group.empty()) return;
  const Grid grid = *m_input->input.grid;
  const auto inside = [&](Index row, Index column) {
    return row >= 0 && row < grid.height && column >= 0 && column < grid.width &&
           contains(m_group, row * grid.width + column);
  };
  QList<QLineF> edges;
  for (const TokenRange& range : m_group)
    for (Index token = range.begin; token < std::min(range.end, grid.height * grid.width); ++token) {
      const Index row = token / grid.width;
      const Index column = token % grid.width;
      const QRectF cell = placeOf(token).adjusted(1.0, 1.0, -1.0, -1.0);
      if (!inside(row - 1, column)) edges << QLineF(cell.topLeft(), cell.topRight());
      if (!inside(row + 1, column)) edges << QLineF(cell.bottomLeft(), cell.bottomRight());
      if (!inside(row, column - 1)) edges << QLineF(cell.topLeft(), cell.bottomLeft());
      if (!inside(row, column + 1)) edges << QLineF(cell.topRight(), cell.bottomRight());
    }
  painter.setPen(QPen(Qt::black, 3));
  painter.drawLines(edges);
  painter.setPen(QPen(QColor(0x56, 0xb4, 0xe9), 1.6));
  painter.drawLines(edges);
}

Index InputShade::tokenAt(QPointF position) const {
  if (!m_picture.isNull() && m_input->input.grid) {
    const QRectF area = pictureRect(width());
    if (!area.contains(position)) return -1;
    const Grid grid = *m_input->input.grid;
    const auto column = static_cast<Index>(position.x() / area.width() * static_cast<double>(grid.width));
    const auto row = static_cast<Index>(position.y() / area.height() * static_cast<double>(grid.height));
    return std::clamp<Index>(row * grid.width + column, 0, grid.width * grid.height - 1);
  }
  for (std::size_t p = 0; p < m_places.size(); ++p)
    if (m_places[p].contains(position)) return m_first + static_cast<Index>(p);
  return -1;
}

void InputShade::mouseMoveEvent(QMouseEvent* event) {
  const Index token = tokenAt(event->position());
  if (token >= 0) Q_EMIT keyHovered(token);
}

void InputShade::mousePressEvent(QMouseEvent* event) {
  const Index token = tokenAt(event->position());
  if (token >= 0 && event->button() == Qt::LeftButton) Q_EMIT queryClicked(token);
}

}  // namespace attnscope
