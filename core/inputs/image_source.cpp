// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/image_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/rng.h"
#include "core/inputs/embedding.h"
#include "core/inputs/image_file.h"

namespace attnscope {

namespace {

constexpr Index kKeptPixels = 512;
constexpr std::size_t kFeatures = 9;
using Features = std::array<float, kFeatures>;

// One unit of weighted distance makes a patch e^-1/2 as like: the factors set what counts as far.
struct Emphasis {
  float colour;
  float texture;
  float position;
};
constexpr std::array<Emphasis, 4> kEmphasis = {
    {{4.0F, 4.0F, 2.0F}, {6.0F, 1.0F, 0.5F}, {1.0F, 8.0F, 0.5F}, {1.0F, 1.0F, 6.0F}}};

Grid gridOf(const PixelImage& image, Index patch, Index most) {
  const double longest = static_cast<double>(std::max(image.width, image.height));
  const double scale =
      std::min(1.0, static_cast<double>(most * patch) / longest) / static_cast<double>(patch);
  const auto along = [&](Index pixels) {
    return std::clamp<Index>(std::lround(static_cast<double>(pixels) * scale), 1, most);
  };
  return {along(image.height), along(image.width)};
}

float lumaAt(const PixelImage& image, Index x, Index y) {
  const Index inX = std::clamp<Index>(x, 0, image.width - 1);
  const Index inY = std::clamp<Index>(y, 0, image.height - 1);
  const auto* pixel = &image.rgb[static_cast<std::size_t>(3 * (inY * image.width + inX))];
  return (0.299F * static_cast<float>(pixel[0]) + 0.587F * static_cast<float>(pixel[1]) +
          0.114F * static_cast<float>(pixel[2])) /
         255.0F;
}

// The features of the patch at (row, column) of the grid; see the header.
Features describe(const PixelImage& image, const Grid& grid, Index patch, Index row, Index column) {
  std::array<double, 3> colour{};
  double luma = 0.0;
  double lumaSquare = 0.0;
  double xx = 0.0;
  double yy = 0.0;
  double xy = 0.0;
  for (Index y = row * patch; y < (row + 1) * patch; ++y) {
    for (Index x = column * patch; x < (column + 1) * patch; ++x) {
      const auto* pixel = &image.rgb[static_cast<std::size_t>(3 * (y * image.width + x))];
      for (std::size_t c = 0; c < 3; ++c) colour[c] += static_cast<double>(pixel[c]) / 255.0;
      const double here = lumaAt(image, x, y);
      const double dx = 0.5 * static_cast<double>(lumaAt(image, x + 1, y) - lumaAt(image, x - 1, y));
      const double dy = 0.5 * static_cast<double>(lumaAt(image, x, y + 1) - lumaAt(image, x, y - 1));
      luma += here;
      lumaSquare += here * here;
      xx += dx * dx;
      yy += dy * dy;
      xy += dx * dy;
    }
  }
  const double count = static_cast<double>(patch * patch);
  luma /= count;
  const double energy = xx + yy;
  const double strength = std::sqrt(energy / count);
  const double direction = energy > 0.0 ? strength / energy : 0.0;
  const double longest = static_cast<double>(std::max(grid.height, grid.width));
  return {static_cast<float>(luma),
          static_cast<float>(0.564 * (colour[2] / count - luma) + 0.5),
          static_cast<float>(0.713 * (colour[0] / count - luma) + 0.5),
          static_cast<float>(std::sqrt(std::max(0.0, lumaSquare / count - luma * luma))),
          static_cast<float>(direction * (xx - yy)),
          static_cast<float>(direction * 2.0 * xy),
          static_cast<float>(strength),
          static_cast<float>(static_cast<double>(row) / longest),
          static_cast<float>(static_cast<double>(column) / longest)};
}

std::vector<Features> describeAll(const PixelImage& image, const Grid& grid, Index patch) {
  std::vector<Features> all;
  for (Index row = 0; row < grid.height; ++row) {
    for (Index column = 0; column < grid.width; ++column)
      all.push_back(describe(image, grid, patch, row, column));
  }
  return all;
}

// Writes sqrt(2) cos(w.f) and sqrt(2) sin(w.f) in turn; an odd last column has the cosine only.
void fourier(const Features& features, const Emphasis& emphasis, const std::vector<Features>& frequencies,
             std::span<float> row) {
  for (std::size_t pair = 0; 2 * pair < row.size(); ++pair) {
    float phase = 0.0F;
    for (std::size_t f = 0; f < kFeatures; ++f) {
      const float weight = f < 3 ? emphasis.colour : f < 7 ? emphasis.texture : emphasis.position;
      phase += weight * frequencies[pair][f] * features[f];
    }
    row[2 * pair] = std::numbers::sqrt2_v<float> * std::cos(phase);
    if (2 * pair + 1 < row.size()) row[2 * pair + 1] = std::numbers::sqrt2_v<float> * std::sin(phase);
  }
}

PixelImage keptPicture(const PixelImage& image) {
  const Index longest = std::max(image.width, image.height);
  if (longest <= kKeptPixels) return image;
  const auto along = [&](Index pixels) {
    return std::max<Index>(1, (pixels * kKeptPixels + longest / 2) / longest);
  };
  return resizeArea(image, along(image.width), along(image.height));
}

}  // namespace

const std::vector<SourceKey>& imageKeys() {
  static const std::vector<SourceKey> keys = {
      SourceKey::integer("patch", 1, 64, "4", "Pixels along a side of one token."),
      SourceKey::integer("max", 1, 256, "32",
                         "Most tokens along the longer side; the picture is scaled down to fit."),
      SourceKey::integer("d", 2, 1024, "64", "Width of queries, keys and values."),
      SourceKey::integer("heads", 1, 128, "4",
                         "Number of heads; they look at everything, colour, texture, position."),
      SourceKey::integer("seed", 0, 9007199254740991, "0", "Another seed gives other random numbers."),
  };
  return keys;
}

Result<AttentionInput> makeImageInput(const PixelImage& image, const SourceOptions& options,
                                      const std::string& where, const JobContext& job) {
  const Index patch = options.integer("patch");
  const Grid grid = gridOf(image, patch, options.integer("max"));
  const PixelImage scaled = resizeArea(image, grid.width * patch, grid.height * patch);
  const std::vector<Features> features = describeAll(scaled, grid, patch);
  const Index d = options.integer("d");
  const Index heads = options.integer("heads");
  const auto seed = static_cast<std::uint64_t>(options.integer("seed"));
  const RandomStream stream(seed, "picture", "frequencies");
  std::vector<Features> frequencies(static_cast<std::size_t>((d + 1) / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    stream.fillNormals({static_cast<std::uint32_t>(i), 0, 0}, frequencies[i]);

  const Index n = grid.height * grid.width;
  Embedding embedding;
  embedding.shape = {heads, heads, n, n, d, d};
  embedding.seed = seed;
  embedding.owner = "picture";
  embedding.positionStrength.assign(static_cast<std::size_t>(heads),
                                    0.0F);  // the position is among the features
  embedding.row = [&](Index head, Index position, std::span<float> row) {
    fourier(features[static_cast<std::size_t>(position)],
            kEmphasis[static_cast<std::size_t>(head) % kEmphasis.size()], frequencies, row);
  };
  ATTN_ASSIGN(input, embed(embedding, job));
  input.grid = grid;
  input.image = keptPicture(image);
  return finishInput(std::move(input), where);
}

}  // namespace attnscope
