// ARP for IPv4 over Ethernet (RFC 826).
#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace wireside::wire {

struct ArpMessage {
  enum class Operation : std::uint16_t { Request = 1, Reply = 2 };
  Operation operation = Operation::Request;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  MacAddress target_mac;
  Ipv4Address target_ip;
  friend constexpr bool operator==(const ArpMessage&, const ArpMessage&) = default;
};

inline constexpr std::size_t arp_message_length = 28;

/// Errors: Truncated below 28 octets; Malformed unless hardware type 1, protocol 0x0800, lengths 6 and 4, operation 1
/// or 2.
[[nodiscard]] Result<ArpMessage> parse_arp(ByteView data);
void emit_arp(const ArpMessage& message, MutableByteView out);
/// "Request who-has 10.0.0.2 tell 10.0.0.1" / "Reply 10.0.0.2 is-at 02:.."
[[nodiscard]] std::string describe_arp(const ArpMessage& message);

}  // namespace wireside::wire
