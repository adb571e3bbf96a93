#include "wire/icmp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

TEST(Icmp, KnownOctets) {
  const auto message = octets("08 00 00 00 12 34 00 07 61 62");
  const auto header = parse_icmp(message);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header, (IcmpHeader{8, 0, 0x12340007}));
  EXPECT_EQ(header->echo_id(), 0x1234);
  EXPECT_EQ(header->echo_sequence(), 7);
  std::vector<std::uint8_t> out(8, 0xff);
  emit_icmp(*header, out);
  EXPECT_EQ(out, octets("08 00 00 00 12 34 00 07"));
}

// RFC 792 ICMP-16
TEST(Icmp, FewerThanEightOctetsAreTruncated) {
  const std::vector<std::uint8_t> message(8);
  for (std::size_t n = 0; n < 8; ++n) EXPECT_EQ(parse_icmp(ByteView{message}.first(n)).error(), Error::Truncated);
  EXPECT_EQ(describe_icmp(ByteView{message}.first(5)), "ICMP truncated, length 5");
}

// RFC 1122 ICMP-06: error messages are the types that must not be answered with an error.
TEST(Icmp, ErrorTypes) {
  for (int type = 0; type < 256; ++type) {
    const bool expected = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    EXPECT_EQ((IcmpHeader{static_cast<std::uint8_t>(type), 0, 0}).is_error(), expected) << type;
  }
}

TEST(Icmp, Words) {
  EXPECT_EQ(describe_icmp({8, 0, 0x00070001}, 64), "ICMP echo request, id 7, seq 1, length 64");
  EXPECT_EQ(describe_icmp({0, 0, 0x00070001}, 64), "ICMP echo reply, id 7, seq 1, length 64");
  EXPECT_EQ(describe_icmp({3, 1, 0}, 36), "ICMP host unreachable, length 36");
  EXPECT_EQ(describe_icmp({3, 3, 0}, 8), "ICMP port unreachable, length 8");
  EXPECT_EQ(describe_icmp({3, 4, 1400}, 36), "ICMP unreachable - need to frag (mtu 1400), length 36");
  EXPECT_EQ(describe_icmp({3, 200, 0}, 36), "ICMP unreachable - #200, length 36");
  EXPECT_EQ(describe_icmp({11, 1, 0}, 36), "ICMP ip reassembly time exceeded, length 36");
  EXPECT_EQ(describe_icmp({12, 0, 0x15000000}, 36), "ICMP parameter problem - octet 21, length 36");
  EXPECT_EQ(describe_icmp({42, 0, 0}, 8), "ICMP type-#42, length 8");
}

TEST(Icmp, ErrorsSayWhatTheyAreAbout) {
  const auto udp = octets("4500001c 00010000 4011 0000 0a000001 0a000002 0005 0009 0008 0000");
  EXPECT_EQ(describe_icmp(joined(octets("03 03 0000 00000000"), udp)),
            "ICMP 10.0.0.2 udp port 9 unreachable, length 36");
  EXPECT_EQ(describe_icmp(joined(octets("03 02 0000 00000000"), udp)),
            "ICMP 10.0.0.2 protocol 17 unreachable, length 36");
  EXPECT_EQ(describe_icmp(joined(octets("05 01 0000 0a000009"), udp)),
            "ICMP redirect 10.0.0.2 to host 10.0.0.9, length 36");
  // RFC 792 ICMP-16: quotes cut short
  EXPECT_EQ(describe_icmp(joined(octets("03 03 0000 00000000"), ByteView{udp}.first(22))),
            "ICMP 10.0.0.2 port unreachable, length 30");
  EXPECT_EQ(describe_icmp(joined(octets("03 03 0000 00000000"), ByteView{udp}.first(19))),
            "ICMP port unreachable, length 27");
}

RC_GTEST_PROP(Icmp, ParsesWhatItEmits, ()) {
  const auto header = arbitrary::icmp();
  std::vector<std::uint8_t> out(icmp_header_length);
  emit_icmp(header, out);
  RC_ASSERT((parse_icmp(out) == header));
}

}  // namespace
}  // namespace wireside::wire
