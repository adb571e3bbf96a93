// Datagrams in, in the order of RFC 1122 section 3.2 and 3.3.
#include <optional>
#include <utility>

#include "ip/ip_layer.hpp"

namespace wireside::ip {

using observe::DropReason;

Arrived IpLayer::handle_packet(Instant now, const Slice& packet, const Arrival& arrival) {
  const auto parsed = wire::parse_ipv4(packet.view());
  if (!parsed) {
    const bool other_version = !packet.empty() && (packet.data()[0] >> 4U) != 4;
    sink_.drop(now, other_version ? DropReason::IpBadVersion : DropReason::IpMalformed);
    return {};
  }
  if (!parsed->checksum_ok) {
    sink_.drop(now, DropReason::IpBadChecksum);
    return {};
  }
  const wire::Ipv4Header& header = parsed->header;
  if (!accept_destination(now, header, arrival) || !accept_source(now, header, arrival)) return {};

  IncomingDatagram datagram;
  datagram.header = header;
  // What follows the total length is the link's padding.
  datagram.packet = packet.sub(0, header.total_length);
  datagram.payload = datagram.packet.sub(parsed->header_length);
  datagram.broadcast = arrival.link_broadcast || routes_.classify(header.destination) == AddressKind::Broadcast;
  datagram.loopback = arrival.loopback;
  datagram.checksum = arrival.checksum;
  datagram.gso_size = arrival.gso_size;
  if (!accept_options(now, *parsed, datagram)) return {};
  if (header.is_fragment()) {
    auto whole = reassemble(now, std::move(datagram));
    if (!whole) return {};
    datagram = std::move(*whole);
  }
  return deliver(now, std::move(datagram));
}

bool IpLayer::accept_destination(Instant now, const wire::Ipv4Header& header, const Arrival& arrival) {
  switch (routes_.classify(header.destination)) {
    case AddressKind::Local:
      // RFC 1122 3.3.6: a link broadcast must name an IP broadcast or multicast address.
      if (!arrival.link_broadcast) return true;
      break;
    case AddressKind::Broadcast:
      return true;
    case AddressKind::Loopback:
      if (arrival.loopback) return true;
      sink_.drop(now, DropReason::LoopbackOnWire);
      return false;
    case AddressKind::Multicast:  // no group is joined
    case AddressKind::Unicast:    // a host does not forward
    case AddressKind::Invalid:
      break;
  }
  sink_.drop(now, DropReason::IpNotOurs);
  return false;
}

bool IpLayer::accept_source(Instant now, const wire::Ipv4Header& header, const Arrival& arrival) {
  const AddressKind kind = routes_.classify(header.source);
  if (kind == AddressKind::Unicast) return true;
  if (arrival.loopback && (kind == AddressKind::Local || kind == AddressKind::Loopback)) return true;
  sink_.drop(now, DropReason::IpBadSource);
  return false;
}

bool IpLayer::accept_options(Instant now, const wire::ParsedIpv4& parsed, const IncomingDatagram& datagram) {
  if (parsed.options.empty()) return true;
  const wire::Ipv4OptionSummary options = wire::summarise_ipv4_options(parsed.options);
  if (options.malformed) {
    sink_.drop(now, DropReason::IpBadOption);
    icmp_.parameter_problem(now, static_cast<std::uint8_t>(options.malformed_at), datagram);
    return false;
  }
  if (options.source_route && !options.source_route_complete) {
    sink_.drop(now, DropReason::IpSourceRoute);
    icmp_.unreachable(now, wire::UnreachableCode::SourceRouteFailed, datagram);  // RFC 1122 section 3.3.5
    return false;
  }
  return true;
}

std::optional<IncomingDatagram> IpLayer::reassemble(Instant now, IncomingDatagram&& /*fragment*/) {
  sink_.drop(now, DropReason::IpFragment);
  return std::nullopt;
}

Arrived IpLayer::deliver(Instant now, IncomingDatagram&& datagram) {
  switch (static_cast<wire::IpProtocol>(datagram.header.protocol)) {
    case wire::IpProtocol::Tcp:
    case wire::IpProtocol::Udp:
      return std::move(datagram);
    case wire::IpProtocol::Icmp:
      return icmp_.handle(now, datagram);
  }
  sink_.drop(now, DropReason::IpUnknownProtocol);
  icmp_.unreachable(now, wire::UnreachableCode::Protocol, datagram);
  return {};
}

}  // namespace wireside::ip
