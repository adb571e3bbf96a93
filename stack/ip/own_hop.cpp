#include "ip/own_hop.hpp"

#include <tuple>

#include "wire/header_edit.hpp"

namespace wireside::ip {

wire::Ipv4Hop own_hop(Instant now, Ipv4Address address, const Routes& routes) {
  // Not the time of day: the highest bit says so (RFC 791 section 3.1).
  return {.address = address,
          .all = routes.addresses(),
          .timestamp = static_cast<std::uint32_t>(now.ns() / 1'000'000) | 0x8000'0000U};
}

wire::Ipv4Options options_for_transport(Instant now, const IncomingDatagram& datagram, const Routes& routes) {
  const std::size_t header_length = wire::ipv4_header_length(datagram.packet.view());
  if (header_length == wire::ipv4_min_header) return {};
  auto options = wire::Ipv4Options::copy_of(
      datagram.packet.view().subspan(wire::ipv4_min_header, header_length - wire::ipv4_min_header));
  // An option that cannot be entered is passed on as it is.
  std::ignore = wire::record_hop(options.view(), own_hop(now, datagram.header.destination, routes));
  return options;
}

}  // namespace wireside::ip
