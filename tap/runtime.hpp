// Runtime: one Stack on one TAP device inside a boost::asio::io_context (one thread).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/intrusive_list.hpp"
#include "base/random.hpp"
#include "frame_steering.hpp"
#include "impair/settings.hpp"
#include "stack.hpp"
#include "tap_device.hpp"

namespace wireside {

namespace net {
class NameService;
}

/// Told about readiness edges of one socket. Called from the loop, never from inside a socket call.
class SocketListener {
 public:
  virtual ~SocketListener() = default;
  /// May do anything, even end the Runtime. What it throws leaves the event loop.
  virtual void on_socket_event(const SocketEvent& event) = 0;
  /// The Runtime is being destroyed, and every socket with it.
  virtual void on_runtime_end() {}
};

struct LoanTag;

/// Told when octets that were lent to a Runtime's stack are the application's again.
class LoanListener : public ListNode<LoanTag> {
 public:
  /// From the loop, or while the Runtime is being destroyed; may do what SocketListener::on_socket_event() may.
  /// `used`: see ReturnedLoan.
  virtual void on_loan_returned(bool used) = 0;

 protected:
  ~LoanListener() = default;
};

/// What happens to frames between the device and the stack.
struct PathImpairment {
  impair::Settings in;
  impair::Settings out;
  Seed seed{};
};

class Runtime {
 public:
  /// Takes the device over; link settings that the device decides (mtu, offloads) replace those in `config`.
  /// With an impairment the device works without offload: it is single frames that are lost, as on a wire.
  Runtime(boost::asio::io_context& context, TapDevice device, Config config, const Seed& seed,
          const std::optional<PathImpairment>& impairment = std::nullopt);
  /// Operations that wait on its sockets end with operation_aborted; the sockets are closed, and stay so.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Begins to read the device and announces our addresses.
  void start();
  /// Stops reading; sockets keep their state but nothing moves any more.
  void stop();

  [[nodiscard]] Stack& stack();
  [[nodiscard]] SocketTable& sockets();
  [[nodiscard]] boost::asio::io_context& context();
  /// Monotonic now, the time line of every call into the stack.
  [[nodiscard]] Instant now() const;
  /// Call after any socket call: sends what it made, delivers events and re-arms the timer, once per loop turn.
  void schedule_output();
  /// At most one listener per socket; unwatch before it dies or the socket is closed.
  void watch(SocketHandle socket, SocketListener* listener);
  void unwatch(SocketHandle socket);
  /// As SocketTable::send_slice(), of octets that stay the application's: they must stay as they are until `listener`
  /// is told, once, and it lives until then. It is not told where an error is returned. Instead of BufferPool::lend(),
  /// whose tickets are the Runtime's here.
  [[nodiscard]] Result<void> send_lent(SocketHandle socket, ByteView octets, LoanListener& listener);
  /// The device is gone or broken (message says what happened and what to do). All connections have failed.
  void on_fatal(std::function<void(const std::string& message)> handler);
  /// The host's side went down (frames are lost until it is up; the message says what to do) or came up again.
  void on_link_change(std::function<void(bool up, const std::string& message)> handler);
  /// Called after the stack was given frames, a time or a turn, before its frames are sent: where a router moves
  /// packets between the stacks that are its interfaces. It must not call back into this Runtime but for
  /// schedule_output().
  void on_turn(std::function<void(Instant now)> handler);
  /// News about our addresses (RFC 5227), called from the loop; see Stack::poll_address_event.
  void on_address_event(std::function<void(const link::ConflictResult& event)> handler);
  /// News of the DHCP client (Stack::start_dhcp), from the loop.
  void on_dhcp_change(std::function<void(const dhcp::Change& change)> handler);
  /// How long to poll the device after the last frames before the loop sleeps; at any time, for the next sleep on. The
  /// longer, the sooner frames are answered that come within that time, and the more processor time goes into waiting.
  /// Zero sleeps at once. nullopt, as at first, polls up to 100 microseconds where that has shown to be faster than
  /// sleeping, and never while nothing is going on or with a single processor. Handlers and timers of the io_context
  /// run meanwhile.
  void set_busy_poll(std::optional<Duration> spin);
  /// So many runtimes run at once, in threads of their own: without set_busy_poll none polls where that would take the
  /// processors from others. Before start(), and before set_busy_poll.
  void share_processors(std::size_t runtimes);
  /// Asks `steering` about each frame that the device gives; nullptr, as at first: all are the stack's. Not together
  /// with an impairment. It outlives its use.
  void set_steering(FrameSteering* steering);
  /// Frames for the stack that came by another way than the device; what they bring about follows at once. Their
  /// buffers are of the stack's pool.
  void receive(std::vector<Packet>& frames);
  [[nodiscard]] const TapDevice& device() const;
  /// Looks names up for every net::resolver of this runtime; its servers come from Config::dns and can be replaced.
  [[nodiscard]] net::NameService& names() { return *names_; }
  /// Expires when the Runtime is destroyed: socket objects held by the io_context's handlers may outlive it.
  [[nodiscard]] std::weak_ptr<const void> lifetime() const { return lifetime_; }

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<net::NameService> names_;
  std::shared_ptr<const void> lifetime_ = std::make_shared<char>();  // goes first
};

}  // namespace wireside
