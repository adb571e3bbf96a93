// What a stack uses of its network, for others that share its link and addresses.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.hpp"
#include "ip/route.hpp"

namespace wireside {

struct NetworkSettings {
  std::vector<Ipv4Prefix> addresses;  ///< in use, the preferred one first; not those that are still probed for
  std::vector<ip::Route> routes;      ///< default routes among them
  std::uint16_t mtu = 1500;
  friend bool operator==(const NetworkSettings&, const NetworkSettings&) = default;
};

}  // namespace wireside
