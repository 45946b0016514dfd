// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/cell_image.h"

#include <QPainter>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

namespace attnscope {

namespace {

constexpr QRgb kNotFinite = 0xffff00ff;

QRgb blend(QRgb under, Rgb over, double share) {
  const auto mix = [share](int a, int b) { return static_cast<int>(std::lround(a + (b - a) * share)); };
  return qRgb(mix(qRed(under), over.r), mix(qGreen(under), over.g), mix(qBlue(under), over.b));
}

// Opacity by share in 256 steps: a single global row among a thousand still has to be seen, so that it starts
// at a quarter and grows with the square root.
std::array<QRgb, 257> shades(Rgb color, QRgb unread) {
  std::array<QRgb, 257> table{};
  table[0] = unread;
  for (std::size_t i = 1; i < table.size(); ++i)
    table[i] = blend(unread, color, 0.25 + 0.75 * std::sqrt(static_cast<double>(i) / 256.0));
  return table;
}

QRgb colorOf(float value, const ValueScale& scale, std::span<const Rgb> map, QRgb unread) {
  if (!std::isfinite(value)) return kNotFinite;
  if (value == 0.0F) return unread;
  const double position = scale.position(static_cast<double>(value));
  const Rgb c = map[static_cast<std::size_t>(std::clamp(std::lround(position * 255.0), 0L, 255L))];
  return qRgb(c.r, c.g, c.b);
}

// The same without a logarithm for most values. Numbers with the same upper half of their bits lie within a
// hundredth of each other: where the first and the last of them have one place in the map, so have all.
class ColorTable {
 public:
  static constexpr Index kWorthIt = 4096;  // values
  ColorTable(const ValueScale& scale, std::span<const Rgb> map, QRgb unread)
      : m_scale(scale), m_map(map), m_unread(unread) {}

  QRgb of(float value) {
    const std::uint32_t upper = std::bit_cast<std::uint32_t>(value) >> 16U;
    QRgb& known = m_known[upper];
    if (known == kUnknown) known = shared(upper);
    return known == kMixed ? colorOf(value, m_scale, m_map, m_unread) : known;
  }

 private:
  static constexpr QRgb kUnknown = 0;  // colours are opaque
  static constexpr QRgb kMixed = 1;

  [[nodiscard]] QRgb shared(std::uint32_t upper) const {
    const auto first = std::bit_cast<float>(upper << 16U);
    const auto last = std::bit_cast<float>((upper << 16U) | 0xFFFFU);
    if (!std::isfinite(last) || first == 0.0F) return kMixed;
    const auto place = [this](float value) {
      return std::lround(m_scale.position(static_cast<double>(value)) * 255.0);
    };
    return place(first) == place(last) ? colorOf(first, m_scale, m_map, m_unread) : kMixed;
  }

  const ValueScale& m_scale;
  std::span<const Rgb> m_map;
  QRgb m_unread;
  std::vector<QRgb> m_known = std::vector<QRgb>(std::size_t{1} << 16U, kUnknown);
};

}  // namespace

QColor categoryQColor(std::size_t index) {
  const Rgb c = categoryColor(index);
  return {c.r, c.g, c.b};
}

QImage coverageImage(const Coverage& coverage, QColor unread, const std::vector<QColor>& labelColors) {
  const auto colorOfLabel = [&](std::size_t label) {
    if (label >= labelColors.size()) return categoryColor(label);
    const auto part = [](int value) { return static_cast<std::uint8_t>(value); };
    const QColor& c = labelColors[label];
    return Rgb{part(c.red()), part(c.green()), part(c.blue())};
  };
  if (coverage.share.empty()) return {};
  QImage image(static_cast<int>(coverage.cols), static_cast<int>(coverage.rows), QImage::Format_RGB32);
  std::array<std::array<QRgb, 257>, 256> tables;  // those that are `made`
  std::array<bool, 256> made{};
  for (Index r = 0; r < coverage.rows; ++r) {
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(static_cast<int>(r)));
    for (Index c = 0; c < coverage.cols; ++c) {
      const auto at = static_cast<std::size_t>(r * coverage.cols + c);
      const std::uint8_t label = coverage.label[at];
      if (!made[label]) {
        tables[label] = shades(colorOfLabel(label), unread.rgb());
        made[label] = true;
      }
      // Rounded up: a pixel that is read in part is never invisible.
      const float share = std::clamp(coverage.share[at], 0.0F, 1.0F) * 256.0F;
      const auto whole = static_cast<std::size_t>(share);
      line[c] = tables[label][whole + (share > static_cast<float>(whole) ? 1 : 0)];
    }
  }
  return image;
}

QImage weightImage(const Tensor& weights, const ViewStyle& style, QColor unread) {
  if (weights.rank() != 2 || weights.empty()) return {};
  const Index rows = weights.dim(0);
  const Index cols = weights.dim(1);
  QImage image(static_cast<int>(cols), static_cast<int>(rows), QImage::Format_RGB32);
  const std::span<const Rgb> map =
      style.scale.diverging ? divergingMap() : colorMap(style.colorMap.toStdString());
  const bool byRow = style.scale.kind == ValueScale::Kind::RowMax;
  ValueScale scale = style.scale;
  if (byRow) {
    scale.kind = ValueScale::Kind::Linear;
    scale.high = 1.0;
  }
  std::optional<ColorTable> table;
  if (weights.size() > ColorTable::kWorthIt) table.emplace(scale, map, unread.rgb());
  for (Index r = 0; r < rows; ++r) {
    const auto values = weights.slice<float>(r);
    float divisor = 1.0F;
    if (byRow) {
      divisor = 0.0F;
      for (const float v : values) divisor = std::max(divisor, std::abs(v));
      if (!(divisor > 0.0F)) divisor = 1.0F;
    }
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(static_cast<int>(r)));
    for (std::size_t c = 0; c < values.size(); ++c)
      line[c] =
          table ? table->of(values[c] / divisor) : colorOf(values[c] / divisor, scale, map, unread.rgb());
  }
  return image;
}

QImage differenceImage(const Tensor& differences, const ViewStyle& style) {
  ViewStyle diverging = style;
  diverging.scale.diverging = true;
  const Rgb middle = divergingMap()[127];
  return weightImage(differences, diverging, QColor(middle.r, middle.g, middle.b));
}

void drawCells(QPainter& painter, const QImage& image, const QRectF& cells, const QRectF& viewport,
               const QRectF& target, int enlarge) {
  const QRectF visible = cells.intersected(viewport);
  if (image.isNull() || visible.isEmpty() || viewport.isEmpty()) return;
  const double sx = image.width() / cells.width();
  const double sy = image.height() / cells.height();
  QRectF source((visible.x() - cells.x()) * sx, (visible.y() - cells.y()) * sy, visible.width() * sx,
                visible.height() * sy);
  const double tx = target.width() / viewport.width();
  const double ty = target.height() / viewport.height();
  const QRectF to(target.x() + (visible.x() - viewport.x()) * tx,
                  target.y() + (visible.y() - viewport.y()) * ty, visible.width() * tx,
                  visible.height() * ty);
  painter.save();
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  painter.setRenderHint(QPainter::Antialiasing, false);
  if (enlarge > 0) {
    // Vector devices embed what they are given: only the visible part, in whole pixels.
    const QRect part = source.toAlignedRect().intersected(image.rect());
    // Each axis by itself: a strip of a hundred cells is one cell high.
    const auto times = [enlarge](int pixels) { return pixels > 0 ? (enlarge + pixels - 1) / pixels : 1; };
    const QSize larger(part.width() * std::max(1, times(image.width())),
                       part.height() * std::max(1, times(image.height())));
    const QImage cut = image.copy(part).scaled(larger, Qt::IgnoreAspectRatio, Qt::FastTransformation);
    painter.drawImage(to, cut, QRectF(cut.rect()));
  } else {
    painter.drawImage(to, image, source);
  }
  painter.restore();
}

}  // namespace attnscope
