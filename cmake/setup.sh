# SPDX-License-Identifier: GPL-3.0-or-later
# Shared by ./run and ./test: packages, configuration, build. Everything said here goes to standard error, so that
# the output of the program stays its own.

say() { printf '%s\n' "$*" >&2; }

# What Debian 12 calls the libraries in cmake/AttnscopeDependencies.cmake, and the tools around them.
attnscope_packages=(
  g++ cmake ninja-build ccache pkg-config
  qt6-base-dev qt6-svg-dev libqcustomplot-dev libgl-dev
  libeigen3-dev libspectra-dev libhwy-dev libtbb-dev librandom123-dev libxxhash-dev
  libboost-context-dev libexpected-dev libfmt-dev libcli11-dev nlohmann-json3-dev
  libzip-dev libpng-dev libturbojpeg0-dev libicu-dev libmuparser-dev
  fonts-dejavu-core
)

missing_packages() {
  local installed
  # dpkg-query fails if it knows one of them not at all: on a bare system, where all are missing.
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
  printf '%s\n' "$@" | grep -vxF -e "$installed" || true
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Installs those of the packages that are not there yet.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "Not a Debian system: expecting the libraries of cmake/AttnscopeDependencies.cmake to be installed."
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "Installing missing Debian packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    say "This needs root, and there is no sudo. As root, run:"
    say "  apt-get install --no-install-recommends ${missing[*]}"
    exit 1
  fi
  # The lists may be absent (a fresh image) or too old (the mirror dropped those versions): then fetch them.
  if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || ! apt_install "${missing[@]}"; then
    as_root apt-get update -qq >&2
    apt_install "${missing[@]}"
  fi
}

# The compute capabilities of the GPUs that are here, as CMake lists them; where there are none, the first one with
# tensor cores that the program uses, so that all kernels are compiled.
cuda_architectures() {
  local found
  found=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d '. ' | grep -xE '[0-9]+' | sort -u | paste -sd ';' || true)
  printf '%s' "${found:-80}"
}

# configure FOLDER OPTION...: only if it has not been configured with the same options and compilers before.
# Ninja itself configures again when a CMake file or the list of sources changes.
configure() {
  local folder=$1 nvcc key
  shift
  nvcc=$(command -v nvcc || true)
  key="$* nvcc=$nvcc"
  if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/configured-with" 2>/dev/null)" = "$key" ]; then return; fi
  say "Configuring $folder"
  [ -n "$nvcc" ] || say "No nvcc in PATH: the CUDA backend is left out."
  mkdir -p "$folder"
  if ! cmake --fresh -S . -B "$folder" -G Ninja "$@" >"$folder/configure.log" 2>&1; then
    cat "$folder/configure.log" >&2
    return 1
  fi
  printf '%s\n' "$key" >"$folder/configured-with"
}

# build FOLDER [TARGET...]: one line that counts up on a terminal, a line for every tenth elsewhere. Output of
# compilers is shown whole.
build() {
  local folder=$1
  shift
  # Objects of equal flags are shared between the build folders.
  export CCACHE_BASEDIR=$PWD CCACHE_SLOPPINESS=pch_defines,time_macros
  local jobs=${ATTNSCOPE_JOBS:-$(nproc)}
  if [ -t 2 ]; then
    (cd "$folder" && NINJA_STATUS="[%f/%t] " ninja -j"$jobs" "$@") >&2
    return
  fi
  (cd "$folder" && NINJA_STATUS="[%f/%t] " ninja -j"$jobs" "$@") | awk '
    /^\[[0-9]+\/[0-9]+\]/ {
      split(substr($1, 2, length($1) - 2), count, "/")
      tenth = int(10 * count[1] / count[2])
      if (tenth > shown) { shown = tenth; print "Building: " count[1] " of " count[2] " steps"; fflush() }
      next
    }
    /^ninja: (no work to do|Entering)|^-- / { next }  # and what CMake reports when it configures again
    { print; fflush() }' >&2
}
