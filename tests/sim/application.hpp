// One side of a simulated connection: sends and reads a patterned stream at its own pace, then closes. Driven by socket
// events alone, so a readiness edge that is not reported stops it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stack.hpp"
#include "support/pattern.hpp"
#include "support/test_random.hpp"

namespace wireside::testing {

/// How one side behaves; all drawn from the seed.
struct ApplicationPlan {
  std::uint64_t octets = 0;  ///< to send
  std::size_t largest_write = 4096;
  std::size_t largest_read = 4096;
  double write_pause = 0;  ///< probability of a pause after a write
  double read_pause = 0;
  Duration longest_pause = 100ms;
  Duration reads_from{};         ///< a slow starter: the first read comes this long after the connection
  bool sends_after_eof = false;  ///< waits for the peer's end before it sends anything
  bool shuts_after_eof = false;  ///< keeps its side open until the peer has closed
  bool uses_slices = false;      ///< the borrowing calls
  double urgent_write = 0;       ///< probability that a write is urgent
  double option_change = 0;      ///< probability that options are changed before a write
  bool sends_early = false;      ///< the first octets go with connect() (client only)
  /// Leaves after so many octets sent or received, by close() or by abort(), whatever is still to come.
  std::optional<std::uint64_t> leaves_after;
  bool leaves_by_abort = false;
  tcp::ConnectionOptions options;
};

class Application {
 public:
  Application(Stack& stack, const ApplicationPlan& plan, StreamSalt sends, StreamSalt receives, std::uint64_t seed)
      : stack_{&stack}, plan_{plan}, sends_{sends}, receives_{receives}, random_{seed} {}

  /// Takes over a connected (or connecting) socket.
  void start(Instant now, SocketHandle socket, bool connected);
  void on_event(Instant now, const SocketEvent& event);
  /// What goes with connect(); counts as sent.
  [[nodiscard]] std::vector<std::uint8_t> take_early_data();
  /// The peer may leave early: that its reset ends this side is no problem.
  void expect_reset() { reset_expected_ = true; }
  /// Does what can be done at `now`; true when something was.
  bool act(Instant now);
  /// When act() has something to do without an event; Instant::max() = only after an event.
  [[nodiscard]] Instant next_action() const;

  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool finished() const { return closed_; }
  [[nodiscard]] bool left() const { return left_; }
  /// The connection's end by `error` is no problem.
  [[nodiscard]] bool expects(Error error) const;
  [[nodiscard]] SocketHandle socket() const { return socket_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::optional<Error> error() const { return error_; }
  /// Empty, or what went wrong.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::string describe() const;

 private:
  bool write(Instant now);
  bool read(Instant now);
  bool finish(Instant now);
  bool leave(Instant now);
  void change_options(Instant now);
  [[nodiscard]] Result<std::size_t> put(Instant now, std::span<const std::uint8_t> octets);
  void verify(ByteView octets);
  void fail_with(const std::string& what, Error error);
  [[nodiscard]] Instant pause(Instant now, double probability);
  [[nodiscard]] bool may_write() const { return !plan_.sends_after_eof || eof_; }

  Stack* stack_;
  ApplicationPlan plan_;
  StreamSalt sends_, receives_;
  TestRandom random_;
  SocketHandle socket_;
  bool started_ = false, connected_ = false, closed_ = false, shut_ = false, eof_ = false;
  bool can_write_ = true, can_read_ = true, reset_expected_ = false, left_ = false;
  Instant next_write_, next_read_;
  std::uint64_t sent_ = 0, received_ = 0;
  std::optional<Error> error_;
  std::string problem_;
};

}  // namespace wireside::testing
