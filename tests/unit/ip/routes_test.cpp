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

TEST_F(RoutesTest, ARouteToTheSameDestinationIsReplaced) {
  ASSERT_TRUE(routes.add_route({{Ipv4Address{172, 16, 0, 0}, 12}, Ipv4Address{10, 0, 0, 11}}));
  ASSERT_TRUE(routes.add_route({{Ipv4Address{172, 16, 0, 0}, 12}, Ipv4Address{10, 0, 0, 12}}));
  EXPECT_EQ(routes.next_hop(Ipv4Address(172, 16, 0, 1)), Ipv4Address(10, 0, 0, 12));
}

TEST_F(RoutesTest, TheTableIsBounded) {
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
