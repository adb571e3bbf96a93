// The headers below a TCP segment as they nearly always are, read at one go.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace wireside::wire {

struct PlainSegment {
  Ipv4Address source;
  Ipv4Address destination;
  std::uint16_t total_length = 0;  ///< of the IP packet, within the frame
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
};

/// Where its TCP header begins.
inline constexpr std::size_t plain_segment_start = 34;

/// An Ethernet II frame to `mac` with an IPv4 header of 20 octets, no fragment, its checksum right, and room for a TCP
/// header behind it. nullopt: anything else, right or wrong; the parsers of each layer tell.
[[nodiscard]] std::optional<PlainSegment> read_plain_segment(ByteView frame, MacAddress mac);

}  // namespace wireside::wire
