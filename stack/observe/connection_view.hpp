// ConnectionView: a connection's transmission control block (RFC 9293 section 3.3.1) as it stands, for those who show
// it.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/seq_num.hpp"
#include "base/time.hpp"
#include "observe/vocabulary.hpp"

namespace wireside::observe {

/// Octets [left, right).
struct SeqRange {
  SeqNum left;
  SeqNum right;
  [[nodiscard]] std::uint32_t octets() const { return span_octets(left, right); }
  friend bool operator==(const SeqRange&, const SeqRange&) = default;
};

/// The first few ranges; `total` says how many there are.
struct SeqRanges {
  static constexpr std::size_t most = 8;
  std::array<SeqRange, most> range{};
  std::uint8_t count = 0;
  std::uint32_t total = 0;

  void add(SeqNum left, SeqNum right) {
    ++total;
    if (count < most) range[count++] = {left, right};
  }
  [[nodiscard]] const SeqRange* begin() const { return range.data(); }
  [[nodiscard]] const SeqRange* end() const { return range.data() + count; }
};

/// RFC names. Windows, queues and segment sizes are octets. Of a half-open connection and of one in TIME-WAIT only a
/// part is kept (record()): the rest is zero.
struct ConnectionView {
  enum class Record : std::uint8_t {
    Whole,
    HalfOpen,  ///< four-tuple, state, iss, irs, snd_wnd, rcv_wnd, peer_mss, what was agreed, retransmissions
    TimeWait,  ///< four-tuple, state, snd_nxt, rcv_nxt, rcv_wnd, the TIME-WAIT timer
  };
  std::uint32_t connection = 0;  ///< of one stack, from 1 on
  FourTuple tuple;
  TcpState state = TcpState::Closed;
  Record record = Record::Whole;
  RecoveryPhase recovery = RecoveryPhase::Open;

  // what we send
  SeqNum iss, snd_una, snd_nxt;
  SeqNum recover;                       ///< where loss recovery ends, while there is one
  std::uint32_t snd_wnd = 0;            ///< from snd_una on
  std::uint32_t max_snd_wnd = 0;        ///< the largest ever offered
  std::uint32_t mss = 0;                ///< payload of our full segments, options deducted
  std::uint32_t cwnd = 0;               ///< congestion window
  std::uint32_t ssthresh = UINT32_MAX;  ///< UINT32_MAX: none yet
  std::uint32_t pipe = 0;               ///< in flight and neither reported nor lost (RFC 6675)
  std::uint32_t sacked = 0;             ///< octets in flight that the peer reported
  std::uint32_t lost = 0;               ///< octets in flight found to be lost and not sent again
  SeqRanges peer_holds;                 ///< those it reported
  SeqRanges missing;                    ///< those found to be lost
  std::uint64_t send_queued = 0;        ///< octets not acknowledged, sent or not
  std::uint64_t unsent = 0;             ///< octets never sent
  std::uint64_t send_limit = 0;         ///< the most that may be queued
  std::uint64_t octets_sent = 0;        ///< each once
  std::uint64_t retransmitted = 0;      ///< segments
  std::uint32_t dup_acks = 0;           ///< in a row, without SACK
  std::uint32_t retransmissions = 0;    ///< timeouts in a row: how often the RTO was doubled
  std::uint32_t probes = 0;             ///< zero-window probes in a row
  std::uint32_t keep_alives = 0;        ///< unanswered

  // times
  Duration srtt{}, rttvar{}, rto{};
  Duration min_rtt{};  ///< of the last minutes; 0 = none yet

  // what we receive
  SeqNum irs, rcv_nxt;
  std::uint32_t rcv_wnd = 0;         ///< advertised, from rcv_nxt on
  std::uint32_t rcv_mss = 0;         ///< estimate of the peer's segments
  std::uint32_t peer_mss = 0;        ///< its MSS option
  SeqRanges held;                    ///< octets that came ahead of a gap
  std::uint64_t out_of_order = 0;    ///< all of them
  std::uint64_t receive_queued = 0;  ///< octets in order that the application has not taken
  std::uint64_t receive_limit = 0;
  std::uint64_t octets_received = 0;
  std::uint32_t unacknowledged = 0;  ///< octets in order for which no ACK has left yet

  // what the SYNs agreed on
  std::uint8_t snd_wscale = 0, rcv_wscale = 0;
  bool window_scaling = false, timestamps = false, sack = false, ecn = false;

  /// When each timer is due; Instant::max(): it does not run.
  std::array<Instant, timer_kind_count> timers = [] {
    std::array<Instant, timer_kind_count> none{};
    none.fill(Instant::max());
    return none;
  }();

  [[nodiscard]] Instant due(TimerKind k) const { return timers[static_cast<std::size_t>(k)]; }
  [[nodiscard]] std::uint32_t flight() const { return span_octets(snd_una, snd_nxt); }
  /// Right edges of the two windows.
  [[nodiscard]] SeqNum snd_edge() const { return snd_una + snd_wnd; }
  [[nodiscard]] SeqNum rcv_edge() const { return rcv_nxt + rcv_wnd; }
};

}  // namespace wireside::observe
