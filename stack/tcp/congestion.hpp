// What a congestion control must offer, and NewReno (RFC 5681, RFC 6582, RFC 6928). Windows are in octets.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>

namespace wireside::tcp {

template <class C>
concept CongestionControl = requires(C c, const C k, std::uint32_t n) {
  { k.cwnd() } -> std::same_as<std::uint32_t>;
  { k.ssthresh() } -> std::same_as<std::uint32_t>;
  c.start(n, n);  // smss, whether the SYN was lost (0/1)
  c.set_smss(n);
  c.on_ack(n);              // octets newly acknowledged, outside recovery
  c.on_fast_retransmit(n);  // FlightSize
  c.on_duplicate_ack();     // further duplicate in recovery
  c.on_partial_ack(n);      // octets newly acknowledged
  c.on_recovery_exit(n);    // FlightSize
  c.on_timeout(n, n);       // FlightSize, whether it is the segment's first timeout (0/1)
  c.on_idle_restart();
};

/// RFC 6928 equation (1): min(10*MSS, max(2*MSS, 14600)).
[[nodiscard]] constexpr std::uint32_t initial_window(std::uint32_t smss) {
  return std::min(10 * smss, std::max(2 * smss, 14600U));
}

class NewReno {
 public:
  [[nodiscard]] std::uint32_t cwnd() const { return cwnd_; }
  [[nodiscard]] std::uint32_t ssthresh() const { return ssthresh_; }
  [[nodiscard]] bool in_slow_start() const { return cwnd_ < ssthresh_; }

  void set_smss(std::uint32_t smss) { smss_ = smss; }
  /// After a lost SYN the window starts at one segment (RFC 5681 section 3.1).
  void start(std::uint32_t smss, std::uint32_t syn_lost) {
    smss_ = smss;
    initial_ = syn_lost != 0 ? smss : initial_window(smss);
    cwnd_ = initial_;
    ssthresh_ = UINT32_MAX;
    acked_ = 0;
  }
  void on_ack(std::uint32_t acked) {
    if (in_slow_start()) {
      grow(std::min(acked, smss_));  // RFC 5681 equation (2)
      return;
    }
    acked_ += std::min(acked, cwnd_);
    if (acked_ >= cwnd_) {  // a window's worth acknowledged: one more segment per round trip
      acked_ -= cwnd_;
      grow(smss_);
    }
  }
  void on_fast_retransmit(std::uint32_t flight) {
    ssthresh_ = std::max(flight / 2, 2 * smss_);
    cwnd_ = ssthresh_ + 3 * smss_;
    acked_ = 0;
  }
  void on_duplicate_ack() { grow(smss_); }
  void on_partial_ack(std::uint32_t acked) {
    cwnd_ -= std::min(acked, cwnd_ - smss_);
    if (acked >= smss_) grow(smss_);
  }
  /// RFC 6582 section 3.2 step 3 option (1), which avoids a burst.
  void on_recovery_exit(std::uint32_t flight) { cwnd_ = std::min(ssthresh_, std::max(flight, smss_) + smss_); }
  void on_timeout(std::uint32_t flight, std::uint32_t first) {
    if (first != 0) ssthresh_ = std::max(flight / 2, 2 * smss_);
    cwnd_ = smss_;
    acked_ = 0;
  }
  void on_idle_restart() { cwnd_ = std::min(cwnd_, initial_); }

 private:
  static constexpr std::uint32_t max_window = 1U << 30;
  void grow(std::uint32_t n) { cwnd_ = std::min(cwnd_ + n, max_window); }
  std::uint32_t smss_ = 536;
  std::uint32_t initial_ = 0;
  std::uint32_t cwnd_ = 0;
  std::uint32_t ssthresh_ = UINT32_MAX;
  std::uint32_t acked_ = 0;
};
static_assert(CongestionControl<NewReno>);

}  // namespace wireside::tcp
