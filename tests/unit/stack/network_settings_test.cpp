// Stacks that follow another one's addresses, routes and MTU.
#include <gtest/gtest.h>

#include "host.hpp"

namespace wireside::testing {
namespace {

struct Follower {
  Stack leader{test_config(), make_seed(1)};
  Config config = [] {
    Config c;
    c.link.answers_arp = false;
    return c;
  }();
  Stack stack{config, make_seed(2)};
  Instant now = Instant::from_ns(1);
  void follow() { stack.use_network_settings(now, leader.network_settings()); }
};

TEST(NetworkSettings, AddressesRoutesAndGatewayAreTakenOver) {
  Follower f;
  f.leader.set_gateway(Ipv4Address{10, 0, 0, 1});
  ASSERT_TRUE(
      f.leader.add_route({.destination = *Ipv4Prefix::parse("10.2.0.0/16"), .gateway = Ipv4Address{10, 0, 0, 9}}));
  ASSERT_TRUE(f.leader.add_address(f.now, *Ipv4Prefix::parse("10.0.0.3/24")));
  f.follow();
  EXPECT_EQ(f.stack.network_settings(), f.leader.network_settings());
  EXPECT_EQ(f.stack.routes().next_hop(Ipv4Address{8, 8, 8, 8}), (Ipv4Address{10, 0, 0, 1}));
  f.leader.set_gateway(std::nullopt);
  ASSERT_TRUE(f.leader.remove_address(f.now, our_address));
  f.follow();
  EXPECT_EQ(f.stack.network_settings(), f.leader.network_settings());
}

TEST(NetworkSettings, ChangesAreTold) {
  Follower f;
  const auto changes = [&](auto change) {
    const auto before = f.leader.settings_generation();
    change();
    return f.leader.settings_generation() != before;
  };
  EXPECT_FALSE(changes([] {}));
  EXPECT_TRUE(changes([&] { f.leader.set_gateway(peer_address); }));
  EXPECT_TRUE(changes([&] { (void)f.leader.add_address(f.now, *Ipv4Prefix::parse("10.0.0.3/24")); }));
  EXPECT_TRUE(changes([&] { (void)f.leader.remove_address(f.now, our_address); }));
  EXPECT_TRUE(changes([&] { (void)f.leader.add_route({.destination = *Ipv4Prefix::parse("10.2.0.0/16")}); }));
  EXPECT_TRUE(changes([&] { f.leader.remove_route(*Ipv4Prefix::parse("10.2.0.0/16")); }));
}

TEST(NetworkSettings, AnAddressThatGoesEndsItsConnections) {
  Follower f;
  f.follow();
  const SocketHandle h = *f.stack.sockets().open(SocketKind::Stream);
  (void)f.stack.sockets().connect(f.now, h, {peer_address, Port{80}});
  ASSERT_EQ(f.stack.connections().size(), 1U);
  f.follow();
  EXPECT_EQ(f.stack.connections().size(), 1U);
  ASSERT_TRUE(f.leader.remove_address(f.now, our_address));
  f.follow();
  EXPECT_EQ(f.stack.sockets().take_error(h), Error::AddressNotAvailable);
}

TEST(NetworkSettings, AFollowerAnswersNoArpButLearnsFromIt) {
  Host host{[] {
    Config c = test_config();
    c.link.answers_arp = false;
    return c;
  }()};
  host.in(host.arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
  EXPECT_TRUE(host.out().empty());
  ASSERT_EQ(host.stack.neighbours().size(), 1U);
  EXPECT_EQ(host.stack.neighbours()[0].mac, peer_mac);
}

// RFC 6864 section 4.3: values are not used twice, by two stacks of one address either.
TEST(NetworkSettings, StacksOfOneAddressTakeIdentificationsOfTheirOwn) {
  for (const unsigned share : {0U, 1U, 2U, 3U}) {
    const auto first = static_cast<std::uint16_t>(share << 14);
    Config config = test_config();
    config.ip.identification = {.first = first, .size = 0x4000};
    Host host{config};
    for (int i = 0; i < 50; ++i) host.in(host.icmp({.type = 8, .code = 0, .rest = 1}, Octets(32)));
    const auto replies = host.out_resolving();
    EXPECT_GE(replies.size(), 40U);
    for (const auto& frame : replies) EXPECT_EQ(dissect(frame).ip.identification & 0xc000, first);
  }
}

}  // namespace
}  // namespace wireside::testing
