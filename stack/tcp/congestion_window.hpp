// The congestion window and what an algorithm is told (RFC 5681 section 2). Windows are in octets.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string_view>

#include "base/seq_num.hpp"
#include "base/time.hpp"

namespace wireside::tcp {

struct CongestionWindow {
  static constexpr std::uint32_t max_window = 1U << 30;
  std::uint32_t smss = 536;
  std::uint32_t abc_limit = 1;
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = UINT32_MAX;

  [[nodiscard]] bool in_slow_start() const { return cwnd < ssthresh; }
  void grow(std::uint32_t octets) { cwnd = std::min(cwnd + octets, max_window); }
};

/// RFC 6928 equation (1): min(10*MSS, max(2*MSS, 14600)).
[[nodiscard]] constexpr std::uint32_t initial_window(std::uint32_t smss) {
  return std::min(10 * smss, std::max(2 * smss, 14600U));
}

/// What one acknowledgement says of the path (draft-ietf-ccwg-bbr, "Delivery Rate Samples"). Octets.
struct DeliverySample {
  Instant now;
  std::uint64_t delivered = 0;        ///< known to have arrived, since the connection began
  std::uint64_t prior_delivered = 0;  ///< the same when the newest of those that this one reports had left
  std::uint32_t newly_delivered = 0;
  std::uint64_t rate = 0;       ///< octets per second, over the flight that this one reports; 0 = no sample
  bool app_limited = false;     ///< the application had too little to send: the path may carry more than `rate`
  std::uint32_t in_flight = 0;  ///< what the network holds now
  std::uint32_t lost = 0;       ///< known to be lost, and not sent again yet
  Duration rtt{};               ///< of this acknowledgement; 0 = none
  Duration min_rtt{};           ///< of the last minutes; 0 = none yet
  bool recovering = false;      ///< a loss is being repaired
};

/// What one acknowledgement outside recovery says.
struct GrowthSample {
  Instant now;
  std::uint32_t acked = 0;  ///< octets newly known to be delivered
  Duration rtt{};           ///< of this acknowledgement; 0 = none
  Duration srtt{};
  SeqNum snd_una;
  SeqNum snd_nxt;
  DeliverySample path{};
  bool paced = false;          ///< what growth allows leaves spread over a round trip
  bool after_timeout = false;  ///< of what was in flight at a timeout not all is acknowledged yet
};

/// What slow start may add for an acknowledgement: `segments` at most (RFC 5681 equation (2), RFC 3465 section 2.2), so
/// that one that covers many causes no burst. Pacing spreads what it causes, so there all of it counts (RFC 9406
/// section 4.3), or receivers that acknowledge seldom would make growth linear. After a timeout it is one segment
/// whatever else (RFC 3465 section 2.3).
[[nodiscard]] constexpr std::uint32_t slow_start_step(const CongestionWindow& w, const GrowthSample& sample,
                                                      std::uint32_t segments) {
  if (sample.paced && !sample.after_timeout) return sample.acked;
  return std::min(sample.acked, (sample.after_timeout ? 1 : segments) * w.smss);
}

enum class CongestionSignal : std::uint8_t {
  Loss,
  Timeout,
  Ecn,             ///< answered like a loss (RFC 3168 section 6.1.2)
  AlternativeEcn,  ///< answered with a smaller decrease (ABE, RFC 8511)
};

/// Algorithms decide how the window grows and how far it falls. What leads to that, and how the window is led down
/// (fast recovery, PRR, loss recovery), is the same for all.
template <class C>
concept CongestionControl = requires(C c, const C k, CongestionWindow& w, const GrowthSample& sample, std::uint32_t n,
                                     CongestionSignal signal, Instant now, Duration idle) {
  { k.name() } -> std::same_as<std::string_view>;
  c.start();
  c.grow(w, sample);
  { c.reduced(w, n, signal, now) } -> std::same_as<std::uint32_t>;  // n: octets in flight; the new ssthresh
  c.limited(now);                                                   // acknowledged, but the window was not in use
  c.idle(idle);                                                     // nothing was in flight for so long
  c.undo();                                                         // the last reduced() was a mistake
};

/// One that follows what the path delivers: it hears of every acknowledgement, and says how fast to send.
template <class C>
concept RateBased = CongestionControl<C> &&
    requires(C c, const C k, CongestionWindow& w, const DeliverySample& sample) {
  c.delivered(w, sample);
  { k.pacing_rate(w) } -> std::same_as<std::uint64_t>;  // octets per second; 0 = by the stack's own rule
};

}  // namespace wireside::tcp
