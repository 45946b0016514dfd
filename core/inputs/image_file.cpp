// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/image_file.h"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/base/memory.h"
#include "core/base/units.h"
#include "core/io/file_kind.h"

namespace attnscope {

namespace {

constexpr double kMaxPixels = 1e8;

tl::unexpected<Error> damaged(const std::string& path, const char* format, const char* reason) {
  return fail(ErrorKind::Input,
              fmt::format("{}: is a {} that cannot be decoded: {}. It is damaged or cut off; copy or "
                          "save it again.",
                          path, format, reason));
}

// Storage for a picture of a size that a header claims, after asking whether that is believable.
Result<PixelImage> allocateImage(const std::string& path, double width, double height) {
  if (width < 1 || height < 1 || width * height > kMaxPixels)
    return fail(ErrorKind::Input,
                fmt::format("{}: claims {:.0f} x {:.0f} pixels, expected at most {}. Scale the picture "
                            "down first.",
                            path, width, height, compactText(kMaxPixels)));
  ATTN_TRY(requireMemory(3.0 * width * height, path));
  PixelImage image;
  image.width = static_cast<Index>(width);
  image.height = static_cast<Index>(height);
  image.rgb.resize(static_cast<std::size_t>(3 * image.width * image.height));
  return image;
}

Result<PixelImage> decodePng(const FileBytes& file) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto release = [](png_image* p) { png_image_free(p); };
  const std::unique_ptr<png_image, decltype(release)> guard(&png, release);
  if (png_image_begin_read_from_memory(&png, file.bytes.data(), file.bytes.size()) == 0)
    return damaged(file.path, "PNG", png.message);
  ATTN_ASSIGN(image, allocateImage(file.path, png.width, png.height));
  png.format = PNG_FORMAT_RGB;
  const png_color white = {255, 255, 255};
  if (png_image_finish_read(&png, &white, image.rgb.data(), 0, nullptr) == 0)
    return damaged(file.path, "PNG", png.message);
  return image;
}

Result<PixelImage> decodeJpeg(const FileBytes& file) {
  const auto release = [](void* handle) { tjDestroy(handle); };
  const std::unique_ptr<void, decltype(release)> decoder(tjInitDecompress(), release);
  if (!decoder) return fail(ErrorKind::Compute, file.path + ": the JPEG library could not be started.");
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.bytes.data());
  const auto size = static_cast<unsigned long>(file.bytes.size());
  int width = 0;
  int height = 0;
  int sampling = 0;
  int space = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, size, &width, &height, &sampling, &space) != 0)
    return damaged(file.path, "JPEG", tjGetErrorStr2(decoder.get()));
  if (width < 1 || height < 1) return damaged(file.path, "JPEG", "it ends before its size is given");
  ATTN_ASSIGN(image, allocateImage(file.path, width, height));
  // Without this flag a picture that is cut off is filled up with grey, and nobody is told.
  if (tjDecompress2(decoder.get(), bytes, size, image.rgb.data(), width, 0, height, TJPF_RGB,
                    TJFLAG_STOPONWARNING) != 0)
    return damaged(file.path, "JPEG", tjGetErrorStr2(decoder.get()));
  return image;
}

// The source pixels under one new pixel along one axis: from `first`, with these shares (they sum to 1).
struct Cover {
  Index first = 0;
  std::vector<float> shares;
};

std::vector<Cover> covers(Index from, Index to) {
  std::vector<Cover> result(static_cast<std::size_t>(to));
  const double step = static_cast<double>(from) / static_cast<double>(to);
  for (Index i = 0; i < to; ++i) {
    const double begin = static_cast<double>(i) * step;
    const double end = std::min(static_cast<double>(from), static_cast<double>(i + 1) * step);
    Cover& cover = result[static_cast<std::size_t>(i)];
    cover.first = std::min(from - 1, static_cast<Index>(begin));
    for (Index at = cover.first; at < from && static_cast<double>(at) < end; ++at) {
      const double share =
          std::min(end, static_cast<double>(at + 1)) - std::max(begin, static_cast<double>(at));
      cover.shares.push_back(static_cast<float>(share / step));
    }
  }
  return result;
}

}  // namespace

Result<PixelImage> decodeImage(const FileBytes& file) {
  switch (fileKind(file)) {
    case FileKind::Png:
      return decodePng(file);
    case FileKind::Jpeg:
      return decodeJpeg(file);
    default:
      break;
  }
  return fail(ErrorKind::Input,
              file.path + ": is not a PNG or JPEG picture by its content. Convert it to PNG.");
}

PixelImage resizeArea(const PixelImage& image, Index width, Index height) {
  if (width == image.width && height == image.height) return image;
  const std::vector<Cover> columns = covers(image.width, width);
  const std::vector<Cover> rows = covers(image.height, height);
  PixelImage result{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * width * height))};
  std::vector<float> line(static_cast<std::size_t>(3 * width));
  for (std::size_t y = 0; y < rows.size(); ++y) {
    std::fill(line.begin(), line.end(), 0.0F);
    for (std::size_t r = 0; r < rows[y].shares.size(); ++r) {
      const auto* source =
          &image.rgb[static_cast<std::size_t>(3 * image.width * (rows[y].first + static_cast<Index>(r)))];
      for (std::size_t x = 0; x < columns.size(); ++x) {
        const auto* pixel = source + 3 * columns[x].first;
        for (const float share : columns[x].shares) {
          const float weight = share * rows[y].shares[r];
          for (std::size_t c = 0; c < 3; ++c) line[3 * x + c] += weight * static_cast<float>(*pixel++);
        }
      }
    }
    for (std::size_t i = 0; i < line.size(); ++i)
      result.rgb[y * line.size() + i] = static_cast<std::uint8_t>(std::clamp(std::lround(line[i]), 0L, 255L));
  }
  return result;
}

}  // namespace attnscope
