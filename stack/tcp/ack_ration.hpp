// How many ACKs a flow is sent in answer to segments that change nothing (RFC 5961 section 10). Each flow has its own
// ration and each kind its own count, so that nobody can learn from one flow what happens on another (CVE-2016-5696).
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace wireside::tcp {

class AckRation {
 public:
  enum class Kind : std::uint8_t {
    Challenge,  ///< for a SYN or RST that may be forged (RFC 5961 sections 3 and 4)
    Repeat,     ///< for a segment that is not acceptable; honest retransmissions come in bursts
  };
  static constexpr std::uint16_t challenges_per_second = 10;
  static constexpr std::uint16_t repeats_per_second = 200;

  /// Takes one from what this second has left; false when nothing is.
  [[nodiscard]] bool take(Instant now, Kind kind) {
    if (since_second(now) >= 1'000'000'000) {
      second_ = static_cast<std::uint64_t>(now.ns()) & time_mask;
      challenges_ = repeats_ = 0;
    }
    const bool challenge = kind == Kind::Challenge;
    if ((challenge ? challenges_ >= challenges_per_second : repeats_ >= repeats_per_second)) return false;
    if (challenge) {
      challenges_ = (challenges_ + 1U) & 15U;
    } else {
      repeats_ = (repeats_ + 1U) & 255U;
    }
    return true;
  }
  /// What a connection at rest keeps of it.
  template <class Codec>
  void at_rest(Codec& k) {
    bool used = second_ != 0 || challenges_ != 0 || repeats_ != 0;
    k.flags(used);
    if (!used) return;
    std::uint64_t second = second_;
    std::uint64_t counts = challenges_ * 256U + repeats_;
    k.number(second);
    k.number(counts);
    second_ = second & time_mask;
    challenges_ = (counts >> 8U) & 15U;
    repeats_ = counts & 255U;
  }

 private:
  static constexpr unsigned time_bits =
      52;  // nanoseconds: 52 days, after which a second may seem to have begun already
  static constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;
  [[nodiscard]] std::uint64_t since_second(Instant now) const {
    return (static_cast<std::uint64_t>(now.ns()) - second_) & time_mask;
  }
  // Eight octets together: there is one of these in every TIME-WAIT and SYN-queue entry.
  std::uint64_t second_ : time_bits = 0;
  std::uint64_t challenges_ : 4 = 0;
  std::uint64_t repeats_ : 8 = 0;
};

}  // namespace wireside::tcp
