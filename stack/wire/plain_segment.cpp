#include "wire/plain_segment.hpp"

#include <cstring>

#include "base/checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::wire {

static_assert(plain_segment_start == ethernet_header_length + ipv4_min_header);

std::optional<PlainSegment> read_plain_segment(ByteView frame, MacAddress mac) {
  constexpr std::uint32_t ipv4_without_options = 0x080045;  // EtherType, version and header length
  constexpr std::uint16_t fragment_bits = 0x3fff;           // more fragments, offset
  if (frame.size() < plain_segment_start + tcp_min_header) return std::nullopt;
  const std::uint8_t* const ip = frame.data() + ethernet_header_length;
  if (std::memcmp(frame.data(), mac.octets.data(), mac.octets.size()) != 0) return std::nullopt;
  if ((load_be32(ip - 2) >> 8U) != ipv4_without_options || (load_be16(ip + 6) & fragment_bits) != 0) {
    return std::nullopt;
  }
  PlainSegment segment;
  segment.total_length = load_be16(ip + 2);
  const bool fits = segment.total_length >= ipv4_min_header + tcp_min_header &&
                    segment.total_length <= frame.size() - ethernet_header_length;
  if (ip[9] != static_cast<std::uint8_t>(IpProtocol::Tcp) || !fits) return std::nullopt;
  if (internet_checksum({ip, ipv4_min_header}) != 0) return std::nullopt;
  segment.tos = ip[1];
  segment.ttl = ip[8];
  segment.source = Ipv4Address{load_be32(ip + 12)};
  segment.destination = Ipv4Address{load_be32(ip + 16)};
  return segment;
}

}  // namespace wireside::wire
