// Stack: a whole TCP/IP endpoint without input/output of its own, and the only place that knows every layer.
#pragma once

#include <memory>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"
#include "config.hpp"
#include "ip/routes.hpp"
#include "link/neighbour_cache.hpp"
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

  [[nodiscard]] MacAddress mac() const;
  [[nodiscard]] const Config& config() const;
  /// Adds or removes an address at run time. Errors: AddressInUse, AddressNotAvailable.
  Result<void> add_address(Instant now, Ipv4Prefix prefix);
  Result<void> remove_address(Instant now, Ipv4Address address);
  void set_gateway(std::optional<Ipv4Address> gateway);
  /// Adds a route, beside those to the same destination through other gateways. Errors: NoBuffers, InvalidArgument.
  Result<void> add_route(const ip::Route& route);
  /// Removes all routes to `destination`, or the one through `gateway` only.
  void remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway = std::nullopt);
  [[nodiscard]] const ip::Routes& routes() const;
  /// Watches over a neighbour that is a gateway of a router's table (dead-gateway detection).
  void watch_gateway(Ipv4Address gateway);
  /// Broadcasts an ARP announcement for each address (after link up).
  void announce(Instant now);
  /// The device is gone: every connection fails with NetworkDown.
  void interface_gone(Instant now);

  // --- tables and counters ---

  [[nodiscard]] std::vector<tcp::ConnectionStatus> connections() const;
  [[nodiscard]] std::vector<tcp::ListenerStatus> listeners() const;
  [[nodiscard]] std::vector<udp::SocketStatus> datagram_sockets() const;
  [[nodiscard]] std::vector<link::NeighbourInfo> neighbours() const;
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
