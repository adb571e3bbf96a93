#include "wire/ethernet.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

const EthernetHeader example{MacAddress::broadcast(), MacAddress{{2, 0, 0, 0, 0, 1}}, 0x0806};

// RFC 1122 ARPC-06: framing of RFC 894.
TEST(Ethernet, KnownOctets) {
  const auto frame = octets("ff ff ff ff ff ff 02 00 00 00 00 01 08 06");
  EXPECT_EQ(parse_ethernet(frame), example);
  std::vector<std::uint8_t> out(ethernet_header_length);
  emit_ethernet(example, out);
  EXPECT_EQ(out, frame);
  EXPECT_EQ(describe_ethernet(example), "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806)");
}

TEST(Ethernet, ThirteenOctetsAreTooFew) {
  const std::vector<std::uint8_t> frame(13);
  EXPECT_EQ(parse_ethernet(frame).error(), Error::Truncated);
  EXPECT_EQ(parse_ethernet(ByteView{}).error(), Error::Truncated);
}

// RFC 1122 ARPC-07: the type field of an 802.3 frame is a length.
TEST(Ethernet, LengthFieldIsKeptAsItIs) {
  const auto header = parse_ethernet(octets("020000000002 020000000001 002e aaaa03"));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->ether_type, 0x2e);
  EXPECT_EQ(describe_ethernet(*header), "02:00:00:00:00:01 > 02:00:00:00:00:02, 802.3");
}

RC_GTEST_PROP(Ethernet, ParsesWhatItEmits, ()) {
  const auto header = arbitrary::ethernet();
  std::vector<std::uint8_t> out(ethernet_header_length);
  emit_ethernet(header, out);
  RC_ASSERT((parse_ethernet(out) == header));
}

}  // namespace
}  // namespace wireside::wire
