#include "ping_statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wireside::apps {

void PingStatistics::sent(std::uint16_t sequence) {
  ++transmitted_;
  answered_.reset(sequence);  // numbers come round after 65,536
}

/// Numbers are modulo 65,536; an answer to a request of half the circle ago says nothing.
void PingStatistics::acknowledge(std::uint16_t sequence) {
  const auto behind = static_cast<std::uint16_t>(transmitted_ - sequence);
  if (behind <= 0x7fff) pipe_ = std::max<std::uint64_t>(pipe_, behind + 1U);
}

void PingStatistics::error(std::uint16_t sequence) {
  ++errors_;
  if (sequence != 0) acknowledge(sequence);
}

bool PingStatistics::reply(std::uint16_t sequence, Duration rtt) {
  acknowledge(sequence);
  if (answered_.test(sequence)) {
    ++duplicates_;
    return true;
  }
  answered_.set(sequence);
  ++received_;
  minimum_ = std::min(minimum_, rtt);
  maximum_ = std::max(maximum_, rtt);
  const double ms = std::chrono::duration<double, std::milli>(rtt).count();
  sum_ += ms;
  sum_of_squares_ += ms * ms;
  return false;
}

std::string PingStatistics::summary(std::string_view destination, std::chrono::steady_clock::duration took) const {
  const double lost = transmitted_ == 0
                          ? 0.0
                          : 100.0 * static_cast<double>(transmitted_ - std::min(received_, transmitted_)) /
                                static_cast<double>(transmitted_);
  std::string out = fmt::format("--- {} ping statistics ---\n{} packets transmitted, {} received", destination,
                                transmitted_, received_);
  if (duplicates_ > 0) out += fmt::format(", +{} duplicates", duplicates_);
  if (errors_ > 0) out += fmt::format(", +{} errors", errors_);
  out += fmt::format(", {:.6g}% packet loss, time {}ms\n", lost,
                     std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  const std::string pipe = pipe_ > 1 ? fmt::format("pipe {}", pipe_) : std::string{};
  if (received_ == 0) return pipe.empty() ? out : out + pipe + '\n';
  const double mean = sum_ / static_cast<double>(received_);
  const double variance = std::max(0.0, sum_of_squares_ / static_cast<double>(received_) - mean * mean);
  const auto ms = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
  return out + fmt::format("rtt min/avg/max/mdev = {:.3f}/{:.3f}/{:.3f}/{:.3f} ms{}{}\n", ms(minimum_), mean,
                           ms(maximum_), std::sqrt(variance), pipe.empty() ? "" : ", ", pipe);
}

std::string format_milliseconds(Duration d) {
  const double ms = std::chrono::duration<double, std::milli>(d).count();
  if (ms < 1) return fmt::format("{:.3f}", ms);
  if (ms < 10) return fmt::format("{:.2f}", ms);
  if (ms < 100) return fmt::format("{:.1f}", ms);
  return fmt::format("{:.0f}", ms);
}

}  // namespace wireside::apps
