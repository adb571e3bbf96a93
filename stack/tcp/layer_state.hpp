// Inside of the TCP layer: its tables, and the RFC's event processing as one function per step. The functions live in
// user_calls.cpp (3.10.1 to 3.10.6), segment_arrives.cpp, listen_arrives.cpp, syn_sent_arrives.cpp, process_ack.cpp and
// process_text.cpp (3.10.7), timeouts.cpp (3.10.8) and output.cpp.
#pragma once

#include <unordered_map>

#include "base/fifo.hpp"
#include "base/hash_index.hpp"
#include "base/keyed_hash.hpp"
#include "base/random.hpp"
#include "tcp/connection_table.hpp"
#include "tcp/fast_open.hpp"
#include "tcp/records.hpp"
#include "tcp/syn_cookie.hpp"
#include "tcp/tcp_layer.hpp"

namespace wireside::tcp {

/// What a four-tuple leads to: a slot of one of three tables.
struct DemuxEntry {
  enum class Kind : std::uint8_t { Connection, HalfOpen, TimeWait };
  Kind kind = Kind::Connection;
  std::uint32_t slot = 0;

  [[nodiscard]] std::uint32_t number() const { return slot << 2U | static_cast<std::uint32_t>(kind); }
  [[nodiscard]] static DemuxEntry of(std::uint32_t number) { return {static_cast<Kind>(number & 3U), number >> 2U}; }
};

/// Facts about a segment, computed once.
struct SegmentFacts {
  std::uint32_t length = 0;  ///< SEG.LEN: octets plus SYN and FIN
  bool acks_our_fin = false;
  bool advances = false;          ///< snd_una < SEG.ACK <= snd_nxt
  bool is_duplicate_ack = false;  ///< RFC 5681 section 2
  std::uint32_t window = 0;       ///< SEG.WND, scaled
};

/// What one acknowledgement told of what was sent.
struct AckNews {
  std::uint32_t acked = 0;          ///< octets by which SND.UNA advanced
  std::uint32_t delivered = 0;      ///< octets that were not known to have arrived
  std::uint32_t sacked = 0;         ///< those of them reported selectively
  bool congestion_echoed = false;   ///< with ECE
  bool false_echo = false;          ///< it cannot come from the receipt of what it acknowledges
  bool original_delivered = false;  ///< some of them were never sent again (and are older than the recovery point)
  Duration rtt{};                   ///< shortest round trip of those sent once; 0 = none
  RateSample rate;
  std::optional<wire::SackBlock> dsack;
};

/// "Continue or drop": what each step of section 3.10.7 answers.
enum class Step : std::uint8_t { Continue, Drop };

/// Whether timestamp `a` is older than `b` (RFC 7323 section 5.2: signed 32-bit arithmetic).
[[nodiscard]] constexpr bool is_older(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

/// What will be sent next from the queue.
struct SendPlan {
  SeqNum seq;
  std::uint32_t octets = 0;
  bool fin = false;
  bool path_probe = false;  ///< one segment, larger than the MSS
};

class LayerState {
 public:
  LayerState(const TcpConfig& config, Random& random, BufferPool& pool, observe::Sink& sink);

  // user_calls.cpp
  Result<ConnectionHandle> connect(Instant now, FourTuple tuple, const ConnectionOptions& options, ByteView first);
  Result<ListenerHandle> listen(Endpoint local, std::size_t backlog, const ConnectionOptions& options);
  Result<ConnectionHandle> accept(ListenerHandle h);
  void close_listener(Instant now, ListenerHandle h);
  Result<std::size_t> send(Instant now, ConnectionHandle h, ByteView data);
  Result<std::size_t> send_urgent(Instant now, ConnectionHandle h, ByteView data);
  Result<void> send_slice(Instant now, ConnectionHandle h, Slice data);
  Result<std::size_t> receive(Instant now, ConnectionHandle h, MutableByteView out);
  Result<Slice> receive_slice(Instant now, ConnectionHandle h, std::size_t max);
  Result<void> shutdown_send(Instant now, ConnectionHandle h);
  Result<void> shutdown_receive(Instant now, ConnectionHandle h);
  void close(Instant now, ConnectionHandle h);
  void abort(Instant now, ConnectionHandle h);
  Result<void> set_options(Instant now, ConnectionHandle h, const ConnectionOptions& options);
  void network_error(Instant now, const ErrorReport& report, std::optional<SeqNum> seq, bool hard);
  void fail_address(Instant now, IpAddress address, Error error);
  void fail_all(Instant now, Error error);

  // segment_arrives.cpp and its parts
  void segment_arrives(Instant now, const IncomingSegment& s);

  // output.cpp
  bool poll_segment(Instant now, OutgoingSegment& out);

  // connection_view.cpp: for observers; nobody calls these without one
  void report(Instant now, observe::StepCause cause, const FourTuple& tuple) const;
  [[nodiscard]] bool report(Instant now, observe::StepCause cause, ConnectionHandle h) const;

  // pacing.cpp
  /// Octets per second; 0 = not paced now.
  [[nodiscard]] static std::uint64_t pacing_rate(const Connection& c);

  // path_mtu.cpp
  [[nodiscard]] Connection* find_in_flight(const FourTuple& tuple, SeqNum seq) const;
  void path_mtu_changed(Instant now, const FourTuple& tuple);

  // timeouts.cpp
  Instant next_deadline();
  void handle_timeouts(Instant now);

  std::optional<TcpEvent> poll_event();
  [[nodiscard]] bool has_event() const { return !events_.empty() || !listener_events_.empty(); }

  // 3.10.6 STATUS (user_calls.cpp)
  [[nodiscard]] ConnectionStatus status_of(const Connection& c) const;
  [[nodiscard]] std::uint16_t advertised_mss(const ConnectionOptions& o) const;
  [[nodiscard]] Duration give_up_after(const Connection& c) const;  // user_timeout.cpp

  // tables, public to the facade
  TcpConfig config;
  Random& random;
  BufferPool& pool;
  observe::Sink& sink;
  const PathMtu* path_mtu = nullptr;
  std::uint16_t link_mss = 1460;
  std::size_t max_super_segment = 65535 - 60;
  bool forward_progress = false;
  std::vector<IpAddress> negative_advice;  ///< peers that reached R1 since the owner last asked
  ConnectionTable connections;
  SlotMap<Listener, ListenerTag> listeners;
  HalfOpenMap half_open;
  TimeWaitMap time_wait;
  KeyedHash flow_hash;
  HashIndex demux;  ///< of all four-tuples: numbers of DemuxEntry
  std::unordered_map<Endpoint, std::vector<ListenerHandle>, KeyedHash> listening;  ///< several: reuse_port

 private:
  // --- tables (layer_state.cpp) ---
  /// Times that can be added to any instant, and intervals that let time pass.
  [[nodiscard]] static ConnectionOptions within_bounds(ConnectionOptions o);
  Connection* new_connection(const FourTuple& tuple, const ConnectionOptions& options, std::uint32_t id);
  [[nodiscard]] const FlowKey& flow_of(DemuxEntry entry) const;
  [[nodiscard]] std::optional<DemuxEntry> find_flow(const FourTuple& tuple) const;
  void add_flow(const FourTuple& tuple, DemuxEntry entry);
  void remove_flow(const FourTuple& tuple, DemuxEntry entry);
  void adopt(Connection& c);  // puts the four-tuple into the table
  void erase(Connection& c);
  void finish(Instant now, Connection& c, StateCause cause, std::optional<Error> error);
  void release_network_state(Connection& c);
  void raise(Connection& c, TcpEvent::Kind kind);
  void set_timer(Instant now, Connection& c, TimerKind kind, Instant due);
  void cancel_timer(Instant now, Connection& c, TimerKind kind) {
    if (c.timers.armed(kind)) disarm_timer(now, c, kind);
  }
  void disarm_timer(Instant now, Connection& c, TimerKind kind);
  void rearm(Connection& c) { deadlines_.arm(*c.record, c.timers.earliest()); }
  void wants_output(Connection& c) { output_.push_back(c); }
  void send_control(Instant now, ControlSegment segment);
  void send_reset(Instant now, const Connection& c, TxReason reason);
  void reply_reset(Instant now, const IncomingSegment& s, TxReason reason, std::uint32_t id);
  [[nodiscard]] SeqNum initial_sequence(Instant now, const FourTuple& tuple) const;
  [[nodiscard]] std::uint32_t timestamp_offset(const FourTuple& tuple) const;
  [[nodiscard]] Result<Port> ephemeral_port(Instant now, const FourTuple& tuple);
  [[nodiscard]] WindowScale our_window_scale(const ConnectionOptions& o) const;
  [[nodiscard]] std::size_t initial_limit(const ConnectionOptions& o, const Negotiated& n) const;
  void establish(Instant now, Connection& c, bool syn_was_lost);
  /// Why a listener takes up no further connection now; nullopt when it does.
  [[nodiscard]] std::optional<observe::DropReason> has_no_room(const Listener& l) const;
  [[nodiscard]] Listener* find_listener(const FourTuple& tuple, ListenerHandle& handle);

  // --- user calls ---
  void begin_close(Instant now, Connection& c);
  void keep_report(Connection& c, const ErrorReport& report);
  void linger(Instant now, Connection& c);
  void linger_timeout(Instant now, Connection& c);
  [[nodiscard]] Result<Connection*> sendable(ConnectionHandle h);
  [[nodiscard]] Result<Connection*> receivable(ConnectionHandle h);
  void after_receive(Instant now, Connection& c, std::size_t taken);

  // --- buffers.cpp ---
  void tune_receive_buffer(Instant now, Connection& c, std::size_t taken);
  void tune_send_buffer(Connection& c) const;
  [[nodiscard]] std::uint32_t grantable(const Connection& c) const;
  [[nodiscard]] bool under_memory_pressure() const { return pool.octets_in_use() > config.memory_pressure; }

  // --- urgent.cpp, user_timeout.cpp ---
  void check_urgent(const IncomingSegment& s, Connection& c);
  [[nodiscard]] static IncomingSegment behind_syn(IncomingSegment s);
  static void forget_read_urgent(Receiver& r);
  static void point_to_urgent(const Connection& c, SeqNum seq, OutgoingSegment& out);
  [[nodiscard]] static Duration told_user_timeout(const IncomingSegment& s, const ConnectionOptions& o);
  void take_user_timeout(Instant now, const IncomingSegment& s, Connection& c);
  void tell_user_timeout(Connection& c);
  void add_user_timeout(const Connection& c, wire::TcpOptions& options) const;

  // --- 3.10.7.1, 3.10.7.2: no connection, LISTEN (listen_arrives.cpp) ---
  void closed_arrives(Instant now, const IncomingSegment& s);
  void listen_arrives(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l);
  void make_half_open(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l,
                      std::optional<SeqNum> iss);
  void half_open_arrives(Instant now, const IncomingSegment& s, HalfOpen& h);
  [[nodiscard]] Step half_open_checks(Instant now, const IncomingSegment& s, HalfOpen& h);
  void begin_handshake(Instant now, const IncomingSegment& s, ListenerHandle handle, const Listener& l,
                       Handshake& h) const;
  [[nodiscard]] std::uint16_t first_window(const ConnectionOptions& o, const Negotiated& n) const;
  [[nodiscard]] ControlSegment syn_ack_of(Instant now, const Handshake& h, const Listener& l, TxReason reason) const;
  bool waits_for_data(Instant now, const IncomingSegment& s, HalfOpen& h, const Listener& l);
  [[nodiscard]] bool defers(const IncomingSegment& s, const Listener& l) const;
  [[nodiscard]] Duration longest_deferral(const Listener& l) const;
  HalfOpen& remember_half_open(Instant now, const Handshake& handshake);
  [[nodiscard]] Handshake handshake_of(const HalfOpen& h) const;
  [[nodiscard]] Duration rto_of(const HalfOpen& h) const;
  [[nodiscard]] Duration half_open_life() const { return std::min(config.syn_timeout, HalfOpen::longest_life); }
  Connection& connection_of(const Handshake& h);
  Connection& open_from(Instant now, const IncomingSegment& s, const Handshake& h, std::optional<Duration> rtt,
                        bool syn_was_lost);
  void hand_over(Connection& c);
  void send_syn_ack(Instant now, HalfOpen& h, TxReason reason);
  void drop_half_open(HalfOpen& h);
  Step back_to_listen(Instant now, HalfOpen& h, StateCause cause);
  ControlSegment control_from(Instant now, const HalfOpen& h, TxReason reason) const;

  // --- cookie_handshake.cpp ---
  [[nodiscard]] bool had_cookie(Instant now, const IncomingSegment& s) const;
  [[nodiscard]] WindowScale cookie_window_scale(const Negotiated& n) const;
  void send_cookie(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l);
  bool cookie_arrives(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l);
  void defer_from_cookie(Instant now, const Handshake& from, const Listener& l);
  [[nodiscard]] Negotiated negotiated_by_cookie(const IncomingSegment& s, const Listener& l, std::uint16_t mss) const;

  // --- fast_open_handshake.cpp ---
  bool open_fast(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l);
  [[nodiscard]] bool may_open_fast(Instant now, const IncomingSegment& s, Listener& l);
  [[nodiscard]] bool wants_fast_open_cookie(const IncomingSegment& s, const Listener& l) const;
  void fast_open_established(Instant now, Connection& c, bool syn_was_lost);
  void end_fast_open(Instant now, Connection& c, bool by_reset);
  void offer_fast_open(Instant now, Connection& c, OutgoingSegment& out);
  void acknowledge_first_data(Connection& c, SeqNum ack);
  void learn_fast_open(const IncomingSegment& s, Connection& c);

  // --- TIME-WAIT (time_wait.cpp) ---
  void time_wait_arrives(Instant now, const IncomingSegment& s, TimeWait& t);
  void enter_time_wait(Instant now, Connection& c);
  void acknowledge_from(Instant now, const TimeWait& t, TxReason reason);
  void answer_from(Instant now, TimeWait& t, bool to_syn);
  void end_time_wait(Instant now, TimeWait& t, bool expired);
  [[nodiscard]] TimeWait* find_reusable(Instant now, const FourTuple& tuple);
  [[nodiscard]] SeqNum open_over(Instant now, TimeWait& t);
  [[nodiscard]] bool opens_anew(const IncomingSegment& s, const TimeWait& t) const;

  // --- 3.10.7.3: SYN-SENT (syn_sent_arrives.cpp) ---
  void syn_sent_arrives(Instant now, const IncomingSegment& s, Connection& c);
  void negotiate(const IncomingSegment& s, Negotiated& n) const;
  void take_syn(Instant now, const IncomingSegment& s, Connection& c);

  // --- 3.10.7.4: other states, in the RFC's order (segment_arrives.cpp) ---
  void connection_arrives(Instant now, IncomingSegment s, Connection& c);
  [[nodiscard]] SegmentFacts facts_of(const IncomingSegment& s, const Connection& c) const;
  [[nodiscard]] Step check_timestamps(Instant now, const IncomingSegment& s, Connection& c);
  static void take_timestamp(Instant now, const IncomingSegment& s, Connection& c);
  [[nodiscard]] Step check_sequence(Instant now, IncomingSegment& s, Connection& c);
  [[nodiscard]] Step check_reset(Instant now, const IncomingSegment& s, Connection& c);
  [[nodiscard]] Step check_syn(Instant now, const IncomingSegment& s, Connection& c);
  [[nodiscard]] Step check_ack(Instant now, const IncomingSegment& s, Connection& c, SegmentFacts& f);
  [[nodiscard]] Step check_syn_received_ack(Instant now, const IncomingSegment& s, Connection& c,
                                            const SegmentFacts& f);
  [[nodiscard]] Step check_late_data(Instant now, const IncomingSegment& s, Connection& c);
  void challenge(Instant now, Connection& c, const wire::TcpFlags& flags);

  // --- fast_path.cpp ---
  /// A segment as it should be, on a connection without troubles; false: it takes the usual way.
  [[nodiscard]] bool take_expected(Instant now, const IncomingSegment& s, Connection& c);
  void take_repeated_ack(Instant now, const IncomingSegment& s, Connection& c);
  void take_expected_ack(Instant now, const IncomingSegment& s, Connection& c);
  void take_expected_window(Instant now, const IncomingSegment& s, Connection& c);
  void take_expected_text(Instant now, const IncomingSegment& s, Connection& c);
  [[nodiscard]] Connection* latest_connection(const FourTuple& tuple) const;
  void note_arrival(Instant now, const IncomingSegment& s, Connection& c);

  // --- process_ack.cpp ---
  void accept_ack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f);
  void move_una(Instant now, const IncomingSegment& s, Connection& c, const AckNews& news, std::uint32_t pipe);
  static void report_delivery(Instant now, Connection& c, const AckNews& news);
  void take_sample(Instant now, Connection& c, Duration sample);
  void take_rtt_sample(Instant now, const IncomingSegment& s, Connection& c);
  void learn_deliveries(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f, AckNews& news);
  template <class F>
  void take_sack_blocks(const IncomingSegment& s, Connection& c, AckNews& news, F&& take);
  [[nodiscard]] static DeliverySample path_sample(Instant now, const Connection& c, const AckNews& news);
  static std::uint32_t note_unanswered(Instant now, Connection& c, std::uint32_t acked);
  void offer_send_room(Connection& c);
  void update_send_window(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f);
  void restart_retransmission_timer(Instant now, Connection& c);
  [[nodiscard]] Step close_steps_on_ack(Instant now, Connection& c, const SegmentFacts& f);
  void report_window(Instant now, const Connection& c, std::uint32_t cwnd, std::uint32_t ssthresh,
                     observe::WindowCause cause) const;

  // --- sack_recovery.cpp, dupack_recovery.cpp ---
  void recover_by_sack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f,
                       const AckNews& news);
  void grow_window(Instant now, Connection& c, const AckNews& news);
  [[nodiscard]] NewlyLost detect_losses(Instant now, Connection& c);
  [[nodiscard]] static Duration reordering_window(const Connection& c);
  void report_loss(Instant now, const Connection& c, observe::LossSign sign, std::uint32_t octets) const;
  [[nodiscard]] NewlyLost detect_by_time(Instant now, Connection& c);
  [[nodiscard]] static NewlyLost detect_by_count(Connection& c);
  static void remember_window(Connection& c);
  void begin_fast_recovery(Instant now, Connection& c, std::uint32_t delivered);
  void reduce_in_proportion(Instant now, Connection& c, std::uint32_t delivered, bool safe);
  void end_recovery(Instant now, Connection& c);
  [[nodiscard]] bool is_mistaken(const IncomingSegment& s, const Connection& c, const SegmentFacts& f,
                                 const AckNews& news) const;
  [[nodiscard]] static bool f_rto_finds_originals(const Connection& c, const SegmentFacts& f, const AckNews& news);
  void undo(Instant now, Connection& c);
  static void continue_f_rto(Connection& c, const SegmentFacts& f, const AckNews& news);
  static void continue_f_rto_without_sack(Connection& c);
  void give_up_f_rto(Instant now, Connection& c);
  void begin_loss_recovery(Instant now, Connection& c, bool first_timeout);
  void reordering_timeout(Instant now, Connection& c);
  static void note_repeated(Instant now, Connection& c, SeqNum start, SeqNum end);
  void recover_without_sack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f,
                            const AckNews& news);
  void count_duplicate_ack(Instant now, const IncomingSegment& s, Connection& c);

  // --- ecn.cpp ---
  static void agree_on_ecn(const IncomingSegment& s, Connection& c);
  static void ask_for_ecn(Connection& c, wire::TcpFlags& flags);
  void take_ecn_marks(const IncomingSegment& s, Connection& c);
  void take_ecn_echo(Instant now, const IncomingSegment& s, Connection& c, AckNews& news);
  void lead_window_down(Instant now, Connection& c, const SegmentFacts& f, const AckNews& news);
  void reduce_for_loss(Instant now, Connection& c, std::uint32_t flight);
  static void window_was_reduced(Connection& c);
  static void mark_new_data(Connection& c, OutgoingSegment& out);

  // --- tail_probe.cpp ---
  [[nodiscard]] bool may_probe_tail(const Connection& c) const;
  [[nodiscard]] static Duration probe_timeout_after(const Connection& c);
  void schedule_tail_probe(Instant now, Connection& c);
  void tail_probe_timeout(Instant now, Connection& c);
  bool build_tail_probe(Instant now, Connection& c, OutgoingSegment& out);
  void judge_tail_probe(Instant now, Connection& c, const SegmentFacts& f, const AckNews& news);

  // --- process_text.cpp ---
  void process_text(Instant now, const IncomingSegment& s, Connection& c);
  void deliver(Connection& c, Slice data);
  static void sample_receiver_rtt(Instant now, const IncomingSegment& s, Connection& c);
  void acknowledge_text(Instant now, const IncomingSegment& s, Connection& c, std::uint32_t octets, bool filled_gap);
  void measure_segment(const IncomingSegment& s, Connection& c, std::uint32_t octets) const;
  static void note_fin(Receiver& r, SeqNum at);
  void process_fin(Instant now, const IncomingSegment& s, Connection& c);
  void ack_now(Connection& c, TxReason reason);
  void note_duplicate(Connection& c, SeqNum seq, SeqNum end) const;
  static void report_received(Connection& c, wire::TcpOptions& options);
  static void keep_owed_ack(Connection& c, bool of_stretch = false);
  static void keep_ack_before(const IncomingSegment& s, Connection& c);
  void adapt_ack_delay(Instant now, Connection& c) const;

  // --- output.cpp, output_plan.cpp ---
  bool build_segment(Instant now, Connection& c, OutgoingSegment& out);
  bool build_syn(Instant now, Connection& c, OutgoingSegment& out);
  bool build_retransmission(Instant now, Connection& c, OutgoingSegment& out);
  bool build_probe(Instant now, Connection& c, OutgoingSegment& out);
  [[nodiscard]] static TxReason repetition_reason(const Connection& c, SeqNum seq);
  bool build_data(Instant now, Connection& c, OutgoingSegment& out);
  bool build_keep_alive(Instant now, Connection& c, OutgoingSegment& out);
  bool build_ack(Instant now, Connection& c, OutgoingSegment& out);
  bool build_owed_ack(Instant now, Connection& c, OutgoingSegment& out);
  [[nodiscard]] std::optional<SendPlan> plan_data(Instant now, Connection& c);
  /// What may be sent next as far as the windows go.
  struct SendRoom {
    SeqNum seq;
    std::uint32_t unsent = 0;    ///< octets from `seq` on that wait to be sent in one piece
    std::uint32_t repeated = 0;  ///< those of them that are sent again, a FIN included
    std::uint32_t usable = 0;    ///< octets that both windows allow
    bool cwnd_is_less = false;   ///< than the peer's window
  };
  [[nodiscard]] static SendRoom room_to_send(const Connection& c);
  [[nodiscard]] static bool has_room_for_new_segment(const Connection& c);
  void restart_after_idle(Instant now, Connection& c);
  [[nodiscard]] std::uint32_t nagle_and_sws(Instant now, Connection& c, const SendRoom& room);
  void fill(Connection& c, const SendPlan& plan, OutgoingSegment& out);
  void note_sent(Instant now, Connection& c, const SendPlan& plan);
  void begin_segment(Instant now, Connection& c, SeqNum seq, TxReason reason, OutgoingSegment& out);
  void advertise_window(Connection& c, OutgoingSegment& out);
  /// With timestamps there is room for three (RFC 2018 section 3).
  [[nodiscard]] static std::size_t max_sack_blocks(const Connection& c) { return c.negotiated.timestamps ? 3 : 4; }
  [[nodiscard]] static SeqNum acceptable_seq(const Connection& c);
  void acknowledgement_left(Instant now, Connection& c);
  void acknowledgement_rode_along(Instant now, Connection& c);
  void arm_for_zero_window(Instant now, Connection& c);

  // --- path_mtu.cpp ---
  [[nodiscard]] std::uint32_t path_mss(const Connection& c) const;
  void begin_path(Connection& c, std::uint32_t option_octets);
  void adopt_path(Connection& c);
  void resend_from_start(Connection& c);
  void suspect_black_hole(Instant now, Connection& c);
  [[nodiscard]] std::uint32_t plan_probe(Instant now, Connection& c, std::uint32_t unsent, std::uint32_t usable);
  static void probe_repeated(Connection& c, SeqNum from, SeqNum to);
  void probe_sent(Connection& c, SeqNum seq, std::uint32_t octets);
  void judge_probe(Instant now, Connection& c, bool lost);
  [[nodiscard]] static bool lost_only_probe(const Connection& c);
  bool resend_probe(Instant now, Connection& c);
  void resend_rest_of_probe(Connection& c);
  void end_probe(Instant now, Connection& c, bool lost);

  // --- pacing.cpp ---
  [[nodiscard]] bool limit_burst(Instant now, Connection& c, SendPlan& plan);

  // --- timeouts.cpp ---
  void connection_timeouts(Instant now, Connection& c);
  void retransmission_timeout(Instant now, Connection& c);
  void probe_timeout(Instant now, Connection& c);
  void keep_alive_timeout(Instant now, Connection& c);
  void half_open_timeout(Instant now, HalfOpen& h);
  void advise_against_path(Connection& c);
  [[nodiscard]] Duration keep_alive_after(const Connection& c) const;
  void arm_keep_alive(Instant now, Connection& c);

  ConnectionHandle latest_;  // the last that a segment came for: the next one often is for the same
  DeadlineQueue deadlines_;  // connections
  SlotDeadlines<HalfOpenMap, HalfOpen> half_open_deadlines_{half_open};
  SlotList<HalfOpenMap, HalfOpen> half_open_order_{half_open};  // oldest first
  SlotList<TimeWaitMap, TimeWait> time_wait_order_{time_wait};  // next to expire first
  IntrusiveList<Connection, OutputListTag> output_;
  IntrusiveList<Connection, EventListTag> events_;
  Fifo<ListenerHandle> listener_events_;
  Fifo<ControlSegment> control_;
  SipKey isn_key_, timestamp_key_;
  SynCookies syn_cookies_;
  AnsweredSyns answered_syns_;
  std::optional<Instant> cookie_sent_at_;  // the last; an ACK can bring one back only soon after
  FastOpenKeys fast_open_keys_;
  FastOpenCache fast_open_cache_;
  std::uint32_t next_id_ = 1;
};

}  // namespace wireside::tcp
