#include "ip/routes.hpp"

#include <algorithm>
#include <tuple>

namespace wireside::ip {

Result<void> Routes::add_address(Ipv4Prefix address, std::size_t position) {
  if (address.length > 32 || classify(address.address) == AddressKind::Multicast || address.address.is_loopback() ||
      address.address.is_this_network() || address.address.is_reserved() || address.address.is_limited_broadcast()) {
    return fail(Error::InvalidArgument);
  }
  // On /31 and /32 both addresses are hosts (RFC 3021).
  if (address.length < 31 &&
      (address.address == address.network() || address.address == address.directed_broadcast())) {
    return fail(Error::InvalidArgument);
  }
  if (is_local(address.address)) return fail(Error::AddressInUse);
  if (addresses_.size() >= max_addresses) return fail(Error::NoBuffers);
  const auto at = static_cast<std::ptrdiff_t>(std::min(position, addresses_.size()));
  addresses_.insert(addresses_.begin() + at, address);
  ++addresses_generation_;
  return {};
}

Result<void> Routes::remove_address(Ipv4Address address) {
  const auto removed = std::erase_if(addresses_, [&](const Ipv4Prefix& p) { return p.address == address; });
  if (removed == 0) return fail(Error::AddressNotAvailable);
  ++addresses_generation_;
  return {};
}

void Routes::set_gateway(std::optional<Ipv4Address> gateway) {
  constexpr Ipv4Prefix anywhere{Ipv4Address{}, 0};
  if (gateway_) remove_route(anywhere, gateway_);
  gateway_ = gateway;
  if (gateway) std::ignore = add_route({.destination = anywhere, .gateway = *gateway});
}

std::optional<Ipv4Address> Routes::gateway() const {
  const auto& all = table_.routes();  // shorter prefixes first
  if (all.empty() || all.front().destination.length != 0 || all.front().on_link()) return std::nullopt;
  return all.front().gateway;
}

void Routes::remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway) {
  table_.remove(destination, gateway);
  if (gateway && !is_gateway(*gateway)) health_.forget(*gateway);
}

AddressKind Routes::classify(Ipv4Address address) const {
  if (is_local(address)) return AddressKind::Local;
  if (is_broadcast(address)) return AddressKind::Broadcast;
  if (address.is_multicast()) return AddressKind::Multicast;
  if (address.is_loopback()) return AddressKind::Loopback;
  if (address.is_this_network() || address.is_reserved()) return AddressKind::Invalid;
  return AddressKind::Unicast;
}

bool Routes::is_local(Ipv4Address address) const {
  return std::any_of(addresses_.begin(), addresses_.end(), [&](const Ipv4Prefix& p) { return p.address == address; });
}

bool Routes::is_broadcast(Ipv4Address address) const {
  return address.is_limited_broadcast() || std::any_of(addresses_.begin(), addresses_.end(), [&](const Ipv4Prefix& p) {
           return p.directed_broadcast() == address;
         });
}

const Ipv4Prefix* Routes::connected(Ipv4Address address) const {
  const Ipv4Prefix* best = nullptr;
  for (const Ipv4Prefix& own : addresses_) {
    if (own.contains(address) && (best == nullptr || own.length > best->length)) best = &own;
  }
  return best;
}

const Route* Routes::route_to(Ipv4Address destination, Purpose purpose) const {
  const auto candidates = table_.find(destination);
  if (candidates.empty()) return nullptr;
  for (const Route& route : candidates) {
    if (route.on_link()) return &route;
    if (purpose == Purpose::Traffic ? health_.choose(route.gateway) : health_.usable(route.gateway)) return &route;
  }
  return &candidates.front();
}

Result<Ipv4Address> Routes::next_hop(Ipv4Address destination) const {
  const Ipv4Prefix* network = connected(destination);
  const Route* route = route_to(destination);
  if (network != nullptr && (route == nullptr || route->destination.length <= network->length)) return destination;
  if (route == nullptr) return fail(Error::NetworkUnreachable);
  return route->on_link() ? destination : route->gateway;
}

Result<Ipv4Address> Routes::source_for(Ipv4Address destination) const {
  const AddressKind kind = classify(destination);
  if (kind == AddressKind::Local || kind == AddressKind::Loopback) return destination;
  if (kind == AddressKind::Invalid) return fail(Error::NetworkUnreachable);
  if (addresses_.empty()) return fail(Error::AddressNotAvailable);
  Ipv4Address towards = destination;
  if (kind == AddressKind::Unicast) {
    const auto hop = next_hop(destination);
    if (!hop && routed_elsewhere_) return addresses_.front().address;
    if (!hop) return hop;
    towards = *hop;
    const Ipv4Prefix* network = connected(destination);
    const Route* route = route_to(destination);
    const bool by_route = route != nullptr && (network == nullptr || route->destination.length > network->length);
    if (by_route && is_local(route->source)) return route->source;
  }
  const Ipv4Prefix* own = connected(towards);
  return own != nullptr ? own->address : addresses_.front().address;
}

bool Routes::is_gateway(Ipv4Address address) const {
  return std::find(watched_.begin(), watched_.end(), address) != watched_.end() ||
         std::any_of(table_.routes().begin(), table_.routes().end(),
                     [&](const Route& r) { return !r.on_link() && r.gateway == address; });
}

/// What its best-known route uses now; unspecified if that is still the gateway itself.
Ipv4Address Routes::stand_in_for(Ipv4Address gateway) const {
  for (const Route& r : table_.routes()) {
    if (r.gateway != gateway) continue;
    const Route* now_used = route_to(r.destination.address, Purpose::Look);
    if (now_used != nullptr && now_used->gateway != gateway) return now_used->gateway;
  }
  return {};
}

void Routes::negative_advice(Instant now, Ipv4Address neighbour, GatewayAdvice advice, const observe::Sink& sink) {
  if (!is_gateway(neighbour) || !health_.negative(now, neighbour, advice)) return;
  sink.emit(now, [&] { return observe::GatewayChanged{neighbour, false, advice, stand_in_for(neighbour)}; });
}

void Routes::positive_advice(Instant now, Ipv4Address neighbour, const observe::Sink& sink) {
  if (!health_.positive(neighbour)) return;
  sink.emit(now, [&] { return observe::GatewayChanged{neighbour, true, GatewayAdvice::Alive, {}}; });
}

void Routes::answered(Instant now, Ipv4Address neighbour, const observe::Sink& sink) {
  if (!health_.answered(neighbour)) return;
  sink.emit(now, [&] { return observe::GatewayChanged{neighbour, true, GatewayAdvice::Alive, {}}; });
}

}  // namespace wireside::ip
