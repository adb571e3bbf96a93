// A patterned octet stream: the octet at a stream offset is known, so every delivered octet can be checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wireside::testing {

/// Which stream; two directions of a connection, or two connections, use different salts.
using StreamSalt = std::uint64_t;

/// The octet at `offset` of stream `salt`. Neighbouring offsets and shifted copies differ.
[[nodiscard]] constexpr std::uint8_t pattern_octet(StreamSalt salt, std::uint64_t offset) {
  std::uint64_t x = (offset >> 3) + (salt << 40) + salt;
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15ULL;
  x ^= x >> 29;
  x *= 0xbf58476d1ce4e5b9ULL;
  return static_cast<std::uint8_t>(x >> (8U * (offset & 7U)));
}

[[nodiscard]] inline std::vector<std::uint8_t> pattern_octets(StreamSalt salt, std::uint64_t offset,
                                                              std::size_t count) {
  std::vector<std::uint8_t> octets(count);
  for (std::size_t i = 0; i < count; ++i) octets[i] = pattern_octet(salt, offset + i);
  return octets;
}

}  // namespace wireside::testing
