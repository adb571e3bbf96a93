// FlowRun: one connection of a scenario, from its start to its end, and what was measured of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "observe/event.hpp"
#include "sim_network.hpp"
#include "sim_scenario.hpp"

namespace wireside::sim {

struct FlowResult {
  std::string name, from, to, congestion;
  std::string state;  ///< "done", "unfinished", or "failed: connection reset by peer"
  bool ok = false;
  std::uint64_t octets = 0;  ///< delivered in order
  Duration start{};
  Duration took{};                  ///< from start to the last octet delivered; with `for`: that time
  double goodput = 0;               ///< bits of payload per second of `took`
  std::uint64_t retransmitted = 0;  ///< segments
  std::uint64_t recoveries = 0;     ///< begun by duplicate ACKs, SACK or RACK
  std::uint64_t timeouts = 0;       ///< of retransmission timers, each time, those of the SYN too
  Duration in_recovery{};           ///< from a loss found to the acknowledgement of all that was sent by then
  std::uint64_t undone = 0;         ///< recoveries found to be spurious
  std::uint64_t rtt_samples = 0;
  Duration rtt_min{}, rtt_mean{}, rtt_max{};
  std::uint32_t cwnd_max = 0;  ///< octets
};

class FlowRun {
 public:
  /// Listens at once; the network outlives this. `number` makes the port.
  FlowRun(const Flow& flow, Network& network, std::size_t number);

  [[nodiscard]] std::size_t sender() const { return sender_; }
  [[nodiscard]] std::size_t receiver() const { return receiver_; }
  /// A readiness edge of a socket on that interface; false when it is none of ours.
  bool on_event(Instant now, std::size_t interface, const SocketEvent& event);
  /// What the sender's stack reports.
  void on_report(const observe::Event& event);
  /// Starts, or ends after its time.
  void act(Instant now);
  /// When act() has something to do; Instant::max() = never.
  [[nodiscard]] Instant next_action() const;
  /// After everything that happened at this instant.
  void observe(Instant now);
  [[nodiscard]] bool finished() const { return finished_; }
  /// Octets delivered by then.
  [[nodiscard]] std::uint64_t delivered_at(Instant then) const;
  [[nodiscard]] Instant started() const { return Instant{} + flow_.start; }
  /// When it ended, or `now` while it has not.
  [[nodiscard]] Instant ended(Instant now) const { return finished_ ? ended_ : now; }
  [[nodiscard]] FlowResult result(Instant now) const;

 private:
  void connect(Instant now);
  void on_sender_event(Instant now, const SocketEvent& event);
  void write(Instant now);
  void read(Instant now);
  void end(Instant now, const std::string& state, bool ok);
  void close_sockets(Instant now);
  void delivered(Instant now, std::uint64_t octets);
  [[nodiscard]] SocketTable& sockets(std::size_t interface) { return network_.stack(interface).sockets(); }
  [[nodiscard]] std::optional<tcp::ConnectionStatus> sender_status() const;

  struct Mark {
    Instant at;
    std::uint64_t octets = 0;
  };

  Flow flow_;
  Network& network_;
  std::size_t sender_, receiver_;
  Port port_;
  SocketHandle listener_, out_, in_;
  bool connecting_ = false, shut_ = false, finished_ = false;
  std::uint64_t written_ = 0, read_ = 0;
  Instant ended_, last_delivery_;
  std::vector<Mark> marks_;  // of deliveries, some time apart
  FlowResult result_;
  std::uint32_t connection_ = 0;  // id in events
  bool loss_found_ = false, undone_ = false;
  std::optional<SeqNum> recover_;  // RFC 6675's RecoveryPoint, while in recovery
  Instant recovery_since_;
  Duration rtt_sum_{};
};

/// Jain's index: 1 where all are equal, 1/n where one has everything; 1 for none.
[[nodiscard]] double jain_index(const std::vector<double>& shares);

}  // namespace wireside::sim
