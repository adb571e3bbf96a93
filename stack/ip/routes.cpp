#include "ip/routes.hpp"

#include <algorithm>

namespace wireside::ip {

Result<void> Routes::add_address(Ipv4Prefix address) {
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
  addresses_.push_back(address);
  return {};
}

Result<void> Routes::remove_address(Ipv4Address address) {
  const auto removed = std::erase_if(addresses_, [&](const Ipv4Prefix& p) { return p.address == address; });
  if (removed == 0) return fail(Error::AddressNotAvailable);
  return {};
}

Result<void> Routes::add_route(Route route) {
  if (route.destination.length > 32) return fail(Error::InvalidArgument);
  route.destination.address = route.destination.network();
  remove_route(route.destination);
  if (routes_.size() >= max_routes) return fail(Error::NoBuffers);
  const auto at = std::find_if(routes_.begin(), routes_.end(),
                               [&](const Route& r) { return r.destination.length < route.destination.length; });
  routes_.insert(at, route);
  return {};
}

void Routes::remove_route(Ipv4Prefix destination) {
  const Ipv4Prefix wanted{destination.network(), destination.length};
  std::erase_if(routes_, [&](const Route& r) { return r.destination == wanted; });
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

Result<Ipv4Address> Routes::next_hop(Ipv4Address destination) const {
  const Ipv4Prefix* network = connected(destination);
  const auto route =
      std::find_if(routes_.begin(), routes_.end(), [&](const Route& r) { return r.destination.contains(destination); });
  if (route != routes_.end() && (network == nullptr || route->destination.length > network->length)) {
    return route->gateway.is_unspecified() ? destination : route->gateway;
  }
  if (network != nullptr) return destination;
  if (gateway_) return *gateway_;
  return fail(Error::NetworkUnreachable);
}

Result<Ipv4Address> Routes::source_for(Ipv4Address destination) const {
  const AddressKind kind = classify(destination);
  if (kind == AddressKind::Local || kind == AddressKind::Loopback) return destination;
  if (kind == AddressKind::Invalid) return fail(Error::NetworkUnreachable);
  if (addresses_.empty()) return fail(Error::AddressNotAvailable);
  Ipv4Address towards = destination;
  if (kind == AddressKind::Unicast) {
    const auto hop = next_hop(destination);
    if (!hop) return hop;
    towards = *hop;
  }
  const Ipv4Prefix* own = connected(towards);
  return own != nullptr ? own->address : addresses_.front().address;
}

}  // namespace wireside::ip
