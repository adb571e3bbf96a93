// IPv4 header (RFC 791, RFC 1122 section 3.2.1).
#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/checksum.hpp"
#include "base/result.hpp"

namespace wireside::wire {

enum class IpProtocol : std::uint8_t { Icmp = 1, Tcp = 6, Udp = 17 };

struct Ipv4Header {
  std::uint8_t tos = 0;
  std::uint16_t total_length = 0;  ///< filled by the caller on emit
  std::uint16_t identification = 0;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  ///< in octets, a multiple of 8
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 0;
  Ipv4Address source;
  Ipv4Address destination;
  [[nodiscard]] bool is_fragment() const { return more_fragments || fragment_offset != 0; }
  friend constexpr bool operator==(const Ipv4Header&, const Ipv4Header&) = default;
};

inline constexpr std::size_t ipv4_min_header = 20;
inline constexpr std::size_t ipv4_max_header = 60;
inline constexpr std::size_t ipv4_max_total_length = 65535;
inline constexpr std::uint16_t ipv4_flag_more_fragments = 0x2000;  ///< in the field of flags and fragment offset
inline constexpr std::uint8_t ipv4_option_end = 0;
inline constexpr std::uint8_t ipv4_option_nop = 1;
inline constexpr std::uint8_t ipv4_option_loose_source_route = 131;
inline constexpr std::uint8_t ipv4_option_strict_source_route = 137;

struct ParsedIpv4 {
  Ipv4Header header;
  std::size_t header_length = ipv4_min_header;
  ByteView options;  ///< raw option octets, empty when IHL is 5
  bool checksum_ok = true;
};

/// Checks version, IHL (5..15 and within the data), total length (>= header, <= data). Data behind total length
/// (padding) is the caller's to cut. Errors: Truncated, Malformed. A bad checksum is reported in checksum_ok.
[[nodiscard]] Result<ParsedIpv4> parse_ipv4(ByteView packet);

/// What an option list holds, walked safely (IP-12..IP-14).
struct Ipv4OptionSummary {
  bool malformed = false;              ///< a length of 0 or 1, or past the end
  std::size_t malformed_at = 0;        ///< octet offset from the header's start (for ICMP parameter problem)
  bool source_route = false;           ///< LSRR or SSRR present
  bool source_route_complete = false;  ///< its pointer is past its end: we are the last hop
};
[[nodiscard]] Ipv4OptionSummary summarise_ipv4_options(ByteView options);

/// Writes a 20-octet header with its checksum.
void emit_ipv4(const Ipv4Header& header, MutableByteView out);
/// The same with options, a multiple of four octets up to 40, behind it.
void emit_ipv4(const Ipv4Header& header, ByteView options, MutableByteView out);
/// Adds source, destination, protocol and transport length (RFC 9293 3.1, RFC 768) to a checksum.
inline void add_pseudo_header(ChecksumAccumulator& acc, Ipv4Address source, Ipv4Address destination,
                              std::uint8_t protocol, std::uint32_t transport_length) {
  acc.add_u32(source.value());
  acc.add_u32(destination.value());
  acc.add_u16(protocol);
  acc.add_u32(transport_length);
}
[[nodiscard]] std::string describe_ipv4(const Ipv4Header& header);

}  // namespace wireside::wire
