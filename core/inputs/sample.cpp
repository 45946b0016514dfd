// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/sample.h"

// The assembler copies the file into the program: an array in C++ source would take the compiler minutes.
// Zeros follow it, so that a vector register may be loaded at the tail, as behind a mapped file.
__asm__(
    ".pushsection .rodata\n"
    ".balign 64\n"
    "attnscopeSampleBegin:\n"
    ".incbin \"" ATTNSCOPE_SAMPLE_FILE
    "\"\n"
    "attnscopeSampleEnd:\n"
    ".zero 64\n"
    ".popsection\n");

extern "C" {
extern const std::byte attnscopeSampleBegin[];  // NOLINT: named by the assembler
extern const std::byte attnscopeSampleEnd[];    // NOLINT
}

namespace attnscope {

FileBytes sampleBytes() {
  const auto size = static_cast<std::size_t>(attnscopeSampleEnd - attnscopeSampleBegin);
  // Borrowed tensors want an owner; the program itself needs none, so this one deletes nothing.
  return {"sample", {attnscopeSampleBegin, size}, {attnscopeSampleBegin, [](const void*) {}}};
}

}  // namespace attnscope
