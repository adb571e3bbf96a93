// The transmission control block (RFC 9293 section 3.3.1) of a connection that is more than half open.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/intrusive_list.hpp"
#include "observe/event.hpp"
#include "tcp/ack_ration.hpp"
#include "tcp/congestion.hpp"
#include "tcp/ecn.hpp"
#include "tcp/pacing.hpp"
#include "tcp/rack.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/receive_queue.hpp"
#include "tcp/recovery.hpp"
#include "tcp/rtt_estimator.hpp"
#include "tcp/scoreboard.hpp"
#include "tcp/send_queue.hpp"
#include "tcp/shared_options.hpp"
#include "tcp/state_table.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::tcp {

using observe::TimerKind;
using observe::TxReason;

struct OutputListTag;
struct EventListTag;
struct RestListTag;
struct ConnectionRecord;

/// Octets that may wait for acknowledgement. More than half the sequence space could not be told apart (RFC 9293
/// section 3.4); a slice as large as this may be added to almost as much.
inline constexpr std::size_t max_send_buffer = std::size_t{1} << 30;

/// What the two SYNs agreed on.
struct Negotiated {
  std::uint16_t peer_mss = 536;  ///< MUST-15: without the option
  bool window_scaling = false;
  bool timestamps = false;
  bool sack = false;
  bool ecn = false;
  WindowScale snd_wscale;  ///< shift of the windows the peer sends
  WindowScale rcv_wscale;  ///< shift of ours
};

/// RFC 7323 section 4 and 5 state.
struct TimestampState {
  std::uint32_t offset = 0;  ///< added to our millisecond clock, random per connection (section 5.4)
  std::uint32_t recent = 0;  ///< TS.Recent
  Instant recent_at;         ///< when it was taken; outdated after 24 days (section 5.5)

  [[nodiscard]] std::uint32_t now(Instant t) const { return static_cast<std::uint32_t>(t.ns() / 1'000'000) + offset; }
};

/// Deadlines of one connection; one lazy node in the layer's queue, that of its record, stands for all of them.
class TimerTable {
 public:
  TimerTable() { due_.fill(Instant::max()); }
  [[nodiscard]] Instant due(TimerKind k) const { return due_[static_cast<std::size_t>(k)]; }
  [[nodiscard]] bool armed(TimerKind k) const { return due(k) != Instant::max(); }
  void set(TimerKind k, Instant t) { due_[static_cast<std::size_t>(k)] = t; }
  [[nodiscard]] TimerKind next() const {
    return static_cast<TimerKind>(std::min_element(due_.begin(), due_.end()) - due_.begin());
  }
  [[nodiscard]] Instant earliest() const { return *std::min_element(due_.begin(), due_.end()); }
  [[nodiscard]] bool none_but(TimerKind k) const {
    const Instant* const kept = &due_[static_cast<std::size_t>(k)];
    return std::all_of(due_.begin(), due_.end(),
                       [&](const Instant& due) { return &due == kept || due == Instant::max(); });
  }

 private:
  std::array<Instant, observe::timer_kind_count> due_{};
};

/// What is known and being tried about the largest segment of the path (path_mtu.cpp). Octets of payload.
struct PathSearch {
  std::uint32_t agreed = 536;       ///< what the handshake allows, options deducted
  std::uint32_t option_octets = 0;  ///< in every segment
  std::uint32_t generation = 0;     ///< of PathMtu, when it was last asked
  bool searching = false;           ///< a black hole was suspected: `carries` counts
  bool probing = false;             ///< a segment larger than the MSS is on its way
  bool full_size_tried = false;
  std::uint32_t carries = 0;   ///< known to arrive
  std::uint32_t fails_at = 0;  ///< known to be lost; 0 = nothing known
  SeqNum probe_start;
  std::uint32_t probe_octets = 0;
  Instant probe_at;
  std::optional<SeqNum> resend_end;  ///< octets before this were too large on their way, and are sent again
};

/// Sender half.
struct Sender {
  SeqNum iss, snd_una, snd_nxt, snd_wl1, snd_wl2;
  std::uint32_t snd_wnd = 0;
  std::uint32_t max_snd_wnd = 0;  ///< largest window the peer ever offered (SWS avoidance)
  SeqNum small_end;               ///< end of the last segment below one MSS (Nagle's test, Minshall's form)
  SendQueue queue;
  std::uint32_t mss = 536;  ///< payload octets per segment, options deducted; what the path is known to carry
  PathSearch path;

  Scoreboard board;
  Rack rack;
  DeliveryRate rate;
  Recovery recovery;
  Congestion congestion;
  RttEstimator rtt;
  Pacer pacer;
  bool cwnd_limited = false;     ///< the last send stopped at cwnd
  std::uint32_t unanswered = 0;  ///< octets acknowledged in whose place nothing could be sent yet: ACKs come in batches
  Instant unanswered_since;
  unsigned probes = 0;           ///< zero-window probes since the window closed
  bool blocked_writer = false;   ///< the application was told that the buffer is full
  unsigned retransmissions = 0;  ///< timeouts in a row without progress
  Instant progress_at;           ///< when R2 started to count
  Instant last_sent_at;
  bool timing = false;  ///< one segment is being timed (Karn)
  SeqNum timed_end;
  Instant timed_at;
  std::uint64_t retransmitted_segments = 0;
  std::uint64_t octets_sent = 0;
  std::uint64_t octets_retransmitted = 0;
  std::uint64_t segments_sent = 0;
  std::uint64_t data_segments_sent = 0;
  std::uint64_t duplicates_reported = 0;
  Instant data_sent_at;
  std::size_t buffer_limit = 0;  ///< where options leave it to us
  std::optional<SeqNum> snd_up;  ///< octet behind urgent data (RFC 9293 section 3.8.5)

  explicit Sender(const RttEstimator::Bounds& b) : rtt{b} {}
  [[nodiscard]] std::uint32_t flight() const { return span_octets(snd_una, snd_nxt); }
  /// FlightSize when the ACKs began to come to which sending has not answered yet: that is what the path carried, and
  /// what a congestion event is judged by (RFC 5681 equation (4), RFC 9438 section 4.6).
  [[nodiscard]] std::uint32_t flight_before_acks() const { return flight() + unanswered; }
};

/// Receiver half.
struct Receiver {
  SeqNum irs, rcv_nxt;
  std::uint16_t syn_window = 0;  ///< the most that a SYN of ours offered
  bool told_zero = false;        ///< the last window sent was 0
  SeqNum rcv_adv;                ///< right edge as last advertised: never moves left (SHLD-14)
  SeqNum last_ack_sent;
  std::optional<wire::SackBlock> duplicate;  ///< octets that came again, for the next ACK to report (RFC 2883)
  std::size_t limit = 0;                     ///< octets we are willing to hold in order
  ReceiveQueue queue;
  Reassembly reassembly;
  std::optional<SeqNum> fin_at;  ///< sequence number of the peer's FIN once it is known
  bool fin_consumed = false;
  std::uint32_t rcv_mss = 536;     ///< estimate of the peer's segment size
  std::uint32_t last_segment = 0;  ///< octets of the latest one in order
  std::uint32_t unacked_octets = 0;
  std::uint64_t octets_received = 0;
  // receive-buffer auto-tuning: what the application took in one round trip
  Instant tune_started;
  std::size_t tune_taken = 0;
  Duration rtt{};
  unsigned quick_acks = 0;  ///< segments still to be acknowledged one by one
  Duration ack_delay{};     ///< how long an ACK may wait for a second segment
  Instant data_received_at;
  Instant ack_received_at;
  std::uint64_t segments_received = 0;
  std::uint64_t data_segments_received = 0;
  std::uint8_t tos = 0;
  std::optional<SeqNum> rcv_up;  ///< octet behind the peer's urgent data

  /// Sequence number of the next octet the application will read.
  [[nodiscard]] SeqNum read_at() const {
    return rcv_nxt - static_cast<std::uint32_t>(queue.octets()) - (fin_consumed ? 1U : 0U);
  }
  [[nodiscard]] std::uint32_t urgent_ahead() const {
    return rcv_up && rcv_up->after(read_at()) ? span_octets(read_at(), *rcv_up) : 0;
  }
  [[nodiscard]] std::uint32_t rcv_wnd() const { return span_octets(rcv_nxt, rcv_adv); }
};

/// An ACK that is owed for a segment before the latest one: what it would have said at once.
struct OwedAck {
  TxReason reason = TxReason::OutOfOrder;
  SeqNum ack;
  bool lasting = false;  ///< what comes later does not replace it
  std::uint8_t sack_count = 0;
  std::array<wire::SackBlock, 4> sack{};
};

/// What the next poll should send besides data.
struct OutputWork {
  bool syn = false;         ///< SYN or SYN-ACK
  bool retransmit = false;  ///< the segment at snd_una
  TxReason retransmit_reason = TxReason::FastRetransmit;
  bool probe = false;  ///< zero-window probe
  bool tail_probe = false;
  bool keep_alive = false;
  bool sws_override = false;  ///< send what fits, however small
  bool ack_now = false;
  bool user_timeout_option = false;  ///< the next ACK without data tells ours
  TxReason ack_reason = TxReason::Ack;
  /// Owed before that one, oldest first: duplicate ACKs of the same RCV.NXT, which senders count (RFC 5681
  /// section 4.2).
  std::vector<OwedAck> owed_acks;
};

/// While it has nothing to do only a part of it is kept (connection_table.hpp); a new member that matters after a pause
/// belongs to rest.cpp, too.
class Connection : public ListNode<OutputListTag>, public ListNode<EventListTag>, public ListNode<RestListTag> {
 public:
  Connection(std::uint32_t id_, const FourTuple& tuple_, const ConnectionOptions& o, const RttEstimator::Bounds& b)
      : id{id_}, tuple{tuple_}, options{o}, snd{b} {}

  std::uint32_t id;
  ConnectionHandle handle;
  ConnectionRecord* record = nullptr;  ///< where the table has it
  FourTuple tuple;
  ConnectionOptions options;
  SharedOptions shared_options;  ///< what `options` are the same as, if that is known
  Negotiated negotiated;
  TimestampState timestamps;
  Sender snd;
  Receiver rcv;
  Ecn ecn;
  OutputWork work;
  TimerTable timers;
  ListenerHandle listener;  ///< while it waits to be accepted
  bool detached = false;    ///< the application gave the handle up
  bool receive_shut = false;
  bool fast_open_asked = false;   ///< our SYN had the option (RFC 7413)
  std::uint32_t syn_octets = 0;   ///< of data in our SYN
  ListenerHandle fast_open_from;  ///< opened by data in a SYN, whose handshake is not over yet: the listener
  bool close_pending = false;     ///< CLOSE came in SYN-RECEIVED: FIN after establishment
  bool demultiplexed = false;     ///< its four-tuple is in the table
  unsigned keep_alive_sent = 0;
  Instant last_heard_at;
  AckRation ack_ration;
  std::optional<Error> error;
  std::optional<Error> soft_error;
  std::vector<ErrorReport> reports;  ///< oldest first
  std::uint8_t pending_events = 0;   ///< bit per TcpEvent::Kind
  Duration peer_user_timeout{};      ///< as the peer told (RFC 5482); 0 = not

  [[nodiscard]] TcpState state() const { return state_; }
  /// The only writer of the state. Refuses (false) an edge that is not in the table.
  bool transition(Instant now, StateCause cause, TcpState to, observe::Sink& sink);

  /// Sequence number behind the last octet the application gave.
  [[nodiscard]] SeqNum data_end() const { return data_start() + static_cast<std::uint32_t>(snd.queue.octets()); }
  /// Sequence number of the first octet in the send queue (the SYN has none there).
  [[nodiscard]] SeqNum data_start() const {
    return state_ == TcpState::SynSent || state_ == TcpState::SynReceived ? snd.iss + 1 : snd.snd_una;
  }
  /// The application may give data. Behind a valid Fast Open cookie the end of the handshake need not be waited for.
  [[nodiscard]] bool may_send() const {
    return can_send(state_) || (state_ == TcpState::SynReceived && fast_open_from.is_valid() && !close_pending);
  }
  [[nodiscard]] bool fin_sent() const { return owes_fin(state_) && snd.snd_nxt.after(data_end()); }
  [[nodiscard]] bool everything_acknowledged() const { return snd.snd_una == snd.snd_nxt; }
  /// Octets and FIN not sent yet, or to be sent again.
  [[nodiscard]] bool has_unsent() const {
    return snd.board.lost() > 0 || snd.snd_nxt.before(data_end()) ||
           (owes_fin(state_) && !snd.snd_nxt.after(data_end()));
  }
  [[nodiscard]] std::size_t send_limit() const {
    return std::min(options.send_buffer != 0 ? options.send_buffer : snd.buffer_limit, max_send_buffer);
  }
  [[nodiscard]] std::size_t unsent() const {
    return snd.snd_nxt.before(data_end()) ? span_octets(later(snd.snd_nxt, data_start()), data_end()) : 0;
  }
  [[nodiscard]] std::size_t send_room() const;
  [[nodiscard]] std::size_t most_unsent() const;  ///< where options.notsent_lowat sets a bound
  [[nodiscard]] ConnectionStatus status() const;

 private:
  friend class LayerState;
  friend class ConnectionTable;
  void describe_paths(ConnectionStatus& s) const;
  TcpState state_ = TcpState::Closed;
};

}  // namespace wireside::tcp
