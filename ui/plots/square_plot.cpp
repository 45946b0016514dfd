// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/square_plot.h"

#include <qcustomplot.h>

#include <algorithm>
#include <cmath>

#include "ui/plots/axis_ticks.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/group_bands.h"
#include "ui/plots/qcp_support.h"
#include "ui/plots/square_support.h"

namespace attnscope {

namespace {

template <class Value>
std::vector<Value> permuted(const std::vector<Value>& values, const std::vector<std::int32_t>& order) {
  std::vector<Value> moved;
  if (values.empty()) return moved;
  moved.reserve(order.size());
  for (const std::int32_t token : order)
    moved.push_back(static_cast<std::size_t>(token) < values.size() ? values[static_cast<std::size_t>(token)]
                                                                    : Value{});
  return moved;
}

}  // namespace

TokenTexts sharedTexts(const std::shared_ptr<const void>& owner, const std::vector<std::string>& texts) {
  return texts.empty() ? nullptr : TokenTexts(owner, &texts);
}

void layOut(SquareContent& content, std::shared_ptr<const TokenOrder> order) {
  const bool fits =
      order && std::ssize(order->queries) == content.queries && std::ssize(order->keys) == content.keys;
  content.order = fits ? std::move(order) : nullptr;
  if (!fits) return;
  const auto permute = [](TokenTexts& texts, const std::vector<std::int32_t>& tokens) {
    if (texts) texts = std::make_shared<const std::vector<std::string>>(permuted(*texts, tokens));
  };
  permute(content.queryTexts, content.order->queries);
  permute(content.keyTexts, content.order->keys);
  if (content.marginals)
    content.marginals = std::make_shared<const Marginals>(
        Marginals{permuted(content.marginals->received, content.order->keys),
                  permuted(content.marginals->spread, content.order->queries)});
}

SquarePlot::SquarePlot(QCustomPlot& plot) : m_plot(plot) {
  addPainted(plot, QStringLiteral("main"), [this](QPainter& painter) { paintCells(painter); });
  addPainted(plot, QStringLiteral("legend"), [this](QPainter& painter) { paintAround(painter); });
  addPainted(plot, QStringLiteral("overlay"), [this](QPainter& painter) { paintOverlay(painter); });
}

void SquarePlot::setLook(const PlotMetrics& metrics, const PlotTheme& theme) {
  m_metrics = metrics;
  m_theme = theme;
  m_plot.setBackground(QBrush(theme.background));
  for (QCPAxisRect* rect : m_rects) styleAxes(*rect, m_metrics, m_theme);
}

void SquarePlot::setSize(QSize size) {
  m_size = size;
}

void SquarePlot::update() {
  m_layout = squareLayout(m_size, m_metrics, content.slotShare);
  std::vector<QRect> places;
  if (!m_layout.tokens.isEmpty()) places.push_back(m_layout.tokens);
  if (!m_layout.slotArea.isEmpty()) places.push_back(m_layout.slotArea);
  if (places.size() != m_rects.size()) {
    m_rects = placeAxisRects(m_plot, m_size, places);
    for (QCPAxisRect* rect : m_rects) styleAxes(*rect, m_metrics, m_theme);
  } else {
    moveAxisRects(m_plot, m_size, places);
  }
  for (std::size_t i = 0; i < m_rects.size(); ++i) {
    QCPAxis* y = m_rects[i]->axis(QCPAxis::atLeft);
    y->setRangeReversed(true);
    y->setRange(content.viewport.top(), content.viewport.bottom());
    y->setTicks(i == 0);
    y->setTickLabels(i == 0 && content.queryLabels);
    QColor names = m_theme.secondaryText;
    names.setAlphaF(static_cast<float>(content.tokenNames));
    for (const auto side : {QCPAxis::atLeft, QCPAxis::atBottom})
      m_rects[i]->axis(side)->setTickLabelColor(names);
  }
  updateTicks();
}

void SquarePlot::updateTicks() {
  const QFontMetricsF font(m_metrics.font);
  const QRectF& view = content.viewport;
  if (m_rects.empty()) return;
  QCPAxis* y = m_rects[0]->axis(QCPAxis::atLeft);
  const double height = m_layout.all().height();
  const double word = 0.9 * font.horizontalAdvance(QStringLiteral("attention"));
  const bool leftFits = m_metrics.left - 3.0 * m_metrics.gap >= word;  // the margins have room for words
  const bool bottomFits = m_metrics.bottom - 3.0 * m_metrics.gap >= word;
  if (leftFits && content.queryTexts && fitsTokens(view.height(), height, font.height()))
    setTicks(*y, tokenTicks(view.top(), view.height(), *content.queryTexts, font,
                            m_metrics.left - 3.0 * m_metrics.gap));
  else
    setTicks(*y, numbered(cellTicks(view.top(), view.height(), content.queries, height, 2.2 * m_metrics.em),
                          content.order ? content.order->queries : std::vector<std::int32_t>{}));

  if (!m_layout.tokens.isEmpty()) {
    QCPAxis* x = m_rects[0]->axis(QCPAxis::atBottom);
    const double width = m_layout.tokens.width();
    x->setRange(view.left(), view.right());
    if (bottomFits && content.keyTexts && fitsTokens(view.width(), width, font.height())) {
      x->setTickLabelRotation(-90);
      setTicks(*x, tokenTicks(view.left(), view.width(), *content.keyTexts, font,
                              m_metrics.bottom - 3.0 * m_metrics.gap));
    } else {
      x->setTickLabelRotation(0);
      const double label = font.horizontalAdvance(
          m_metrics.shortNumbers ? QStringLiteral("1.05M")
                                 : QString::number(std::max<Index>(9, content.keys - 1)));
      std::vector<AxisTick> ticks =
          numbered(cellTicks(view.left(), view.width(), content.keys, width, 1.7 * label + m_metrics.gap),
                   content.order ? content.order->keys : std::vector<std::int32_t>{});
      if (!m_layout.slotArea.isEmpty())  // the caption of narrow slots reaches below the last tokens
        std::erase_if(ticks, [&, limit = slotCaption().x - m_metrics.gap](const AxisTick& tick) {
          const double at = m_layout.tokens.left() + (tick.position - view.left()) / view.width() * width;
          return at + 0.5 * font.horizontalAdvance(tick.text) > limit;
        });
      setTicks(*x, ticks);
    }
  }
  if (!m_layout.slotArea.isEmpty()) {
    QCPAxis* x = m_rects.back()->axis(QCPAxis::atBottom);
    x->setRange(0.0, static_cast<double>(content.slotCount));
    x->setTicks(false);
    x->setTickLabels(false);
  }
}

// The numbers of the tokens that stand at the places of the ticks.
std::vector<AxisTick> SquarePlot::numbered(std::vector<AxisTick> ticks,
                                           const std::vector<std::int32_t>& order) const {
  if (m_metrics.shortNumbers) shorten(ticks);
  for (AxisTick& tick : ticks)
    if (const auto place = static_cast<std::size_t>(tick.position); place < order.size())
      tick.text = QString::number(order[place]);
  return ticks;
}

std::optional<QPointF> SquarePlot::cellAt(QPointF position) const {
  const QRectF tokens(m_layout.tokens);
  const QRectF slotArea(m_layout.slotArea);
  const QRectF all(m_layout.all());
  const QRectF& view = content.viewport;
  if (all.isEmpty() || view.isEmpty() || !all.contains(position)) return std::nullopt;
  const double y = view.top() + (position.y() - all.top()) / all.height() * view.height();
  if (!tokens.isEmpty() && tokens.contains(position))
    return QPointF(view.left() + (position.x() - tokens.left()) / tokens.width() * view.width(), y);
  if (!slotArea.isEmpty() && slotArea.contains(position)) return QPointF(-1.0, y);
  return std::nullopt;
}

void SquarePlot::paintCells(QPainter& painter) const {
  const QRectF& view = content.viewport;
  for (const QRect& rect : {m_layout.tokens, m_layout.slotArea})
    if (!rect.isEmpty()) painter.fillRect(rect, m_theme.plotBackground);
  if (!m_layout.tokens.isEmpty()) {
    drawCells(painter, content.tokenImage, content.tokenCells, view, m_layout.tokens, m_metrics.enlarge);
    for (const SquareContent::Patch& patch : content.tokenPatches)
      drawCells(painter, patch.image, patch.cells, view, m_layout.tokens, m_metrics.enlarge);
  }
  if (!m_layout.slotArea.isEmpty()) {
    const QRectF slotView(0.0, view.top(), static_cast<double>(content.slotCount), view.height());
    drawCells(painter, content.slotImage, content.slotCells, slotView, m_layout.slotArea, m_metrics.enlarge);
    for (const SquareContent::Patch& patch : content.slotPatches)
      drawCells(painter, patch.image, patch.cells, slotView, m_layout.slotArea, m_metrics.enlarge);
  }
}

void SquarePlot::paintAround(QPainter& painter) const {
  for (const QRect& rect : {m_layout.tokens, m_layout.slotArea})
    if (!rect.isEmpty()) paintFrame(painter, rect, m_theme.frame, m_metrics.line);
  if (m_metrics.legend > 0) paintLegend(painter, m_layout.legend, content.legend, m_metrics, m_theme.text);
  if (!m_layout.slotArea.isEmpty()) {
    const SlotCaption caption = slotCaption();
    painter.setFont(m_metrics.font);
    painter.setPen(m_theme.secondaryText);
    painter.drawText(QPointF(caption.x, m_layout.slotArea.bottom() + 1 + m_metrics.gap +
                                            QFontMetricsF(m_metrics.font).ascent()),
                     caption.text);
  }
  paintTitles(painter);
  paintMarginals(painter);
  if (!content.corner.isEmpty()) paintPlate(painter, content.corner, true);
  if (!content.scaleNote.isEmpty()) paintPlate(painter, content.scaleNote, false);
  if (content.note.isEmpty()) return;
  painter.setFont(m_metrics.font);
  painter.setPen(m_theme.secondaryText);
  painter.drawText(QRectF(m_layout.all()), Qt::AlignCenter | Qt::TextWordWrap, content.note);
}

// A line of text over the data, in the upper or the lower right corner.
void SquarePlot::paintPlate(QPainter& painter, const QString& text, bool atTop) const {
  const QFontMetricsF font(m_metrics.font);
  const QRectF all(m_layout.all());
  const double width = font.horizontalAdvance(text) + 2.0 * m_metrics.gap;
  if (width + 2.0 * m_metrics.gap > all.width()) {
    // Where the words do not fit, the numbers alone.
    if (const QString numbers = text.section(QLatin1Char(' '), 2); !atTop && !numbers.isEmpty())
      paintPlate(painter, numbers, atTop);
    return;
  }
  const double height = font.height() + m_metrics.gap;
  const QRectF plate(all.right() - width - m_metrics.gap,
                     atTop ? all.top() + m_metrics.gap : all.bottom() - m_metrics.gap - height, width,
                     height);
  QColor ground = m_theme.background;
  ground.setAlpha(225);
  painter.setPen(Qt::NoPen);
  painter.setBrush(ground);
  painter.drawRoundedRect(plate, 3.0, 3.0);
  painter.setBrush(Qt::NoBrush);
  painter.setFont(m_metrics.font);
  painter.setPen(m_theme.text);
  painter.drawText(plate, Qt::AlignCenter, text);
}

SquarePlot::SlotCaption SquarePlot::slotCaption() const {
  const QFontMetricsF font(m_metrics.font);
  QString text = QStringLiteral("%1 slots").arg(content.slotCount);
  if (font.horizontalAdvance(text) > m_layout.slotArea.width() + m_metrics.right)
    text = QStringLiteral("slots");
  const double width = font.horizontalAdvance(text);
  return {text, std::min(m_layout.slotArea.x() + 0.5 * (m_layout.slotArea.width() - width),
                         m_layout.slotArea.right() + m_metrics.right - width)};
}

void SquarePlot::paintTitles(QPainter& painter) const {
  const QFontMetricsF font(m_metrics.font);
  const QRectF all(m_layout.all());
  const double above = all.top() - m_metrics.strip - m_metrics.gap - font.descent();
  double x = all.left();
  painter.setPen(m_theme.text);
  if (!content.letter.isEmpty()) {
    painter.setFont(m_metrics.bold());
    painter.drawText(QPointF(x, above), content.letter);
    x += QFontMetricsF(m_metrics.bold()).horizontalAdvance(content.letter) + 1.5 * m_metrics.gap;
  }
  painter.setFont(m_metrics.font);
  if (!content.heading.isEmpty()) {
    const double room = all.right() + m_metrics.right - x;
    painter.drawText(QPointF(x, above), font.elidedText(content.heading, Qt::ElideRight, room));
  }
  if (!content.keyTitle.isEmpty()) {
    const double y = all.bottom() + m_metrics.bottom - font.descent();
    painter.drawText(QPointF(all.center().x() - 0.5 * font.horizontalAdvance(content.keyTitle), y),
                     content.keyTitle);
  }
  if (!content.queryTitle.isEmpty()) {
    painter.save();
    painter.translate(all.left() - m_metrics.left + font.ascent(), all.center().y());
    painter.rotate(-90.0);
    painter.drawText(QPointF(-0.5 * font.horizontalAdvance(content.queryTitle), 0.0), content.queryTitle);
    painter.restore();
  }
}

void SquarePlot::paintMarginals(QPainter& painter) const {
  if (!content.marginals || m_metrics.strip < 1 || m_layout.tokens.isEmpty()) return;
  const QRectF square(m_layout.tokens);
  const QRectF& view = content.viewport;
  QColor fill = m_theme.secondaryText;
  fill.setAlphaF(static_cast<float>(0.59 * content.tokenNames));
  const QRectF above(square.left(), square.top() - m_metrics.line - m_metrics.strip, square.width(),
                     m_metrics.strip);
  for (const StripBar& bar : stripBars(content.marginals->received, view.left(), view.width(), above.width()))
    painter.fillRect(QRectF(above.left() + bar.begin, above.bottom() - bar.share * above.height(), bar.length,
                            bar.share * above.height()),
                     fill);
  const QRectF right(square.right() + m_metrics.line, square.top(), m_metrics.strip, square.height());
  for (const StripBar& bar : stripBars(content.marginals->spread, view.top(), view.height(), right.height()))
    painter.fillRect(QRectF(right.left(), right.top() + bar.begin, bar.share * right.width(), bar.length),
                     fill);
}

void SquarePlot::paintGroup(QPainter& painter) const {
  const QRectF& view = content.viewport;
  const QRect all = m_layout.all();
  const double thick = std::min(m_metrics.top - 1.0, 4.0 * m_metrics.line);
  paintBands(painter, bandRuns(overlay.groupRows, view.top(), view.height(), all.height()), all,
             BandSide::Rows, thick, m_theme.accent);
  const QRect& tokens = m_layout.tokens;
  if (!tokens.isEmpty())
    paintBands(painter, bandRuns(overlay.groupColumns, view.left(), view.width(), tokens.width()), tokens,
               BandSide::Columns, thick, m_theme.accent);
  const QRect& area = m_layout.slotArea;
  if (!area.isEmpty())
    paintBands(painter,
               bandRuns(overlay.groupSlots, 0.0, static_cast<double>(content.slotCount), area.width()), area,
               BandSide::Columns, thick, m_theme.accent);
}

void SquarePlot::paintOverlay(QPainter& painter) const {
  paintGroup(painter);
  if (overlay.selectedQuery >= 0 || overlay.selectedKey >= 0)
    paintLines(painter, overlay.selectedQuery, overlay.selectedKey, overlay.selectedAway, m_theme.accent);
  if (overlay.hoveredQuery >= 0 || overlay.hoveredKey >= 0)
    paintLines(painter, overlay.hoveredQuery, overlay.hoveredKey, QPointF(), m_theme.crosshair);
  if (overlay.focused) paintFocus(painter);
  if (overlay.busy) paintBusy(painter);
}

// Inside the frame, so that neighbours and ticks keep their place; the background's colour between the ring
// and the cells sets it off from data of any colour.
void SquarePlot::paintFocus(QPainter& painter) const {
  const double thick = 2.0 * m_metrics.line;
  const QRectF all(m_layout.all());
  const auto ring = [&](double from, double width, const QColor& color) {
    QPen pen(color, width);
    pen.setJoinStyle(Qt::MiterJoin);
    painter.setPen(pen);
    const double in = from + 0.5 * width;
    painter.drawRect(all.adjusted(in, in, -in, -in));
  };
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing, false);
  painter.setBrush(Qt::NoBrush);
  ring(0.0, thick, m_theme.accent);
  ring(thick, m_metrics.line, m_theme.background);
  painter.restore();
}

void SquarePlot::paintLines(QPainter& painter, qint64 query, qint64 key, QPointF away,
                            const QColor& color) const {
  const QRectF& view = content.viewport;
  const QRectF all(m_layout.all());
  QList<QLineF> lines;
  const double y = static_cast<double>(query) + away.y() + 0.5;
  if (query >= 0 && y > view.top() && y < view.bottom()) {
    const double at = std::floor(all.top() + (y - view.top()) / view.height() * all.height()) + 0.5;
    lines << QLineF(all.left(), at, all.right(), at);
  }
  const QRectF tokens(m_layout.tokens);
  const double x = static_cast<double>(key) + away.x() + 0.5;
  if (key >= 0 && !tokens.isEmpty() && x > view.left() && x < view.right()) {
    const double at = std::floor(tokens.left() + (x - view.left()) / view.width() * tokens.width()) + 0.5;
    lines << QLineF(at, tokens.top(), at, tokens.bottom());
  }
  // A pale line below the dashes keeps them visible on data of any colour.
  QColor pale = color.lightness() > 128 ? QColor(Qt::black) : QColor(Qt::white);
  pale.setAlpha(150);
  painter.setPen(QPen(pale, m_metrics.line));
  painter.drawLines(lines);
  QPen dashes(color, m_metrics.line);
  dashes.setDashPattern({3.0, 3.0});
  painter.setPen(dashes);
  painter.drawLines(lines);
}

void SquarePlot::paintBusy(QPainter& painter) const {
  const QRectF all(m_layout.all());
  QColor veil = m_theme.background;
  veil.setAlpha(140);
  painter.fillRect(all, veil);
  const double thick = 3.0 * m_metrics.line;
  const double width = 0.3 * all.width();
  const double x = all.left() + (all.width() - width) * (0.5 - 0.5 * std::cos(2.0 * M_PI * overlay.phase));
  painter.fillRect(QRectF(x, all.top(), width, thick), m_theme.accent);
}

}  // namespace attnscope
