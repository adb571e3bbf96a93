// The way out: what the layers have to send is pulled, given its headers, and handed over frame by frame.
#include <array>
#include <tuple>
#include <utility>

#include "ip/own_hop.hpp"
#include "stack_state.hpp"
#include "wire/ethernet.hpp"
#include "wire/header_edit.hpp"
#include "wire/icmp.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside {
namespace {

using observe::DropReason;
using observe::TxReason;

constexpr std::size_t max_loopback_queue = 4096;
/// Beyond this many waiting packets to ourselves they are handled even while there are frames to send.
constexpr std::size_t loopback_pressure = 64;
/// Two of our own sockets must not hold the caller for ever.
constexpr unsigned max_loopback_rounds = 16;

void write_udp(const udp::OutgoingDatagram& d, FrameOut& out) {
  const auto length = static_cast<std::uint16_t>(wire::udp_header_length + d.payload.size());
  wire::emit_udp({.source = d.tuple.local.port, .destination = d.tuple.remote.port, .length = length},
                 {out.header.prepend(wire::udp_header_length), wire::udp_header_length});
  out.checksum_wanted = true;
  out.checksum_offset = wire::udp_checksum_offset;
  out.reason = TxReason::UdpDatagram;
}

void write_echo_request(const udp::OutgoingDatagram& d, FrameOut& out) {
  const wire::IcmpHeader header{.type = static_cast<std::uint8_t>(wire::IcmpType::EchoRequest),
                                .code = 0,
                                .rest = (std::uint32_t{d.tuple.local.port.value} << 16) | d.sequence};
  wire::emit_icmp(header, {out.header.prepend(wire::icmp_header_length), wire::icmp_header_length});
  ip::complete_icmp_checksum(out);
  out.reason = TxReason::EchoRequest;
}

bool is_retransmission(TxReason reason) {
  switch (reason) {
    case TxReason::SynRetransmit:
    case TxReason::SynAckRetransmit:
    case TxReason::FastRetransmit:
    case TxReason::PartialAckRetransmit:
    case TxReason::RtoRetransmit:
    case TxReason::PathMtuRetransmit:
    case TxReason::WindowRetransmit:
      return true;
    default:
      return false;
  }
}

/// RFC 4022: tcpOutSegs leaves out what holds only repeated octets, tcpRetransSegs is those.
void count_segment(const tcp::OutgoingSegment& s, observe::Counters& count) {
  const auto segments = segments_of(s.payload.octets(), s.gso_size);
  (is_retransmission(s.reason) ? count.tcp_segments_retransmitted : count.tcp_segments_out) += segments;
  count.tcp_resets_out += s.header.flags.rst;
}

/// Ends of the flow a packet of ours belongs to, read back from its headers.
struct Flow {
  FourTuple tuple;
  std::uint8_t protocol = 0;
  std::optional<SeqNum> seq;
  std::uint16_t sequence = 0;  ///< echo
};

bool wants_dont_fragment(udp::PathMtuDiscovery discovery) { return discovery != udp::PathMtuDiscovery::Dont; }

std::optional<Flow> flow_of(ByteView packet) {
  const auto ip = wire::parse_ipv4(packet);
  if (!ip) return std::nullopt;
  Flow flow{.tuple = {{ip->header.source, {}}, {ip->header.destination, {}}},
            .protocol = ip->header.protocol,
            .seq = {},
            .sequence = 0};
  const ByteView transport = packet.subspan(ip->header_length);
  if (const auto tcp = wire::parse_tcp(transport); flow.protocol == 6 && tcp) {
    flow.tuple.local.port = tcp->header.source;
    flow.tuple.remote.port = tcp->header.destination;
    flow.seq = tcp->header.seq;
  } else if (const auto udp = wire::parse_udp(transport); flow.protocol == 17 && udp) {
    flow.tuple.local.port = udp->source;
    flow.tuple.remote.port = udp->destination;
  } else if (const auto icmp = wire::parse_icmp(transport); flow.protocol == 1 && icmp) {
    if (icmp->type != static_cast<std::uint8_t>(wire::IcmpType::EchoRequest)) return std::nullopt;
    flow.tuple.local.port = Port{icmp->echo_id()};
    flow.sequence = icmp->echo_sequence();
  }
  return flow;
}

}  // namespace

bool StackState::poll_frame(Instant now, FrameOut& out) {
  if (gone_) {
    discard_output(now);
    return false;
  }
  Pulled pulled = next_part(out) ? Pulled::Frame : Pulled::Again;
  unsigned loopback_rounds = 0;
  while (pulled != Pulled::Frame) {
    out.clear();
    pulled = loopback_.size() < loopback_pressure ? pull(now, out) : Pulled::Nothing;
    if (pulled == Pulled::Frame) {
      begin_cutting(out);
    } else if (pulled == Pulled::Nothing) {
      // What remains after the last round is due at once (next_deadline).
      if (++loopback_rounds > max_loopback_rounds || !handle_loopback(now)) return false;
    }
  }
  ++sink.count.frames_out;
  sink.count.octets_out += out.size();
  report_sent(now, out);
  return true;
}

bool StackState::next_part(FrameOut& out) {
  if (segmenter_.next(out)) return true;
  if (!fragmenter_.has_next() || !fragmenter_.next(out)) return false;
  ++sink.count.ip_fragments_created;
  if (config.link.pad_to_minimum) link::pad_to_minimum(out);
  return true;
}

void StackState::begin_cutting(FrameOut& out) {
  if (out.fragment_limit == 0) return segmenter_.begin(out);
  ++sink.count.ip_fragmented;
  fragmenter_.begin(out, wire::ethernet_header_length);
  std::ignore = next_part(out);
}

StackState::Pulled StackState::pull(Instant now, FrameOut& out) {
  handle_unresolved(now);
  if (link.has_output()) {
    if (link.poll(now, out)) return Pulled::Frame;
    out.clear();
  }
  if (!from_router_.empty()) return send_transit(now, out);
  ip::NextHop next_hop;
  if (ip.has_output() && ip.poll(now, out, next_hop)) return dispatch(now, next_hop, out);
  if (dhcp_) {
    if (const Pulled pulled = send_dhcp(now, out); pulled != Pulled::Nothing) return pulled;
  }
  if (udp.has_datagram() && udp.poll_datagram(datagram_)) return send_datagram(now, out);
  if (tcp.poll_segment(now, segment_)) return send_segment(now, out);
  return Pulled::Nothing;
}

StackState::Pulled StackState::send_datagram(Instant now, FrameOut& out) {
  const bool echo = datagram_.service == udp::Service::Echo;
  out.payload.push_back(datagram_.payload);
  if (echo) {
    write_echo_request(datagram_, out);
  } else {
    write_udp(datagram_, out);
  }
  datagram_.payload = Slice{};
  if (!echo) ++sink.count.udp_out;
  const Ipv4Address source = datagram_.tuple.local.address.v4();
  const Ipv4Address destination = datagram_.tuple.remote.address.v4();
  wire::Ipv4Options& options = datagram_.ip_options;
  // The sender is the first hop that these options record (RFC 1122 section 3.2.1.8 (e)).
  if (options.length != 0) std::ignore = wire::record_hop(options.view(), ip::own_hop(now, source, ip.routes()));
  const bool dont_fragment =
      wants_dont_fragment(datagram_.mtu_discovery) && ip.path_mtus().may_set_dont_fragment(destination) &&
      (datagram_.mtu_discovery != udp::PathMtuDiscovery::Want || out.size() <= ip.mms_s(destination, options.length));
  const auto next_hop = ip.prepare(now,
                                   {.source = source,
                                    .destination = destination,
                                    .protocol = echo ? wire::IpProtocol::Icmp : wire::IpProtocol::Udp,
                                    .ttl = datagram_.ttl,
                                    .tos = datagram_.tos,
                                    .options = options,
                                    .dont_fragment = dont_fragment},
                                   out);
  if (next_hop) return dispatch(now, *next_hop, out);
  udp.network_error(datagram_.service, datagram_.tuple, next_hop.error());
  return Pulled::Again;
}

StackState::Pulled StackState::send_segment(Instant now, FrameOut& out) {
  count_segment(segment_, sink.count);
  const std::size_t header_length = wire::tcp_header_length(segment_.header);
  wire::emit_tcp(segment_.header, {out.header.prepend(header_length), header_length});
  out.payload = std::move(segment_.payload);
  out.gso_size = segment_.gso_size;
  out.checksum_wanted = true;
  out.checksum_offset = wire::tcp_checksum_offset;
  out.reason = segment_.reason;
  out.connection = segment_.connection;
  const auto next_hop =
      ip.prepare(now,
                 {.source = segment_.tuple.local.address.v4(),
                  .destination = segment_.tuple.remote.address.v4(),
                  .protocol = wire::IpProtocol::Tcp,
                  .ttl = segment_.ttl,
                  .tos = segment_.tos,
                  // Below the path MTU's floor routers have to cut.
                  .dont_fragment = ip.path_mtus().may_set_dont_fragment(segment_.tuple.remote.address.v4())},
                 out);
  if (next_hop) return dispatch(now, *next_hop, out);
  tcp.network_error(now, segment_.tuple, segment_.header.seq, next_hop.error(), true);
  return Pulled::Again;
}

StackState::Pulled StackState::dispatch(Instant now, const ip::NextHop& next_hop, FrameOut& out) {
  switch (next_hop.kind) {
    case ip::NextHop::Kind::Neighbour:
      return link.send(now, next_hop.address, out) == link::Disposition::Ready ? Pulled::Frame : Pulled::Again;
    case ip::NextHop::Kind::Broadcast:
      link.send_broadcast(out);
      return Pulled::Frame;
    case ip::NextHop::Kind::Router:
      hand_to_router(now, TransitPacket::Kind::Own, ip::loop_back(out, pool));
      return Pulled::Again;
    case ip::NextHop::Kind::Loopback:
      break;
  }
  if (loopback_.size() >= max_loopback_queue) {
    sink.drop(now, DropReason::QueueFull, out.connection);
    return Pulled::Again;
  }
  if (loopback_.empty()) loopback_since_ = now;
  loopback_.push_back(ip::loop_back(out, pool));
  return Pulled::Again;
}

/// RFC 1122 section 3.3.1.5: what waited for a gateway that does not answer, and is given up by now, goes by the next
/// one. False when there is none: then the destination is unreachable.
bool StackState::sent_by_another_gateway(Instant now) {
  if (config.ip.forwarding) return false;
  const Ipv4Address destination = wire::ipv4_destination(unresolved_.header.view());
  const auto hop = ip.redirects().next_hop(destination);
  if (!hop || *hop == destination || !ip.routes().is_usable(*hop)) return false;
  // One that cannot be asked, or has just not answered, would hand the packet straight back.
  const auto known = link.neighbours().find(*hop);
  const bool answers_or_may = known ? known->state != observe::NeighbourState::Failed
                                    : link.neighbours().size() < config.link.neighbours.max_entries;
  if (!answers_or_may) return false;
  link.send_later(now, *hop, std::move(unresolved_));
  unresolved_.clear();
  return true;
}

void StackState::handle_unresolved(Instant now) {
  if (!link.neighbours().has_news() && !tcp.has_negative_advice()) return;
  take_advice(now);
  while (link.poll_failed(unresolved_)) {
    if (sent_by_another_gateway(now)) continue;
    // One contiguous copy, so that the headers can be read as any other packet's.
    const Packet packet = ip::loop_back(unresolved_, pool);
    unresolved_.clear();
    if (config.ip.forwarding) hand_to_router(now, TransitPacket::Kind::Undeliverable, packet);
    if (const auto flow = flow_of(packet.data.view())) {
      transport_error(now, flow->protocol, flow->seq,
                      {.error = Error::HostUnreachable,
                       .local = true,
                       .reporter = flow->tuple.local.address,
                       .tuple = flow->tuple,
                       .sequence = flow->sequence,
                       .quote = packet.data},
                      true);
    }
  }
}

void StackState::interface_gone(Instant now) {
  if (std::exchange(gone_, true)) return;
  addresses.interface_gone();
  loopback_.clear();
  segmenter_.clear();
  fragmenter_.clear();
  link.clear();
  ip.clear();
  tcp.fail_all(now, Error::NetworkDown);
  udp.fail_all(Error::NetworkDown);
  if (dhcp_) {
    dhcp_->interface_gone(now);
    apply_dhcp_changes(now);
  }
}

/// With the interface gone, whatever still wants to be sent learns that it cannot be.
void StackState::discard_output(Instant now) {
  while (udp.poll_datagram(datagram_)) {
    datagram_.payload = Slice{};
    udp.network_error(datagram_.service, datagram_.tuple, Error::NetworkDown);
  }
  while (tcp.poll_segment(now, segment_)) {
    segment_.payload.clear();
    tcp.network_error(now, segment_.tuple, segment_.header.seq, Error::NetworkDown, true);
  }
}

void StackState::report_sent(Instant now, const FrameOut& out) const {
  if (!sink.attached()) return;
  std::array<ByteView, SliceList::max_slices> runs;
  std::size_t n = 0;
  for (const Slice& slice : out.payload) runs[n++] = slice.view();
  sink.emit(now, [&] {
    return observe::FrameSent{.header = out.header.view(),
                              .payload = {runs.data(), n},
                              .gso_size = out.gso_size,
                              .checksum_partial = out.checksum_wanted,
                              .reason = out.reason,
                              .connection = out.connection};
  });
}

}  // namespace wireside
