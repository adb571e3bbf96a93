// The way in: frame -> link -> IP -> TCP, UDP, echo sockets, or an ICMP error about something we sent.
#include <utility>
#include <variant>

#include "base/checksum.hpp"
#include "ip/own_hop.hpp"
#include "stack_state.hpp"
#include "wire/ethernet.hpp"
#include "wire/plain_segment.hpp"
#include "wire/tcp.hpp"

namespace wireside {
namespace {

using observe::DropReason;

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

/// Packets to ourselves handled before the answers to them are pulled.
constexpr std::size_t loopback_batch = 256;

/// MUST-3: the sum over pseudo-header and segment. Offloaded ones were vouched for below us.
bool tcp_checksum_ok(Ipv4Address source, Ipv4Address destination, ByteView octets) {
  ChecksumAccumulator acc;
  wire::add_pseudo_header(acc, source, destination, static_cast<std::uint8_t>(wire::IpProtocol::Tcp),
                          static_cast<std::uint32_t>(octets.size()));
  acc.add(octets);
  return acc.checksum() == 0;
}

struct Meaning {
  Error error;
  bool hard;
};

/// What an ICMP error means to a transport protocol (RFC 1122 section 4.2.3.9, MUST-56, SHLD-26).
std::optional<Meaning> meaning_of(const ip::IcmpErrorReport& report) {
  if (report.type == wire::IcmpType::TimeExceeded || report.type == wire::IcmpType::ParameterProblem) {
    return Meaning{Error::HostUnreachable, false};
  }
  if (report.type != wire::IcmpType::DestinationUnreachable) return std::nullopt;  // source quench: MUST-55
  switch (report.code) {
    case 0:   // network
    case 5:   // source route failed
    case 6:   // destination network unknown
    case 11:  // network unreachable for this type of service
      return Meaning{Error::NetworkUnreachable, false};
    case 9:  // network administratively prohibited
      return Meaning{Error::NetworkUnreachable, true};
    case 10:  // host administratively prohibited
    case 13:  // communication administratively prohibited
      return Meaning{Error::HostUnreachable, true};
    case 2:  // protocol
    case 3:  // port
      return Meaning{Error::ConnectionRefused, true};
    case 4:  // fragmentation needed
      return Meaning{Error::MessageTooLong, false};
    default:
      return Meaning{Error::HostUnreachable, false};
  }
}

}  // namespace

void StackState::handle_frame(Instant now, const Packet& frame) {
  if (gone_) return;
  ++sink.count.frames_in;
  sink.count.octets_in += frame.data.size();
  if (sink.attached()) [[unlikely]]
    return take_frame_observed(now, frame);
  take_frame(now, frame);
}

void StackState::take_frame_observed(Instant now, const Packet& frame) {
  sink.emit(now, [&] {
    return observe::FrameReceived{frame.data.view(), frame.gso_size, frame.checksum != ChecksumState::Unverified};
  });
  take_frame(now, frame);
  sink.handled(now);
}

void StackState::take_frame(Instant now, const Packet& frame) {
  if (take_plain_segment(now, frame)) return;
  const auto arrived = link.handle_frame(now, frame);
  if (link.conflicts().has_result()) [[unlikely]]
    handle_address_results(now);
  if (!arrived || (dhcp_ && take_dhcp_packet(now, *arrived))) return;
  packet_arrives(
      now, arrived->packet,
      {.checksum = arrived->checksum, .gso_size = arrived->gso_size, .link_broadcast = arrived->link_broadcast});
}

bool StackState::handle_loopback(Instant now) {
  if (loopback_.empty()) return false;
  for (std::size_t i = 0; i < loopback_batch && !loopback_.empty(); ++i) {
    const Packet packet = std::move(loopback_.front());
    loopback_.pop_front();
    packet_arrives(
        now, packet.data,
        {.checksum = packet.checksum, .gso_size = packet.gso_size, .link_broadcast = false, .loopback = true});
  }
  return true;
}

void StackState::packet_arrives(Instant now, const Slice& packet, const ip::Arrival& arrival) {
  ip::Arrived arrived = ip.handle_packet(now, packet, arrival);
  std::visit(Overloaded{[](std::monostate) {}, [&](const ip::IncomingDatagram& d) { datagram_arrives(now, d); },
                        [&](const ip::IcmpErrorReport& r) { error_arrives(now, r); },
                        [&](const ip::EchoReplyReport& r) { echo_reply_arrives(now, r); },
                        [&](ip::TransitDatagram& t) {
                          hand_to_router(now, TransitPacket::Kind::Received, std::move(t.datagram));
                        }},
             arrived);
}

void StackState::datagram_arrives(Instant now, const ip::IncomingDatagram& datagram) {
  if (datagram.header.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Tcp)) {
    tcp_arrives(now, datagram);
  } else {
    udp_arrives(now, datagram);
  }
}

void StackState::tcp_arrives(Instant now, const ip::IncomingDatagram& datagram) {
  if (datagram.broadcast) return sink.drop(now, DropReason::TcpBroadcast);  // MUST-57
  const bool progress = segment_arrives(now,
                                        {.source = datagram.header.source,
                                         .destination = datagram.header.destination,
                                         .ttl = datagram.header.ttl,
                                         .tos = datagram.header.tos,
                                         .checksum = datagram.checksum,
                                         .gso_size = datagram.gso_size},
                                        datagram.payload);
  if (!progress) return;
  if (const auto hop = ip.redirects().next_hop(datagram.header.source)) {
    link.confirm(now, *hop);
    ip.routes().positive_advice(now, *hop, sink);
  }
}

bool StackState::segment_arrives(Instant now, const SegmentArrival& arrival, const Slice& octets) {
  const bool vouched_for = arrival.checksum != ChecksumState::Unverified;
  if (!vouched_for && !tcp_checksum_ok(arrival.source, arrival.destination, octets.view())) {
    sink.drop(now, DropReason::TcpBadChecksum);
    return false;
  }
  tcp::IncomingSegment segment;
  const auto header_length = wire::parse_tcp(octets.view(), segment.header);
  if (!header_length) {
    sink.drop(now, DropReason::TcpMalformed);
    return false;
  }
  sink.count.tcp_segments_in += segments_of(octets.size() - *header_length, arrival.gso_size);
  segment.tuple = {.local = {arrival.destination, segment.header.destination},
                   .remote = {arrival.source, segment.header.source}};
  segment.payload = octets.sub(*header_length);
  segment.ttl = arrival.ttl;
  segment.tos = arrival.tos;
  segment.gso_size = arrival.gso_size;
  tcp.segment_arrives(now, segment);
  return tcp.take_forward_progress();
}

bool StackState::take_plain_segment(Instant now, const Packet& frame) {
  const auto plain = wire::read_plain_segment(frame.data.view(), link.mac());
  if (!plain || link.conflicts().has_result()) return false;
  // Known, so the destination is our address and the source one that a host can have.
  const ip::KnownWay* way = ip.known_way(plain->destination, plain->source);
  if (way == nullptr) return false;
  const Ipv4Address neighbour = way->next_hop;
  ++sink.count.ip_receives;
  ++sink.count.ip_delivers;
  sink.count.ip_octets_in += frame.data.size() - wire::ethernet_header_length;
  const std::size_t length = plain->total_length - wire::ipv4_min_header;
  const bool progress = segment_arrives(now,
                                        {.source = plain->source,
                                         .destination = plain->destination,
                                         .ttl = plain->ttl,
                                         .tos = plain->tos,
                                         .checksum = frame.checksum,
                                         .gso_size = frame.gso_size},
                                        frame.data.sub(wire::plain_segment_start, length));
  if (progress) link.confirm(now, neighbour);
  return true;
}

void StackState::udp_arrives(Instant now, const ip::IncomingDatagram& datagram) {
  const auto delivery =
      udp.datagram_arrives(now, {.source = datagram.header.source,
                                 .destination = datagram.header.destination,
                                 .octets = datagram.payload,
                                 .checksum = datagram.checksum,
                                 .ttl = datagram.header.ttl,
                                 .tos = datagram.header.tos,
                                 .ip_options = ip::options_for_transport(now, datagram, ip.routes())});
  if (delivery == udp::Delivery::NoSocket && !datagram.broadcast) {
    ip.unreachable(now, wire::UnreachableCode::Port, datagram);
  }
}

void StackState::echo_reply_arrives(Instant now, const ip::EchoReplyReport& reply) {
  std::ignore = udp.echo_reply_arrives(now, {.source = reply.source,
                                             .destination = reply.destination,
                                             .identifier = reply.id,
                                             .sequence = reply.sequence,
                                             .octets = reply.data,
                                             .ttl = reply.ttl,
                                             .tos = reply.tos,
                                             .ip_options = reply.options});
}

bool StackState::is_credible(const ip::IcmpErrorReport& report) const {
  switch (static_cast<wire::IpProtocol>(report.protocol)) {
    case wire::IpProtocol::Tcp:
      return report.seq && tcp.is_in_flight(report.tuple, *report.seq);
    case wire::IpProtocol::Udp:
      return udp.sent_to(udp::Service::Udp, report.tuple);
    case wire::IpProtocol::Icmp:
      return udp.sent_to(udp::Service::Echo, report.tuple);
  }
  return false;
}

/// RFC 1122 section 3.2.2.2 wants redirects about anything we sent to be followed, answers of ICMP's own among it.
bool StackState::is_credible_redirect(const ip::IcmpErrorReport& report) const {
  if (is_credible(report)) return true;
  return report.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Icmp) &&
         ip.sent_icmp_to(report.tuple.remote.address.v4());
}

bool StackState::fragmentation_needed(Instant now, const ip::IcmpErrorReport& report) {
  // Without DF in the quote the router would have cut the packet, unless the path is known to need that.
  if (!report.quoted_dont_fragment || !is_credible(report)) {
    sink.drop(now, DropReason::IcmpNotCredible);
    return false;
  }
  if (!ip.path_mtus().lower(now, report.tuple.remote.address.v4(), report.mtu, report.quoted_length)) return true;
  if (report.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Tcp)) tcp.path_mtu_changed(now, report.tuple);
  return true;
}

void StackState::error_arrives(Instant now, const ip::IcmpErrorReport& report) {
  if (report.type == wire::IcmpType::Redirect) {
    const bool taken = is_credible_redirect(report) &&
                       ip.redirects().take(now, report.reporter, report.tuple.remote.address.v4(), report.gateway);
    if (!taken) sink.drop(now, DropReason::IcmpNotCredible);
    return;
  }
  const auto meaning = meaning_of(report);
  if (!meaning) return;
  if (meaning->error == Error::MessageTooLong) {
    const bool tcp_report = report.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Tcp);
    if (!fragmentation_needed(now, report) || tcp_report) return;  // TCP has adapted: no error is left
  }
  transport_error(now, report.protocol, report.seq,
                  {.error = meaning->error,
                   .icmp_type = static_cast<std::uint8_t>(report.type),
                   .icmp_code = report.code,
                   .reporter = report.reporter,
                   .tuple = report.tuple,
                   .sequence = report.echo_sequence,
                   .quoted_ttl = report.quoted_ttl,
                   .mtu = report.mtu,
                   .quote = report.quote},
                  meaning->hard);
}

void StackState::transport_error(Instant now, std::uint8_t protocol, std::optional<SeqNum> seq,
                                 const ErrorReport& report, bool hard) {
  switch (static_cast<wire::IpProtocol>(protocol)) {
    case wire::IpProtocol::Tcp:
      return tcp.network_error(now, report, seq, hard);
    case wire::IpProtocol::Udp:
      return udp.network_error(udp::Service::Udp, report);
    case wire::IpProtocol::Icmp:
      return udp.network_error(udp::Service::Echo, report);
  }
}

}  // namespace wireside
