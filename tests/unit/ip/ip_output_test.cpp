#include <set>

#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

using observe::DropReason;
using wire::IpProtocol;

class IpOutputTest : public IpTest {
 protected:
  Result<NextHop> send(const SendParameters& parameters, std::size_t payload = 100, std::uint16_t gso_size = 0) {
    frame.clear();
    std::fill_n(frame.header.prepend(20), 20, std::uint8_t{0});
    for (std::size_t left = payload; left > 0;) {
      const std::size_t n = std::min<std::size_t>(left, 16384);
      frame.payload.push_back(pool.copy(Octets(n, 1)));
      left -= n;
    }
    frame.gso_size = gso_size;
    frame.checksum_wanted = true;
    frame.checksum_offset = wire::tcp_checksum_offset;
    return ip->prepare(Instant{}, parameters, frame);
  }
  wire::Ipv4Header sent_header() {
    const auto parsed = wire::parse_ipv4(octets_of(frame));
    EXPECT_TRUE(parsed && parsed->checksum_ok);
    return parsed ? parsed->header : wire::Ipv4Header{};
  }

  FrameOut frame;
};

TEST_F(IpOutputTest, WritesTheHeaderAndTheChecksumRequest) {  // RFC 1122 IP-08, IP-11
  const auto hop = send({.source = second_ip, .destination = peer_ip, .ttl = 9, .tos = 0x10, .dont_fragment = true});
  ASSERT_TRUE(hop);
  EXPECT_EQ(hop->kind, NextHop::Kind::Neighbour);
  EXPECT_EQ(hop->address, peer_ip);
  const wire::Ipv4Header header = sent_header();
  EXPECT_EQ(header.source, second_ip);
  EXPECT_EQ(header.destination, peer_ip);
  EXPECT_EQ(header.ttl, 9U);
  EXPECT_EQ(header.tos, 0x10U);
  EXPECT_EQ(header.total_length, 140U);
  EXPECT_TRUE(header.dont_fragment);
  EXPECT_EQ(header.identification, 0U) << "RFC 6864: an atomic datagram needs none";
  EXPECT_EQ(frame.checksum_start, 20U);
  ChecksumAccumulator sum;
  wire::add_pseudo_header(sum, second_ip, peer_ip, 6, 120);
  EXPECT_EQ(load_be16(frame.header.data() + 20 + 16), sum.folded());
}

TEST_F(IpOutputTest, TtlIsNeverZero) {  // RFC 1122 IP-10
  ASSERT_TRUE(send({.destination = peer_ip}));
  EXPECT_EQ(sent_header().ttl, 64U);
  config.default_ttl = 0;
  build();
  ASSERT_TRUE(send({.destination = peer_ip}));
  EXPECT_EQ(sent_header().ttl, 64U);
}

TEST_F(IpOutputTest, ChoosesASourceOfOurOwn) {  // RFC 1122 IP-08, IP-16
  auto hop = send({.destination = far_ip});
  ASSERT_TRUE(hop);
  EXPECT_EQ(hop->address, gateway_ip);
  EXPECT_EQ(sent_header().source, our_ip);
  ASSERT_TRUE(send({.destination = Ipv4Address{192, 168, 9, 9}}));
  EXPECT_EQ(sent_header().source, second_ip);
  EXPECT_EQ(send({.source = peer_ip, .destination = far_ip}).error(), Error::AddressNotAvailable);
  EXPECT_EQ(send({.source = Ipv4Address{127, 0, 0, 1}, .destination = far_ip}).error(), Error::AddressNotAvailable);
}

TEST_F(IpOutputTest, OwnAndLoopbackAddressesNeverReachTheWire) {  // RFC 1122 IP-07
  for (const Ipv4Address destination : {our_ip, second_ip, Ipv4Address{127, 0, 0, 1}, Ipv4Address{127, 9, 9, 9}}) {
    const auto hop = send({.destination = destination});
    ASSERT_TRUE(hop);
    EXPECT_EQ(hop->kind, NextHop::Kind::Loopback);
  }
}

TEST_F(IpOutputTest, ALoopedPacketComesBackAsItWasSent) {
  ASSERT_TRUE(send({.destination = Ipv4Address{127, 0, 0, 1}}, 60'000, 1400));
  const Packet packet = loop_back(frame, pool);
  EXPECT_EQ(packet.checksum, ChecksumState::Partial);
  EXPECT_EQ(packet.gso_size, 1400U);
  const auto arrived = ip->handle_packet(Instant{}, packet.data,
                                         {.checksum = packet.checksum, .gso_size = packet.gso_size, .loopback = true});
  const auto& datagram = std::get<IncomingDatagram>(arrived);
  EXPECT_EQ(datagram.payload.size(), 60'020U);
  EXPECT_EQ(datagram.header.source, Ipv4Address(127, 0, 0, 1));
}

TEST_F(IpOutputTest, BroadcastAndMulticastDestinations) {  // RFC 1122 IP-19
  EXPECT_EQ(send({.destination = Ipv4Address{255, 255, 255, 255}})->kind, NextHop::Kind::Broadcast);
  EXPECT_EQ(send({.destination = Ipv4Address{10, 0, 0, 255}})->kind, NextHop::Kind::Broadcast);
  const auto group = send({.destination = Ipv4Address{224, 0, 0, 251}});
  ASSERT_TRUE(group);
  EXPECT_EQ(group->kind, NextHop::Kind::Neighbour);
  EXPECT_EQ(group->address, Ipv4Address(224, 0, 0, 251));
}

TEST_F(IpOutputTest, RefusesWhatHasNoRoute) {
  EXPECT_EQ(send({.destination = Ipv4Address{0, 0, 0, 0}}).error(), Error::InvalidArgument);
  EXPECT_EQ(send({.destination = Ipv4Address{240, 0, 0, 1}}).error(), Error::InvalidArgument);
  ip->routes().set_gateway(std::nullopt);
  EXPECT_EQ(send({.destination = far_ip}).error(), Error::NetworkUnreachable);
  EXPECT_EQ(drops(DropReason::NoRoute), 3U);
}

TEST_F(IpOutputTest, ThePathsLargestPacketIsTheMtu) {
  EXPECT_TRUE(send({.destination = peer_ip}, 1460));
  EXPECT_EQ(send({.destination = peer_ip}, 1461).error(), Error::MessageTooLong);
  EXPECT_TRUE(send({.destination = our_ip}, 1461)) << "loopback has no such limit";
  EXPECT_EQ(drops(DropReason::TooBig), 1U);
}

TEST_F(IpOutputTest, ASuperSegmentFitsIfItsSegmentsDo) {
  EXPECT_TRUE(send({.destination = peer_ip}, 65'495, 1460));
  EXPECT_EQ(send({.destination = peer_ip}, 65'496, 1460).error(), Error::MessageTooLong);
  EXPECT_EQ(send({.destination = peer_ip}, 20'000, 1461).error(), Error::MessageTooLong);
}

TEST_F(IpOutputTest, IdentificationsOfFragmentableDatagramsDoNotRepeat) {  // RFC 6864 FRAG-13
  std::set<std::uint16_t> seen;
  for (int i = 0; i < 65'536; ++i) {
    ASSERT_TRUE(send({.destination = peer_ip, .protocol = IpProtocol::Udp, .dont_fragment = false}, 0));
    EXPECT_TRUE(seen.insert(load_be16(frame.header.data() + 4)).second);
  }
}

TEST_F(IpOutputTest, IdentificationsOfAnotherDestinationTellNothing) {  // RFC 6864 FRAG-13, RFC 7739
  const auto id_to = [&](Ipv4Address destination) {
    EXPECT_TRUE(send({.destination = destination, .dont_fragment = false}));
    return sent_header().identification;
  };
  const std::uint16_t first = id_to(peer_ip);
  for (std::uint8_t i = 10; i < 60; ++i) id_to(Ipv4Address{10, 0, 0, i});
  EXPECT_EQ(id_to(peer_ip), static_cast<std::uint16_t>(first + 1));
  std::set<std::uint16_t> others;
  for (std::uint8_t i = 100; i < 140; ++i) others.insert(id_to(Ipv4Address{10, 0, 0, i}));
  EXPECT_GT(others.size(), 30U);
}

}  // namespace
}  // namespace wireside::ip::testing
