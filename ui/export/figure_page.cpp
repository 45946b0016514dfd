// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/export/figure_page.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/plots/cell_image.h"
#include "ui/plots/color_bar.h"
#include "ui/plots/inside_plot.h"
#include "ui/plots/square_support.h"

namespace attnscope {

namespace {

constexpr double kMillimetresPerInch = 25.4;
constexpr std::size_t kMaxInsideRows = 6;
constexpr int kLeastSide = 4;     // of a square, in heights of the font
constexpr int kPairSide = 6;      // of two beside each other: one below the other makes very long pages
constexpr int kReadableSide = 8;  // that the name of a mechanism fits above

// "a" ... "z", then "aa": as journals letter panels.
QString panelLetter(int index) {
  const QChar last(u'a' + index % 26);
  return index < 26 ? QString(last) : QString(QChar(u'a' + index / 26 - 1)) + last;
}

// A page cannot be switched: of a series it shows the first.
std::vector<InsidePanel> firstOfSeries(const std::vector<InsidePanel>& panels) {
  std::vector<InsidePanel> shown;
  for (std::size_t i = 0; i < panels.size(); ++i)
    if (i == 0 || panels[i].series.empty() || panels[i].series != panels[i - 1].series)
      shown.push_back(panels[i]);
  return shown;
}

}  // namespace

Result<FigurePage> FigurePage::layOut(const FigureSpec& spec, const PageDevice& device) {
  FigurePage page(spec, device);
  for (FigureColumn& column : page.m_spec.columns) column.insides = firstOfSeries(column.insides);
  if (page.m_spec.millimetres.width() <= 0.0)
    page.m_spec.millimetres.setWidth(spec.sweep.empty() ? 183.0 : 89.0);
  ATTN_TRY(spec.sweep.empty() ? page.layOutWall() : page.layOutScaling());
  return page;
}

QSizeF FigurePage::millimetres() const {
  return QSizeF(m_size) * kMillimetresPerInch / m_device.unitsPerInch;
}

Status FigurePage::layOutScaling() {
  const double units = m_device.unitsPerInch / kMillimetresPerInch;
  const QSizeF wanted = m_spec.millimetres;
  const double height = wanted.height() > 0.0 ? wanted.height() : 0.62 * wanted.width();
  m_size = QSize(static_cast<int>(std::lround(wanted.width() * units)),
                 static_cast<int>(std::lround(height * units)));
  m_metrics = plotMetrics(m_spec.theme, m_spec.fontPoints * m_device.unitsPerInch / 72.0, 99, 99, false);
  if (m_size.width() < 12 * m_metrics.em || m_size.height() < 8 * m_metrics.em)
    return fail(ErrorKind::Usage, "The figure is too small for its text. Make it larger, e.g. 89x60 mm.");
  return {};
}

QRectF FigurePage::viewportOf(const Exploration& exploration) const {
  const Shape& shape = exploration.call.plan->plan().shape;
  const QRectF all(0.0, 0.0, static_cast<double>(shape.nK), static_cast<double>(shape.nQ));
  const QRectF part = QRectF(m_spec.viewport.toAlignedRect()).intersected(all);
  return part.isEmpty() ? all : part;
}

std::vector<LegendEntry> FigurePage::legendOf(PanelKind kind, const FigureColumn& column) const {
  if (kind == PanelKind::Pattern)
    return patternLegend(column.exploration->call.plan->plan(), m_spec.style.hidden);
  if (kind == PanelKind::Reach && column.reach) return reachLegend(*column.reach);
  return {};
}

double FigurePage::slotShareOf(const Exploration& exploration) const {
  const FrozenPlan& plan = *exploration.call.plan;
  const Index tokens = plan.plan().shape.nK;
  if (plan.slotCount() < 1) return 0.0;
  return slotShare(tokens, plan.slotCount(), exploration.readsTokens[static_cast<std::size_t>(m_spec.head)]);
}

// Margins, from the largest labels of all columns, so that the squares are equally large and aligned.
void FigurePage::measureColumns() {
  Index queries = 1;
  Index keys = 1;
  bool words = false;
  for (const FigureColumn& column : m_spec.columns) {
    const Shape& shape = column.exploration->call.plan->plan().shape;
    const QRectF view = viewportOf(*column.exploration);
    queries = std::max(queries, shape.nQ);
    keys = std::max(keys, shape.nK);
    words = words ||
            (!column.exploration->input.tokensK.empty() && view.width() <= 24.0 && view.height() <= 24.0);
  }
  const double font = m_spec.fontPoints * m_device.unitsPerInch / 72.0;
  m_metrics = plotMetrics(m_spec.theme, font, queries, keys, words);
  m_metrics.enlarge = m_device.vector ? 1024 : 0;
  m_metrics.top = m_metrics.em + 2 * m_metrics.gap;
  if (m_spec.style.marginals) addStrips(m_metrics);
  const bool insides =
      std::find(m_spec.rows.begin(), m_spec.rows.end(), PanelKind::Insides) != m_spec.rows.end();
  m_metrics.left += m_metrics.em;  // the title of the axis
  m_otherLeft = insides ? m_metrics.left : 2 * m_metrics.gap;
}

int FigurePage::insideRows(std::size_t first, std::size_t past) const {
  std::size_t rows = 0;
  for (std::size_t column = first; column < past; ++column)
    rows = std::max(rows, m_spec.columns[column].insides.size());
  return static_cast<int>(std::min(rows, kMaxInsideRows));
}

int FigurePage::bands() const {
  const auto columns = static_cast<int>(m_spec.columns.size());
  return (columns + m_perBand - 1) / m_perBand;
}

int FigurePage::tallestLegend() const {
  int height = 0;
  for (const FigureColumn& column : m_spec.columns)
    for (const PanelKind kind : m_spec.rows)
      height = std::max(height, legendHeight(legendOf(kind, column), m_side, m_metrics));
  return height;
}

bool FigurePage::isLastSquareRow(std::size_t row) const {
  if (!isSquare(m_spec.rows[row])) return false;
  return std::none_of(m_spec.rows.begin() + static_cast<std::ptrdiff_t>(row) + 1, m_spec.rows.end(),
                      isSquare);
}

int FigurePage::rowHeight(std::size_t row, int side) const {
  const PanelKind kind = m_spec.rows[row];
  if (!isSquare(kind)) {
    int height = 0;
    for (const FigureColumn& column : m_spec.columns)
      for (const InsidePanel& panel : column.insides)
        height = std::max(height, insideHeight(panel, side + m_metrics.left + m_metrics.right, m_metrics));
    return height + 2 * m_metrics.gap;
  }
  // The key axis' title stands below the last row of squares.
  const int below = m_metrics.bottom + (isLastSquareRow(row) ? m_metrics.em : 0) + 2 * m_metrics.gap;
  return m_metrics.top + side + below + (showsWeights(kind) ? 0 : m_legendHeight);
}

int FigurePage::barWidth() const {
  ValueScale scale = m_spec.style.scale;
  if (m_spec.style.range != ScaleRange::Fixed) {  // ends to come, with two digits and more noughts than these
    scale.low = 0.000012;
    scale.high = 0.0012;
  }
  const int plain = colorBarWidth(m_metrics, scale);
  scale.diverging = true;
  return std::max(plain, colorBarWidth(m_metrics, scale));
}

int FigurePage::sideThatFits(int width, int height) const {
  int side = (width - m_metrics.left - (m_perBand - 1) * m_otherLeft) / m_perBand - m_metrics.right;
  if (height > 0) {
    const auto total = [this](int s) {
      int sum = (bands() - 1) * m_metrics.em;
      for (std::size_t first = 0; first < m_spec.columns.size();
           first += static_cast<std::size_t>(m_perBand)) {
        const std::size_t past = std::min(first + static_cast<std::size_t>(m_perBand), m_spec.columns.size());
        for (std::size_t row = 0; row < m_spec.rows.size(); ++row)
          sum += rowHeight(row, s) * (isSquare(m_spec.rows[row]) ? 1 : insideRows(first, past));
      }
      return sum;
    };
    while (side > 16 && total(side) > height) side -= std::max(1, side / 200);
  }
  // Cells of a raster are equally large if that costs little.
  const QRectF view = viewportOf(*m_spec.columns.front().exploration);
  const int cells = static_cast<int>(std::max(view.width(), view.height()));
  if (!m_device.vector && side > cells && side % cells <= side / 12) side -= side % cells;
  return side;
}

Status FigurePage::layOutWall() {
  if (m_spec.columns.empty() || m_spec.rows.empty())
    return fail(ErrorKind::Usage, "There is nothing to draw: choose at least one mechanism and one view.");
  for (const FigureColumn& column : m_spec.columns)
    if (!column.exploration || !column.exploration->call.plan)
      return fail(ErrorKind::Usage,
                  "A column is not computed yet. Wait until its map is shown, then export again.");
  for (const FigureColumn& column : m_spec.columns)
    if (column.exploration->matrix && column.exploration->matrix->isSigned())
      m_spec.style.scale.diverging = true;
  measureColumns();
  const double units = m_device.unitsPerInch / kMillimetresPerInch;
  const int width = static_cast<int>(std::lround(m_spec.millimetres.width() * units));
  const int height = static_cast<int>(std::lround(m_spec.millimetres.height() * units));
  ATTN_TRY(fitColumns(width, height));
  int y = 0;
  for (std::size_t first = 0; first < m_spec.columns.size(); first += static_cast<std::size_t>(m_perBand)) {
    if (first > 0) y += m_metrics.em;
    placeBand(first, std::min(first + static_cast<std::size_t>(m_perBand), m_spec.columns.size()), y);
  }
  m_size = QSize(width, height > 0 ? height : y);
  return {};
}

// As many columns beside each other as can be read there; a page as narrow as a column of text has the others
// below. With a given height that would make squares smaller, so there they stay beside each other as long as
// they can.
Status FigurePage::fitColumns(int width, int height) {
  const bool maps = std::any_of(m_spec.rows.begin(), m_spec.rows.end(), showsWeights);
  const int bar = maps ? barWidth() + 2 * m_metrics.gap : 0;
  const auto columns = static_cast<int>(m_spec.columns.size());
  for (int wanted = 1; wanted <= columns; ++wanted) {
    m_perBand = (columns + wanted - 1) / wanted;
    m_side = sideThatFits(width - bar, 0);
    m_legendHeight = tallestLegend();
    if (height > 0) m_side = sideThatFits(width - bar, height);
    const int enough = height > 0 || m_perBand == 1 ? kLeastSide : m_perBand == 2 ? kPairSide : kReadableSide;
    if (m_side >= enough * m_metrics.em) return {};
  }
  if (height > 0)
    return fail(
        ErrorKind::Usage,
        "The figure is too small for its panels. Make it larger, leave the height to the program, or take "
        "fewer columns or views.");
  const double units = m_device.unitsPerInch / kMillimetresPerInch;
  const double least = (m_metrics.left + kLeastSide * m_metrics.em + m_metrics.right + bar) / units;
  return fail(ErrorKind::Usage, "The figure is too narrow for a panel: it needs " +
                                    std::to_string(static_cast<int>(std::ceil(least))) + " mm.");
}

void FigurePage::placeBand(std::size_t first, std::size_t past, int& y) {
  for (std::size_t row = 0; row < m_spec.rows.size(); ++row) {
    const int repeats = isSquare(m_spec.rows[row]) ? 1 : insideRows(first, past);
    for (int inside = 0; inside < repeats; ++inside) placeRow(row, inside, first, past, y);
  }
}

void FigurePage::placeRow(std::size_t row, int inside, std::size_t first, std::size_t past, int& y) {
  const PanelKind kind = m_spec.rows[row];
  const int height = rowHeight(row, m_side);
  int x = 0;
  for (std::size_t column = first; column < past; ++column) {
    const int left = column == first ? m_metrics.left : m_otherLeft;
    const int width = left + m_side + m_metrics.right;
    if (isSquare(kind) || static_cast<std::size_t>(inside) < m_spec.columns[column].insides.size()) {
      Cell cell;
      cell.kind = kind;
      cell.column = column;
      cell.inside = static_cast<std::size_t>(inside);
      cell.at = QPoint(x, y);
      cell.size = QSize(width, height);
      cell.metrics = m_metrics;
      cell.metrics.left = left;
      cell.metrics.legend = isSquare(kind) && !showsWeights(kind) ? m_legendHeight : 0;
      if (isLastSquareRow(row)) cell.metrics.bottom = m_metrics.bottom + m_metrics.em;
      if (m_spec.letters) cell.letter = panelLetter(static_cast<int>(m_cells.size()));
      // The name of the mechanism stands over the first of its squares, whatever is above.
      cell.firstRow =
          isSquare(kind) &&
          std::none_of(m_spec.rows.begin(), m_spec.rows.begin() + static_cast<std::ptrdiff_t>(row), isSquare);
      cell.firstColumn = column == first;
      cell.lastSquare = isLastSquareRow(row);
      m_cells.push_back(std::move(cell));
    }
    x += width;
  }
  if (showsWeights(kind))
    m_bars.push_back({kind == PanelKind::Map ? BarContent::Weight : BarContent::Difference,
                      QRect(x + 2 * m_metrics.gap, y + m_metrics.top, barWidth(), m_side)});
  y += height;
}

std::shared_ptr<const TokenOrder> FigurePage::orderOf(const Exploration& exploration) const {
  const Shape& shape = exploration.call.plan->plan().shape;
  const bool fits = m_spec.order && std::ssize(m_spec.order->queries) == shape.nQ &&
                    std::ssize(m_spec.order->keys) == shape.nK && isSortable(shape);
  return fits ? m_spec.order : nullptr;
}

NumberRequest FigurePage::requestFor(const Cell& cell) const {
  const FigureColumn& column = m_spec.columns[cell.column];
  const Plan& plan = column.exploration->call.plan->plan();
  const QRectF view = viewportOf(*column.exploration);
  const double share = cell.kind == PanelKind::Pattern ? slotShareOf(*column.exploration) : 0.0;
  const SquareLayout layout = squareLayout(cell.size, cell.metrics, share);
  const auto pixels = [this](int units) {
    return static_cast<Index>(std::ceil(units * m_device.pixelsPerInch / m_device.unitsPerInch));
  };
  NumberRequest request;
  request.reduce = m_spec.style.reduce;
  request.source = cell.kind == PanelKind::Pattern ? supportSource(*column.exploration, m_spec.head)
                   : cell.kind == PanelKind::Reach ? reachSource(column.reach)
                   : cell.kind == PanelKind::Difference
                       ? differenceSource(column.exploration, column.baseline, m_spec.head)
                       : weightSource(column.exploration, m_spec.head);
  if (cell.kind == PanelKind::Pattern)
    request.source = withoutLabels(std::move(request.source), hiddenLabels(plan, m_spec.style.hidden));
  if (orderOf(*column.exploration)) request.source = inOrder(std::move(request.source), m_spec.order);
  if (!layout.tokens.isEmpty())
    request.tokens = cellWindow(view, plan.shape.nQ, plan.shape.nK, pixels(layout.tokens.height()),
                                pixels(layout.tokens.width()));
  if (!layout.slotArea.isEmpty()) {
    const Index count = request.source.slotCount;
    const QRectF slotView(0.0, view.y(), static_cast<double>(count), view.height());
    request.slotWindow = cellWindow(slotView, plan.shape.nQ, count, pixels(layout.slotArea.height()),
                                    pixels(layout.slotArea.width()));
  }
  return request;
}

Status FigurePage::computeNumbers(const JobContext& job) {
  for (Cell& cell : m_cells) {
    if (!isSquare(cell.kind)) continue;
    if (cell.kind == PanelKind::Difference && !m_spec.columns[cell.column].baseline) continue;
    if (cell.kind == PanelKind::Reach && !m_spec.columns[cell.column].reach)
      return fail(ErrorKind::Usage,
                  "A column has no reach: it needs self-attention of at most 4,096 tokens, and in the window "
                  "its picture must be there first.");
    if (showsWeights(cell.kind) && !m_spec.columns[cell.column].exploration->matrix)
      return fail(ErrorKind::Usage, "A column has no map yet. Wait until it is shown, then export again.");
    cell.numbers = attnscope::computeNumbers(requestFor(cell), job);
    if (!cell.numbers) return cancelled();
    if (cell.kind == PanelKind::Map && m_spec.style.marginals) {
      ATTN_ASSIGN(sums,
                  marginalsOf(*m_spec.columns[cell.column].exploration->matrix, m_spec.head, job.quiet()));
      cell.marginals = std::make_shared<const Marginals>(std::move(sums));
    }
    if (!cell.numbers->error.isEmpty()) return fail(ErrorKind::Compute, cell.numbers->error.toStdString());
  }
  fitScales();
  for (Cell& cell : m_cells) {
    if (job.isCancelled()) return cancelled();
    if (cell.numbers) makeImages(cell);
  }
  return {};
}

void FigurePage::makeImages(Cell& cell) const {
  const ViewNumbers& numbers = *cell.numbers;
  if (cell.kind == PanelKind::Pattern) {
    cell.tokenImage = coverageImage(numbers.tokenCoverage, m_spec.theme.plotBackground);
    cell.slotImage = coverageImage(numbers.slotCoverage, m_spec.theme.plotBackground);
  } else if (cell.kind == PanelKind::Reach) {
    cell.tokenImage = coverageImage(numbers.tokenCoverage, m_spec.theme.plotBackground,
                                    layerColors(m_spec.columns[cell.column].reach->layers));
  } else if (cell.kind == PanelKind::Difference) {
    cell.tokenImage = differenceImage(numbers.weights, styleOf(cell));
  } else {
    cell.tokenImage = weightImage(numbers.weights, styleOf(cell), m_spec.theme.plotBackground);
  }
}

void FigurePage::fitScales() {
  for (const PanelKind kind : {PanelKind::Map, PanelKind::Difference}) {
    WeightSummary drawn;
    for (const Cell& cell : m_cells)
      if (cell.kind == kind && cell.numbers && !m_spec.columns[cell.column].ownScale)
        drawn.add(cell.numbers->weights);
    ViewStyle& style = kind == PanelKind::Map ? m_mapStyle : m_differenceStyle;
    style = m_spec.style;
    style.scale = fittedScale(style.scale, style.range, drawn);
  }
}

ViewStyle FigurePage::styleOf(const Cell& cell) const {
  if (!m_spec.columns[cell.column].ownScale)
    return cell.kind == PanelKind::Map ? m_mapStyle : m_differenceStyle;
  WeightSummary drawn;
  drawn.add(cell.numbers->weights);
  return ownScaleStyle(m_spec.style, drawn);
}

const ViewStyle& FigurePage::styleOf(BarContent content) const {
  return content == BarContent::Weight ? m_mapStyle : m_differenceStyle;
}

}  // namespace attnscope
