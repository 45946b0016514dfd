#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Compiles the CUDA kernels for every supported architecture (or those given: `check_cuda_resources.sh 75 90`) and
# fails on warnings, register spills, local arrays, too many registers or too much shared memory, and from sm_80 on
# where the tensor kernels have no mma of their format or no asynchronous copies. Runs nothing on a GPU and needs none.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "No nvcc: nothing was checked." >&2; exit 77; }
architectures=("$@")
[ $# -gt 0 ] || architectures=(75 80 86 89 90 100 120)
most_registers=128  # two blocks of 256 threads on a multiprocessor
most_shared=49152   # what a block gets everywhere without asking

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
for arch in "${architectures[@]}"; do
  if ! "$nvcc" -std=c++20 -arch="sm_$arch" -I. --Werror all-warnings -Xcompiler=-Wall -Xptxas -v -cubin \
      --keep --keep-dir "$work" -o "$work/kernels.cubin" kernels/cuda/cuda_device.cu >"$work/report" 2>&1; then
    cat "$work/report"
    echo "sm_$arch: does not compile"
    bad=1
    continue
  fi
  [ "$arch" -lt 80 ] || awk -v arch="$arch" '
    /^[[:space:]]*(\.visible )?\.entry/ { kernel = $0; sub(/.*run/, "run", kernel); sub(/ENS.*/, "", kernel) }
    /mma\.sync/ { match($0, /f32\.(tf32|bf16)/); ++products[kernel " " substr($0, RSTART + 4, RLENGTH - 4)] }
    /cp\.async\.c[ag]/ { ++copies[kernel] }
    function require(found, what) { if (!found) { print "sm_" arch ": " what; bad = 1 } }
    END {
      require(products["runAttendTf32 tf32"], "runAttendTf32 has no mma of tf32")
      require(products["runAttendBf16 bf16"], "runAttendBf16 has no mma of bf16")
      for (kernel in products) ++kinds
      require(kinds == 2, "there are mma beside those two kinds")
      require(copies["runAttend"] && copies["runAttendTf32"] && copies["runAttendBf16"],
              "an attend kernel has no asynchronous copies")
      exit bad
    }' "$work/cuda_device.ptx" || bad=1
  awk -v arch="$arch" -v most_registers="$most_registers" -v most_shared="$most_shared" '
    function problem(text) { print "sm_" arch ": " kernel ": " text; bad = 1 }
    /Compiling entry function/ {
      kernel = $0; sub(/.*run/, "run", kernel); sub(/ENS.*/, "", kernel); ++kernels
    }
    /stack frame/ {
      for (i = 1; i < NF; ++i) {
        if ($i == "bytes" && $(i + 1) == "stack" && $(i - 1) > 0) problem($(i - 1) " bytes of local arrays")
        if ($i == "bytes" && $(i + 1) == "spill" && $(i - 1) > 0) problem($(i - 1) " bytes of spills")
      }
    }
    /Used [0-9]+ registers/ {
      match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5) + 0
      if (registers > worst) { worst = registers; where = kernel }
      if (registers > most_registers) problem(registers " registers, at most " most_registers)
      if (match($0, /[0-9]+ bytes smem/)) {
        shared = substr($0, RSTART, RLENGTH) + 0
        if (shared > most_shared) problem(shared " bytes of shared memory, at most " most_shared)
      }
    }
    END {
      if (kernels == 0) { print "sm_" arch ": the report of ptxas names no kernel"; bad = 1 }
      print "sm_" arch ": " kernels " kernels, at most " worst " registers (" where ")" (bad ? "" : ", no spills")
      exit bad
    }' "$work/report" || bad=1
done
exit $bad
