// Set-up, and datagrams out.
#include "ip/ip_layer.hpp"

#include <algorithm>
#include <cstring>

#include "ip/fragmentation.hpp"
#include "wire/header_edit.hpp"
#include "wire/ipv4.hpp"

namespace wireside::ip {
namespace {

using observe::DropReason;

std::uint16_t segments_of(const FrameOut& frame) {
  if (frame.gso_size == 0) return 1;
  return static_cast<std::uint16_t>((frame.payload.octets() + frame.gso_size - 1) / frame.gso_size);
}

DropReason drop_reason(Error error) {
  return error == Error::MessageTooLong ? DropReason::TooBig : DropReason::NoRoute;
}

}  // namespace

IpLayer::IpLayer(const IpConfig& config, std::uint16_t mtu, Random& random, BufferPool& pool, observe::Sink& sink)
    : config_{config},
      mtu_{mtu},
      sink_{sink},
      identification_{random, config.identification},
      path_mtus_{config.path_mtu, mtu, random},
      redirects_{config.redirects, routes_, random},
      reassembler_{config.reassembly, random, pool, sink},
      icmp_{config.icmp, routes_, sink} {
  for (const Ipv4Prefix& address : config.addresses) {
    // An address no host can have stays out; the owner sees that in routes().
    [[maybe_unused]] const auto added = routes_.add_address(address);
  }
  routes_.set_gateway(config.gateway);
  for (const Route& route : config.routes) {
    [[maybe_unused]] const auto added = routes_.add_route(route);
  }
  routes_.set_routed_elsewhere(config.forwarding);
}

const KnownWay* IpLayer::prepare_by_template(const SendParameters& parameters, FrameOut& frame) {
  if (parameters.protocol != wire::IpProtocol::Tcp || parameters.options.length != 0 || !parameters.dont_fragment) {
    return nullptr;
  }
  const KnownWay* way = known_way(parameters.source, parameters.destination);
  if (way == nullptr || way->ttl != parameters.ttl || way->tos != parameters.tos) return nullptr;
  const std::size_t transport_length = frame.size();
  const std::size_t total = wire::ipv4_min_header + transport_length;
  const bool cut_later = frame.gso_size != 0 && frame.payload.octets() > frame.gso_size;
  const std::size_t largest = cut_later ? wire::ipv4_min_header + frame.header.size() + frame.gso_size : total;
  if (largest > mtu_ || total > wire::ipv4_max_total_length) return nullptr;
  ++sink_.count.ip_requests;
  std::uint8_t* p = frame.header.prepend(wire::ipv4_min_header);
  std::memcpy(p, way->header.data(), wire::ipv4_min_header);
  wire::put_ipv4_total_length(p, static_cast<std::uint16_t>(total), way->header_sum);
  if (frame.checksum_wanted || frame.gso_size != 0) frame.checksum_start = wire::ipv4_min_header;
  if (frame.checksum_wanted) {
    wire::put_sum(p + wire::ipv4_min_header + frame.checksum_offset, way->pseudo_sum + transport_length);
  }
  return way;
}

/// `header` as it was sent, with the long way's total length and checksum.
void IpLayer::remember_way(const SendParameters& parameters, const NextHop& next_hop, ByteView header) {
  const bool constant = parameters.protocol == wire::IpProtocol::Tcp && parameters.options.length == 0 &&
                        parameters.dont_fragment && parameters.ttl != 0 && !parameters.source.is_unspecified();
  if (!constant || next_hop.kind != NextHop::Kind::Neighbour || parameters.destination.is_multicast()) return;
  if (!follows_routes_alone()) return;
  KnownWay& way = ways_.place_of(parameters.destination);
  way = {.source = parameters.source,
         .destination = parameters.destination,
         .ttl = parameters.ttl,
         .tos = parameters.tos,
         .is_known = true,
         .generation = routes_.generation(),
         .next_hop = next_hop.address};
  std::memcpy(way.header.data(), header.data(), way.header.size());
  const wire::TemplateSums sums = wire::make_ipv4_template(way.header);
  way.header_sum = sums.header;
  way.pseudo_sum = sums.pseudo_header;
}

Result<NextHop> IpLayer::prepare(Instant now, const SendParameters& parameters, FrameOut& frame) {
  if (const KnownWay* way = prepare_by_template(parameters, frame)) {
    return NextHop{NextHop::Kind::Neighbour, way->next_hop};
  }
  auto next_hop = route(parameters.destination);
  const auto source = next_hop ? choose_source(parameters, *next_hop) : fail(next_hop.error());
  if (!source) {
    sink_.drop(now, drop_reason(source.error()), frame.connection);
    return fail(source.error());
  }
  if (!fit(parameters, *next_hop, frame)) {
    if (parameters.dont_fragment) ++sink_.count.ip_fragment_failures;
    sink_.drop(now, DropReason::TooBig, frame.connection);
    return fail(Error::MessageTooLong);
  }
  ++sink_.count.ip_requests;
  const std::size_t transport_length = frame.size();
  const std::size_t header_length = wire::ipv4_min_header + parameters.options.length;
  wire::Ipv4Header header;
  header.tos = parameters.tos;
  header.total_length = static_cast<std::uint16_t>(header_length + transport_length);
  header.dont_fragment = parameters.dont_fragment;
  header.ttl = parameters.ttl != 0 ? parameters.ttl : default_ttl();
  header.protocol = static_cast<std::uint8_t>(parameters.protocol);
  header.source = *source;
  header.destination = parameters.destination;
  // RFC 6864: a packet that cannot be fragmented needs no identification.
  if (!header.dont_fragment) {
    header.identification =
        identification_.next(header.source, header.destination, header.protocol, segments_of(frame));
  }
  std::uint8_t* p = frame.header.prepend(header_length);
  wire::emit_ipv4(header, parameters.options.view(), {p, header_length});
  if (frame.checksum_wanted || frame.gso_size != 0) frame.checksum_start = static_cast<std::uint16_t>(header_length);
  if (frame.checksum_wanted) {
    wire::put_pseudo_header_sum({p, header_length}, static_cast<std::uint32_t>(transport_length),
                                p + header_length + frame.checksum_offset);
    if (frame.fragment_limit != 0) complete_checksum_before_fragmentation(frame, header_length);
  }
  remember_way(parameters, *next_hop, {p, header_length});
  return next_hop;
}

bool IpLayer::poll(Instant now, FrameOut& out, NextHop& next_hop) {
  if (!icmp_.has_message()) return false;
  IcmpMessageOut message;
  while (icmp_.poll(message)) {
    const auto prepared = prepare(now, message.parameters, message.frame);
    if (!prepared) continue;
    out = std::move(message.frame);
    next_hop = *prepared;
    return true;
  }
  return false;
}

Result<NextHop> IpLayer::route(Ipv4Address destination) const {
  switch (routes_.classify(destination)) {
    case AddressKind::Local:
    case AddressKind::Loopback:
      return NextHop{NextHop::Kind::Loopback, destination};
    case AddressKind::Broadcast:
      return NextHop{NextHop::Kind::Broadcast, destination};
    case AddressKind::Multicast:
      return NextHop{NextHop::Kind::Neighbour, destination};
    case AddressKind::Unicast: {
      const auto hop = redirects_.next_hop(destination);
      if (!hop && config_.forwarding) return NextHop{NextHop::Kind::Router, destination};
      if (!hop) return fail(hop.error());
      return NextHop{NextHop::Kind::Neighbour, *hop};
    }
    case AddressKind::Invalid:
      break;
  }
  return fail(Error::InvalidArgument);
}

Result<Ipv4Address> IpLayer::choose_source(const SendParameters& parameters, const NextHop& next_hop) const {
  if (parameters.source.is_unspecified()) return routes_.source_for(parameters.destination);
  // 127/8 stays inside the host, as source too (RFC 1122 section 3.2.1.3).
  const bool inside = parameters.source.is_loopback() && next_hop.kind == NextHop::Kind::Loopback;
  if (inside || routes_.is_local(parameters.source)) return parameters.source;
  return fail(Error::AddressNotAvailable);
}

bool IpLayer::fit(const SendParameters& parameters, const NextHop& next_hop, FrameOut& frame) const {
  const std::size_t header_length = wire::ipv4_min_header + parameters.options.length;
  const std::size_t total = header_length + frame.size();
  if (total > wire::ipv4_max_total_length) return false;
  if (next_hop.kind == NextHop::Kind::Loopback) return true;
  if (frame.gso_size != 0 && frame.payload.octets() > frame.gso_size) {
    return header_length + frame.header.size() + frame.gso_size <= mtu_;
  }
  if (parameters.dont_fragment) return total <= mtu_;
  const std::uint16_t limit = path_mtus_.mtu(parameters.destination);
  if (total > limit) frame.fragment_limit = limit;
  return true;
}

std::uint16_t IpLayer::path_mtu(Ipv4Address destination) const {
  const AddressKind kind = routes_.classify(destination);
  const bool inside = kind == AddressKind::Local || kind == AddressKind::Loopback;
  return inside ? std::uint16_t{65535} : path_mtus_.mtu(destination);
}

Instant IpLayer::next_deadline() const {
  return std::min(
      {reassembler_.next_deadline(), path_mtus_.next_deadline(), redirects_.next_deadline(), routes_.next_deadline()});
}

void IpLayer::handle_timeouts(Instant now) {
  path_mtus_.handle_timeouts(now);
  redirects_.handle_timeouts(now);
  std::optional<IncomingDatagram> first;
  while (reassembler_.expire(now, first)) {
    if (first) icmp_.time_exceeded(now, wire::TimeExceededCode::Reassembly, *first);
  }
}

Packet loop_back(const FrameOut& frame, BufferPool& pool) {
  Packet packet;
  packet.data = pool.allocate_slice(frame.size());
  const ByteView header = frame.header.view();
  std::memcpy(packet.data.mutable_data(), header.data(), header.size());
  frame.payload.copy_to(0, {packet.data.mutable_data() + header.size(), frame.payload.octets()});
  packet.checksum = frame.checksum_wanted ? ChecksumState::Partial : ChecksumState::Unverified;
  packet.gso_size = frame.gso_size;
  return packet;
}

}  // namespace wireside::ip
