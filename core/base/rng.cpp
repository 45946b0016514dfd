// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/rng.h"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>

#include "core/base/digest.h"

namespace attnscope {

namespace {
__extension__ using Wide = unsigned __int128;

double toUnit(std::uint32_t bits) {
  return (static_cast<double>(bits) + 0.5) / 4294967296.0;
}
}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view owner, std::string_view purpose) {
  Digest digest;
  digest.add(seed);
  digest.add(owner);
  digest.add(purpose);
  const std::uint64_t key = digest.value();
  m_key = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
}

std::array<std::uint32_t, 4> RandomStream::block(Counter counter, std::uint32_t last) const {
  const r123::Philox4x32_R<10>::ctr_type input = {{counter[0], counter[1], counter[2], last}};
  const r123::Philox4x32_R<10>::key_type key = {{m_key[0], m_key[1]}};
  const auto output = r123::Philox4x32_R<10>{}(input, key);
  return {output[0], output[1], output[2], output[3]};
}

double RandomStream::uniform(Counter counter, std::uint32_t last) const {
  return toUnit(block(counter, last)[0]);
}

double RandomStream::normal(Counter counter, std::uint32_t last) const {
  const auto bits = block(counter, last / 2);
  const double radius = std::sqrt(-2.0 * std::log(toUnit(bits[0])));
  const double angle = 2.0 * std::numbers::pi * toUnit(bits[1]);
  return radius * (last % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

template <class Number>
void RandomStream::fillPairs(Counter counter, std::span<Number> values) const {
  for (std::size_t pair = 0; 2 * pair < values.size(); ++pair) {
    const auto bits = block(counter, static_cast<std::uint32_t>(pair));
    const double radius = std::sqrt(-2.0 * std::log(toUnit(bits[0])));
    const double angle = 2.0 * std::numbers::pi * toUnit(bits[1]);
    values[2 * pair] = static_cast<Number>(radius * std::cos(angle));
    if (2 * pair + 1 < values.size()) values[2 * pair + 1] = static_cast<Number>(radius * std::sin(angle));
  }
}

void RandomStream::fillNormals(Counter counter, std::span<float> values) const {
  fillPairs(counter, values);
}

void RandomStream::fillNormals(Counter counter, std::span<double> values) const {
  fillPairs(counter, values);
}

std::uint32_t RandomStream::below(std::uint32_t bound, Counter counter, std::uint32_t last) const {
  // Multiply-shift on 64 bits: the bias is below 2^-32 for every bound that occurs here.
  const auto bits = block(counter, last);
  const std::uint64_t wide = (static_cast<std::uint64_t>(bits[1]) << 32) | bits[0];
  return static_cast<std::uint32_t>((static_cast<Wide>(wide) * bound) >> 64);
}

}  // namespace attnscope
