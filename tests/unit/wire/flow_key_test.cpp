#include "wire/flow_key.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

TEST(FlowKey, OfATcpSegmentBehindOptions) {
  const auto key = read_flow_key(octets("46000030 12344000 40060000 0a000001 0a000002 01010101 c0010050"));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->source, (Ipv4Address{10, 0, 0, 1}));
  EXPECT_EQ(key->destination, (Ipv4Address{10, 0, 0, 2}));
  EXPECT_EQ(key->source_port.value, 0xc001);
  EXPECT_EQ(key->destination_port.value, 80);
  EXPECT_EQ(key->identification, 0x1234);
  EXPECT_TRUE(key->has_transport);
  EXPECT_FALSE(key->fragment);
}

TEST(FlowKey, LaterFragmentsHaveNoPorts) {
  const auto first = read_flow_key(octets("4500001c 00072000 40110000 0a000001 0a000002 c0010007 00080000"));
  EXPECT_TRUE(first->fragment && first->first_fragment && first->has_transport);
  const auto last = read_flow_key(octets("4500001c 00070001 40110000 0a000001 0a000002 c0010007 00080000"));
  EXPECT_TRUE(last->fragment);
  EXPECT_FALSE(last->first_fragment || last->has_transport);
  EXPECT_TRUE(last->source_port.is_unspecified());
}

TEST(FlowKey, WhatIsNoIpv4HeaderHasNone) {
  const auto good = octets("4500001c 00070001 40110000 0a000001 0a000002 c0010007 00080000");
  for (std::size_t n = 0; n < ipv4_min_header; ++n) EXPECT_FALSE(read_flow_key(ByteView{good}.first(n)));
  for (const auto first : std::initializer_list<std::uint8_t>{0x65, 0x44, 0x05}) {
    auto bad = good;
    bad[0] = first;
    EXPECT_FALSE(read_flow_key(bad));
  }
  EXPECT_FALSE(read_flow_key(ByteView{good}.first(20))->has_transport);
}

TEST(FlowKey, AnErrorQuotesAPacket) {
  const auto error = octets(
      "45000038 00004000 40010000 0a000001 0a000002 03030000 00000000"
      "4500001c 00004000 40110000 0a000002 0a000001 c0010009 00080000");
  const auto key = read_flow_key(error);
  ASSERT_TRUE(key);
  const auto quoted = read_flow_key(quoted_packet(error, *key));
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->source_port.value, 0xc001);
  const auto echo = octets("4500001c 00004000 40010000 0a000001 0a000002 08000000 c0050001");
  EXPECT_EQ(read_flow_key(echo)->icmp_identifier, 0xc005);
  EXPECT_TRUE(quoted_packet(echo, *read_flow_key(echo)).empty());
}

RC_GTEST_PROP(FlowKey, AgreesWithTheHeaderThatWasEmitted, ()) {
  const auto header = arbitrary::ipv4(28);
  std::vector<std::uint8_t> packet(28);
  emit_ipv4(header, packet);
  const auto key = read_flow_key(packet);
  RC_ASSERT(key.has_value());
  RC_ASSERT(key->source == header.source && key->destination == header.destination);
  RC_ASSERT(key->protocol == header.protocol && key->identification == header.identification);
  RC_ASSERT(key->fragment == header.is_fragment());
  RC_ASSERT(key->first_fragment == (header.more_fragments && header.fragment_offset == 0));
}

RC_GTEST_PROP(FlowKey, ReadsNothingBehindTheEnd, ()) {
  const auto packet = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
  if (const auto key = read_flow_key(packet)) (void)read_flow_key(quoted_packet(packet, *key));
}

}  // namespace
}  // namespace wireside::wire
