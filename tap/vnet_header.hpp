// The virtio-net header that precedes each frame on a TAP opened with IFF_VNET_HDR: what is left to do about its
// checksum, and how it is to be (or was) cut into segments. Virtio 1.2 section 5.1.6, linux/virtio_net.h.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "packet/packet.hpp"

namespace wireside {

inline constexpr std::size_t vnet_header_length = 10;

/// struct virtio_net_hdr without the fields of later extensions. On a TAP all are in the machine's own byte order.
struct VnetHeader {
  static constexpr std::uint8_t needs_csum = 1;
  static constexpr std::uint8_t data_valid = 2;
  static constexpr std::uint8_t gso_none = 0;
  static constexpr std::uint8_t gso_tcp_v4 = 1;
  static constexpr std::uint8_t gso_ecn = 0x80;  ///< combined with a type: some segment carries CWR

  std::uint8_t flags = 0;
  std::uint8_t gso_type = gso_none;
  std::uint16_t header_length = 0;    ///< Ethernet, IP and TCP headers
  std::uint16_t gso_size = 0;         ///< payload octets per segment
  std::uint16_t checksum_start = 0;   ///< from the frame's start
  std::uint16_t checksum_offset = 0;  ///< from checksum_start to the field
  friend constexpr bool operator==(const VnetHeader&, const VnetHeader&) = default;
};

/// What to tell the kernel about an outgoing frame. A payload of one segment or less is no super-segment.
[[nodiscard]] VnetHeader vnet_header_for(const FrameOut& frame);

/// Writes vnet_header_length octets.
void encode_vnet_header(const VnetHeader& header, MutableByteView out);
[[nodiscard]] VnetHeader decode_vnet_header(ByteView octets);

struct ReceiveAttributes {
  ChecksumState checksum = ChecksumState::Unverified;
  std::uint16_t gso_size = 0;
};
/// What a received header says of its frame of `frame_length` octets; nullopt when it makes no sense (checksum field
/// outside the frame, segments of size 0) or asks for a segmentation that was never offered.
[[nodiscard]] std::optional<ReceiveAttributes> receive_attributes(const VnetHeader& header, std::size_t frame_length);

}  // namespace wireside
