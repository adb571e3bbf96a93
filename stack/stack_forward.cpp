// A stack as one interface of a router: packets handed to it and taken from it, and advice to the routes.
#include <cstring>
#include <utility>

#include "ip/own_hop.hpp"
#include "stack_state.hpp"
#include "wire/header_edit.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside {
namespace {

using observe::DropReason;

constexpr std::size_t max_to_router = 4096;
// A link's queue: as many packets as a TAP's own holds, and not more than a super-segment's burst of octets.
constexpr std::size_t max_from_router = 1000;
constexpr std::size_t max_from_router_octets = std::size_t{8} << 20;

bool is_protocol(const wire::Ipv4Header& header, wire::IpProtocol protocol) {
  return header.protocol == static_cast<std::uint8_t>(protocol);
}

/// Octets of the transport header of a packet whose checksum or segmentation is still to be done; 0: not one of ours.
std::size_t offloaded_header_length(const ip::IncomingDatagram& d) {
  const ByteView transport = d.payload.view();
  if (is_protocol(d.header, wire::IpProtocol::Tcp) && transport.size() >= wire::tcp_min_header) {
    const std::size_t length = wire::tcp_data_offset(transport);
    return length >= wire::tcp_min_header && length <= transport.size() ? length : 0;
  }
  if (is_protocol(d.header, wire::IpProtocol::Udp) && d.gso_size == 0 && transport.size() >= wire::udp_header_length) {
    return wire::udp_header_length;
  }
  return 0;
}

}  // namespace

void StackState::hand_to_router(Instant now, TransitPacket::Kind kind, ip::IncomingDatagram&& datagram) {
  if (to_router_.size() >= max_to_router) return sink.drop(now, DropReason::QueueFull);
  to_router_.push_back({kind, std::move(datagram)});
}

void StackState::hand_to_router(Instant now, TransitPacket::Kind kind, const Packet& packet) {
  const auto parsed = wire::parse_ipv4(packet.data.view());
  if (!parsed) return sink.drop(now, DropReason::IpMalformed);
  ip::IncomingDatagram datagram;
  datagram.header = parsed->header;
  datagram.packet = packet.data.sub(0, parsed->header.total_length);
  datagram.payload = datagram.packet.sub(parsed->header_length);
  datagram.checksum = packet.checksum;
  datagram.gso_size = packet.gso_size;
  hand_to_router(now, kind, std::move(datagram));
}

bool StackState::poll_transit(TransitPacket& out) {
  if (to_router_.empty()) return false;
  out = std::move(to_router_.front());
  to_router_.pop_front();
  return true;
}

void StackState::forward(Instant now, TransitPacket&& packet, Ipv4Address next_hop) {
  if (gone_) return sink.drop(now, DropReason::NoRoute);
  const std::size_t octets = packet.datagram.packet.size();
  if (from_router_.size() >= max_from_router || from_router_octets_ + octets > max_from_router_octets) {
    return sink.drop(now, DropReason::QueueFull);
  }
  from_router_octets_ += octets;
  from_router_.push_back({std::move(packet), next_hop});
}

void StackState::deliver(Instant now, const TransitPacket& packet) {
  if (gone_) return sink.drop(now, DropReason::NoRoute);
  const ip::IncomingDatagram& d = packet.datagram;
  packet_arrives(now, d.packet, {.checksum = d.checksum, .gso_size = d.gso_size});
}

StackState::Pulled StackState::send_transit(Instant now, FrameOut& out) {
  const Outbound next = std::move(from_router_.front());
  from_router_.pop_front();
  from_router_octets_ -= next.packet.datagram.packet.size();
  if (!prepare_transit(now, next, out)) return Pulled::Again;
  return link.send(now, next.next_hop, out) == link::Disposition::Ready ? Pulled::Frame : Pulled::Again;
}

/// Headers are copied, so that they can be changed; the payload is the received one. A super-segment stays one: the
/// segmenter, or the kernel behind the next link, cuts it.
bool StackState::prepare_transit(Instant now, const Outbound& next, FrameOut& out) {
  const TransitPacket& packet = next.packet;
  const ip::IncomingDatagram& d = packet.datagram;
  const std::size_t ip_length = d.packet.size() - d.payload.size();
  const bool offloaded = d.gso_size != 0 || d.checksum == ChecksumState::Partial;
  const std::size_t transport_length = offloaded ? offloaded_header_length(d) : 0;
  if (offloaded && transport_length == 0) {
    sink.drop(now, DropReason::IpMalformed);
    return false;
  }
  const std::size_t in_block = ip_length + transport_length;
  std::uint8_t* p = out.header.prepend(in_block);
  std::memcpy(p, d.packet.data(), in_block);
  if (packet.kind == TransitPacket::Kind::Received) {
    wire::decrement_ttl({p, ip_length});
    if (ip_length > wire::ipv4_min_header) record_ourselves(now, next.next_hop, {p, ip_length});
    ++sink.count.ip_forwarded;
  }
  if (d.packet.size() > in_block) out.payload.push_back(d.packet.sub(in_block));
  out.reason = observe::TxReason::Forwarded;
  out.gso_size = d.gso_size;
  fits_link(out);
  if (!offloaded) return true;
  const bool tcp_segment = is_protocol(d.header, wire::IpProtocol::Tcp);
  out.checksum_wanted = true;
  out.checksum_start = static_cast<std::uint16_t>(ip_length);
  out.checksum_offset = static_cast<std::uint16_t>(tcp_segment ? wire::tcp_checksum_offset : wire::udp_checksum_offset);
  wire::put_pseudo_header_sum({p, ip_length}, static_cast<std::uint32_t>(d.payload.size()),
                              p + ip_length + out.checksum_offset);
  if (out.fragment_limit != 0) ip::complete_checksum_before_fragmentation(out, ip_length);
  return true;
}

/// RFC 1812 sections 5.2.4.2 and 5.2.4.3, with the address that the next hop sees.
void StackState::record_ourselves(Instant now, Ipv4Address next_hop, MutableByteView header) const {
  const auto own = ip.routes().source_for(next_hop);
  if (!own) return;
  const auto recorded = wire::record_hop(header.subspan(wire::ipv4_min_header), ip::own_hop(now, *own, ip.routes()));
  if (recorded.changed) wire::resize_ipv4(header, wire::ipv4_total_length(header), 0);
}

/// What cannot be fragmented the router has answered; what can be is cut when it leaves.
void StackState::fits_link(FrameOut& out) const {
  const std::uint16_t mtu = ip.mtu();
  if (out.gso_size != 0 && out.payload.octets() > out.gso_size) {
    // Smaller segments instead of fragments of larger ones.
    if (out.header.size() + out.gso_size > mtu) out.gso_size = static_cast<std::uint16_t>(mtu - out.header.size());
    return;
  }
  if (out.size() > mtu) out.fragment_limit = mtu;
}

/// What redirects taught goes with the gateway they named (RFC 1122 section 3.3.1.5).
void StackState::advise_against(Instant now, Ipv4Address neighbour, ip::GatewayAdvice advice) {
  ip.redirects().forget(neighbour);
  ip.routes().negative_advice(now, neighbour, advice, sink);
}

void StackState::take_advice(Instant now) {
  while (const auto advice = link.poll_advice()) {
    if (advice->reachable) {
      ip.routes().answered(now, advice->address, sink);
    } else {
      advise_against(now, advice->address, ip::GatewayAdvice::NoAnswer);
    }
  }
  while (const auto peer = tcp.take_negative_advice()) {
    const auto hop = ip.redirects().next_hop(peer->v4());
    if (!hop) continue;
    advise_against(now, *hop, ip::GatewayAdvice::NoProgress);
    link.verify(now, *hop);  // is the neighbour itself there? (RFC 4861 section 7.3.3)
  }
}

}  // namespace wireside
