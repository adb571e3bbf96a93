// The virtio-net header: what we tell the kernel, and what we believe of what it tells us.
#include "vnet_header.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace wireside {
namespace {

FrameOut tcp_frame(BufferPool& pool, std::size_t payload, std::uint16_t gso_size) {
  FrameOut frame;
  std::memset(frame.header.prepend(66), 0, 66);
  if (payload != 0) frame.payload.push_back(pool.allocate_slice(payload));
  frame.gso_size = gso_size;
  frame.checksum_wanted = true;
  frame.checksum_start = 34;
  frame.checksum_offset = 16;
  return frame;
}

TEST(VnetHeader, SurvivesARoundTripWithAnyValues) {
  for (const unsigned value : {0U, 1U, 0x00ffU, 0x1234U, 0xff00U, 0xffffU}) {
    const auto v = static_cast<std::uint16_t>(value);
    const VnetHeader header{.flags = static_cast<std::uint8_t>(v),
                            .gso_type = static_cast<std::uint8_t>(v >> 8),
                            .header_length = v,
                            .gso_size = static_cast<std::uint16_t>(v ^ 0x5555),
                            .checksum_start = static_cast<std::uint16_t>(v + 1),
                            .checksum_offset = static_cast<std::uint16_t>(~v)};
    std::array<std::uint8_t, vnet_header_length> octets{};
    encode_vnet_header(header, octets);
    EXPECT_EQ(decode_vnet_header(octets), header);
  }
}

TEST(VnetHeader, HasTheLayoutOfTheVirtioSpecification) {
  std::array<std::uint8_t, vnet_header_length> octets{};
  encode_vnet_header({1, 2, 0x0304, 0x0506, 0x0708, 0x090a}, octets);
  const auto word_at = [&](std::size_t offset) {
    std::uint16_t v = 0;  // in the machine's byte order
    std::memcpy(&v, octets.data() + offset, sizeof v);
    return v;
  };
  EXPECT_EQ(octets[0], 1);
  EXPECT_EQ(octets[1], 2);
  EXPECT_EQ(word_at(2), 0x0304);
  EXPECT_EQ(word_at(4), 0x0506);
  EXPECT_EQ(word_at(6), 0x0708);
  EXPECT_EQ(word_at(8), 0x090a);
}

TEST(VnetHeader, PlainFrameIsAllZero) {
  FrameOut frame;
  (void)frame.header.prepend(60);
  EXPECT_EQ(vnet_header_for(frame), VnetHeader{});
}

TEST(VnetHeader, SuperSegmentAsksForSegmentation) {
  BufferPool pool;
  const VnetHeader h = vnet_header_for(tcp_frame(pool, 1449, 1448));
  EXPECT_EQ(h.flags, VnetHeader::needs_csum);
  EXPECT_EQ(h.gso_type, VnetHeader::gso_tcp_v4);
  EXPECT_EQ(h.gso_size, 1448);
  EXPECT_EQ(h.header_length, 66);
  EXPECT_EQ(h.checksum_start, 34);
  EXPECT_EQ(h.checksum_offset, 16);
}

TEST(VnetHeader, ASuperSegmentWithCwrSaysSo) {  // RFC 3168 ECN-03: the kernel must not repeat the flag
  BufferPool pool;
  FrameOut frame = tcp_frame(pool, 2896, 1448);
  frame.header.data()[34 + 13] = 0x90;  // CWR, ACK
  EXPECT_EQ(vnet_header_for(frame).gso_type, VnetHeader::gso_tcp_v4 | VnetHeader::gso_ecn);
  frame.gso_size = 0;
  EXPECT_EQ(vnet_header_for(frame).gso_type, VnetHeader::gso_none);
}

TEST(VnetHeader, OneSegmentIsNoSuperSegment) {
  BufferPool pool;
  const VnetHeader h = vnet_header_for(tcp_frame(pool, 1448, 1448));
  EXPECT_EQ(h.flags, VnetHeader::needs_csum);
  EXPECT_EQ(h.gso_type, VnetHeader::gso_none);
  EXPECT_EQ(h.gso_size, 0);
}

TEST(VnetHeader, ReceivedFlagsBecomeChecksumStates) {
  const VnetHeader nothing{};
  const VnetHeader validated{.flags = VnetHeader::data_valid};
  const VnetHeader partial{.flags = VnetHeader::needs_csum, .checksum_start = 34, .checksum_offset = 16};
  EXPECT_EQ(receive_attributes(nothing, 60)->checksum, ChecksumState::Unverified);
  EXPECT_EQ(receive_attributes(validated, 60)->checksum, ChecksumState::Validated);
  EXPECT_EQ(receive_attributes(partial, 60)->checksum, ChecksumState::Partial);
}

TEST(VnetHeader, ReceivedSuperSegmentKeepsItsSegmentSize) {
  const VnetHeader h{
      .flags = 1, .gso_type = 1, .header_length = 66, .gso_size = 1448, .checksum_start = 34, .checksum_offset = 16};
  EXPECT_EQ(receive_attributes(h, 65000)->gso_size, 1448);
  VnetHeader with_ecn = h;
  with_ecn.gso_type |= VnetHeader::gso_ecn;
  EXPECT_EQ(receive_attributes(with_ecn, 65000)->gso_size, 1448);
}

TEST(VnetHeader, RefusesWhatMakesNoSense) {
  const VnetHeader field_outside{.flags = VnetHeader::needs_csum, .checksum_start = 34, .checksum_offset = 16};
  EXPECT_FALSE(receive_attributes(field_outside, 51));
  EXPECT_TRUE(receive_attributes(field_outside, 52));
  const VnetHeader far_outside{.flags = VnetHeader::needs_csum, .checksum_start = 0xffff, .checksum_offset = 0xffff};
  EXPECT_FALSE(receive_attributes(far_outside, 65535));
  EXPECT_FALSE(receive_attributes(VnetHeader{.gso_type = 1, .gso_size = 0}, 3000));
  for (const std::uint8_t never_offered : std::array<std::uint8_t, 4>{3, 4, 5, 0x7f}) {
    EXPECT_FALSE(receive_attributes(VnetHeader{.gso_type = never_offered, .gso_size = 1448}, 3000));
  }
}

}  // namespace
}  // namespace wireside
