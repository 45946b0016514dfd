// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/file_kind.h"

#include <array>
#include <string_view>

namespace attnscope {

namespace {

struct Magic {
  std::string_view bytes;
  FileKind kind;
};

constexpr std::array kMagics = {
    Magic{{"\x93NUMPY", 6}, FileKind::Npy},
    Magic{{"PK\x03\x04", 4}, FileKind::Zip},
    Magic{{"PK\x05\x06", 4}, FileKind::Zip},  // a zip without members
    Magic{{"\x89PNG", 4}, FileKind::Png},
    Magic{{"\xff\xd8\xff", 3}, FileKind::Jpeg},
    Magic{{"\x89HDF\r\n\x1a\n", 8}, FileKind::Hdf5},
    Magic{{"\x80\x02", 2}, FileKind::Pickle},
    Magic{{"\x80\x03", 2}, FileKind::Pickle},
    Magic{{"\x80\x04", 2}, FileKind::Pickle},
    Magic{{"\x80\x05", 2}, FileKind::Pickle},
    Magic{{"GIF8", 4}, FileKind::OtherImage},
    Magic{{"II*\0", 4}, FileKind::OtherImage},
    Magic{{"MM\0*", 4}, FileKind::OtherImage},
    Magic{{"RIFF", 4}, FileKind::OtherImage},  // WebP (and sound, which no one calls an input)
    Magic{{"%PDF", 4}, FileKind::OtherImage},
    Magic{"{\n  \"attnscope_session\"", FileKind::Session},
};

bool looksLikeSafetensors(std::string_view head, const std::string& path) {
  // No magic number: a length in 8 bytes, then JSON. In a text the two highest bytes of that length are
  // letters.
  if (head.size() >= 9 && head[8] == '{' && head[6] == '\0' && head[7] == '\0') return true;
  return path.ends_with(".safetensors");
}

}  // namespace

FileKind fileKind(const FileBytes& file) {
  const std::string_view head(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  if (looksLikeSafetensors(head, file.path)) return FileKind::Safetensors;
  for (const Magic& magic : kMagics) {
    if (head.starts_with(magic.bytes)) return magic.kind;
  }
  return FileKind::Other;
}

}  // namespace attnscope
