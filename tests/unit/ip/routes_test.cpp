#include "ip/routes.hpp"

#include <gtest/gtest.h>

namespace wireside::ip {
namespace {

constexpr Ipv4Address gateway{10, 0, 0, 254};

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    EXPECT_TRUE(routes.add_address({Ipv4Address{10, 0, 0, 2}, 24}));
    EXPECT_TRUE(routes.add_address({Ipv4Address{192, 168, 1, 5}, 16}));
    routes.set_gateway(gateway);
  }
  Routes routes;
};

TEST_F(RoutesTest, OnLinkByMaskElseTheGateway) {  // RFC 1122 IP-16
  EXPECT_EQ(routes.next_hop(Ipv4Address(10, 0, 0, 200)), Ipv4Address(10, 0, 0, 200));
  EXPECT_EQ(routes.next_hop(Ipv4Address(192, 168, 77, 1)), Ipv4Address(192, 168, 77, 1));
  EXPECT_EQ(routes.next_hop(Ipv4Address(10, 0, 1, 1)), gateway);
  EXPECT_EQ(routes.next_hop(Ipv4Address(8, 8, 8, 8)), gateway);
}

TEST_F(RoutesTest, WithoutAGatewayFarNetworksAreUnreachable) {
  routes.set_gateway(std::nullopt);
  EXPECT_EQ(routes.next_hop(Ipv4Address(8, 8, 8, 8)), fail(Error::NetworkUnreachable));
  EXPECT_EQ(routes.source_for(Ipv4Address(8, 8, 8, 8)), fail(Error::NetworkUnreachable));
}

TEST_F(RoutesTest, TheLongestPrefixWins) {
  ASSERT_TRUE(routes.add_route({{Ipv4Address{172, 16, 0, 0}, 12}, Ipv4Address{10, 0, 0, 11}}));
  ASSERT_TRUE(routes.add_route({{Ipv4Address{172, 16, 5, 9}, 24}, Ipv4Address{10, 0, 0, 12}}));
  ASSERT_TRUE(routes.add_route({{Ipv4Address{172, 16, 5, 5}, 32}, Ipv4Address{10, 0, 0, 13}}));
  ASSERT_TRUE(routes.add_route({{Ipv4Address{192, 168, 9, 0}, 24}, Ipv4Address{10, 0, 0, 14}}));
  EXPECT_EQ(routes.next_hop(Ipv4Address(172, 17, 0, 1)), Ipv4Address(10, 0, 0, 11));
  EXPECT_EQ(routes.next_hop(Ipv4Address(172, 16, 5, 6)), Ipv4Address(10, 0, 0, 12));
  EXPECT_EQ(routes.next_hop(Ipv4Address(172, 16, 5, 5)), Ipv4Address(10, 0, 0, 13));
  EXPECT_EQ(routes.next_hop(Ipv4Address(192, 168, 9, 1)), Ipv4Address(10, 0, 0, 14)) << "longer than the connected /16";
  routes.remove_route({Ipv4Address{172, 16, 5, 5}, 32});
  EXPECT_EQ(routes.next_hop(Ipv4Address(172, 16, 5, 5)), Ipv4Address(10, 0, 0, 12));
}

constexpr Ipv4Prefix far_network{Ipv4Address{172, 16, 0, 0}, 12};
constexpr Ipv4Address far_host{172, 16, 0, 1};
constexpr Ipv4Address first_gateway{10, 0, 0, 11};
constexpr Ipv4Address second_gateway{10, 0, 0, 12};

TEST_F(RoutesTest, TheLowestMetricWinsAmongSeveralGateways) {  // RFC 1122 3.3.1.2, IP-17
  ASSERT_TRUE(routes.add_route({.destination = far_network, .gateway = first_gateway, .metric = 20}));
  ASSERT_TRUE(routes.add_route({.destination = far_network, .gateway = second_gateway, .metric = 10}));
  EXPECT_EQ(routes.next_hop(far_host), second_gateway);
  ASSERT_TRUE(routes.add_route({.destination = far_network, .gateway = first_gateway, .metric = 5}));
  EXPECT_EQ(routes.next_hop(far_host), first_gateway) << "the same gateway's route was replaced";
  EXPECT_EQ(routes.routes().size(), 3U) << "with the default route";
  routes.remove_route(far_network, first_gateway);
  EXPECT_EQ(routes.next_hop(far_host), second_gateway);
  routes.remove_route(far_network);
  EXPECT_EQ(routes.next_hop(far_host), gateway);
}

TEST_F(RoutesTest, AnOnLinkRouteNeedsNoGateway) {
  ASSERT_TRUE(routes.add_route({.destination = far_network}));
  EXPECT_EQ(routes.next_hop(far_host), far_host);
  EXPECT_EQ(routes.source_for(far_host), Ipv4Address(10, 0, 0, 2)) << "the first, as none is on that network";
}

TEST_F(RoutesTest, ARouteMayPreferASource) {
  ASSERT_TRUE(
      routes.add_route({.destination = far_network, .gateway = first_gateway, .source = Ipv4Address{192, 168, 1, 5}}));
  EXPECT_EQ(routes.source_for(far_host), Ipv4Address(192, 168, 1, 5));
  ASSERT_TRUE(routes.add_route({.destination = far_network, .gateway = first_gateway, .source = far_host}));
  EXPECT_EQ(routes.source_for(far_host), Ipv4Address(10, 0, 0, 2)) << "a source that is not ours is not used";
}

// --- dead gateways ---

struct GatewayRecorder : observe::Observer {
  void on_event(Instant, const observe::Event& event) override {
    events.push_back(std::get<observe::GatewayChanged>(event));
  }
  std::vector<observe::GatewayChanged> events;
};

class DeadGatewayTest : public RoutesTest {
 protected:
  DeadGatewayTest() {
    sink.attach(&recorder);
    EXPECT_TRUE(routes.add_route({.destination = far_network, .gateway = first_gateway, .metric = 1}));
    EXPECT_TRUE(routes.add_route({.destination = far_network, .gateway = second_gateway, .metric = 2}));
  }
  void negative(Ipv4Address who, GatewayAdvice advice) { routes.negative_advice(now, who, advice, sink); }
  Instant now = Instant::from_ns(1);
  observe::Sink sink;
  GatewayRecorder recorder;
};

TEST_F(DeadGatewayTest, OneThatDoesNotAnswerArpGivesWayToTheNext) {  // RFC 1122 3.3.1.4, 3.3.1.5, IP-17
  negative(first_gateway, GatewayAdvice::NoAnswer);
  EXPECT_EQ(routes.next_hop(far_host), second_gateway);
  ASSERT_EQ(recorder.events.size(), 1U);
  EXPECT_EQ(recorder.events[0].gateway, first_gateway);
  EXPECT_EQ(recorder.events[0].instead, second_gateway);
  EXPECT_FALSE(recorder.events[0].usable);
  negative(first_gateway, GatewayAdvice::NoAnswer);
  EXPECT_EQ(recorder.events.size(), 1U) << "told once";
}

TEST_F(DeadGatewayTest, AnAnswerBringsItBack) {
  negative(first_gateway, GatewayAdvice::NoAnswer);
  routes.positive_advice(now, first_gateway, sink);
  EXPECT_EQ(routes.next_hop(far_host), first_gateway);
  ASSERT_EQ(recorder.events.size(), 2U);
  EXPECT_TRUE(recorder.events[1].usable);
}

TEST_F(DeadGatewayTest, TcpMustFailSeveralTimesInARow) {  // RFC 1122 IP-17
  for (unsigned i = 1; i < GatewayHealth::no_progress_limit; ++i) negative(first_gateway, GatewayAdvice::NoProgress);
  EXPECT_EQ(routes.next_hop(far_host), first_gateway);
  routes.positive_advice(now, first_gateway, sink);  // another connection made progress
  for (unsigned i = 1; i < GatewayHealth::no_progress_limit; ++i) negative(first_gateway, GatewayAdvice::NoProgress);
  EXPECT_EQ(routes.next_hop(far_host), first_gateway);
  negative(first_gateway, GatewayAdvice::NoProgress);
  EXPECT_EQ(routes.next_hop(far_host), second_gateway);
}

TEST_F(DeadGatewayTest, WithAllGivenUpTheBestStays) {
  negative(second_gateway, GatewayAdvice::NoAnswer);
  negative(first_gateway, GatewayAdvice::NoAnswer);
  EXPECT_EQ(routes.next_hop(far_host), first_gateway);
  EXPECT_TRUE(recorder.events.back().instead.is_unspecified());
}

TEST_F(DeadGatewayTest, ItIsAskedAgainAfterItsRest) {
  EXPECT_EQ(routes.next_deadline(), Instant::max());
  negative(first_gateway, GatewayAdvice::NoAnswer);
  EXPECT_EQ(routes.next_hop(far_host), second_gateway);
  EXPECT_EQ(routes.next_deadline(), now + GatewayHealth::rest);
  EXPECT_EQ(routes.poll_retry(now), std::nullopt);
  now += GatewayHealth::rest;
  EXPECT_EQ(routes.poll_retry(now), first_gateway);
  EXPECT_EQ(routes.poll_retry(now), std::nullopt);
  EXPECT_EQ(routes.next_hop(far_host), second_gateway) << "until it answers";
  EXPECT_EQ(routes.next_deadline(), now + GatewayHealth::rest);
}

TEST_F(DeadGatewayTest, NobodyAsksForAGatewayThatNothingWouldUse) {
  negative(first_gateway, GatewayAdvice::NoAnswer);
  EXPECT_EQ(routes.next_deadline(), Instant::max());
  now += 10 * GatewayHealth::rest;
  EXPECT_EQ(routes.poll_retry(now), std::nullopt);
  EXPECT_FALSE(routes.is_usable(first_gateway)) << "a table that shows it is no traffic";
  EXPECT_EQ(routes.next_deadline(), Instant::max());
  EXPECT_EQ(routes.next_hop(far_host), second_gateway);
  EXPECT_EQ(routes.poll_retry(now), first_gateway);
}

TEST_F(DeadGatewayTest, ANeighbourThatIsNoGatewayDoesNotMatter) {
  negative(Ipv4Address{10, 0, 0, 77}, GatewayAdvice::NoAnswer);
  EXPECT_TRUE(recorder.events.empty());
  EXPECT_EQ(routes.next_deadline(), Instant::max());
}

TEST_F(RoutesTest, TheTableIsBounded) {
  routes.set_gateway(std::nullopt);
  for (std::uint32_t i = 0; i < Routes::max_routes; ++i) {
    ASSERT_TRUE(routes.add_route({{Ipv4Address{0x14000000U + i}, 32}, gateway}));
  }
  EXPECT_EQ(routes.add_route({{Ipv4Address{0x15000000U}, 32}, gateway}), Result<void>{fail(Error::NoBuffers)});
}

TEST_F(RoutesTest, SourceIsOnTheNextHopsNetwork) {  // RFC 1122 3.3.4.3
  EXPECT_EQ(routes.source_for(Ipv4Address(10, 0, 0, 1)), Ipv4Address(10, 0, 0, 2));
  EXPECT_EQ(routes.source_for(Ipv4Address(192, 168, 3, 3)), Ipv4Address(192, 168, 1, 5));
  EXPECT_EQ(routes.source_for(Ipv4Address(8, 8, 8, 8)), Ipv4Address(10, 0, 0, 2));
  routes.set_gateway(Ipv4Address{192, 168, 0, 1});
  EXPECT_EQ(routes.source_for(Ipv4Address(8, 8, 8, 8)), Ipv4Address(192, 168, 1, 5));
  EXPECT_EQ(routes.source_for(Ipv4Address(192, 168, 255, 255)), Ipv4Address(192, 168, 1, 5));
  EXPECT_EQ(routes.source_for(Ipv4Address(255, 255, 255, 255)), Ipv4Address(10, 0, 0, 2));
  EXPECT_EQ(routes.source_for(Ipv4Address(192, 168, 1, 5)), Ipv4Address(192, 168, 1, 5));
  EXPECT_EQ(routes.source_for(Ipv4Address(127, 0, 0, 1)), Ipv4Address(127, 0, 0, 1));
}

TEST_F(RoutesTest, ClassifiesAddresses) {
  const auto kind = [&](std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return routes.classify(Ipv4Address{a, b, c, d});
  };
  EXPECT_EQ(kind(10, 0, 0, 2), AddressKind::Local);
  EXPECT_EQ(kind(10, 0, 0, 255), AddressKind::Broadcast);
  EXPECT_EQ(kind(192, 168, 255, 255), AddressKind::Broadcast);
  EXPECT_EQ(kind(255, 255, 255, 255), AddressKind::Broadcast);
  EXPECT_EQ(kind(10, 0, 1, 255), AddressKind::Unicast);
  EXPECT_EQ(kind(224, 0, 0, 1), AddressKind::Multicast);
  EXPECT_EQ(kind(127, 1, 2, 3), AddressKind::Loopback);
  EXPECT_EQ(kind(0, 0, 0, 0), AddressKind::Invalid);
  EXPECT_EQ(kind(0, 1, 2, 3), AddressKind::Invalid);
  EXPECT_EQ(kind(240, 0, 0, 1), AddressKind::Invalid);
}

TEST_F(RoutesTest, RefusesAddressesNoHostCanHave) {
  const auto add = [&](std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint8_t length) {
    return routes.add_address({Ipv4Address{a, b, c, d}, length});
  };
  const Result<void> invalid = fail(Error::InvalidArgument);
  EXPECT_EQ(add(0, 0, 0, 0, 24), invalid);
  EXPECT_EQ(add(127, 0, 0, 1, 8), invalid);
  EXPECT_EQ(add(224, 0, 0, 1, 24), invalid);
  EXPECT_EQ(add(250, 0, 0, 1, 24), invalid);
  EXPECT_EQ(add(255, 255, 255, 255, 32), invalid);
  EXPECT_EQ(add(172, 16, 0, 0, 24), invalid);
  EXPECT_EQ(add(172, 16, 0, 255, 24), invalid);
  EXPECT_EQ(add(172, 16, 0, 1, 33), invalid);
  EXPECT_EQ(add(10, 0, 0, 2, 24), Result<void>{fail(Error::AddressInUse)});
  EXPECT_TRUE(add(172, 16, 0, 0, 31)) << "RFC 3021";
  EXPECT_FALSE(routes.is_broadcast(Ipv4Address(172, 16, 0, 1)));
}

TEST_F(RoutesTest, AddressesComeAndGo) {
  EXPECT_TRUE(routes.remove_address(Ipv4Address{10, 0, 0, 2}));
  EXPECT_EQ(routes.remove_address(Ipv4Address(10, 0, 0, 2)), Result<void>{fail(Error::AddressNotAvailable)});
  EXPECT_FALSE(routes.is_local(Ipv4Address(10, 0, 0, 2)));
  EXPECT_TRUE(routes.remove_address(Ipv4Address{192, 168, 1, 5}));
  EXPECT_EQ(routes.source_for(Ipv4Address(8, 8, 8, 8)), fail(Error::AddressNotAvailable));
}

TEST_F(RoutesTest, AHostAddressUsesAGatewayOffItsNetwork) {
  Routes host;
  ASSERT_TRUE(host.add_address({Ipv4Address{198, 51, 100, 4}, 32}));
  host.set_gateway(Ipv4Address{169, 254, 1, 1});
  EXPECT_EQ(host.next_hop(Ipv4Address(8, 8, 8, 8)), Ipv4Address(169, 254, 1, 1));
  EXPECT_EQ(host.source_for(Ipv4Address(8, 8, 8, 8)), Ipv4Address(198, 51, 100, 4));
}

}  // namespace
}  // namespace wireside::ip
