// What routers say about a path's MTU: what is believed, for how long, and how much of it is kept.
#include "ip/path_mtu.hpp"

#include <gtest/gtest.h>

#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

class PathMtuTest : public ::testing::Test {
 protected:
  Random random{make_seed(5)};
  PathMtuConfig config{.max_entries = 8};
  PathMtuCache cache{config, 1500, random};
};

TEST_F(PathMtuTest, AnUnknownPathCarriesWhatTheLinkDoes) { EXPECT_EQ(cache.mtu(far_ip), 1500); }

TEST_F(PathMtuTest, AReportLowersOneDestination) {  // RFC 1191 PMTU-02
  EXPECT_TRUE(cache.lower({}, far_ip, 1400, 1500));
  EXPECT_EQ(cache.mtu(far_ip), 1400);
  EXPECT_EQ(cache.mtu(peer_ip), 1500);
}

TEST_F(PathMtuTest, NoReportRaisesTheValue) {  // RFC 1191 PMTU-07
  EXPECT_FALSE(cache.lower({}, far_ip, 9000, 1500));
  EXPECT_TRUE(cache.lower({}, far_ip, 1000, 1500));
  EXPECT_FALSE(cache.lower({}, far_ip, 1400, 1500));
  EXPECT_EQ(cache.mtu(far_ip), 1000);
}

TEST_F(PathMtuTest, AReportMustFitThePacketItQuotes) {  // RFC 5927 section 7
  EXPECT_FALSE(cache.lower({}, far_ip, 1000, 1000));
  EXPECT_FALSE(cache.lower({}, far_ip, 1000, 52));
  EXPECT_EQ(cache.mtu(far_ip), 1500);
}

TEST_F(PathMtuTest, ImpossibleValuesAreIgnored) {  // RFC 1191 PMTU-03
  for (const std::uint16_t bogus : std::initializer_list<std::uint16_t>{1, 20, 60, 67})
    EXPECT_FALSE(cache.lower({}, far_ip, bogus, 1500));
  EXPECT_EQ(cache.size(), 0U);
}

TEST_F(PathMtuTest, BelowTheFloorPacketsKeepTheFloorsSizeWithoutDf) {  // RFC 1191 PMTU-03
  EXPECT_TRUE(cache.may_set_dont_fragment(far_ip));
  EXPECT_TRUE(cache.lower({}, far_ip, 296, 1500));
  EXPECT_EQ(cache.mtu(far_ip), 552);
  EXPECT_FALSE(cache.may_set_dont_fragment(far_ip));
  EXPECT_FALSE(cache.lower({}, far_ip, 100, 552)) << "nothing changes any more";
}

TEST_F(PathMtuTest, AnOldRouterLeadsToTheNextPlateau) {  // RFC 1191 PMTU-04
  EXPECT_TRUE(cache.lower({}, far_ip, 0, 1500));
  EXPECT_EQ(cache.mtu(far_ip), 1492);
  EXPECT_TRUE(cache.lower({}, far_ip, 0, 1492));
  EXPECT_EQ(cache.mtu(far_ip), 1006);
  EXPECT_TRUE(cache.lower({}, far_ip, 0, 65'535)) << "a super-segment was quoted: the current value counts";
  EXPECT_EQ(cache.mtu(far_ip), 576);
  EXPECT_EQ(plateau_below(60), 68);
}

TEST_F(PathMtuTest, AValueIsForgottenAfterTenMinutes) {  // RFC 1191 PMTU-05
  EXPECT_TRUE(cache.lower(at(1s), far_ip, 1400, 1500));
  EXPECT_EQ(cache.next_deadline(), at(601s));
  const auto generation = cache.generation();
  cache.handle_timeouts(at(601s - 1ns));
  EXPECT_EQ(cache.mtu(far_ip), 1400);
  cache.handle_timeouts(at(601s));
  EXPECT_EQ(cache.mtu(far_ip), 1500);
  EXPECT_NE(cache.generation(), generation);
  EXPECT_EQ(cache.next_deadline(), Instant::max());
}

TEST_F(PathMtuTest, TheCacheIsBoundedAndTheOldestGoes) {
  for (std::uint8_t i = 1; i <= 20; ++i) EXPECT_TRUE(cache.lower(at(i * 1s), Ipv4Address{10, 1, 1, i}, 1400, 1500));
  EXPECT_EQ(cache.size(), 8U);
  EXPECT_EQ(cache.mtu(Ipv4Address{10, 1, 1, 12}), 1500);
  EXPECT_EQ(cache.mtu(Ipv4Address{10, 1, 1, 13}), 1400);
}

TEST(PathMtu, CanBeTurnedOff) {
  Random random{make_seed(5)};
  PathMtuCache cache{{.discovery = false}, 1500, random};
  EXPECT_FALSE(cache.lower({}, far_ip, 1400, 1500));
}

// Redirects.

class RedirectTest : public ::testing::Test {
 protected:
  RedirectTest() {
    (void)routes.add_address({our_ip, 24});
    routes.set_gateway(gateway_ip);
  }
  Ipv4Address hop() const { return cache.next_hop(far_ip).value(); }
  Routes routes;
  Random random{make_seed(5)};
  RedirectCache cache{{.max_entries = 4}, routes, random};
  static constexpr Ipv4Address better{10, 0, 0, 9};
};

TEST_F(RedirectTest, TheFirstHopMayNameABetterOneOnTheSameNetwork) {  // RFC 1122 IP-18
  EXPECT_TRUE(cache.take({}, gateway_ip, far_ip, better));
  EXPECT_EQ(hop(), better);
  EXPECT_EQ(cache.next_hop(Ipv4Address{203, 0, 113, 8}), gateway_ip) << "a redirect concerns one host";
}

TEST_F(RedirectTest, OthersMayNot) {  // RFC 1122 IP-18
  EXPECT_FALSE(cache.take({}, better, far_ip, better));
  EXPECT_TRUE(cache.take({}, gateway_ip, far_ip, better));
  EXPECT_FALSE(cache.take({}, gateway_ip, far_ip, Ipv4Address{10, 0, 0, 8})) << "no longer the first hop";
}

TEST_F(RedirectTest, ANeighbourIsNoGatewayToItself) {  // RFC 1122 IP-18
  const Ipv4Address neighbour{10, 0, 0, 7};
  EXPECT_FALSE(cache.take({}, neighbour, neighbour, Ipv4Address{10, 0, 0, 9}));
  EXPECT_EQ(cache.next_hop(neighbour), neighbour);
}

TEST_F(RedirectTest, TheNewGatewayMustBeANeighbour) {  // RFC 1122 IP-18
  for (const Ipv4Address bad : {Ipv4Address{192, 0, 2, 1}, our_ip, gateway_ip, Ipv4Address{10, 0, 0, 255},
                                Ipv4Address{224, 0, 0, 1}, Ipv4Address{}}) {
    EXPECT_FALSE(cache.take({}, gateway_ip, far_ip, bad));
  }
  EXPECT_FALSE(cache.take({}, gateway_ip, our_ip, better));
  EXPECT_EQ(hop(), gateway_ip);
}

TEST_F(RedirectTest, WhatNamesADeadGatewayIsForgotten) {  // RFC 1122 3.3.1.5
  const Ipv4Address other_far{203, 0, 113, 8};
  EXPECT_TRUE(cache.take({}, gateway_ip, far_ip, better));
  EXPECT_TRUE(cache.take({}, gateway_ip, other_far, Ipv4Address{10, 0, 0, 8}));
  cache.forget(better);
  EXPECT_EQ(hop(), gateway_ip);
  EXPECT_EQ(cache.next_hop(other_far), Ipv4Address(10, 0, 0, 8));
  EXPECT_EQ(cache.next_deadline(), at(600s));
}

TEST_F(RedirectTest, ARedirectAgesAndTheCacheIsBounded) {
  for (std::uint8_t i = 1; i <= 9; ++i) {
    EXPECT_TRUE(cache.take(at(i * 1s), gateway_ip, Ipv4Address{203, 0, 113, i}, better));
  }
  EXPECT_EQ(cache.size(), 4U);
  EXPECT_EQ(cache.next_deadline(), at(606s));
  cache.handle_timeouts(at(700s));
  EXPECT_EQ(cache.size(), 0U);
}

}  // namespace
}  // namespace wireside::ip::testing
