// ICMP messages (RFC 792).
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace wireside::wire {

enum class IcmpType : std::uint8_t {
  EchoReply = 0,
  DestinationUnreachable = 3,
  SourceQuench = 4,
  Redirect = 5,
  EchoRequest = 8,
  TimeExceeded = 11,
  ParameterProblem = 12,
  TimestampRequest = 13,
  TimestampReply = 14,
};
enum class UnreachableCode : std::uint8_t {
  Network = 0,
  Host = 1,
  Protocol = 2,
  Port = 3,
  FragmentationNeeded = 4,
  SourceRouteFailed = 5,
};

enum class TimeExceededCode : std::uint8_t { InTransit = 0, Reassembly = 1 };

/// The first eight octets. `rest` is echo id and sequence, or MTU, gateway or pointer by type.
struct IcmpHeader {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t rest = 0;
  friend constexpr bool operator==(const IcmpHeader&, const IcmpHeader&) = default;
  [[nodiscard]] std::uint16_t echo_id() const { return static_cast<std::uint16_t>(rest >> 16); }
  [[nodiscard]] std::uint16_t echo_sequence() const { return static_cast<std::uint16_t>(rest); }
  /// Destination unreachable, source quench, redirect, time exceeded or parameter problem.
  [[nodiscard]] bool is_error() const { return type == 3 || type == 4 || type == 5 || type == 11 || type == 12; }
};

inline constexpr std::size_t icmp_header_length = 8;
inline constexpr std::size_t icmp_checksum_offset = 2;

/// Error: Truncated below 8 octets. The checksum is the caller's to verify (internet_checksum over all = 0).
[[nodiscard]] Result<IcmpHeader> parse_icmp(ByteView message);
/// Writes 8 octets with checksum field 0.
void emit_icmp(const IcmpHeader& header, MutableByteView out);
/// "ICMP echo request, id 7, seq 1, length 64"
[[nodiscard]] std::string describe_icmp(const IcmpHeader& header, std::size_t message_length);
/// The same of a whole message; an error message also tells which datagram it is about:
/// "ICMP 10.0.0.2 udp port 9 unreachable, length 36".
[[nodiscard]] std::string describe_icmp(ByteView message);

}  // namespace wireside::wire
