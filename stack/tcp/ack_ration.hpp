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
    if (now - second_ >= std::chrono::seconds{1}) {
      second_ = now;
      challenges_ = repeats_ = 0;
    }
    std::uint16_t& count = kind == Kind::Challenge ? challenges_ : repeats_;
    if (count >= (kind == Kind::Challenge ? challenges_per_second : repeats_per_second)) return false;
    ++count;
    return true;
  }

 private:
  Instant second_;
  std::uint16_t challenges_ = 0;
  std::uint16_t repeats_ = 0;
};

}  // namespace wireside::tcp
