// Datagrams larger than the path MTU leave in fragments that any receiver can put together again.
#include "ip/fragmentation.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "fragments.hpp"
#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

using wire::IpProtocol;

std::vector<Octets> all_fragments(FrameOut& frame, std::size_t ip_start = 0) {
  Fragmenter fragmenter;
  fragmenter.begin(frame, ip_start);
  std::vector<Octets> parts;
  FrameOut out;
  while (fragmenter.next(out)) parts.push_back(octets_of(out));
  return parts;
}

class FragmentationTest : public IpTest {
 protected:
  FrameOut udp_frame(std::size_t octets) {
    FrameOut frame;
    Slice payload = pool.allocate_slice(octets);
    for (std::size_t i = 0; i < octets; ++i) payload.mutable_data()[i] = static_cast<std::uint8_t>(i * 3 + i / 256);
    frame.payload.push_back(payload);
    wire::emit_udp({Port{7}, Port{9}, static_cast<std::uint16_t>(octets + 8), 0}, {frame.header.prepend(8), 8});
    frame.checksum_wanted = true;
    frame.checksum_offset = wire::udp_checksum_offset;
    return frame;
  }
  Result<NextHop> send(FrameOut& frame, bool dont_fragment) {
    return ip->prepare({}, {.destination = peer_ip, .protocol = IpProtocol::Udp, .dont_fragment = dont_fragment},
                       frame);
  }
};

TEST_F(FragmentationTest, ALargeDatagramLeavesInFragmentsWhenDfIsClear) {  // RFC 1122 FRAG-11
  FrameOut frame = udp_frame(4000);
  ASSERT_TRUE(send(frame, false));
  EXPECT_FALSE(frame.checksum_wanted) << "the sum covers all fragments";
  const auto parts = all_fragments(frame);
  ASSERT_EQ(parts.size(), 3U);
  std::size_t next = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto parsed = wire::parse_ipv4(parts[i]).value();
    EXPECT_TRUE(parsed.checksum_ok);
    EXPECT_LE(parts[i].size(), 1500U);
    EXPECT_EQ(parsed.header.total_length, parts[i].size());
    EXPECT_EQ(parsed.header.fragment_offset, next);
    EXPECT_EQ(parsed.header.more_fragments, i + 1 < parts.size());
    EXPECT_FALSE(parsed.header.dont_fragment);
    EXPECT_EQ(parsed.header.identification, wire::parse_ipv4(parts[0]).value().header.identification);
    next += parts[i].size() - 20;
  }
  EXPECT_EQ(next, 4008U);
}

TEST_F(FragmentationTest, WithDfALargeDatagramIsRefused) {  // RFC 1122 FRAG-11
  FrameOut frame = udp_frame(4000);
  EXPECT_EQ(send(frame, true).error(), Error::MessageTooLong);
}

TEST_F(FragmentationTest, TheLargestUdpDatagramFits) {  // RFC 768 UDP over RFC 1122 FRAG-11
  FrameOut frame = udp_frame(65'507);
  ASSERT_TRUE(send(frame, false));
  EXPECT_EQ(all_fragments(frame).size(), 45U);
  FrameOut larger = udp_frame(65'508);
  EXPECT_EQ(send(larger, false).error(), Error::MessageTooLong);
}

TEST_F(FragmentationTest, ADatagramOfTheMtuStaysWhole) {
  FrameOut frame = udp_frame(1472);
  ASSERT_TRUE(send(frame, false));
  EXPECT_EQ(frame.fragment_limit, 0);
  FrameOut larger = udp_frame(1473);
  ASSERT_TRUE(send(larger, false));
  EXPECT_EQ(all_fragments(larger).size(), 2U);
}

TEST_F(FragmentationTest, FragmentsFollowThePathMtu) {  // RFC 1191 PMTU-07
  ASSERT_TRUE(ip->path_mtus().lower({}, peer_ip, 600, 1500));
  FrameOut frame = udp_frame(1000);
  ASSERT_TRUE(send(frame, false));
  const auto parts = all_fragments(frame);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].size(), 20U + 576U);
}

TEST_F(FragmentationTest, EachDatagramHasItsOwnIdentification) {  // RFC 6864 FRAG-13
  std::vector<std::uint16_t> seen;
  for (int i = 0; i < 100; ++i) {
    FrameOut frame = udp_frame(2000);
    ASSERT_TRUE(send(frame, false));
    seen.push_back(wire::parse_ipv4(all_fragments(frame)[0]).value().header.identification);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TEST_F(FragmentationTest, OnlyOptionsWithTheCopiedFlagAreInEveryFragment) {  // RFC 791 section 3.1
  // A timestamp option (68, not copied), no-operations, a router alert (148, copied).
  const Octets options{68, 4, 5, 0, 1, 148, 4, 9, 9, 1, 1, 1};
  const Octets packet = make_packet(header_to_us(IpProtocol::Udp), Octets(2000, 7), options);
  FrameOut frame;
  frame.payload.push_back(pool.copy(ByteView{packet}.subspan(32)));
  std::copy_n(packet.begin(), 32, frame.header.prepend(32));
  std::fill_n(frame.header.prepend(14), 14, std::uint8_t{0xaa});
  frame.fragment_limit = 1500;
  const auto parts = all_fragments(frame, 14);
  ASSERT_EQ(parts.size(), 2U);
  const auto first = wire::parse_ipv4(ByteView{parts[0]}.subspan(14)).value();
  const auto second = wire::parse_ipv4(ByteView{parts[1]}.subspan(14)).value();
  EXPECT_EQ(parts[1][13], 0xaa);
  EXPECT_EQ(Octets(first.options.begin(), first.options.end()), options);
  EXPECT_EQ(Octets(second.options.begin(), second.options.end()), (Octets{148, 4, 9, 9}));
  EXPECT_TRUE(first.checksum_ok && second.checksum_ok);
}

TEST_F(FragmentationTest, AFragmentIsCutAgainAtItsPlace) {  // RFC 791 section 3.2
  wire::Ipv4Header h = header_to_us(IpProtocol::Udp);
  h.fragment_offset = 800;
  h.more_fragments = true;
  const Octets packet = make_packet(h, Octets(800, 7));
  FrameOut frame;
  frame.payload.push_back(pool.copy(ByteView{packet}.subspan(20)));
  std::copy_n(packet.begin(), 20, frame.header.prepend(20));
  frame.fragment_limit = 576;
  const auto parts = all_fragments(frame);
  ASSERT_EQ(parts.size(), 2U);
  const auto second = wire::parse_ipv4(parts[1]).value().header;
  EXPECT_EQ(second.fragment_offset, 800 + 552);
  EXPECT_TRUE(second.more_fragments);
}

RC_GTEST_PROP(FragmentationProperties, WhatIsCutIsPutTogetherAgain, (std::uint16_t size, std::uint16_t limit)) {
  Random random{make_seed(3)};
  observe::Sink sink;
  BufferPool pool;
  Reassembler reassembler{{}, random, pool, sink};
  const std::size_t mtu = 300 + limit % 1300U;
  const std::size_t octets = mtu - 19 + size % 20'000U;  // too large by at least one
  Octets payload(octets);
  for (std::size_t i = 0; i < octets; ++i) payload[i] = static_cast<std::uint8_t>(random.below(256));
  const Octets packet = make_packet(header_to_us(IpProtocol::Udp), payload);
  FrameOut frame;
  for (std::size_t at = 28; at < packet.size(); at += 5000) {  // in several slices
    frame.payload.push_back(pool.copy(ByteView{packet}.subspan(at, std::min<std::size_t>(5000, packet.size() - at))));
  }
  std::copy_n(packet.begin(), 28, frame.header.prepend(28));
  frame.fragment_limit = static_cast<std::uint16_t>(mtu);
  std::optional<IncomingDatagram> got;
  for (const auto& part : all_fragments(frame)) {
    RC_ASSERT(!got);
    RC_ASSERT(part.size() <= mtu);
    const Slice slice = pool.copy(part);
    const auto parsed = wire::parse_ipv4(slice.view());
    RC_ASSERT(parsed.has_value() && parsed->checksum_ok);
    got = reassembler.add({}, {.header = parsed->header, .payload = slice.sub(20), .packet = slice});
  }
  RC_ASSERT(got.has_value());
  const ByteView view = got->packet.view();
  RC_ASSERT(Octets(view.begin(), view.end()) == packet);
}

}  // namespace
}  // namespace wireside::ip::testing
