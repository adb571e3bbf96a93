// Which flow a packet belongs to, read without judging the packet: for those who share packets out among several
// stacks.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace wireside::wire {

/// The parts of an IPv4 packet that tell its flow.
struct FlowKey {
  Ipv4Address source;
  Ipv4Address destination;
  std::uint8_t protocol = 0;
  std::uint16_t identification = 0;
  bool fragment = false;        ///< part of a larger datagram
  bool first_fragment = false;  ///< the part that holds the transport header
  /// TCP and UDP ports, or the type and the identifier of an ICMP message; false where the packet does not reach so far
  /// or is a later fragment. Then they are 0.
  bool has_transport = false;
  Port source_port{};
  Port destination_port{};
  std::uint8_t icmp_type = 0;
  std::uint16_t icmp_identifier = 0;  ///< of an echo message
  friend constexpr bool operator==(const FlowKey&, const FlowKey&) = default;
};

/// Of an IPv4 packet, possibly cut off, as ICMP errors quote them. nullopt where no IPv4 header stands: truncated,
/// another version, or an IHL below 5. Nothing else is checked, no checksum either.
[[nodiscard]] std::optional<FlowKey> read_flow_key(ByteView packet);

/// The packet that an ICMP error message quotes; empty where `packet`, of which `key` was read, is none.
[[nodiscard]] ByteView quoted_packet(ByteView packet, const FlowKey& key);

}  // namespace wireside::wire
