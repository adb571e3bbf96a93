// Settings of the network layer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "ip/route.hpp"

namespace wireside::ip {

struct IcmpConfig {
  std::uint32_t errors_per_second = 1000;  ///< token bucket for error messages (ICMP-10), over all destinations
  std::uint32_t error_burst = 50;
  bool answer_echo = true;
};

struct IpConfig {
  std::vector<Ipv4Prefix> addresses;   ///< the first is the preferred source
  std::optional<Ipv4Address> gateway;  ///< default route
  std::vector<Route> routes;           ///< further ones
  bool forwarding = false;             ///< be one interface of a Router: packets for others go to it
  std::uint8_t default_ttl = 64;
  IcmpConfig icmp;
};

}  // namespace wireside::ip
