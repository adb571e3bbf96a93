// The progress line of a transfer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace wireside::apps {

/// Redraws one line on standard error a few times a second, as octets come.
class Progress {
 public:
  /// `total` where it is known; `visible` false draws nothing.
  void start(std::optional<std::uint64_t> total, bool visible);
  void add(std::uint64_t octets);
  /// Ends with a summary line (drawn when visible, or when `always`).
  void finish(bool always);
  /// Takes the line away, for a message in its place.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::string rate(double seconds) const;
  void draw();
  std::optional<std::uint64_t> total_;
  std::uint64_t octets_ = 0;
  bool visible_ = false;
  bool drawn_ = false;
  Clock::time_point started_;
  Clock::time_point next_draw_;
};

}  // namespace wireside::apps
