#include "wire/udp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

TEST(Udp, KnownOctets) {
  const UdpHeader header{Port{0x04d2}, Port{9}, 14, 0xabcd};
  EXPECT_EQ(parse_udp(octets("04d2 0009 000e abcd 616263646566")), header);
  std::vector<std::uint8_t> out(8);
  emit_udp(header, out);
  EXPECT_EQ(out, octets("04d2 0009 000e abcd"));
  EXPECT_EQ(describe_udp(header), "UDP, length 6");
}

// RFC 768 UDP-03
TEST(Udp, LengthBelowEightIsMalformed) {
  for (std::uint8_t length = 0; length < 8; ++length) {
    auto datagram = octets("04d2 0009 0000 0000");
    datagram[5] = length;
    EXPECT_EQ(parse_udp(datagram).error(), Error::Malformed) << int{length};
  }
}

// RFC 768 UDP-03
TEST(Udp, LengthPastTheDataIsTruncated) {
  EXPECT_EQ(parse_udp(octets("04d2 0009 0009 0000")).error(), Error::Truncated);
  EXPECT_EQ(parse_udp(octets("04d2 0009 ffff 0000 61")).error(), Error::Truncated);
  const auto header = octets("04d2 0009 0008 0000");
  for (std::size_t n = 0; n < 8; ++n) EXPECT_EQ(parse_udp(ByteView{header}.first(n)).error(), Error::Truncated);
}

// RFC 768 UDP-03: octets behind the UDP length are left to the caller to cut.
TEST(Udp, LengthShorterThanTheDataIsKept) {
  const auto header = parse_udp(octets("04d2 0009 0009 0000 61 62 63"));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->length, 9);
}

RC_GTEST_PROP(Udp, ParsesWhatItEmits, (std::uint16_t source, std::uint16_t destination, std::uint16_t checksum)) {
  const auto data = *rc::gen::inRange<std::uint16_t>(0, 200);
  const UdpHeader header{Port{source}, Port{destination}, static_cast<std::uint16_t>(8 + data), checksum};
  std::vector<std::uint8_t> out(header.length);
  emit_udp(header, out);
  RC_ASSERT((parse_udp(out) == header));
}

}  // namespace
}  // namespace wireside::wire
