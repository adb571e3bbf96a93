// Time as the core sees it: a value handed in with every call, never read from the system.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace wireside {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A point on the caller's monotonic time line, in nanoseconds since an origin of the caller's choice.
class Instant {
 public:
  constexpr Instant() = default;
  [[nodiscard]] static constexpr Instant from_ns(std::int64_t ns) { return Instant{ns}; }
  [[nodiscard]] constexpr std::int64_t ns() const { return ns_; }
  /// Later than every real instant; for "never" in comparisons.
  [[nodiscard]] static constexpr Instant max() { return Instant{INT64_MAX}; }

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Duration d) { return Instant{t.ns_ + d.count()}; }
  friend constexpr Instant operator-(Instant t, Duration d) { return Instant{t.ns_ - d.count()}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration{a.ns_ - b.ns_}; }
  constexpr Instant& operator+=(Duration d) {
    ns_ += d.count();
    return *this;
  }

 private:
  explicit constexpr Instant(std::int64_t ns) : ns_{ns} {}
  std::int64_t ns_ = 0;
};

}  // namespace wireside
