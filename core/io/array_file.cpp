// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/array_file.h"

#include "core/io/array_formats.h"
#include "core/io/file_kind.h"
#include "core/io/mapped_file.h"

namespace attnscope {

Result<std::shared_ptr<const ArrayFile>> openArrayFile(const std::string& path) {
  ATTN_ASSIGN(file, mapFile(path));
  switch (fileKind(file)) {
    case FileKind::Npy:
      return openNpy(file);
    case FileKind::Zip:
      return openNpz(file);
    case FileKind::Safetensors:
      return openSafetensors(file);
    case FileKind::Hdf5:
      return fail(ErrorKind::Input,
                  path +
                      ": is an HDF5 file, which cannot be read. Convert it: numpy.savez(\"in.npz\", "
                      "**{name: data[...] for name, data in h5py.File(path).items()}).");
    case FileKind::Pickle:
      return fail(ErrorKind::Input,
                  path +
                      ": is a pickle (or an old PyTorch file), which can run code when loaded and "
                      "is not read. Convert it: safetensors.torch.save_file(torch.load(path), "
                      "\"in.safetensors\").");
    default:
      break;
  }
  return fail(ErrorKind::Input,
              path +
                  ": is none of .npy, .npz and .safetensors by its content. Save the arrays with "
                  "numpy.savez or safetensors.");
}

}  // namespace attnscope
