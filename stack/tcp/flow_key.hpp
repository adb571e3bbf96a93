// The four-tuple of IPv4 in twelve octets, for records of which there are many.
#pragma once

#include <cstdint>

#include "base/address.hpp"

namespace wireside::tcp {

struct FlowKey {
  std::uint32_t local_address = 0;
  std::uint32_t remote_address = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;

  FlowKey() = default;
  explicit FlowKey(const FourTuple& t)
      : local_address{t.local.address.v4().value()},
        remote_address{t.remote.address.v4().value()},
        local_port{t.local.port.value},
        remote_port{t.remote.port.value} {}
  [[nodiscard]] FourTuple tuple() const {
    return {.local = {Ipv4Address{local_address}, Port{local_port}},
            .remote = {Ipv4Address{remote_address}, Port{remote_port}}};
  }
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

}  // namespace wireside::tcp
