// TcpPeer: a hand-driven remote TCP around one TcpLayer with a virtual clock. Tests read like packet traces:
//
//   TcpPeer t;
//   t.listen();
//   t.in("S 0 win 65535 <mss 1460>");
//   t.out("S. 0 ack 1");
//   t.in(". 1 ack 1");
//   t.accept();
//
// Both initial sequence numbers are mapped to 0. A failed expectation prints the whole transcript in the same
// notation, and silences the rest of that peer's expectations.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "observe/event.hpp"
#include "support/pattern.hpp"
#include "support/segments.hpp"
#include "tcp/tcp_layer.hpp"

namespace wireside::testing {

using tcp::ConnectionOptions;
using tcp::ConnectionStatus;
using tcp::TcpConfig;
using EventKind = tcp::TcpEvent::Kind;

/// What a modern peer offers in its SYN.
inline constexpr std::string_view all_options = "<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>";

/// Defaults, but the first segments are acknowledged like all later ones.
[[nodiscard]] inline TcpConfig plain_config() {
  TcpConfig config;
  config.quick_acks = 0;
  return config;
}

struct PeerSetup {
  TcpConfig config = plain_config();
  std::uint64_t seed = 1;
  tcp::CongestionAlgorithm congestion = tcp::CongestionAlgorithm::NewReno;  ///< of every connection
  tcp::Pacing pacing = tcp::Pacing::Off;                                    ///< of every connection
  std::uint32_t peer_isn = 1'000'000;
  /// Wanted initial sequence number of the layer for the default ports; the clock's start is chosen so that it comes
  /// out.
  std::optional<std::uint32_t> our_isn;
  std::uint16_t mss = 1460;
  /// 0: traces show single segments (larger ones are cut as a driver would).
  std::size_t max_super_segment = 0;
};

class TcpPeer : private observe::Observer {
 public:
  using Where = std::source_location;
  static constexpr std::uint16_t our_port = 80;
  static constexpr std::uint16_t peer_port = 40000;

  explicit TcpPeer(PeerSetup setup = {});
  ~TcpPeer() override;

  // --- the wire ---
  /// A segment from the peer; output is collected at once unless inside batch().
  void in(std::string_view text, Where where = Where::current());
  /// The same segment so many times. Returns how many segments it drew; they are not looked at.
  std::size_t in_repeatedly(std::size_t count, std::string_view text, Where where = Where::current());
  /// Next segment of the layer, in order; it must have been emitted already.
  tcp::OutgoingSegment out(std::string_view text, Where where = Where::current());
  /// Advances the clock until the next segment, which must come after `delay` (within `tolerance`) and match.
  tcp::OutgoingSegment out_after(Duration delay, std::string_view text, Duration tolerance = 1ms,
                                 Where where = Where::current());
  /// Advances the clock at most `limit` until the next segment; it must match. Returns the time that passed.
  Duration out_within(Duration limit, std::string_view text, Where where = Where::current());
  /// Next segment of the layer, whatever it is; it must be there.
  tcp::OutgoingSegment any(Where where = Where::current());
  /// Nothing more was emitted so far.
  void nothing(Where where = Where::current());
  /// Advances the clock; nothing may be emitted meanwhile.
  void silence(Duration duration, Where where = Where::current());
  /// Advances the clock, firing timers exactly when due.
  void wait(Duration duration);
  /// Several arrivals before the layer is asked for output (one read of the device).
  template <class F>
  void batch(F&& f) {
    ++holding_;
    f();
    --holding_;
    collect();
  }
  /// Throws away what was emitted; returns how many segments that were.
  std::size_t discard();
  /// What was emitted and not looked at yet.
  [[nodiscard]] std::size_t pending() const { return emitted_.size(); }

  // --- the application ---
  void listen(std::size_t backlog = 16, ConnectionOptions options = {});
  /// Listener, three-way handshake with these SYN options, accept. Leaves nothing emitted.
  void establish(std::string_view syn_options = "<mss 1460>", ConnectionOptions options = {},
                 std::uint16_t window = 65535);
  /// The same with a peer that is so far away: the handshake measures this round-trip time. `last` is its third
  /// segment.
  void establish_after(Duration round_trip, std::string_view syn_options = "<mss 1000>", ConnectionOptions options = {},
                       std::string_view last = ". 1 ack 1");
  /// Listener and a SYN with these options that was answered: SYN-RECEIVED.
  void half_open(std::string_view syn_options = "<mss 1460>", ConnectionOptions options = {});
  /// Active open up to the emitted SYN (not yet looked at), with so many octets of the pattern as first data.
  void connect(ConnectionOptions options = {}, std::size_t first = 0);
  void accept(Where where = Where::current());
  /// Offers octets of the pattern; returns how many were taken. With `all`, fewer than offered is a failure.
  std::size_t send(std::size_t count, bool all = true, Where where = Where::current());
  /// Takes up to `count` octets and checks them against the peer's pattern; returns how many came.
  std::size_t read(std::size_t count = SIZE_MAX, Where where = Where::current());
  /// Exactly `count` octets are ready, and no more.
  void read_exactly(std::size_t count, Where where = Where::current());
  void eof(Where where = Where::current());  ///< receive() says end of stream
  void read_fails(Error error, Where where = Where::current());
  void send_fails(Error error, Where where = Where::current());
  void shutdown(Where where = Where::current());  ///< half-close
  void shutdown_receive(Where where = Where::current());
  void close();
  void abort();
  void options(ConnectionOptions options, Where where = Where::current());
  [[nodiscard]] ConnectionStatus status(Where where = Where::current());
  void state(TcpState expected, Where where = Where::current());
  /// The handle is unknown to the layer, and nothing is listed for the flow.
  void gone(Where where = Where::current());
  /// The first event of this kind is taken out; it must be there.
  tcp::TcpEvent event(EventKind kind, Where where = Where::current());
  void no_event(EventKind kind, Where where = Where::current());
  /// Every event so far, taken out.
  std::vector<tcp::TcpEvent> take_events();
  /// A Failed event with this error is there.
  void failed(Error error, Where where = Where::current());
  /// ICMP error about the segment that started at our relative sequence number `seq`.
  void icmp(Error error, bool hard, std::optional<std::int64_t> seq = std::nullopt);

  // --- flows ---
  /// Switches to another remote port: in() and out() then speak of that flow.
  void use_port(std::uint16_t port) { port_ = port; }
  /// The peer's next incarnation on this port starts with another initial sequence number.
  void peer_isn(std::uint32_t isn) {
    flow().peer_isn = SeqNum{isn};
    flow().peer_sent_end.reset();
    flow().right_edge.reset();
  }
  void default_window(std::uint16_t window) { window_ = window; }
  void use_handle(tcp::ConnectionHandle h) { handle_ = h; }
  [[nodiscard]] tcp::ConnectionHandle handle() const { return handle_; }
  [[nodiscard]] SeqNum our_iss() { return flow().our_iss.value_or(SeqNum{}); }
  /// Peer address other than the default, say a broadcast one.
  [[nodiscard]] FourTuple tuple() const;
  [[nodiscard]] FourTuple tuple_from(std::uint16_t port) const;
  [[nodiscard]] tcp::ListenerHandle listener() const { return listener_; }

  // --- the rest ---
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] tcp::TcpLayer& layer() { return *layer_; }
  [[nodiscard]] BufferPool& pool() { return pool_; }
  [[nodiscard]] const observe::Sink& sink() const { return sink_; }
  [[nodiscard]] std::uint64_t drops(observe::DropReason reason) const { return sink_.drops(reason); }
  /// States the observer saw the connection enter, in order.
  [[nodiscard]] const std::vector<TcpState>& states_seen() const { return states_; }
  [[nodiscard]] const std::vector<observe::WindowChanged>& windows_seen() const { return windows_; }
  [[nodiscard]] const std::vector<observe::RttSampled>& samples_seen() const { return samples_; }
  [[nodiscard]] std::string transcript() const;
  [[nodiscard]] bool broken() const { return broken_; }
  /// Collects output after a direct call on layer().
  void collect();
  /// Last timestamp value of ours on this flow.
  [[nodiscard]] std::uint32_t our_last_timestamp() { return flow().our_ts_val; }
  /// Set false for tests that look at checks themselves (a receiver may shrink its window by rule).
  void check_right_edge(bool on) { check_right_edge_ = on; }
  /// Do not complain about segments left over at the end.
  void ignore_rest() { ignore_rest_ = true; }

 private:
  struct Flow {
    SeqNum peer_isn;
    std::optional<SeqNum> our_iss;
    std::optional<SeqNum> peer_sent_end;  ///< octet after the last the peer sent
    std::optional<SeqNum> right_edge;     ///< of the window we advertised
    std::uint8_t our_wscale = 0;
    bool we_offered_wscale = false, peer_offered_wscale = false;
    bool we_offered_ts = false, peer_offered_ts = false;
    std::uint32_t our_ts_val = 0;
    std::uint32_t peer_ts_base = 1;
    std::uint64_t read_offset = 0, send_offset = 0;
  };
  struct Emitted {
    tcp::OutgoingSegment segment;
    Instant when;
  };

  void on_event(Instant now, const observe::Event& event) override;
  void start_clock_for(std::uint32_t our_isn);
  void make_layer();
  void note(std::string line);
  void complain(const Where& where, const std::string& message);
  void take_emitted(const tcp::OutgoingSegment& segment);
  void note_emitted(const tcp::OutgoingSegment& segment);
  void check_emitted(Flow& flow, const tcp::OutgoingSegment& segment);
  std::optional<Duration> advance_to_output(Duration limit);
  void advance(Instant target, bool stop_at_output);
  void drain_events();
  Flow& flow() { return flow_of(port_); }
  Flow& flow_of(std::uint16_t port);

  PeerSetup setup_;
  Instant now_ = Instant::from_ns(0);
  Instant start_;
  std::uint16_t port_ = peer_port;
  std::uint16_t window_ = 65535;
  int holding_ = 0;
  bool broken_ = false, ignore_rest_ = false, check_right_edge_ = true;
  std::string complaint_;  ///< found while collecting, reported with the next expectation or at the end
  std::map<std::uint16_t, Flow> flows_;
  std::deque<Emitted> emitted_;
  std::vector<tcp::TcpEvent> events_;
  std::vector<std::string> lines_;
  std::vector<TcpState> states_;
  std::vector<observe::WindowChanged> windows_;
  std::vector<observe::RttSampled> samples_;
  tcp::ConnectionHandle handle_;
  tcp::ListenerHandle listener_;
  BufferPool pool_;
  observe::Sink sink_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<tcp::TcpLayer> layer_;
};

/// Stream salts that TcpPeer uses for the two directions.
inline constexpr StreamSalt ours_to_peer = 1;
inline constexpr StreamSalt peer_to_us = 2;

}  // namespace wireside::testing
