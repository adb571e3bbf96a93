// Stack: a whole TCP/IP endpoint without input/output of its own, and the only place that knows every layer.
#pragma once

#include <memory>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"
#include "config.hpp"
#include "dhcp/dhcp_types.hpp"
#include "observe/event.hpp"
#include "packet/packet.hpp"
#include "socket/socket_table.hpp"

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

  /// Broadcasts an ARP announcement for each address (after link up).
  void announce(Instant now);
  /// The device is gone: every connection fails with NetworkDown.
  void interface_gone(Instant now);
  [[nodiscard]] std::vector<tcp::ConnectionStatus> connections() const;

 private:
  std::unique_ptr<StackState> state_;
};

}  // namespace wireside
