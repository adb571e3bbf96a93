#include "router.hpp"

#include <algorithm>
#include <ranges>
#include <tuple>
#include <utility>

#include "wire/header_edit.hpp"
#include "wire/tcp.hpp"

namespace wireside {
namespace {

constexpr auto unreachable = static_cast<std::uint8_t>(wire::IcmpType::DestinationUnreachable);

wire::IcmpHeader unreachable_by(wire::UnreachableCode code, std::uint32_t rest = 0) {
  return {unreachable, static_cast<std::uint8_t>(code), rest};
}

/// The largest packet on the wire that a packet, or one segment of a super-segment, makes.
std::size_t wire_length(const ip::IncomingDatagram& d) {
  if (d.gso_size == 0 || d.payload.size() < wire::tcp_min_header) return d.packet.size();
  const std::size_t headers = d.packet.size() - d.payload.size() + wire::tcp_data_offset(d.payload.view());
  return std::min(d.packet.size(), headers + d.gso_size);
}

}  // namespace

std::size_t Router::add_interface(Stack& stack) {
  interfaces_.push_back(&stack);
  touched_.push_back(false);
  addresses_.emplace_back();
  leased_.emplace_back();
  follow_addresses();
  return interfaces_.size() - 1;
}

void Router::follow_addresses() {
  bool changed = false;
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    const auto& now = interfaces_[i]->routes().addresses();
    if (addresses_[i] == now) continue;
    addresses_[i] = now;
    changed = true;
  }
  if (!changed) return;
  table_.remove_if([](const ip::Route& r) { return r.origin == ip::RouteOrigin::Connected; });
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    for (const Ipv4Prefix& own : addresses_[i]) {
      // Another interface with the same network has it already: the first one keeps it.
      const Ipv4Prefix network{own.network(), own.length};
      const auto same = [&](const ip::Route& r) { return r.on_link() && r.destination == network; };
      if (std::ranges::any_of(table_.routes(), same)) continue;
      std::ignore = table_.add(
          {.destination = network, .origin = ip::RouteOrigin::Connected, .interface = static_cast<std::uint16_t>(i)});
    }
  }
}

/// A DHCP server's gateway is one for the whole router.
void Router::follow_leases() {
  const auto is_leased = [](const ip::Route& r) { return r.origin == ip::RouteOrigin::Dhcp; };
  bool changed = false;
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    auto leased = interfaces_[i]->routes().routes() | std::views::filter(is_leased);
    if (std::ranges::equal(leased_[i], leased)) continue;
    leased_[i].assign(leased.begin(), leased.end());
    changed = true;
  }
  if (!changed) return;
  table_.remove_if(is_leased);
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    for (ip::Route route : leased_[i]) {
      // One set by hand to the same destination through the same gateway stays.
      const auto same = [&](const ip::Route& r) {
        return r.destination == route.destination && r.gateway == route.gateway;
      };
      if (std::ranges::any_of(table_.routes(), same)) continue;
      route.interface = static_cast<std::uint16_t>(i);
      std::ignore = table_.add(route);
    }
  }
}

Result<void> Router::add_route(ip::Route route) {
  follow_addresses();
  const auto connected = table_.find(route.gateway);
  if (route.on_link() || connected.empty() || !connected.front().on_link()) return fail(Error::NetworkUnreachable);
  route.interface = connected.front().interface;
  if (auto added = table_.add(route); !added) return added;
  interfaces_[route.interface]->watch_gateway(route.gateway);
  return {};
}

void Router::remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway) {
  table_.remove(destination, gateway);
}

void Router::pump(Instant now) {
  follow_addresses();
  follow_leases();
  TransitPacket packet;
  // What one interface delivers may make another answer: go round until all are quiet, but not for ever.
  constexpr unsigned max_rounds = 16;
  bool moved = true;
  for (unsigned i = 0; moved && i < max_rounds; ++i) {
    moved = false;
    for (std::size_t in = 0; in < interfaces_.size(); ++in) {
      while (interfaces_[in]->poll_transit(packet)) {
        route(now, in, std::move(packet));
        moved = true;
      }
    }
  }
}

std::optional<std::size_t> Router::owner_of(Ipv4Address address) const {
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    if (interfaces_[i]->routes().is_local(address)) return i;
  }
  return std::nullopt;
}

std::optional<Router::Way> Router::way_to(Ipv4Address destination) const {
  const auto routes = table_.find(destination);
  for (const ip::Route& r : routes) {
    if (r.on_link()) return Way{r.interface, destination};
    if (interfaces_[r.interface]->routes().choose_gateway(r.gateway)) return Way{r.interface, r.gateway};
  }
  if (routes.empty()) return std::nullopt;
  return Way{routes.front().interface, routes.front().gateway};
}

void Router::route(Instant now, std::size_t in, TransitPacket&& packet) {
  if (packet.kind == TransitPacket::Kind::Undeliverable) return undeliverable(now, in, packet);
  const Ipv4Address destination = packet.datagram.header.destination;
  const bool received = packet.kind == TransitPacket::Kind::Received;
  if (received && is_martian_source(packet.datagram.header.source)) {
    return interfaces_[in]->refuse_transit(now, observe::DropReason::IpBadSource);
  }
  if (const auto owner = owner_of(destination)) {
    touched_[*owner] = true;
    return interfaces_[*owner]->deliver(now, packet);
  }
  if (is_broadcast(destination)) return interfaces_[in]->refuse_transit(now, observe::DropReason::NotForwarded);
  // Only now: what is for the router itself may come with its last hop (RFC 1812 section 5.3.1).
  if (received && packet.datagram.header.ttl <= 1) {
    interfaces_[in]->refuse_transit(now, observe::DropReason::TtlExpired);
    return icmp_error(now, in, {static_cast<std::uint8_t>(wire::IcmpType::TimeExceeded), 0, 0}, packet);
  }
  const auto way = way_to(destination);
  if (!way) return icmp_error(now, in, unreachable_by(wire::UnreachableCode::Network), packet);
  if (!fits(now, in, *way, packet)) return;
  if (way->interface == in) redirect(now, *way, packet);
  touched_[way->interface] = true;
  interfaces_[way->interface]->forward(now, std::move(packet), way->next_hop);
}

/// An address of ours, or a broadcast address, cannot have sent it (RFC 1812 section 5.3.7). What else cannot be a
/// source the interface has refused.
bool Router::is_martian_source(Ipv4Address source) const { return owner_of(source) || is_broadcast(source); }

/// RFC 2644: directed broadcasts are not forwarded, nor are those of old with a host part of zero (RFC 1812 section
/// 5.3.5.3).
bool Router::is_broadcast(Ipv4Address destination) const {
  const auto means_all_of = [&](const Ipv4Prefix& own) {
    return own.length < 31 && (destination == own.network() || destination == own.directed_broadcast());
  };
  return std::ranges::any_of(addresses_, [&](const auto& own) { return std::ranges::any_of(own, means_all_of); });
}

/// RFC 1812 section 4.3.3.1: host unreachable, from the interface towards the source.
void Router::undeliverable(Instant now, std::size_t out, const TransitPacket& packet) {
  const Ipv4Address source = packet.datagram.header.source;
  if (const auto owner = owner_of(source)) {
    if (*owner == out) return;  // its sockets are told by the stack itself
    TransitPacket own = packet;
    own.kind = TransitPacket::Kind::Own;
    return icmp_error(now, *owner, unreachable_by(wire::UnreachableCode::Host), own);
  }
  if (const auto back = way_to(source)) {
    icmp_error(now, back->interface, unreachable_by(wire::UnreachableCode::Host), packet);
  }
}

/// RFC 1191 section 4: with DF, the sender is told the next hop's MTU.
bool Router::fits(Instant now, std::size_t in, const Way& way, const TransitPacket& packet) {
  const std::uint16_t mtu = interfaces_[way.interface]->mtu();
  if (!packet.datagram.header.dont_fragment || wire_length(packet.datagram) <= mtu) return true;
  interfaces_[in]->refuse_transit(now, observe::DropReason::TooBig);
  icmp_error(now, in, unreachable_by(wire::UnreachableCode::FragmentationNeeded, mtu), packet);
  return false;
}

/// RFC 1812 section 5.2.7.2: the sender, on one network with the next hop, could have taken the shorter way itself. For
/// the host, not the network.
void Router::redirect(Instant now, const Way& way, const TransitPacket& packet) {
  const auto& h = packet.datagram.header;
  constexpr std::uint8_t for_host = 1;
  const bool neighbours = std::ranges::any_of(addresses_[way.interface], [&](const Ipv4Prefix& own) {
    return own.contains(h.source) && own.contains(way.next_hop);
  });
  if (packet.kind != TransitPacket::Kind::Received || !neighbours || h.source == way.next_hop) return;
  if (!redirects_.take(now)) return;
  icmp_error(now, way.interface, {static_cast<std::uint8_t>(wire::IcmpType::Redirect), for_host, way.next_hop.value()},
             packet);
}

void Router::icmp_error(Instant now, std::size_t interface, const wire::IcmpHeader& error,
                        const TransitPacket& packet) {
  if (error.type == unreachable && error.code == static_cast<std::uint8_t>(wire::UnreachableCode::Network)) {
    interfaces_[interface]->refuse_transit(now, observe::DropReason::NoRoute);
  }
  touched_[interface] = true;
  if (packet.kind != TransitPacket::Kind::Own) return interfaces_[interface]->icmp_error(now, error, packet.datagram);
  // Sent by the interface's own stack: the error goes back to it, inside, so that its socket learns.
  ip::IncomingDatagram own = packet.datagram;
  own.loopback = true;
  interfaces_[interface]->icmp_error(now, error, own);
}

}  // namespace wireside
