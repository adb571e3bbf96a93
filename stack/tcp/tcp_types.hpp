// Values the TCP layer takes and gives: options of a connection, segments in and out, events, status.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/slot_map.hpp"
#include "base/time.hpp"
#include "observe/vocabulary.hpp"
#include "packet/buffer.hpp"
#include "packet/error_report.hpp"
#include "wire/tcp.hpp"

namespace wireside::tcp {

struct ConnectionTag;
struct ListenerTag;
using ConnectionHandle = Handle<ConnectionTag>;
using ListenerHandle = Handle<ListenerTag>;

/// Selectable per socket (TCP_CONGESTION).
enum class CongestionAlgorithm : std::uint8_t {
  NewReno,
  Cubic,
  Custom,  ///< as TcpConfig::custom_congestion makes it; where that makes none, the one before stays (first NewReno)
};
[[nodiscard]] constexpr std::string_view to_string(CongestionAlgorithm a) {
  return a == CongestionAlgorithm::Cubic ? "cubic" : a == CongestionAlgorithm::NewReno ? "newreno" : "custom";
}

class CustomCongestion;
/// Makes one for each connection that asks for it: tcp/custom_congestion.hpp.
using CongestionFactory = std::function<std::unique_ptr<CustomCongestion>()>;

/// Explicit congestion notification (RFC 3168), in the order of Linux's tcp_ecn values 0, 2, 1.
enum class EcnMode : std::uint8_t {
  Off,
  Accept,  ///< for connections whose client asks for it
  Ask,     ///< that, and our own SYNs ask for it
};

/// Whether a window is spread over its round trip.
enum class Pacing : std::uint8_t {
  Off,
  /// Where the path's round trip is 1 ms or more, or max_pacing_rate is given, and not in the first flight (RFC 6928).
  /// On shorter paths, such as to the host on the other side of a TAP, a stack in user space could only lose by it:
  /// its timers are no finer than that.
  Auto,
  On,
};

/// How losses are found where the peer supports SACK.
enum class LossDetection : std::uint8_t {
  Rack,     ///< by time (RFC 8985)
  Rfc6675,  ///< by how much was reported above
};

/// When a listener answers a SYN without keeping anything of it (RFC 4987 section 3.6).
enum class SynCookieUse : std::uint8_t {
  Never,     ///< a full SYN queue makes room by dropping its oldest entry
  WhenFull,  ///< only what finds the SYN queue full
  Always,
};

/// What an application may set per connection (a listener's options are inherited by what it accepts). Times longer
/// than a year count as one year.
struct ConnectionOptions {
  bool no_delay = false;    ///< Nagle off (MUST-17)
  bool keep_alive = false;  ///< off by default (MUST-25)
  /// How long nothing was heard before the first probe (MUST-28). With `user_timeout_option` never before the user
  /// timeout in force is over (RFC 5482 section 4.2). This and the interval: less than 1 ms counts as 1 ms.
  Duration keep_alive_idle = std::chrono::hours{2};
  Duration keep_alive_interval = std::chrono::seconds{75};
  unsigned keep_alive_probes = 9;
  /// How long data may stay unacknowledged, or unsent behind a closed window, before the connection ends with TimedOut
  /// (TCP_USER_TIMEOUT; R2 of MUST-21). 0 = TcpConfig::r2_timeout, and a peer that answers zero-window probes may keep
  /// its window closed for ever (MUST-37).
  Duration user_timeout{};
  /// Octets accepted ahead of acknowledgement; 0 = auto-tuned between config's bounds. Either way no more than 1 GiB:
  /// half the sequence space tells old from new (RFC 9293 section 3.4).
  std::size_t send_buffer = 0;
  /// No more octets than this, or than one segment where that is more, wait unsent (TCP_NOTSENT_LOWAT). 0 = no bound.
  std::size_t notsent_lowat = 0;
  bool cork = false;  ///< small segments wait, 200 ms at most, until this is off again (TCP_CORK)
  /// Tell the peer our user timeout, and follow the peer's where `user_timeout` is 0 (RFC 5482; off by default).
  bool user_timeout_option = false;
  std::size_t receive_buffer = 0;  ///< 0 = auto-tuned between the configured bounds; else fixed
  std::uint8_t ttl = 64;           ///< MUST-49
  std::uint8_t tos = 0;            ///< Diffserv field (MUST-48); its two ECN bits are TCP's own
  /// What close() does (SO_LINGER), which never waits itself. nullopt: everything sent, the FIN too, goes out in the
  /// background, for as long as the peer takes it. 0: abort with a RST. Else it goes out in the background, but when
  /// not all of it is acknowledged after this time, the connection is aborted with a RST (StateCause::LingerTimeout).
  std::optional<Duration> linger;
  std::uint16_t max_segment = 0;  ///< upper bound for our MSS in both directions; 0 = by MTU
  bool quick_ack = false;         ///< acknowledge every segment at once
  CongestionAlgorithm congestion = CongestionAlgorithm::Cubic;
  EcnMode ecn = EcnMode::Accept;  ///< takes effect with the next SYN
  /// The smaller decrease of RFC 8511 when ECN tells of congestion: to 0.8 (NewReno) or 0.85 (CUBIC) of the flight.
  /// Off by default: RFC 8511 is an experiment.
  bool abe = false;
  /// Bursts last about 1 ms: at least two segments, at most a super-segment. The rate is twice the window per SRTT in
  /// slow start, 1.2 times the window else.
  Pacing pacing = Pacing::Auto;
  std::uint64_t max_pacing_rate = 0;  ///< octets per second (SO_MAX_PACING_RATE); 0 = no bound
  bool report_errors = false;         ///< keep what the network said, for take_error_report
  /// Listener: a connection is handed out only when its first data or its FIN has come, or when this much time has
  /// passed since its SYN (TCP_DEFER_ACCEPT); 0 = as soon as it is established.
  Duration defer_accept{};
  /// Socket: may share its port with others that ask for it, too, on a different address, the unspecified one included
  /// (SO_REUSEADDR). Old connections, those in TIME-WAIT included, never keep a port from being bound.
  bool reuse_address = false;
  /// Socket: listeners that all ask for it share an endpoint; a hash of the four-tuple says whose a connection is
  /// (SO_REUSEPORT).
  bool reuse_port = false;
  /// Active open: asks the peer for a TCP Fast Open cookie, and sends first data in the SYN once there is one
  /// (RFC 7413 section 4.2). The peer may then see that data twice, should the network duplicate the SYN (section 2.1):
  /// set it only where a request may be repeated.
  bool fast_open = false;
  /// Listener: how many connections whose SYN brought data may wait for the end of their handshake (RFC 7413 section
  /// 5.1); beyond, a SYN is answered as usual and its data is not taken. 0 turns TCP Fast Open off. A SYN that the
  /// network duplicates may open a connection with the same data again (section 2.1): for requests that may be
  /// repeated.
  std::size_t fast_open_queue = 0;
  friend bool operator==(const ConnectionOptions&, const ConnectionOptions&) = default;
};

/// What TCP asks about paths (RFC 1191); the owner answers.
class PathMtu {
 public:
  virtual ~PathMtu() = default;
  /// Changes whenever any path's value may have changed.
  [[nodiscard]] virtual std::uint32_t generation() const = 0;
  /// Octets of the largest IP packet to a destination.
  [[nodiscard]] virtual std::uint16_t mtu(IpAddress destination) const = 0;
};

/// Bounds and policies of the layer. Defaults follow the RFCs named.
struct TcpConfig {
  ConnectionOptions defaults;
  bool window_scaling = true;
  bool timestamps = true;
  bool sack = true;
  bool dsack = true;  ///< report octets that came twice (RFC 2883)
  LossDetection loss_detection = LossDetection::Rack;
  bool tail_loss_probe = true;                            ///< RFC 8985 section 7
  std::size_t send_buffer_initial = 512 * 1024;           ///< auto-tuning starts here
  std::size_t send_buffer_max = std::size_t{8} << 20;     ///< and ends here
  std::size_t receive_buffer_initial = 128 * 1024;        ///< auto-tuning starts here
  std::size_t receive_buffer_max = std::size_t{8} << 20;  ///< and ends here
  Duration msl =
      std::chrono::seconds{30};  ///< TIME-WAIT lasts twice this (MUST-13; 9293 suggests 2 min, hosts use 30 s)
  Duration rto_initial = std::chrono::seconds{1};  ///< RFC 6298 (2.1)
  /// Least time beyond SRTT. RFC 6298 (2.4) says that the whole SHOULD be 1 s; 200 ms as common hosts do.
  Duration rto_min = std::chrono::milliseconds{200};
  Duration rto_max = std::chrono::seconds{120};
  bool mtu_probing = true;                                  ///< suspect a black hole after two timeouts (RFC 4821)
  unsigned r1_retransmissions = 3;                          ///< SHLD-10
  Duration r2_timeout = std::chrono::minutes{15};           ///< default give-up time for data (SHLD-11: at least 100 s)
  Duration syn_timeout = std::chrono::minutes{3};           ///< MUST-23
  Duration delayed_ack = std::chrono::milliseconds{40};     ///< MUST-40: below 0.5 s; shorter for fast senders
  Duration delayed_ack_min = std::chrono::milliseconds{5};  ///< what they bring it down to; at most delayed_ack
  /// Segments acknowledged one by one at the start, while the peer's window is small; ends when we answer with data.
  unsigned quick_acks = 16;
  CongestionFactory custom_congestion;  ///< for CongestionAlgorithm::Custom
  unsigned abc_limit = 1;  ///< NewReno: segments a slow-start ACK may add (RFC 5681: 1; RFC 3465 section 2.3: 2)
  /// Octets of buffers in use by all connections beyond which nothing more than a few segments is newly granted.
  std::size_t memory_pressure = std::size_t{512} << 20;
  Duration fin_wait_2_timeout = std::chrono::seconds{60};  ///< after close() (not shutdown) only
  std::size_t max_syn_queue = 1024;                        ///< half-open connections over all listeners
  SynCookieUse syn_cookies = SynCookieUse::WhenFull;
  std::size_t max_time_wait = 65536;
  /// Opened or accepted; beyond, connect() fails with NoBuffers and a listener drops SYNs.
  std::size_t max_connections = std::size_t{1} << 20;
  /// Idle connections whose whole state is kept ready, 2 KB each: those that were used last. The state of others is
  /// packed into a few hundred octets until they have something to do, which nobody can notice but by the memory.
  std::size_t max_awake_idle = 256;
  std::size_t max_reassembly_slices = 1024;  ///< out-of-order pieces held per connection
  /// A cookie of ours is good for one to two of these (RFC 7413 section 4.1.2).
  Duration fast_open_key_lifetime = std::chrono::hours{12};
  std::size_t fast_open_cache = 1024;     ///< peers whose cookie is remembered (RFC 7413 section 4.1.3)
  bool fast_path = true;                  ///< off only to compare: no frame may differ
  std::uint16_t ephemeral_first = 49152;  ///< RFC 6056 section 3.2
  std::uint16_t ephemeral_last = 65535;
};

/// A received segment with what the network layer knows of it.
struct IncomingSegment {
  FourTuple tuple;  ///< local = destination
  wire::TcpHeader header;
  Slice payload;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  /// Segments this one stands for (super-segment), at least 1.
  std::uint16_t gso_size = 0;
};

/// A segment to send. TCP knows nothing of the headers below it.
struct OutgoingSegment {
  FourTuple tuple;
  wire::TcpHeader header;
  SliceList payload;
  /// Payload octets per segment when payload exceeds one MSS, else 0.
  std::uint16_t gso_size = 0;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  observe::TxReason reason = observe::TxReason::Data;
  std::uint32_t connection = 0;
};

/// Something an owner may want to react to. Each is an edge: it is reported when the condition becomes true.
struct TcpEvent {
  enum class Kind : std::uint8_t {
    Connected,    ///< active open finished
    AcceptReady,  ///< a listener has a connection to accept
    Readable,     ///< octets or EOF to receive
    Writable,     ///< room in the send buffer again
    Failed,       ///< the connection ended with `error`
    Closed,       ///< everything sent was acknowledged and both directions are closed
    Reported,     ///< take_error_report() has something new
    Urgent,       ///< urgent octets are announced, or more of them (MUST-32); status().urgent_ahead tells how far
  };
  Kind kind = Kind::Readable;
  ConnectionHandle connection;  ///< invalid for AcceptReady
  ListenerHandle listener;      ///< AcceptReady only
  Error error = Error::WouldBlock;
};

/// A listener, for listings.
struct ListenerStatus {
  Endpoint local;
  std::size_t waiting = 0;  ///< connections not yet accepted
  std::size_t backlog = 1;
};

/// Whether something lost is being repaired, and how it was found.
enum class LossRecovery : std::uint8_t { Open, Fast, Loss };
[[nodiscard]] constexpr std::string_view to_string(LossRecovery r) {
  return r == LossRecovery::Open ? "open" : r == LossRecovery::Fast ? "fast" : "loss";
}

/// RFC names; a snapshot for status calls (TCP_INFO).
struct ConnectionStatus {
  std::uint32_t id = 0;
  FourTuple tuple;
  TcpState state = TcpState::Closed;
  SeqNum iss, irs, snd_una, snd_nxt, rcv_nxt;
  std::uint32_t snd_wnd = 0, rcv_wnd = 0;
  std::uint8_t snd_wscale = 0, rcv_wscale = 0;
  std::uint32_t mss = 0;  ///< effective send MSS, options deducted
  bool timestamps = false, sack = false;
  bool ecn = false;                ///< both ends speak ECN
  std::uint64_t ce_received = 0;   ///< segments that came with a CE mark
  std::uint64_t ece_received = 0;  ///< acknowledgements that echoed one of ours
  std::uint32_t cwnd = 0, ssthresh = 0;
  std::uint32_t flight = 0;            ///< octets from snd_una to snd_nxt
  std::uint32_t pipe = 0;              ///< those of them the network holds: neither reported nor lost
  std::uint32_t sacked = 0, lost = 0;  ///< octets in flight reported by SACK, and marked lost
  LossRecovery recovery = LossRecovery::Open;
  bool reordering_seen = false;
  unsigned reo_wnd_mult = 1;               ///< RACK.reo_wnd_mult (RFC 8985 section 6.2)
  std::uint64_t duplicates_reported = 0;   ///< DSACKs received (RFC 2883)
  std::uint64_t delivery_rate = 0;         ///< octets per second, newest sample that counts; 0 = none yet
  bool delivery_rate_app_limited = false;  ///< the application had too little to send when that sample was taken
  std::uint64_t delivered = 0;             ///< octets
  Duration min_rtt{};                      ///< of the last minutes; 0 = none yet
  Duration rcv_rtt{};                      ///< as the receiver sees it; 0 = none yet
  std::uint32_t advertised_mss = 0, rcv_mss = 0;
  std::uint32_t path_mtu = 0;  ///< octets of the largest packet the path is taken to carry, whatever the peer's MSS
  std::uint64_t segments_sent = 0, segments_received = 0;            ///< with and without data
  std::uint64_t data_segments_sent = 0, data_segments_received = 0;  ///< super-segments count as what they hold
  std::uint64_t octets_retransmitted = 0;
  std::size_t unsent = 0;                                   ///< octets accepted and never sent
  std::size_t send_buffer = 0;                              ///< current bound
  Instant data_sent_at, data_received_at, ack_received_at;  ///< the latest; Instant{}: never
  Duration user_timeout{};                                  ///< in force (RFC 5482)
  std::uint32_t urgent_ahead = 0;  ///< octets up to the end of urgent data, from the next one to be read (MUST-33)
  std::uint8_t received_tos = 0;   ///< Diffserv field of the latest segment (MAY-9)
  CongestionAlgorithm congestion = CongestionAlgorithm::Cubic;
  std::uint64_t pacing_rate = 0;  ///< octets per second; 0 = not paced now
  Duration srtt{}, rttvar{}, rto{};
  unsigned retransmissions = 0;           ///< in a row, of the oldest segment
  std::uint64_t total_retransmitted = 0;  ///< segments
  std::uint64_t octets_sent = 0, octets_received = 0;
  std::size_t send_queued = 0;     ///< octets not yet acknowledged, sent or not
  std::size_t receive_queued = 0;  ///< octets in order, not yet taken
  std::size_t out_of_order = 0;    ///< octets held beyond rcv_nxt
  std::size_t receive_buffer = 0;
  std::optional<observe::TimerKind> timer;  ///< the one that is due next, at `timer_due`
  Instant timer_due{};
  std::optional<Error> error;
};

}  // namespace wireside::tcp
