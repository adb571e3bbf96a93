#include "tcp/hystart.hpp"

namespace wireside::tcp {

/// Section 4.2: rounds end when what was sent at their begin is acknowledged.
void HyStart::take_round(const GrowthSample& sample) {
  if (!round_open_ || sample.snd_una.at_or_after(window_end_)) {
    if (css_ && round_open_) ++css_round_;
    window_end_ = sample.snd_nxt;
    round_open_ = true;
    last_round_min_ = current_round_min_;
    current_round_min_ = Duration::max();
    rtt_samples_ = 0;
  }
  if (sample.rtt <= Duration{0}) return;
  current_round_min_ = std::min(current_round_min_, sample.rtt);
  ++rtt_samples_;
}

void HyStart::judge() {
  if (rtt_samples_ < n_rtt_sample || current_round_min_ == Duration::max()) return;
  if (css_) {
    if (current_round_min_ < css_baseline_min_) {  // it was a burst, not a queue: slow start goes on
      css_ = false;
      css_baseline_min_ = Duration::max();
    }
    return;
  }
  if (last_round_min_ == Duration::max()) return;
  const Duration eighth = last_round_min_ / min_rtt_divisor;
  const Duration thresh = std::max(min_rtt_thresh, std::min(eighth, max_rtt_thresh));
  if (current_round_min_ < last_round_min_ + thresh) return;
  css_baseline_min_ = current_round_min_;
  css_ = true;
  css_round_ = 0;
}

std::uint32_t HyStart::growth(CongestionWindow& w, const GrowthSample& sample) {
  take_round(sample);
  judge();
  const std::uint32_t step = slow_start_step(w, sample, limit);
  if (!css_) return step;
  if (css_round_ >= css_rounds) w.ssthresh = w.cwnd;  // congestion avoidance begins
  return step / css_growth_divisor;
}

}  // namespace wireside::tcp
