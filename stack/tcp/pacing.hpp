// Pacing: a window is spread over its round trip instead of leaving in one burst.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace wireside::tcp {

/// Decides when the next burst may leave. Time is counted exactly; how much leaves at a time follows from how finely a
/// host's timers can wait.
class Pacer {
 public:
  /// What timers of a host in user space can be trusted with: bursts last that long, and a wake-up that comes late by
  /// up to that much does not lower the rate.
  static constexpr Duration resolution = std::chrono::milliseconds{1};

  /// Octets that may leave now, in whole segments; 0: none before release_at(). `rate` is in octets per second,
  /// 0 = not paced. A burst is at least two segments and at most `most` octets.
  [[nodiscard]] std::uint32_t allowance(Instant now, std::uint64_t rate, std::uint32_t mss, std::uint32_t most) {
    if (held_until_ > now) return 0;
    if (rate == 0) return UINT32_MAX;
    if (next_ <= now) {
      next_ = std::max(next_, kept_waiting_ ? now - resolution : now);
      kept_waiting_ = false;
      burst_left_ = burst(rate, mss, most);
    }
    kept_waiting_ |= burst_left_ == 0;
    return (burst_left_ + mss - 1) / mss * mss;
  }
  void sent(Instant now, std::uint64_t rate, std::uint32_t octets) {
    if (rate == 0) return;
    next_ = std::max(next_, now - resolution) + time_for(octets, rate);
    burst_left_ -= std::min(octets, burst_left_);
  }
  /// Nothing leaves before `t`, whatever the rate.
  void hold_until(Instant t) { held_until_ = t; }
  [[nodiscard]] Instant release_at() const { return std::max(held_until_, next_); }
  /// What a connection at rest keeps of it. `near` is an instant close to the others.
  template <class Codec>
  void at_rest(Codec& k, Instant near) {
    bool used = next_ != Instant{} || held_until_ != Instant{} || burst_left_ != 0;
    k.flags(used, kept_waiting_);
    if (!used) return;
    k.number(burst_left_);
    k.instant(next_, near);
    k.instant(held_until_, near);
  }

  [[nodiscard]] static std::uint32_t burst(std::uint64_t rate, std::uint32_t mss, std::uint32_t most) {
    const std::uint64_t octets = rate / (std::chrono::seconds{1} / resolution);
    const std::uint64_t bounded = std::clamp<std::uint64_t>(octets, 2 * mss, std::max(most, 2 * mss));
    return static_cast<std::uint32_t>(bounded - bounded % mss);
  }

 private:
  [[nodiscard]] static Duration time_for(std::uint32_t octets, std::uint64_t rate) {
    return Duration{static_cast<std::int64_t>(static_cast<double>(octets) * 1e9 / static_cast<double>(rate))};
  }

  Instant next_;
  Instant held_until_;
  std::uint32_t burst_left_ = 0;
  bool kept_waiting_ = false;  ///< something would have left earlier
};

}  // namespace wireside::tcp
