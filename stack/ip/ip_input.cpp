// Datagrams in, in the order of RFC 1122 section 3.2 and 3.3.
#include <optional>
#include <utility>

#include "ip/ip_layer.hpp"

namespace wireside::ip {

using observe::DropReason;

Arrived IpLayer::handle_packet(Instant now, const Slice& packet, const Arrival& arrival) {
  ++sink_.count.ip_receives;
  sink_.count.ip_octets_in += packet.size();
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
  const bool transit = is_transit(header, arrival);
  if (!transit && !accept_destination(now, header, arrival)) return {};
  if (!accept_source(now, header, arrival)) return {};

  IncomingDatagram datagram;
  datagram.header = header;
  // What follows the total length is the link's padding.
  datagram.packet = packet.sub(0, header.total_length);
  datagram.payload = datagram.packet.sub(parsed->header_length);
  datagram.broadcast = arrival.link_broadcast || routes_.classify(header.destination) == AddressKind::Broadcast;
  datagram.loopback = arrival.loopback;
  datagram.checksum = arrival.checksum;
  datagram.gso_size = arrival.gso_size;
  if (transit) return take_transit(now, *parsed, std::move(datagram));
  if (!accept_options(now, *parsed, datagram)) return {};
  if (header.is_fragment()) {
    auto whole = reassembler_.add(now, std::move(datagram));
    if (!whole) return {};
    datagram = std::move(*whole);
  }
  return deliver(now, std::move(datagram));
}

bool IpLayer::is_transit(const wire::Ipv4Header& header, const Arrival& arrival) const {
  return config_.forwarding && !arrival.loopback && routes_.classify(header.destination) == AddressKind::Unicast;
}

/// RFC 1812 section 5.3: martians (their classes were refused before), link broadcasts, link-local addresses; options.
Arrived IpLayer::take_transit(Instant now, const wire::ParsedIpv4& parsed, IncomingDatagram&& datagram) {
  const wire::Ipv4Header& header = parsed.header;
  constexpr Ipv4Prefix link_local{Ipv4Address{169, 254, 0, 0}, 16};  // RFC 3927 section 2.7
  if (datagram.broadcast || link_local.contains(header.source) || link_local.contains(header.destination)) {
    sink_.drop(now, DropReason::NotForwarded);
    return {};
  }
  const wire::Ipv4OptionSummary options = wire::summarise_ipv4_options(parsed.options);
  if (options.malformed) {
    sink_.drop(now, DropReason::IpBadOption);
    icmp_.parameter_problem(now, static_cast<std::uint8_t>(options.malformed_at), datagram);
    return {};
  }
  if (options.source_route) {  // RFC 7126 section 4.3.5: not for others either
    sink_.drop(now, DropReason::IpSourceRoute);
    icmp_.unreachable(now, wire::UnreachableCode::SourceRouteFailed, datagram);
    return {};
  }
  // What the interface on the other side could not enter is refused here, where the packet came in.
  wire::Ipv4Options attempt = wire::Ipv4Options::copy_of(parsed.options);
  if (const auto at = wire::record_hop(attempt.view(), {}).problem_at) {
    sink_.drop(now, DropReason::IpBadOption);
    icmp_.parameter_problem(now, static_cast<std::uint8_t>(*at), datagram);
    return {};
  }
  return TransitDatagram{std::move(datagram)};
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

Arrived IpLayer::deliver(Instant now, IncomingDatagram&& datagram) {
  switch (static_cast<wire::IpProtocol>(datagram.header.protocol)) {
    case wire::IpProtocol::Tcp:
    case wire::IpProtocol::Udp:
      ++sink_.count.ip_delivers;
      return std::move(datagram);
    case wire::IpProtocol::Icmp:
      ++sink_.count.ip_delivers;
      return icmp_.handle(now, datagram);
  }
  sink_.drop(now, DropReason::IpUnknownProtocol);
  icmp_.unreachable(now, wire::UnreachableCode::Protocol, datagram);
  return {};
}

}  // namespace wireside::ip
