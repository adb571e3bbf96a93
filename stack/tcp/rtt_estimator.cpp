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
  rto_ = std::clamp(srtt_ + std::max(clock_granularity, rttvar_ * 4), bounds_.min, bounds_.max);
}

void RttEstimator::back_off() { rto_ = std::min(rto_ * 2, bounds_.max); }

void RttEstimator::restart_after_syn_loss() { rto_ = std::max<Duration>(rto_, std::chrono::seconds{3}); }

}  // namespace wireside::tcp
