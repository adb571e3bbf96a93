#include "tcp/rtt_estimator.hpp"

#include <algorithm>

namespace wireside::tcp {

void RttEstimator::sample(Duration r) {
  r = std::max(r, Duration{0});
  if (!has_sample_) {
    srtt_ = r;
    rttvar_ = r / 2;
    has_sample_ = true;
  } else {
    const Duration deviation = srtt_ > r ? srtt_ - r : r - srtt_;
    rttvar_ = (rttvar_ * 3 + deviation) / 4;
    srtt_ = (srtt_ * 7 + r) / 8;
  }
  // The minimum stands for what the samples cannot show, such as a delayed ACK, so it is time beyond the round trip;
  // else a steady path of just under 200 ms would time out at the first of them, and before any tail loss probe.
  rto_ = std::min(srtt_ + std::max({clock_granularity, rttvar_ * 4, bounds_.min}), bounds_.max);
}

void RttEstimator::back_off() { rto_ = std::min(rto_ * 2, bounds_.max); }

void RttEstimator::restart_after_syn_loss() { rto_ = std::max<Duration>(rto_, std::chrono::seconds{3}); }

}  // namespace wireside::tcp
