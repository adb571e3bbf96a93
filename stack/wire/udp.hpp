// UDP header (RFC 768).
#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace wireside::wire {

struct UdpHeader {
  Port source;
  Port destination;
  std::uint16_t length = 8;    ///< header and payload
  std::uint16_t checksum = 0;  ///< 0: none was computed
  friend constexpr bool operator==(const UdpHeader&, const UdpHeader&) = default;
};

inline constexpr std::size_t udp_header_length = 8;
inline constexpr std::size_t udp_checksum_offset = 6;

/// Errors: Truncated below 8 octets or when the length field exceeds the data; Malformed for a length below 8.
[[nodiscard]] Result<UdpHeader> parse_udp(ByteView datagram);
void emit_udp(const UdpHeader& header, MutableByteView out);
/// "UDP, length 12"
[[nodiscard]] std::string describe_udp(const UdpHeader& header);

}  // namespace wireside::wire
