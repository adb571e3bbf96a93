// HyStart++: leaving slow start before it overshoots (RFC 9406).
#pragma once

#include <algorithm>

#include "tcp/congestion_window.hpp"

namespace wireside::tcp {

class HyStart {
 public:
  /// L: segments the window may grow by per acknowledgement, without pacing.
  static constexpr std::uint32_t limit = 8;
  void start() { *this = HyStart{}; }
  /// How much of `sample.acked` the window may grow by in slow start; may set ssthresh, which ends slow start.
  std::uint32_t growth(CongestionWindow& w, const GrowthSample& sample);
  [[nodiscard]] bool conservative() const { return css_; }
  /// What a connection at rest keeps of it.
  template <class Codec>
  void at_rest(Codec& k) {
    k.flags(round_open_, css_);
    if (!round_open_) return;  // nothing has happened yet
    k.maybe_never(last_round_min_);
    k.maybe_never(current_round_min_);
    k.maybe_never(css_baseline_min_);
    k.number(rtt_samples_);
    k.number(css_round_);
    k.sequence(window_end_, SeqNum{});
  }

 private:
  static constexpr Duration min_rtt_thresh = std::chrono::milliseconds{4};
  static constexpr Duration max_rtt_thresh = std::chrono::milliseconds{16};
  static constexpr int min_rtt_divisor = 8;
  static constexpr unsigned n_rtt_sample = 8;
  static constexpr std::uint32_t css_growth_divisor = 4;
  static constexpr unsigned css_rounds = 5;

  void take_round(const GrowthSample& sample);
  void judge();

  Duration last_round_min_ = Duration::max();
  Duration current_round_min_ = Duration::max();
  Duration css_baseline_min_ = Duration::max();
  unsigned rtt_samples_ = 0;
  SeqNum window_end_;
  bool round_open_ = false;
  bool css_ = false;
  unsigned css_round_ = 0;
};

}  // namespace wireside::tcp
