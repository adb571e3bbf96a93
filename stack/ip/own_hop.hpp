// This host in the record route and timestamp options of what it sends and receives (RFC 1122 section 3.2.1.8).
#pragma once

#include "base/time.hpp"
#include "ip/ip_types.hpp"
#include "ip/routes.hpp"
#include "wire/ipv4_options.hpp"

namespace wireside::ip {

/// What we record. `address`: the one that a packet goes out from, or came to.
[[nodiscard]] wire::Ipv4Hop own_hop(Instant now, Ipv4Address address, const Routes& routes);

/// The options of a received datagram as its transport protocol and the application get them: all of them, with our
/// own entry as the last hop where there is room.
[[nodiscard]] wire::Ipv4Options options_for_transport(Instant now, const IncomingDatagram& datagram,
                                                      const Routes& routes);

}  // namespace wireside::ip
