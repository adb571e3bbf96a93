// From the loop's monotonic time line to the time of day.
#pragma once

#include <chrono>

#include "base/time.hpp"

namespace wireside {

/// What to add to an Instant of the runtime's clock (std::chrono::steady_clock) to get the time since 1970 in UTC.
[[nodiscard]] inline Duration wall_clock_offset() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Duration>(wall) - std::chrono::duration_cast<Duration>(steady);
}

}  // namespace wireside
