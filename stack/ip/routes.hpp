// Our addresses and where packets go: connected networks, host and network routes, default gateways, and which gateways
// are alive (RFC 1122 section 3.3.1).
#pragma once

#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "ip/gateway_health.hpp"
#include "ip/route.hpp"
#include "ip/route_table.hpp"
#include "observe/event.hpp"

namespace wireside::ip {

/// What a destination address means to this host.
enum class AddressKind : std::uint8_t { Unicast, Local, Broadcast, Multicast, Loopback, Invalid };

class Routes {
 public:
  static constexpr std::size_t max_addresses = 64;
  static constexpr std::size_t max_routes = RouteTable::max_routes;

  /// Adds one of our addresses and its connected network, at `position` among the others or else behind them. The first
  /// is the preferred source.
  /// Errors: AddressInUse, InvalidArgument (not a unicast host address, prefix longer than 32), NoBuffers.
  [[nodiscard]] Result<void> add_address(Ipv4Prefix address, std::size_t position = max_addresses);
  /// Error: AddressNotAvailable.
  [[nodiscard]] Result<void> remove_address(Ipv4Address address);
  [[nodiscard]] const std::vector<Ipv4Prefix>& addresses() const { return addresses_; }

  /// The default route of metric 0 with origin Static; the one set before goes.
  void set_gateway(std::optional<Ipv4Address> gateway);
  /// The gateway of the best default route, given up or not.
  [[nodiscard]] std::optional<Ipv4Address> gateway() const;
  /// A route to a network or (length 32) a host; replaces one with the same destination and gateway. A route with the
  /// destination of another but a different gateway is a second choice, or by its metric the first.
  /// Errors: NoBuffers, InvalidArgument (prefix longer than 32).
  [[nodiscard]] Result<void> add_route(const Route& route) { return table_.add(route); }
  /// Removes all routes to `destination`, or the one through `gateway` only.
  void remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway = std::nullopt);
  /// Without the connected networks, which addresses() gives.
  [[nodiscard]] const std::vector<Route>& routes() const { return table_.routes(); }

  /// Local (one of ours), Broadcast (limited or directed to a network of ours), Multicast, Loopback (127/8), Invalid
  /// (0/8 or class E), else Unicast.
  [[nodiscard]] AddressKind classify(Ipv4Address address) const;
  [[nodiscard]] bool is_local(Ipv4Address address) const;
  [[nodiscard]] bool is_broadcast(Ipv4Address address) const;
  /// On one of our connected networks.
  [[nodiscard]] bool is_connected(Ipv4Address address) const { return connected(address) != nullptr; }

  /// Neighbour to hand a unicast packet to: the destination itself on a connected network or by an on-link route, else
  /// the gateway of the longest matching route: the best by metric that is not given up, the best of all when all are.
  /// A gateway outside our networks is taken to be on the link. Error: NetworkUnreachable.
  [[nodiscard]] Result<Ipv4Address> next_hop(Ipv4Address destination) const;
  /// Our address to send from: the route's preferred one, else one on the next hop's network, else the first (RFC 1122
  /// section 3.3.4.3); for a local or loopback destination that address itself. Errors: NetworkUnreachable;
  /// AddressNotAvailable: we have none.
  [[nodiscard]] Result<Ipv4Address> source_for(Ipv4Address destination) const;
  /// What has no route here goes to a router inside this program: it has a source nevertheless.
  void set_routed_elsewhere(bool on) { routed_elsewhere_ = on; }

  /// Grows with every change of addresses and routes.
  [[nodiscard]] std::uint32_t generation() const { return addresses_generation_ + table_.generation(); }
  /// No gateway is in trouble: the way to a destination changes with the generation only, and asking for it has no
  /// effect.
  [[nodiscard]] bool all_gateways_well() const { return health_.knows_nothing(); }

  // --- dead-gateway detection (RFC 1122 section 3.3.1.4) ---

  /// Advice about a neighbour; one that is no gateway of a route is ignored.
  void negative_advice(Instant now, Ipv4Address neighbour, GatewayAdvice advice, const observe::Sink& sink);
  void positive_advice(Instant now, Ipv4Address neighbour, const observe::Sink& sink);
  /// It answers ARP.
  void answered(Instant now, Ipv4Address neighbour, const observe::Sink& sink);
  /// Takes advice about a gateway of a router's table, too.
  void watch(Ipv4Address gateway) { watched_.push_back(gateway); }
  [[nodiscard]] bool is_usable(Ipv4Address gateway) const { return health_.usable(gateway); }
  /// The same for a packet of a router: a gateway that was given up is asked for again on its behalf.
  [[nodiscard]] bool choose_gateway(Ipv4Address gateway) const { return health_.choose(gateway); }
  [[nodiscard]] Instant next_deadline() const { return health_.next_deadline(); }
  [[nodiscard]] std::optional<Ipv4Address> poll_retry(Instant now) { return health_.poll_retry(now); }

 private:
  [[nodiscard]] const Ipv4Prefix* connected(Ipv4Address address) const;
  enum class Purpose { Traffic, Look };
  [[nodiscard]] const Route* route_to(Ipv4Address destination, Purpose purpose = Purpose::Traffic) const;
  [[nodiscard]] bool is_gateway(Ipv4Address address) const;
  [[nodiscard]] Ipv4Address stand_in_for(Ipv4Address gateway) const;

  std::vector<Ipv4Prefix> addresses_;
  RouteTable table_;
  GatewayHealth health_;
  std::vector<Ipv4Address> watched_;
  std::optional<Ipv4Address> gateway_;
  bool routed_elsewhere_ = false;
  std::uint32_t addresses_generation_ = 0;
};

}  // namespace wireside::ip
