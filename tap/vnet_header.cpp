#include "vnet_header.hpp"

#include <cassert>
#include <cstring>

namespace wireside {
namespace {

// struct virtio_net_hdr; linux/virtio_net.h itself is not C++ everywhere.
struct RawHeader {
  std::uint8_t flags;
  std::uint8_t gso_type;
  std::uint16_t hdr_len;
  std::uint16_t gso_size;
  std::uint16_t csum_start;
  std::uint16_t csum_offset;
};
static_assert(sizeof(RawHeader) == vnet_header_length);

/// The kernel must know, or it could repeat the flag on every segment (RFC 3168 section 6.1.2: once per window).
bool has_cwr(const FrameOut& frame) {
  const std::size_t flags = std::size_t{frame.checksum_start} + 13;
  return frame.checksum_wanted && flags < frame.header.size() && (frame.header.view()[flags] & 0x80U) != 0;
}

}  // namespace

VnetHeader vnet_header_for(const FrameOut& frame) {
  VnetHeader h;
  if (frame.checksum_wanted) {
    h.flags = VnetHeader::needs_csum;
    h.checksum_start = frame.checksum_start;
    h.checksum_offset = frame.checksum_offset;
  }
  if (frame.gso_size != 0 && frame.payload.octets() > frame.gso_size) {
    h.gso_type = VnetHeader::gso_tcp_v4;
    if (has_cwr(frame)) h.gso_type |= VnetHeader::gso_ecn;
    h.gso_size = frame.gso_size;
    h.header_length = static_cast<std::uint16_t>(frame.header.size());
  }
  return h;
}

void encode_vnet_header(const VnetHeader& header, MutableByteView out) {
  assert(out.size() >= vnet_header_length);
  RawHeader raw{};
  raw.flags = header.flags;
  raw.gso_type = header.gso_type;
  raw.hdr_len = header.header_length;
  raw.gso_size = header.gso_size;
  raw.csum_start = header.checksum_start;
  raw.csum_offset = header.checksum_offset;
  std::memcpy(out.data(), &raw, sizeof raw);
}

VnetHeader decode_vnet_header(ByteView octets) {
  assert(octets.size() >= vnet_header_length);
  RawHeader raw{};
  std::memcpy(&raw, octets.data(), sizeof raw);
  return {raw.flags, raw.gso_type, raw.hdr_len, raw.gso_size, raw.csum_start, raw.csum_offset};
}

std::optional<ReceiveAttributes> receive_attributes(const VnetHeader& header, std::size_t frame_length) {
  ReceiveAttributes result;
  if ((header.flags & VnetHeader::needs_csum) != 0) {
    const std::size_t field_end = std::size_t{header.checksum_start} + header.checksum_offset + 2;
    if (field_end > frame_length) return std::nullopt;
    result.checksum = ChecksumState::Partial;
  } else if ((header.flags & VnetHeader::data_valid) != 0) {
    result.checksum = ChecksumState::Validated;
  }
  const auto type = static_cast<std::uint8_t>(header.gso_type & ~VnetHeader::gso_ecn);
  if (type == VnetHeader::gso_none) return result;
  if (type != VnetHeader::gso_tcp_v4 || header.gso_size == 0) return std::nullopt;
  result.gso_size = header.gso_size;
  return result;
}

}  // namespace wireside
