// Hashes of endpoints and flows that no remote peer can aim at: for tables, and to choose among sockets that share a
// port.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/random.hpp"

namespace wireside {

[[nodiscard]] inline std::array<std::uint8_t, 12> octets_of(const FourTuple& t) {
  std::array<std::uint8_t, 12> out{};
  store_be32(out.data(), t.local.address.v4().value());
  store_be32(out.data() + 4, t.remote.address.v4().value());
  store_be16(out.data() + 8, t.local.port.value);
  store_be16(out.data() + 10, t.remote.port.value);
  return out;
}

struct KeyedHash {
  SipKey key;
  [[nodiscard]] std::size_t operator()(const FourTuple& t) const { return siphash24(key, octets_of(t)); }
  [[nodiscard]] std::size_t operator()(const Endpoint& e) const { return siphash24(key, octets_of({e, {}})); }

  /// Which of `count` (at least 1) sharers of an endpoint a flow belongs to (SO_REUSEPORT): always the same one, for as
  /// long as they do not change.
  [[nodiscard]] std::size_t choose(const FourTuple& flow, std::size_t count) const {
    return count == 1 ? 0 : (*this)(flow) % count;
  }
};

}  // namespace wireside
