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

/// What one acknowledgement outside recovery says.
struct GrowthSample {
  Instant now;
  std::uint32_t acked = 0;  ///< octets newly known to be delivered
  Duration rtt{};           ///< of this acknowledgement; 0 = none
  Duration srtt{};
  SeqNum snd_una;
  SeqNum snd_nxt;
};

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
  c.idle(idle);                                                     // nothing was in flight for so long
  c.undo();                                                         // the last reduced() was a mistake
};

}  // namespace wireside::tcp
