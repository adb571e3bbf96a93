// Forwarding between two interfaces: RFC 1812 in its main lines. More rules: router_rules_test.cpp.
#include <gtest/gtest.h>

#include "router_lab.hpp"

namespace wireside::testing {
namespace {

constexpr std::uint8_t time_exceeded = 11, unreachable = 3, redirect = 5;

TEST_F(RouterTest, ForwardsWithOneHopLessAndAGoodChecksum) {  // RFC 1812 RTR-01, 5.2.1, 5.3.1; RFC 1624
  send(to_right());
  const auto frames = drain(right.stack);
  ASSERT_EQ(frames.size(), 1U);
  const Seen seen = dissect(frames[0]);
  EXPECT_TRUE(seen.ip_ok);
  EXPECT_EQ(seen.ip.ttl, 63);
  EXPECT_EQ(seen.ip.source, peer_address);
  EXPECT_EQ(seen.ethernet.destination, right_mac);
  EXPECT_EQ(seen.ethernet.source, right.stack.mac());
  EXPECT_EQ(seen.transport, Octets(64, 0x5a));
  EXPECT_EQ(right.stack.statistics().count.ip_forwarded, 1U);
  EXPECT_TRUE(drain(left.stack).empty());
}

TEST_F(RouterTest, CongestionMarksPassAsTheyAre) {  // RFC 3168 ECN-06, section 5: all of the octet
  for (const unsigned tos : {0U, 1U, 2U, 3U, 0xbbU}) {
    auto header = to_right();
    header.tos = static_cast<std::uint8_t>(tos);
    send(header);
    const auto frames = drain(right.stack);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(dissect(frames[0]).ip.tos, tos);
  }
}

TEST_F(RouterTest, ALeasedGatewayServesAllInterfaces) {
  auto header = to_right();
  header.destination = Ipv4Address{192, 0, 2, 1};
  const ip::Route leased{.destination = {Ipv4Address{}, 0}, .gateway = right_host, .origin = ip::RouteOrigin::Dhcp};
  ASSERT_TRUE(right.stack.add_route(leased));
  send(header);
  const auto frames = drain(right.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).ethernet.destination, right_mac);
  ASSERT_EQ(router.table().find(header.destination).size(), 1U);
  EXPECT_EQ(router.table().find(header.destination).front().interface, 1);
  pump();
  right.stack.remove_route({Ipv4Address{}, 0});  // the lease has ended
  send(header);
  EXPECT_EQ(left_drops(observe::DropReason::NoRoute), 1U);
  EXPECT_TRUE(router.table().find(header.destination).empty());
}

TEST_F(RouterTest, ARouteSetByHandStaysBesideALeasedOne) {
  const Ipv4Prefix anywhere{Ipv4Address{}, 0};
  ASSERT_TRUE(router.add_route({.destination = anywhere, .gateway = right_host}));
  ASSERT_TRUE(right.stack.add_route({.destination = anywhere, .gateway = right_host, .origin = ip::RouteOrigin::Dhcp}));
  pump();
  right.stack.remove_route(anywhere);
  pump();
  const auto routes = router.table().find(Ipv4Address{192, 0, 2, 1});
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes.front().origin, ip::RouteOrigin::Static);
}

TEST_F(RouterTest, AnExpiredTtlIsReportedFromTheNearSide) {  // RFC 1812 RTR-01, RTR-05: code 0
  for (const std::uint8_t ttl : {std::uint8_t{1}, std::uint8_t{0}}) {
    auto header = to_right();
    header.ttl = ttl;
    send(header);
    EXPECT_TRUE(drain(right.stack).empty());
    const auto frames = drain(left.stack);
    ASSERT_EQ(frames.size(), 1U);
    const Seen seen = dissect(frames[0]);
    EXPECT_EQ(seen.ip.source, our_address) << "traceroute shows the address nearest to the asker";
    EXPECT_EQ(seen.ip.destination, peer_address);
    EXPECT_EQ(seen.icmp().type, time_exceeded);
    EXPECT_EQ(seen.icmp().code, 0);
    const auto quoted = wire::parse_ipv4(ByteView{seen.transport}.subspan(8));
    ASSERT_TRUE(quoted);
    EXPECT_EQ(quoted->header.destination, right_host);
    EXPECT_EQ(quoted->header.ttl, ttl) << "as it arrived";
  }
  EXPECT_EQ(left_drops(observe::DropReason::TtlExpired), 2U);
}

TEST_F(RouterTest, ErrorsAreRateLimited) {  // RFC 1812 RTR-05, 4.3.2.8
  auto header = to_right();
  header.ttl = 1;
  std::size_t answers = 0;
  for (int i = 0; i < 500; ++i) {
    send(header);
    answers += drain(left.stack).size();
  }
  EXPECT_GT(answers, 10U);
  EXPECT_LT(answers, 100U);
}

TEST_F(RouterTest, NoRouteIsNetUnreachable) {  // RFC 1812 RTR-03, 4.3.3.1
  auto header = to_right();
  header.destination = Ipv4Address{192, 0, 2, 1};
  send(header);
  const auto frames = drain(left.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).icmp().type, unreachable);
  EXPECT_EQ(dissect(frames[0]).icmp().code, 0);
  EXPECT_EQ(left_drops(observe::DropReason::NoRoute), 1U);
}

TEST_F(RouterTest, ASilentNeighbourIsHostUnreachable) {  // RFC 1812 RTR-03, 4.3.3.1, 5.2.7.1
  auto header = to_right();
  header.destination = Ipv4Address{10, 2, 0, 77};
  send(header);
  for (int i = 0; i < 10; ++i) {
    left.now += 2s;
    right.stack.handle_timeouts(left.now);
    drain(right.stack);
    pump();
  }
  bool told = false;
  for (const auto& frame : drain(left.stack)) {
    if (dissect(frame).ethernet.ether_type != 0x0800) continue;
    told = true;
    EXPECT_EQ(dissect(frame).icmp().type, unreachable);
    EXPECT_EQ(dissect(frame).icmp().code, 1);
    EXPECT_EQ(dissect(frame).ip.source, our_address);
  }
  EXPECT_TRUE(told);
}

TEST_F(RouterTest, WhatMustNotBeForwardedIsNot) {  // RFC 1812 RTR-02, 5.3.4, 5.3.5, 5.3.7; RFC 2644; RFC 3927 2.7
  using Header = wire::Ipv4Header;
  const auto refused = [&](auto change) {
    Header header = to_right();
    change(header);
    send(header);
    EXPECT_TRUE(drain(right.stack).empty());
    EXPECT_TRUE(drain(left.stack).empty()) << "and nothing is answered";
  };
  refused([](Header& h) { h.destination = Ipv4Address{10, 2, 0, 255}; });
  refused([](Header& h) { h.destination = Ipv4Address{255, 255, 255, 255}; });
  refused([](Header& h) { h.destination = Ipv4Address{224, 0, 0, 9}; });
  refused([](Header& h) { h.destination = Ipv4Address{127, 0, 0, 1}; });
  refused([](Header& h) { h.destination = Ipv4Address{240, 0, 0, 1}; });
  refused([](Header& h) { h.destination = Ipv4Address{169, 254, 7, 7}; });
  refused([](Header& h) { h.source = Ipv4Address{169, 254, 7, 7}; });
  refused([](Header& h) { h.source = Ipv4Address{127, 0, 0, 1}; });
  refused([](Header& h) { h.source = Ipv4Address{224, 0, 0, 1}; });
  refused([](Header& h) { h.source = our_address; });
  in(packet(to_right(), 64, MacAddress::broadcast()));
  EXPECT_TRUE(drain(right.stack).empty()) << "came as a link broadcast";
}

TEST_F(RouterTest, ItsFarAddressAnswersToo) {
  Octets echo(wire::icmp_header_length + 8, 7);
  wire::emit_icmp({.type = 8, .code = 0, .rest = 0x00010001}, echo);
  store_be16(echo.data() + 2, internet_checksum(echo));
  Octets octets(wire::ipv4_min_header);
  wire::emit_ipv4({.total_length = 36, .protocol = 1, .source = peer_address, .destination = right_router}, octets);
  octets.insert(octets.end(), echo.begin(), echo.end());
  in(left.ethernet(left.stack.mac(), 0x0800, octets));
  EXPECT_TRUE(drain(right.stack).empty());  // the answer is made here ...
  pump();
  const auto frames = drain(left.stack);  // ... and leaves there
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).ip.source, right_router);
  EXPECT_EQ(dissect(frames[0]).ip.ttl, 64) << "our own packet loses no hop";
  EXPECT_TRUE(dissect(frames[0]).transport_ok);
}

TEST_F(RouterTest, RoutesLeadThroughAGateway) {
  ASSERT_TRUE(router.add_route({.destination = {Ipv4Address{198, 51, 100, 0}, 24}, .gateway = right_host}));
  EXPECT_EQ(router.add_route({.destination = {Ipv4Address{198, 51, 101, 0}, 24}, .gateway = Ipv4Address{1, 2, 3, 4}}),
            Result<void>{fail(Error::NetworkUnreachable)});
  auto header = to_right();
  header.destination = Ipv4Address{198, 51, 100, 3};
  send(header);
  const auto frames = drain(right.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).ethernet.destination, right_mac);
}

TEST_F(RouterTest, ConnectedNetworksFollowTheAddresses) {
  EXPECT_EQ(router.table().routes().size(), 2U);
  ASSERT_TRUE(right.stack.add_address(left.now, {Ipv4Address{10, 3, 0, 1}, 24}));
  pump();
  EXPECT_EQ(router.table().routes().size(), 3U);
  ASSERT_TRUE(right.stack.remove_address(left.now, right_router));
  pump();
  ASSERT_EQ(router.table().routes().size(), 2U);
  drain(right.stack);
  send(to_right());
  EXPECT_EQ(dissect(drain(left.stack).at(0)).icmp().type, unreachable);
}

TEST_F(RouterTest, AShorterWayIsTold) {  // RFC 1812 RTR-04, 5.2.7.2: redirect for the host, and the packet goes on
  const Ipv4Address other_gateway{10, 0, 0, 33};
  resolve(left.stack, right_mac, other_gateway, our_address);
  ASSERT_TRUE(router.add_route({.destination = {Ipv4Address{198, 51, 100, 0}, 24}, .gateway = other_gateway}));
  auto header = to_right();
  header.destination = Ipv4Address{198, 51, 100, 3};
  send(header);
  const auto frames = drain(left.stack);
  ASSERT_EQ(frames.size(), 2U);
  for (const auto& frame : frames) {
    const Seen seen = dissect(frame);
    if (seen.ip.protocol == 1) {
      EXPECT_EQ(seen.icmp().type, redirect);
      EXPECT_EQ(seen.icmp().code, 1);
      EXPECT_EQ(seen.icmp().rest, other_gateway.value());
      EXPECT_EQ(seen.ip.destination, peer_address);
    } else {
      EXPECT_EQ(seen.ethernet.destination, right_mac);
      EXPECT_EQ(seen.ip.ttl, 63);
    }
  }
}

TEST_F(RouterTest, ADeadGatewayGivesWayToAnother) {  // RFC 1122 3.3.1.4, IP-17 in the router's table
  const Ipv4Address dead{10, 2, 0, 66};
  const Ipv4Prefix far{Ipv4Address{198, 51, 100, 0}, 24};
  ASSERT_TRUE(router.add_route({.destination = far, .gateway = dead, .metric = 1}));
  ASSERT_TRUE(router.add_route({.destination = far, .gateway = right_host, .metric = 2}));
  auto header = to_right();
  header.destination = Ipv4Address{198, 51, 100, 3};
  send(header);
  for (int i = 0; i < 10; ++i) {
    left.now += 2s;
    right.stack.handle_timeouts(left.now);
    drain(right.stack);
  }
  send(header);
  bool forwarded = false;
  for (const auto& frame : drain(right.stack)) forwarded |= dissect(frame).ethernet.destination == right_mac;
  EXPECT_TRUE(forwarded);
}

class NarrowRouterTest : public RouterTest {
 protected:
  NarrowRouterTest() : RouterTest{600} {}
};

TEST_F(NarrowRouterTest, TooLargeWithDontFragmentTellsTheMtu) {  // RFC 1812 RTR-03, 4.2.2.7; RFC 1191 4
  auto header = to_right();
  header.dont_fragment = true;
  send(header, 1000);
  EXPECT_TRUE(drain(right.stack).empty());
  const auto frames = drain(left.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).icmp().type, unreachable);
  EXPECT_EQ(dissect(frames[0]).icmp().code, 4);
  EXPECT_EQ(dissect(frames[0]).icmp().rest, 600U);
  EXPECT_EQ(left.stack.statistics().count.ip_fragment_failures, 1U);
}

TEST_F(NarrowRouterTest, TooLargeWithoutDontFragmentIsCut) {  // RFC 1812 4.2.2.7, 5.2.6
  send(to_right(), 1000);
  EXPECT_TRUE(drain(left.stack).empty());
  const auto frames = drain(right.stack);
  ASSERT_EQ(frames.size(), 2U);
  std::size_t next = 0;
  for (const auto& frame : frames) {
    const Seen seen = dissect(frame);
    EXPECT_TRUE(seen.ip_ok);
    EXPECT_LE(seen.ip.total_length, 600);
    EXPECT_EQ(seen.ip.ttl, 63);
    EXPECT_EQ(seen.ip.fragment_offset, next);
    EXPECT_EQ(seen.ip.more_fragments, next == 0);
    next += seen.ip.total_length - wire::ipv4_min_header;
  }
  EXPECT_EQ(next, 1000U);
  const auto& count = right.stack.statistics().count;
  EXPECT_EQ(count.ip_fragmented, 1U);
  EXPECT_EQ(count.ip_fragments_created, 2U);
  EXPECT_EQ(count.ip_forwarded, 1U);
}

/// A TCP super-segment from the left host: its checksum field holds the folded pseudo-header sum.
Packet super_segment(Host& left, std::size_t payload, std::uint16_t gso_size) {
  Octets segment(wire::tcp_min_header);
  wire::TcpHeader tcp;
  tcp.source = Port{1000};
  tcp.destination = Port{80};
  tcp.flags.ack = tcp.flags.psh = true;
  tcp.window = 1000;
  wire::emit_tcp(tcp, segment);
  segment.insert(segment.end(), payload, 0x42);
  Octets octets(wire::ipv4_min_header);
  wire::emit_ipv4({.total_length = static_cast<std::uint16_t>(20 + segment.size()),
                   .dont_fragment = true,
                   .protocol = 6,
                   .source = peer_address,
                   .destination = right_host},
                  octets);
  octets.insert(octets.end(), segment.begin(), segment.end());
  const Octets frame = left.ethernet(left.stack.mac(), 0x0800, octets);
  return {.data = left.stack.buffers().copy(frame), .checksum = ChecksumState::Partial, .gso_size = gso_size};
}

TEST_F(RouterTest, ASuperSegmentIsCutForALinkWithoutOffload) {
  left.stack.handle_frame(left.now, super_segment(left, 4000, 1448));
  pump();
  const auto frames = drain(right.stack);
  ASSERT_EQ(frames.size(), 3U);
  std::uint32_t next = 0;
  for (const auto& frame : frames) {
    const Seen seen = dissect(frame);
    EXPECT_TRUE(seen.ip_ok && seen.transport_ok);
    EXPECT_EQ(seen.ip.ttl, 63);
    EXPECT_EQ(seen.tcp().seq.value(), next);
    next += static_cast<std::uint32_t>(seen.transport.size() - wire::tcp_min_header);
  }
  EXPECT_EQ(next, 4000U);
}

TEST_F(NarrowRouterTest, SegmentsTooLargeForTheNextLinkAreRefused) {
  left.stack.handle_frame(left.now, super_segment(left, 4000, 1448));
  pump();
  EXPECT_TRUE(drain(right.stack).empty());
  const auto frames = drain(left.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).icmp().rest, 600U);
}

class OffloadRouterTest : public RouterTest {
 protected:
  OffloadRouterTest() : RouterTest{1500, true} {}
};

TEST_F(OffloadRouterTest, ASuperSegmentPassesWhereTheLinkCuts) {
  left.stack.handle_frame(left.now, super_segment(left, 40000, 1448));
  pump();
  gso_sizes.clear();
  const auto frames = drain(right.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(gso_sizes.at(0), 1448);
  EXPECT_EQ(dissect(frames[0]).ip.total_length, 40040);
}

}  // namespace
}  // namespace wireside::testing
