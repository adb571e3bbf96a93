// What ping counts, and its closing lines.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace wireside::apps {

class PingStatistics {
 public:
  void sent(std::uint16_t sequence);
  /// True when a reply with this sequence number came before.
  bool reply(std::uint16_t sequence, Duration rtt);
  /// An error about the request with this number; 0: none that left.
  void error(std::uint16_t sequence = 0);

  [[nodiscard]] std::uint64_t errors() const { return errors_; }
  [[nodiscard]] std::uint64_t transmitted() const { return transmitted_; }
  /// Without duplicates.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  /// As iputils prints them: counts, loss and time, then min/avg/max/mdev where a reply came, and how
  /// many requests were on their way at once ("pipe") where it was more than one.
  [[nodiscard]] std::string summary(std::string_view destination, std::chrono::steady_clock::duration took) const;

 private:
  void acknowledge(std::uint16_t sequence);

  std::uint64_t transmitted_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t errors_ = 0;
  std::uint64_t pipe_ = 0;  ///< most requests that were on their way when an answer came
  std::bitset<65536> answered_;
  Duration minimum_ = Duration::max();
  Duration maximum_{};
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

/// Milliseconds with three significant digits or more: "0.043", "1.27", "12.3", "1234".
[[nodiscard]] std::string format_milliseconds(Duration d);

}  // namespace wireside::apps
