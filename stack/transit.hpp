// What passes between a router and the stacks that are its interfaces.
#pragma once

#include <cstdint>

#include "ip/ip_types.hpp"

namespace wireside {

struct TransitPacket {
  enum class Kind : std::uint8_t {
    Received,       ///< came in for somebody else; checked, but for its TTL
    Own,            ///< of the interface's own making, without a route there
    Undeliverable,  ///< was to leave here, but the neighbour does not answer
  };
  Kind kind = Kind::Received;
  ip::IncomingDatagram datagram;
};

}  // namespace wireside
