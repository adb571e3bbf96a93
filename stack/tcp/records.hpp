// Small records for what is not a full connection: listeners, half-open passive connections, TIME-WAIT.
#pragma once

#include <deque>

#include "base/deadline_queue.hpp"
#include "base/intrusive_list.hpp"
#include "tcp/connection.hpp"

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

/// SYN-RECEIVED after a passive open: remembers the SYN, answers with the SYN-ACK, holds no buffers (MUST-11).
struct HalfOpen : Handshake, ListNode<HalfOpenTag>, DeadlineNode {
  HalfOpenHandle handle;
  Instant created_at, sent_at;
  Duration rto{};
  unsigned retransmissions = 0;
  bool repeated = false;  ///< the client asked for the SYN-ACK again: no round-trip sample (Karn)
  bool deferred = false;  ///< our SYN was acknowledged, the connection waits for data (defer_accept)
  bool defer_over = false;
  std::optional<Duration> rtt;  ///< as measured when it was
  AckRation ack_ration;
};

/// TIME-WAIT: enough to acknowledge a repeated FIN and to judge a new SYN.
struct TimeWait : ListNode<TimeWaitTag> {
  std::uint32_t id = 0;
  FourTuple tuple;
  TimeWaitHandle handle;
  ConnectionHandle connection;  ///< still held by the application, or invalid
  SeqNum snd_nxt, rcv_nxt;
  std::uint16_t window = 0;
  std::uint32_t rcv_wnd = 0;
  bool use_timestamps = false;
  TimestampState timestamps;
  std::uint8_t ttl = 64, tos = 0;
  Instant expires_at;
  AckRation ack_ration;
};

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
