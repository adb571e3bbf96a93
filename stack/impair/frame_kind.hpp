// What an impairment wants to know of a frame.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "impair/settings.hpp"

namespace wireside::impair {

/// Bits are 1 << FrameKind.
struct FrameFacts {
  std::uint32_t kinds = 0;
  bool ipv4 = false;          ///< EtherType 0x0800
  std::size_t ip_octets = 0;  ///< total length; what follows the Ethernet header where there is no sound IPv4 header
  std::size_t payload_at =
      0;  ///< of the transport payload, from the frame's start; the packet's end where none is known

  [[nodiscard]] bool is(FrameKind kind) const { return (kinds >> static_cast<unsigned>(kind) & 1U) != 0; }
};

/// Reads an Ethernet frame; never fails, as whatever it is passes the network.
[[nodiscard]] FrameFacts examine(ByteView frame);

/// Whether an IPv4 packet in this frame is ECN-capable (ECT(0) or ECT(1), RFC 3168 section 5).
[[nodiscard]] bool allows_marking(ByteView frame);
/// Sets CE in its IPv4 header, and updates the header checksum (RFC 1624).
void mark_congestion(MutableByteView frame);

}  // namespace wireside::impair
