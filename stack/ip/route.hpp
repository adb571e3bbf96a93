// A line of the routing table.
#pragma once

#include <cstdint>

#include "base/address.hpp"

namespace wireside::ip {

/// Who wants the route.
enum class RouteOrigin : std::uint8_t { Static, Dhcp, Connected };

/// Packets to `destination` go to `gateway`. Several routes may have the same destination: the one with the lowest
/// metric whose gateway is not given up is used.
struct Route {
  Ipv4Prefix destination{};
  Ipv4Address gateway{};     ///< unspecified: the destination is on the link
  std::uint32_t metric = 0;  ///< among routes to the same destination; of equal ones the older wins
  Ipv4Address source{};      ///< preferred source address; unspecified: chosen by the next hop
  RouteOrigin origin = RouteOrigin::Static;
  std::uint16_t interface = 0;  ///< number of the interface in a Router; 0 in a host

  [[nodiscard]] constexpr bool on_link() const { return gateway.is_unspecified(); }
  friend constexpr bool operator==(const Route&, const Route&) = default;
};

}  // namespace wireside::ip
