// Header templates: for the hosts that TCP talks to, the IPv4 header with all that does not change from segment to
// segment, its sum, and the next hop. Kept by pair of addresses, not by connection: many share one.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "ip/ip_types.hpp"

namespace wireside::ip {

struct KnownWay {
  Ipv4Address source;  ///< ours
  Ipv4Address destination;
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
  bool is_known = false;
  std::uint32_t generation = 0;  ///< of the routes it follows from
  std::uint32_t header_sum = 0;  ///< of the template's words, the total length and the checksum left out
  std::uint32_t pseudo_sum = 0;  ///< of the TCP pseudo-header's, the length left out
  Ipv4Address next_hop;          ///< a neighbour
  std::array<std::uint8_t, wire::ipv4_min_header> header{};
};

/// A small table in which each destination has one place. What else belongs there replaces it, and costs a look at the
/// routes.
class KnownWays {
 public:
  [[nodiscard]] KnownWay& place_of(Ipv4Address destination) { return ways_[destination.value() % ways_.size()]; }
  /// What is known of this pair of addresses; nullptr: nothing, or the routes have changed since.
  [[nodiscard]] const KnownWay* find(Ipv4Address source, Ipv4Address destination, std::uint32_t generation) const {
    const KnownWay& way = ways_[destination.value() % ways_.size()];
    const bool same = way.is_known && way.destination == destination && way.source == source;
    return same && way.generation == generation ? &way : nullptr;
  }

 private:
  std::array<KnownWay, 64> ways_{};
};

}  // namespace wireside::ip
