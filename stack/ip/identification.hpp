// Identification values of IPv4 packets that may be fragmented (RFC 6864).
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/random.hpp"
#include "ip/ip_config.hpp"

namespace wireside::ip {

/// Counters that start at random; a keyed hash of source, destination and protocol chooses one and shifts its values. A
/// value returns only after as many packets as the range has values, of all flows that share the counter, and tells
/// others nothing.
class IdentificationSource {
 public:
  explicit IdentificationSource(Random& random, IdentificationRange range = {});
  /// The first of `count` consecutive values for one packet, or for the segments of a super-segment.
  [[nodiscard]] std::uint16_t next(Ipv4Address source, Ipv4Address destination, std::uint8_t protocol,
                                   std::uint16_t count = 1);

 private:
  static constexpr std::size_t counters = 1024;
  SipKey key_;
  IdentificationRange range_;
  std::array<std::uint16_t, counters> next_{};
};

}  // namespace wireside::ip
