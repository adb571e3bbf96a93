// Stack: a whole TCP/IP endpoint without input/output of its own, and the only place that knows every layer.
#pragma once

#include <memory>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"
#include "config.hpp"
#include "dhcp/dhcp_types.hpp"
#include "ip/path_mtu.hpp"
#include "ip/redirects.hpp"
#include "ip/routes.hpp"
#include "link/address_conflict.hpp"
#include "link/neighbour_cache.hpp"
#include "network_settings.hpp"
#include "observe/event.hpp"
#include "packet/packet.hpp"
#include "socket/socket_table.hpp"
#include "statistics.hpp"
#include "tcp/tcp_types.hpp"
#include "transit.hpp"
#include "udp/udp_types.hpp"

namespace wireside {

class StackState;

/// Everything comes in as a call that carries `now`; everything goes out by being pulled. Not thread-safe: one owner.
/// Same seed and same inputs give the same octets out.
class Stack {
 public:
  Stack(const Config& config, const Seed& seed);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  /// One received Ethernet frame, or one super-segment of up to 64 KB.
  void handle_frame(Instant now, Packet frame);
  /// Next frame to send; false when there is none. `out` is overwritten.
  [[nodiscard]] bool poll_frame(Instant now, FrameOut& out);
  /// When handle_timeouts must be called next; exact; nullopt = nothing pending.
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  void handle_timeouts(Instant now);
  /// Next readiness edge of a socket.
  [[nodiscard]] std::optional<SocketEvent> poll_event();

  [[nodiscard]] SocketTable& sockets();
  [[nodiscard]] BufferPool& buffers();
  /// At most one observer; nullptr detaches. It must outlive its attachment.
  void attach(observe::Observer* observer);
  [[nodiscard]] const observe::Sink& sink() const;
  /// For services beside the stack that report and count as its layers do.
  [[nodiscard]] observe::Sink& sink();

  [[nodiscard]] MacAddress mac() const;
  [[nodiscard]] const Config& config() const;
  /// Octets of the largest IP packet now: the link's, or less by a DHCP lease (option 26).
  [[nodiscard]] std::uint16_t mtu() const;
  /// Adds an address at run time. Where link.conflict.check_before_use is set it is probed for first (RFC 5227) and can
  /// be used once poll_address_event() has told that it is Free; else it is ours, and announced, at once.
  /// Errors: AddressInUse, InvalidArgument, NoBuffers.
  Result<void> add_address(Instant now, Ipv4Prefix prefix);
  /// Connections and sockets bound to the address end with AddressNotAvailable. Error: AddressNotAvailable.
  Result<void> remove_address(Instant now, Ipv4Address address);
  /// Probes for an address that is not ours, without taking it: poll_address_event() tells Free or Conflict.
  void check_address(Instant now, Ipv4Address address);
  /// What address conflict detection found out. Already acted upon: a Free address that was to be ours is in use and
  /// announced, one in Conflict is forgotten, a Lost one is removed and its connections have ended.
  [[nodiscard]] std::optional<link::ConflictResult> poll_address_event();
  void set_gateway(std::optional<Ipv4Address> gateway);
  /// Adds a route, beside those to the same destination through other gateways. Errors: NoBuffers, InvalidArgument.
  Result<void> add_route(const ip::Route& route);
  /// Removes all routes to `destination`, or the one through `gateway` only.
  void remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway = std::nullopt);
  [[nodiscard]] const ip::Routes& routes() const;
  /// Watches over a neighbour that is a gateway of a router's table (dead-gateway detection).
  void watch_gateway(Ipv4Address gateway);

  /// Changes whenever network_settings() may have changed.
  [[nodiscard]] std::uint32_t settings_generation() const;
  [[nodiscard]] NetworkSettings network_settings() const;
  /// Makes another stack's settings ours, in place of those we had: for stacks that share a link and its addresses, of
  /// which one looks after these (LinkConfig::answers_arp). Nothing is probed for or announced. Connections from an
  /// address that goes fail with AddressNotAvailable.
  void use_network_settings(Instant now, const NetworkSettings& settings);

  /// Begins to look for an address (RFC 2131). What the server gives (address, routes, gateway, MTU) is set by itself,
  /// and removed when the lease ends; connections from a lost address fail with AddressNotAvailable. Error: Already.
  Result<void> start_dhcp(Instant now, const dhcp::Options& options);
  /// Ends it, and takes the address down; with `release` the server is told first.
  void stop_dhcp(Instant now, bool release);
  /// Asks a server for configuration for our first address (DHCPINFORM). Nothing is set by the answer: it is told by
  /// poll_dhcp_change. Errors: Already, AddressNotAvailable.
  Result<void> inform_dhcp(Instant now, const dhcp::Options& options);
  [[nodiscard]] dhcp::Status dhcp_status() const;
  /// What happened since, oldest first; never CheckAddress. Old news is dropped when nobody asks.
  [[nodiscard]] std::optional<dhcp::Change> poll_dhcp_change();

  /// The link is up: begins to probe for the addresses that need it, and announces the others by ARP. After link_down()
  /// addresses in use stay in use while they are probed for again (RFC 5227 section 2.1; where check_before_use is set)
  /// and a lease is asked for again (INIT-REBOOT, RFC 2131 section 3.7).
  void announce(Instant now);
  /// The link carries nothing until announce() is called again: probing waits, as silence would prove nothing.
  void link_down();
  /// The device is gone: every connection fails with NetworkDown.
  void interface_gone(Instant now);

  // --- tables and counters ---

  [[nodiscard]] std::vector<tcp::ConnectionStatus> connections() const;
  [[nodiscard]] std::vector<tcp::ListenerStatus> listeners() const;
  [[nodiscard]] std::vector<udp::SocketStatus> datagram_sockets() const;
  [[nodiscard]] std::vector<link::NeighbourInfo> neighbours() const;
  /// First hops that routers told us of by ICMP redirects, and paths narrower than the link.
  [[nodiscard]] std::vector<ip::RedirectInfo> redirects() const;
  [[nodiscard]] std::vector<ip::PathMtuInfo> path_mtus() const;
  /// Addresses that will be ours once nobody objects to the probes (RFC 5227).
  [[nodiscard]] std::vector<Ipv4Prefix> tentative_addresses() const;
  [[nodiscard]] Statistics statistics() const;

  // --- as one interface of a Router (Config::ip.forwarding; RFC 1812) ---

  /// Next packet for the router to judge; false when there is none.
  [[nodiscard]] bool poll_transit(TransitPacket& out);
  /// Queues a packet the router sends out here, to a neighbour; its TTL is decremented unless it is of our own making.
  /// What does not fit the MTU per segment is fragmented, or dropped where DF is set.
  void forward(Instant now, TransitPacket&& packet, Ipv4Address next_hop);
  /// A packet that came in elsewhere, for one of our addresses.
  void deliver(Instant now, const TransitPacket& packet);
  /// Counts a transit packet that the router does not forward.
  void refuse_transit(Instant now, observe::DropReason reason);
  /// ICMP error about a packet that came in here, within the limits of RFC 1812 section 4.3.2.
  void icmp_error(Instant now, const wire::IcmpHeader& error, const ip::IncomingDatagram& original);

 private:
  std::unique_ptr<StackState> state_;
};

}  // namespace wireside
