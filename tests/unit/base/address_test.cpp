#include "base/address.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace wireside {
namespace {

TEST(MacAddress, ParsesBothSeparatorsAndPrintsColons) {
  const auto mac = MacAddress::parse("02:00:5e:AB:53-01");
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->to_string(), "02:00:5e:ab:53:01");
  EXPECT_TRUE(mac->is_locally_administered());
  EXPECT_FALSE(mac->is_multicast());
}

TEST(MacAddress, RefusesEverythingElse) {
  for (const char* text : {"", "02:00:5e:00:53", "02:00:5e:00:53:01:", "02:00:5e:00:53:0g", "0200.5e00.5301",
                           "2:00:5e:00:53:001", "02:00:5e:00:53: 1", "-1:00:5e:00:53:01", "0x:00:5e:00:53:01"}) {
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  }
}

TEST(MacAddress, BroadcastIsMulticastToo) {
  EXPECT_TRUE(MacAddress::broadcast().is_broadcast());
  EXPECT_TRUE(MacAddress::broadcast().is_multicast());
  EXPECT_TRUE(MacAddress{}.is_zero());
}

TEST(Ipv4Address, ParsesDottedQuads) {
  EXPECT_EQ(Ipv4Address::parse("10.0.0.2"), (Ipv4Address{10, 0, 0, 2}));
  EXPECT_EQ(Ipv4Address::parse("0.0.0.0"), Ipv4Address{});
  EXPECT_EQ(Ipv4Address::parse("255.255.255.255"), Ipv4Address{0xffffffffU});
}

TEST(Ipv4Address, RefusesShorthandLeadingZerosAndRests) {
  for (const char* text :
       {"", "10", "10.0.0", "10.0.0.", "10.0.0.256", "10.0.0.01", "010.0.0.1", "10.0.0.2 ", " 10.0.0.2", "10.0.0.2.1",
        "10..0.2", "-1.0.0.2", "+1.0.0.2", "0x0a.0.0.2", "4294967306.0.0.2"}) {
    EXPECT_FALSE(Ipv4Address::parse(text)) << text;
  }
}

TEST(Ipv4Address, KnowsTheSpecialRanges) {
  EXPECT_TRUE((Ipv4Address{224, 0, 0, 1}).is_multicast());
  EXPECT_TRUE((Ipv4Address{239, 255, 255, 255}).is_multicast());
  EXPECT_FALSE((Ipv4Address{240, 0, 0, 0}).is_multicast());
  EXPECT_TRUE((Ipv4Address{240, 0, 0, 0}).is_reserved());
  EXPECT_FALSE((Ipv4Address{255, 255, 255, 255}).is_reserved());
  EXPECT_TRUE((Ipv4Address{255, 255, 255, 255}).is_limited_broadcast());
  EXPECT_TRUE((Ipv4Address{127, 255, 0, 1}).is_loopback());
  EXPECT_TRUE((Ipv4Address{0, 1, 2, 3}).is_this_network());
  EXPECT_FALSE((Ipv4Address{0, 1, 2, 3}).is_unspecified());
}

RC_GTEST_PROP(Ipv4Address, PrintsWhatItParses, (std::uint32_t value)) {
  const Ipv4Address address{value};
  RC_ASSERT(Ipv4Address::parse(address.to_string()) == address);
}

TEST(Ipv4Prefix, MaskNetworkAndBroadcast) {
  const auto prefix = Ipv4Prefix::parse("10.1.2.3/20");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->mask(), 0xfffff000U);
  EXPECT_EQ(prefix->network(), (Ipv4Address{10, 1, 0, 0}));
  EXPECT_EQ(prefix->directed_broadcast(), (Ipv4Address{10, 1, 15, 255}));
  EXPECT_TRUE(prefix->contains({10, 1, 15, 1}));
  EXPECT_FALSE(prefix->contains({10, 1, 16, 1}));
  EXPECT_EQ(prefix->to_string(), "10.1.2.3/20");
}

TEST(Ipv4Prefix, ExtremeLengths) {
  EXPECT_EQ((Ipv4Prefix{{10, 0, 0, 1}, 0}).mask(), 0U);
  EXPECT_TRUE((Ipv4Prefix{{10, 0, 0, 1}, 0}).contains({200, 1, 1, 1}));
  EXPECT_EQ(Ipv4Prefix::parse("10.0.0.1"), (Ipv4Prefix{{10, 0, 0, 1}, 32}));
  // RFC 3021: a 31-bit prefix has no broadcast address.
  EXPECT_FALSE((Ipv4Prefix{{10, 0, 0, 1}, 31}).directed_broadcast());
  EXPECT_FALSE((Ipv4Prefix{{10, 0, 0, 1}, 32}).directed_broadcast());
  EXPECT_EQ((Ipv4Prefix{{10, 0, 0, 1}, 30}).directed_broadcast(), (Ipv4Address{10, 0, 0, 3}));
}

TEST(Ipv4Prefix, RefusesBadLengths) {
  for (const char* text : {"10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/24x", "10.0.0.1/024", "10.0.0.1:24"}) {
    EXPECT_FALSE(Ipv4Prefix::parse(text)) << text;
  }
}

TEST(Endpoint, ParsesAndPrints) {
  const auto endpoint = Endpoint::parse("10.0.0.2:65535");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->port.value, 65535);
  EXPECT_EQ(endpoint->address.v4(), (Ipv4Address{10, 0, 0, 2}));
  EXPECT_EQ(endpoint->to_string(), "10.0.0.2:65535");
  for (const char* text : {"10.0.0.2", "10.0.0.2:", "10.0.0.2:65536", "10.0.0.2:-1", "10.0.0.2:80/", ":80"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

}  // namespace
}  // namespace wireside
