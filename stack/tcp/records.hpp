// Small records for what is not a full connection: listeners, half-open passive connections, TIME-WAIT.
#pragma once

#include <deque>

#include "base/slot_map.hpp"
#include "base/slot_order.hpp"
#include "tcp/connection.hpp"
#include "tcp/flow_key.hpp"

namespace wireside::tcp {

struct HalfOpenTag;
struct TimeWaitTag;
using HalfOpenHandle = Handle<HalfOpenTag>;
using TimeWaitHandle = Handle<TimeWaitTag>;

struct Listener {
  Endpoint local;
  std::size_t backlog = 1;
  ConnectionOptions options;
  std::deque<ConnectionHandle> accept_queue;
  bool event_queued = false;
  std::size_t fast_open_pending = 0;     ///< opened by data in the SYN, handshake not over
  std::deque<Instant> fast_open_resets;  ///< until when those that ended by a RST count as pending
};

/// What two SYNs have said to each other, until the connection stands.
struct Handshake {
  std::uint32_t id = 0;
  FourTuple tuple;
  ListenerHandle listener;
  Negotiated negotiated;
  TimestampState timestamps;
  SeqNum iss, irs;
  std::uint32_t snd_wnd = 0;
  std::uint16_t rcv_wnd = 0;
  bool give_fast_open_cookie = false;  ///< the SYN asked for one, or brought one that is not good
  Duration peer_user_timeout{};        ///< as the SYN told (RFC 5482); 0 = not
};

/// SYN-RECEIVED after a passive open: remembers the SYN, answers with the SYN-ACK, holds no buffers (MUST-11). There
/// may be many of these at a time, so it is packed: LayerState::handshake_of() tells the rest.
struct HalfOpen {
  /// What 48 bits of nanoseconds can tell: times of the timer count from when the record was made.
  static constexpr Duration longest_life{(std::int64_t{1} << 48) - 1};

  FlowKey flow;
  std::uint32_t id = 0;
  std::uint32_t slot = 0;            ///< its own
  SlotLinks links;                   ///< by age
  std::uint32_t place = UINT32_MAX;  ///< in the queue of timers
  std::uint32_t due_low = 0, key_low = 0;
  Instant created_at;
  Duration rtt{-1};  ///< as measured when our SYN was acknowledged; negative: not
  AckRation ack_ration;
  std::uint32_t listener = 0;  ///< its slot; a listener does not end before its half-open connections
  std::uint32_t ts_recent = 0;
  SeqNum iss, irs;
  std::uint16_t snd_wnd = 0, rcv_wnd = 0;
  std::uint16_t due_high = 0, key_high = 0;
  std::uint16_t peer_mss = 0;
  std::uint16_t peer_user_timeout = 0;  ///< as in the option: seconds, or with the highest bit minutes
  WindowScale snd_wscale, rcv_wscale;
  std::uint8_t retransmissions = 0;  ///< or 255, if more
  bool window_scaling : 1 = false;
  bool timestamps : 1 = false;
  bool sack : 1 = false;
  bool ecn : 1 = false;
  bool give_fast_open_cookie : 1 = false;
  bool repeated : 1 = false;  ///< the client asked for the SYN-ACK again: no round-trip sample (Karn)
  bool deferred : 1 = false;  ///< our SYN was acknowledged, the connection waits for data (defer_accept)
  bool defer_over : 1 = false;

  [[nodiscard]] Instant due() const { return later_by(due_high, due_low); }
  [[nodiscard]] Instant key() const { return later_by(key_high, key_low); }
  void set_due(Instant t) { keep(t, due_high, due_low); }
  void set_key(Instant t) { keep(t, key_high, key_low); }

 private:
  [[nodiscard]] Instant later_by(std::uint16_t high, std::uint32_t low) const {
    return created_at + Duration{static_cast<std::int64_t>(high) << 32 | low};
  }
  void keep(Instant t, std::uint16_t& high, std::uint32_t& low) const {
    const auto offset = static_cast<std::uint64_t>((t - created_at).count());
    high = static_cast<std::uint16_t>(offset >> 32);
    low = static_cast<std::uint32_t>(offset);
  }
};
static_assert(sizeof(HalfOpen) <= 96);
using HalfOpenMap = SlotMap<HalfOpen, HalfOpenTag>;

/// TIME-WAIT: enough to acknowledge a repeated FIN and to judge a new SYN.
struct TimeWait {
  FlowKey flow;
  std::uint32_t id = 0;
  std::uint32_t slot = 0;       ///< its own
  SlotLinks links;              ///< in the order of expiry
  ConnectionHandle connection;  ///< still held by the application, or invalid
  SeqNum snd_nxt, rcv_nxt;
  std::uint32_t rcv_wnd = 0;
  TimestampState timestamps;
  Instant expires_at;
  AckRation ack_ration;
  std::uint16_t window = 0;
  bool use_timestamps = false;
  std::uint8_t ttl = 64, tos = 0;
};
static_assert(sizeof(TimeWait) <= 96);
using TimeWaitMap = SlotMap<TimeWait, TimeWaitTag>;

/// A segment without payload that no connection keeps state for: RST, TIME-WAIT ACK, SYN-ACK of a half-open record.
struct ControlSegment {
  FourTuple tuple;
  wire::TcpHeader header;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  TxReason reason = TxReason::ResetNoConnection;
  std::uint32_t connection = 0;
};

}  // namespace wireside::tcp
