// Stack: a whole TCP/IP endpoint without input/output of its own, and the only place that knows every layer.
#pragma once

#include <memory>
#include <optional>

#include "base/random.hpp"
#include "base/time.hpp"
#include "config.hpp"
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
  /// For services beside the stack that report and count as its layers do.
  [[nodiscard]] observe::Sink& sink();

  [[nodiscard]] MacAddress mac() const;
  [[nodiscard]] const Config& config() const;
  /// Adds or removes an address at run time. Errors: AddressInUse, AddressNotAvailable.
  Result<void> add_address(Instant now, Ipv4Prefix prefix);
  Result<void> remove_address(Instant now, Ipv4Address address);
  void set_gateway(std::optional<Ipv4Address> gateway);
  /// Broadcasts an ARP announcement for each address (after link up).
  void announce(Instant now);
  /// The device is gone: every connection fails with NetworkDown.
  void interface_gone(Instant now);
  [[nodiscard]] std::vector<tcp::ConnectionStatus> connections() const;

 private:
  std::unique_ptr<StackState> state_;
};

}  // namespace wireside
