// How fast the network delivers (draft-ietf-ccwg-bbr, "Delivery Rate Samples"): kept for rate-based congestion control,
// pacing and status calls.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace wireside::tcp {

/// State of the estimator when octets left; goes with each sent range.
struct DeliveryMark {
  std::uint64_t delivered = 0;  ///< octets known to be delivered by then
  Instant delivered_at;         ///< when that was learnt
  Instant first_sent_at;        ///< when the first octets of that flight left
  bool app_limited = false;
};

/// One sample: octets per second over the flight of the octets that an acknowledgement reported.
struct RateSample {
  std::uint64_t octets = 0;
  std::uint64_t prior_delivered = 0;  ///< octets known to be delivered when the newest of those had left
  Duration interval{};
  bool app_limited = false;
  [[nodiscard]] std::uint64_t per_second() const {
    if (interval <= Duration{0}) return 0;
    return static_cast<std::uint64_t>(static_cast<double>(octets) * 1e9 / static_cast<double>(interval.count()));
  }
};

class DeliveryRate {
 public:
  /// Octets leave; `idle`: nothing else was in flight.
  [[nodiscard]] DeliveryMark sent(Instant now, bool idle) {
    if (idle) first_sent_at_ = delivered_at_ = now;
    return {delivered_, delivered_at_, first_sent_at_, app_limited_until_ > delivered_};
  }
  /// Octets that left at `sent_at` with `mark` arrived.
  void delivered(Instant now, std::uint32_t octets, Instant sent_at, const DeliveryMark& mark) {
    delivered_ += octets;
    delivered_at_ = now;
    if (have_newest_ && mark.delivered < newest_.delivered) return;
    have_newest_ = true;
    newest_ = mark;
    newest_sent_at_ = sent_at;
    first_sent_at_ = sent_at;
  }
  /// The acknowledgement is done with: its sample.
  RateSample take_sample() {
    RateSample s;
    if (!have_newest_) return s;
    have_newest_ = false;
    s.octets = delivered_ - newest_.delivered;
    s.interval = std::max(newest_sent_at_ - newest_.first_sent_at, delivered_at_ - newest_.delivered_at);
    s.prior_delivered = newest_.delivered;
    s.app_limited = newest_.app_limited;
    if (s.interval > Duration{0} && (!s.app_limited || s.per_second() > rate_)) {
      rate_ = s.per_second();
      rate_is_app_limited_ = s.app_limited;
    }
    return s;
  }
  /// The application had nothing to send while there was room: samples of what is in flight say too little.
  void app_limited(std::uint32_t in_flight) { app_limited_until_ = std::max<std::uint64_t>(delivered_ + in_flight, 1); }
  [[nodiscard]] std::uint64_t delivered_octets() const { return delivered_; }
  /// Newest sample that counts, octets per second.
  [[nodiscard]] std::uint64_t rate() const { return rate_; }
  /// Whether that one says too little of the path.
  [[nodiscard]] bool rate_is_app_limited() const { return rate_is_app_limited_; }
  /// What a connection at rest keeps of it: nothing is in flight, so the next flight's times begin anew.
  template <class Codec>
  void at_rest(Codec& k) {
    k.number(delivered_);
    k.number(app_limited_until_);
    k.number(rate_);
    k.flags(rate_is_app_limited_);
  }

 private:
  std::uint64_t delivered_ = 0;
  Instant delivered_at_;
  Instant first_sent_at_;
  std::uint64_t app_limited_until_ = 0;
  std::uint64_t rate_ = 0;
  bool rate_is_app_limited_ = false;
  DeliveryMark newest_;
  Instant newest_sent_at_;
  bool have_newest_ = false;
};

}  // namespace wireside::tcp
