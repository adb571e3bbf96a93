// Identification values of IPv4 packets that may be fragmented (RFC 6864).
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/random.hpp"

namespace wireside::ip {

/// Values for one destination and protocol do not repeat within 65,536 packets, and tell others nothing: counters start
/// at random, and a keyed hash chooses the counter and shifts its values.
class IdentificationSource {
 public:
  explicit IdentificationSource(Random& random);
  /// The first of `count` consecutive values for one packet, or for the segments of a super-segment.
  [[nodiscard]] std::uint16_t next(Ipv4Address source, Ipv4Address destination, std::uint8_t protocol,
                                   std::uint16_t count = 1);

 private:
  static constexpr std::size_t counters = 1024;
  SipKey key_;
  std::array<std::uint16_t, counters> next_{};
};

}  // namespace wireside::ip
