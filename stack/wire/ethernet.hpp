// Ethernet II framing (RFC 894).
#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace wireside::wire {

enum class EtherType : std::uint16_t { Ipv4 = 0x0800, Arp = 0x0806 };

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  std::uint16_t ether_type = 0;  ///< below 0x0600 it is an 802.3 length
  friend constexpr bool operator==(const EthernetHeader&, const EthernetHeader&) = default;
};

inline constexpr std::size_t ethernet_header_length = 14;
/// Shortest frame without FCS on a real Ethernet.
inline constexpr std::size_t ethernet_min_frame = 60;

/// Error: Truncated below 14 octets.
[[nodiscard]] Result<EthernetHeader> parse_ethernet(ByteView frame);
void emit_ethernet(const EthernetHeader& header, MutableByteView out);
/// "02:..:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806)"
[[nodiscard]] std::string describe_ethernet(const EthernetHeader& header);

}  // namespace wireside::wire
