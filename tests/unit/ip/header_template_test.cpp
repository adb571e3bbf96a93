// Headers by template (ip/known_ways.hpp): they are those of the long way, and every change of routes is seen at once.
#include "ip_test_support.hpp"
#include "support/test_random.hpp"

namespace wireside::ip::testing {
namespace {

class HeaderTemplateTest : public IpTest {
 protected:
  Result<NextHop> send_segment(const SendParameters& parameters, std::size_t payload = 100,
                               std::uint16_t gso_size = 0) {
    frame_.clear();
    std::fill_n(frame_.header.prepend(20), 20, std::uint8_t{7});
    if (payload > 0) frame_.payload.push_back(pool.copy(Octets(payload, 1)));
    frame_.gso_size = gso_size;
    frame_.checksum_wanted = true;
    frame_.checksum_offset = wire::tcp_checksum_offset;
    return ip->prepare(Instant{}, parameters, frame_);
  }
  static SendParameters to(Ipv4Address destination) {
    return {.source = our_ip, .destination = destination, .ttl = 64};
  }

  FrameOut frame_;
};

TEST_F(HeaderTemplateTest, WritesWhatTheLongWayWrites) {
  wireside::testing::TestRandom random{1};
  for (int i = 0; i < 300; ++i) {
    SendParameters parameters = to(i % 2 == 0 ? peer_ip : far_ip);
    parameters.tos = static_cast<std::uint8_t>(random.below(256));
    parameters.ttl = static_cast<std::uint8_t>(random.between(1, 255));
    const std::size_t payload = random.below(i % 3 == 0 ? 60000 : 1461);
    const std::uint16_t gso_size = payload > 1460 ? 1460 : 0;
    build();  // nothing is known: the long way
    const auto hop = send_segment(parameters, payload, gso_size);
    ASSERT_TRUE(hop);
    const Octets expected = octets_of(frame_);
    ASSERT_EQ(ip->known_way(our_ip, parameters.destination)->next_hop, hop->address);
    ASSERT_TRUE(send_segment(parameters, random.below(1461)));
    const auto again = send_segment(parameters, payload, gso_size);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->kind, hop->kind);
    EXPECT_EQ(again->address, hop->address);
    EXPECT_EQ(octets_of(frame_), expected);
    EXPECT_EQ(frame_.checksum_start, 20U);
    EXPECT_EQ(frame_.fragment_limit, 0U);
  }
}

TEST_F(HeaderTemplateTest, TooLargePacketsAreRefusedAsEver) {
  ASSERT_TRUE(send_segment(to(peer_ip)));
  EXPECT_EQ(send_segment(to(peer_ip), 1461).error(), Error::MessageTooLong);
  EXPECT_EQ(send_segment(to(peer_ip), 20000, 1461).error(), Error::MessageTooLong);
  EXPECT_TRUE(send_segment(to(peer_ip), 20000, 1460));
}

TEST_F(HeaderTemplateTest, RouteChangesAreSeenAtOnce) {
  EXPECT_EQ(send_segment(to(far_ip))->address, gateway_ip);
  EXPECT_EQ(send_segment(to(far_ip))->address, gateway_ip);
  ASSERT_TRUE(ip->routes().add_route({.destination = {far_ip, 32}, .gateway = peer_ip}));
  EXPECT_EQ(ip->known_way(our_ip, far_ip), nullptr);
  EXPECT_EQ(send_segment(to(far_ip))->address, peer_ip);
  ip->routes().remove_route({far_ip, 32});
  EXPECT_EQ(send_segment(to(far_ip))->address, gateway_ip);
  ip->routes().set_gateway(std::nullopt);
  EXPECT_EQ(send_segment(to(far_ip)).error(), Error::NetworkUnreachable);
}

TEST_F(HeaderTemplateTest, ALostAddressSendsNoMore) {
  ASSERT_TRUE(send_segment(to(peer_ip)));
  ASSERT_TRUE(ip->routes().remove_address(our_ip));
  EXPECT_FALSE(send_segment(to(peer_ip)));
}

TEST_F(HeaderTemplateTest, RedirectsAndDeadGatewaysGoBeforeIt) {
  ASSERT_TRUE(send_segment(to(far_ip)));
  ASSERT_TRUE(ip->redirects().take(Instant{}, gateway_ip, far_ip, peer_ip));
  EXPECT_EQ(send_segment(to(far_ip))->address, peer_ip);
  ip->redirects().clear();
  EXPECT_EQ(send_segment(to(far_ip))->address, gateway_ip);
  constexpr Ipv4Prefix anywhere{Ipv4Address{}, 0};
  ASSERT_TRUE(ip->routes().add_route({.destination = anywhere, .gateway = peer_ip, .metric = 5}));
  EXPECT_EQ(send_segment(to(far_ip))->address, gateway_ip);
  ip->routes().negative_advice(Instant{}, gateway_ip, GatewayAdvice::NoAnswer, sink);
  EXPECT_EQ(send_segment(to(far_ip))->address, peer_ip);
  ip->routes().positive_advice(Instant{}, gateway_ip, sink);
  EXPECT_EQ(send_segment(to(far_ip))->address, gateway_ip);
}

}  // namespace
}  // namespace wireside::ip::testing
