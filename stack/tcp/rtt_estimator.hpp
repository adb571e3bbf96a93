// Retransmission timeout from round-trip samples (RFC 6298).
#pragma once

#include "base/time.hpp"

namespace wireside::tcp {

class RttEstimator {
 public:
  struct Bounds {
    Duration initial;
    Duration min;  ///< of what is added to SRTT, so of the whole as well
    Duration max;
  };
  explicit RttEstimator(const Bounds& bounds) : bounds_{bounds}, rto_{bounds.initial} {}

  /// Rules (2.2) and (2.3); ends any back-off. The sample must not come from a retransmitted segment unless
  /// timestamps say which transmission was acknowledged (Karn's algorithm, MUST-18).
  void sample(Duration r);
  /// Rule (5.5).
  void back_off();
  /// Rule (5.7): the handshake's SYN timed out, so data starts with a cautious 3 s.
  void restart_after_syn_loss();
  [[nodiscard]] Duration rto() const { return rto_; }
  [[nodiscard]] Duration srtt() const { return srtt_; }
  [[nodiscard]] Duration rttvar() const { return rttvar_; }
  [[nodiscard]] bool has_sample() const { return has_sample_; }
  /// What a connection at rest keeps of it.
  template <class Codec>
  void at_rest(Codec& k) {
    k.flags(has_sample_);
    k.duration(srtt_);
    k.duration(rttvar_);
    k.duration(rto_);
  }

 private:
  static constexpr Duration clock_granularity = std::chrono::milliseconds{1};
  Bounds bounds_;
  Duration srtt_{};
  Duration rttvar_{};
  Duration rto_;
  bool has_sample_ = false;
};

}  // namespace wireside::tcp
