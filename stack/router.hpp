// Router: several stacks as the interfaces of one IPv4 router (RFC 1812), with one shared table of routes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "ip/icmp.hpp"
#include "ip/route_table.hpp"
#include "stack.hpp"

namespace wireside {

/// Takes from each stack what is not for it, decides where it goes, and hands it to the stack of that interface.
/// Packets with a source route are refused (RFC 7126 section 4.3.5).
class Router {
 public:
  /// Redirects sent per second at most, over all hosts (RFC 1812 section 4.3.2.8).
  static constexpr std::uint32_t redirects_per_second = 10;

  /// Adds an interface made with Config::ip.forwarding; it outlives the router. Returns its number, from 0. The
  /// table holds the networks of its addresses, and the routes that a DHCP server gave for it, as they are at each
  /// pump(): an address that is still probed for has none yet.
  std::size_t add_interface(Stack& stack);
  /// Adds a route through a gateway on one of the interfaces' networks. Errors: NetworkUnreachable (the gateway is on
  /// none of them), InvalidArgument, NoBuffers.
  [[nodiscard]] Result<void> add_route(ip::Route route);
  void remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway = std::nullopt);

  /// Moves what waits; call after any stack was given frames or time. Calls `touched(interface)` for each interface
  /// that may have got something to send.
  template <class Touched>
  void pump(Instant now, Touched&& touched) {
    pump(now);
    for (std::size_t i = 0; i < interfaces_.size(); ++i) {
      if (touched_[i]) touched(i);
      touched_[i] = false;
    }
  }
  void pump(Instant now);

  [[nodiscard]] const ip::RouteTable& table() const { return table_; }
  struct Way {
    std::size_t interface = 0;
    Ipv4Address next_hop;
  };
  /// Where a packet for another host goes now; nullopt when nothing leads there.
  [[nodiscard]] std::optional<Way> way_to(Ipv4Address destination) const;
  [[nodiscard]] std::size_t interfaces() const { return interfaces_.size(); }

 private:
  [[nodiscard]] std::optional<std::size_t> owner_of(Ipv4Address address) const;
  void follow_addresses();
  void follow_leases();
  void route(Instant now, std::size_t in, TransitPacket&& packet);
  void undeliverable(Instant now, std::size_t out, const TransitPacket& packet);
  [[nodiscard]] bool is_martian_source(Ipv4Address source) const;
  [[nodiscard]] bool is_broadcast(Ipv4Address destination) const;
  [[nodiscard]] bool fits(Instant now, std::size_t in, const Way& way, const TransitPacket& packet);
  void redirect(Instant now, const Way& way, const TransitPacket& packet);
  void icmp_error(Instant now, std::size_t interface, const wire::IcmpHeader& error, const TransitPacket& packet);

  std::vector<Stack*> interfaces_;
  std::vector<bool> touched_;
  std::vector<std::vector<Ipv4Prefix>> addresses_;  // of each interface, as the table knows them
  std::vector<std::vector<ip::Route>> leased_;      // routes of each interface that DHCP gave, as the table knows them
  ip::RouteTable table_;
  ip::TokenBucket redirects_{redirects_per_second, redirects_per_second};
};

}  // namespace wireside
