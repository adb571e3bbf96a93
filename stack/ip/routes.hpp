// Our addresses and where packets go: connected networks, host and network routes, the default gateway
// (RFC 1122 section 3.3.1).
#pragma once

#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"

namespace wireside::ip {

/// What a destination address means to this host.
enum class AddressKind : std::uint8_t { Unicast, Local, Broadcast, Multicast, Loopback, Invalid };

struct Route {
  Ipv4Prefix destination;
  Ipv4Address gateway;  ///< unspecified: the destination is on the link
};

class Routes {
 public:
  static constexpr std::size_t max_addresses = 64;
  static constexpr std::size_t max_routes = 1024;

  /// Adds one of our addresses and its connected network. The first is the preferred source.
  /// Errors: AddressInUse, InvalidArgument (not a unicast host address, prefix longer than 32), NoBuffers.
  [[nodiscard]] Result<void> add_address(Ipv4Prefix address);
  /// Error: AddressNotAvailable.
  [[nodiscard]] Result<void> remove_address(Ipv4Address address);
  [[nodiscard]] const std::vector<Ipv4Prefix>& addresses() const { return addresses_; }

  void set_gateway(std::optional<Ipv4Address> gateway) { gateway_ = gateway; }
  [[nodiscard]] std::optional<Ipv4Address> gateway() const { return gateway_; }
  /// A route to a network or (length 32) a host; replaces one with the same destination. Error: NoBuffers.
  [[nodiscard]] Result<void> add_route(Route route);
  void remove_route(Ipv4Prefix destination);

  /// Local (one of ours), Broadcast (limited or directed to a network of ours), Multicast, Loopback (127/8), Invalid
  /// (0/8 or class E), else Unicast.
  [[nodiscard]] AddressKind classify(Ipv4Address address) const;
  [[nodiscard]] bool is_local(Ipv4Address address) const;
  [[nodiscard]] bool is_broadcast(Ipv4Address address) const;

  /// Neighbour to hand a unicast packet to: the destination itself on a connected network, else the gateway of the
  /// longest matching route. A gateway outside our networks is taken to be on the link. Error: NetworkUnreachable.
  [[nodiscard]] Result<Ipv4Address> next_hop(Ipv4Address destination) const;
  /// Our address to send from: one on the next hop's network, the preferred one else (RFC 1122 section 3.3.4.3); for a
  /// local or loopback destination that address itself. Errors: NetworkUnreachable; AddressNotAvailable: we have none.
  [[nodiscard]] Result<Ipv4Address> source_for(Ipv4Address destination) const;

 private:
  [[nodiscard]] const Ipv4Prefix* connected(Ipv4Address address) const;

  std::vector<Ipv4Prefix> addresses_;
  std::vector<Route> routes_;  // longest prefix first
  std::optional<Ipv4Address> gateway_;
};

}  // namespace wireside::ip
