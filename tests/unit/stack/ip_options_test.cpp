// IP options from and to sockets through a whole stack (RFC 1122 sections 3.2.1.8 and 4.1.3.2).
#include <gtest/gtest.h>

#include "host.hpp"
#include "wire/ipv4_options.hpp"

namespace wireside::testing {
namespace {

class IpOptions : public ::testing::Test {
 protected:
  SocketHandle open(const Octets& options, SocketKind kind = SocketKind::Datagram) {
    const auto h = sockets.open(kind).value();
    EXPECT_TRUE(sockets.bind(h, {{}, Port{53}}));
    EXPECT_TRUE(sockets.set_datagram_options(h, {.ip_options = wire::Ipv4Options::copy_of(options)}));
    return h;
  }
  /// The options of the only packet that is sent to the peer.
  Octets sent_to_peer(SocketHandle h, std::size_t octets = 4) {
    EXPECT_TRUE(sockets.send_to(host.now, h, Octets(octets, 1), {peer_address, Port{9}}));
    frames = host.out_resolving();
    EXPECT_FALSE(frames.empty());
    return frames.empty() ? Octets{} : options_of(frames.front());
  }
  static Octets options_of(const Octets& frame) {
    const auto ip = wire::parse_ipv4(ByteView{frame}.subspan(14));
    EXPECT_TRUE(ip && ip->checksum_ok);
    return ip ? Octets(ip->options.begin(), ip->options.end()) : Octets{};
  }
  /// The peer's packet with options in it.
  static Octets with_options(Octets frame, const Octets& options) {
    frame.insert(frame.begin() + 34, options.begin(), options.end());
    frame[14] = static_cast<std::uint8_t>(0x45 + options.size() / 4);
    frame[17] = static_cast<std::uint8_t>(frame[17] + options.size());
    store_be16(frame.data() + 24, 0);
    store_be16(frame.data() + 24, internet_checksum(ByteView{frame}.subspan(14, 20 + options.size())));
    return frame;
  }
  Octets received(SocketHandle h) {
    const auto got = sockets.receive_from(h, buffer);
    EXPECT_TRUE(got);
    return got ? Octets(got->ip_options.view().begin(), got->ip_options.view().end()) : Octets{};
  }

  Host host;
  SocketTable& sockets = host.stack.sockets();
  std::vector<Octets> frames;
  std::array<std::uint8_t, 64> buffer{};
};

TEST_F(IpOptions, LeaveAsTheyWereSet) {  // RFC 1122 UDP-09
  const Octets router_alert{0x94, 4, 0, 0};
  EXPECT_EQ(sent_to_peer(open(router_alert)), router_alert);
  EXPECT_TRUE(dissect(frames[0]).transport_ok);
}

TEST_F(IpOptions, TheSenderIsTheFirstHopOnRecord) {  // RFC 1122 3.2.1.8 (d), (e)
  const Octets route{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(sent_to_peer(open(route)), (Octets{7, 11, 8, 10, 0, 0, 2, 0, 0, 0, 0, 0}));
}

TEST_F(IpOptions, TheSenderStampsItsTime) {  // RFC 1122 3.2.1.8 (e)
  const auto stamped = sent_to_peer(open({68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  ASSERT_EQ(stamped.size(), 12U);
  EXPECT_EQ(stamped[2], 9) << "one entry further";
  EXPECT_NE(load_be32(stamped.data() + 4), 0U);
}

TEST_F(IpOptions, OnlyCopiedOnesAreInEveryFragment) {  // RFC 791 3.1
  const auto h = open({7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0});
  EXPECT_EQ(sent_to_peer(h, 2000), (Octets{7, 7, 8, 10, 0, 0, 2, 1, 0x94, 4, 0, 0}));
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(options_of(frames[1]), (Octets{0x94, 4, 0, 0}));
  for (const Octets& f : frames) EXPECT_LE(f.size(), 1514U);
}

TEST_F(IpOptions, ReceivedOnesArePassedToTheApplication) {  // RFC 1122 4.1.3.2
  const auto h = open({});
  host.in(with_options(host.udp(9, 53, "x"), {0x94, 4, 0, 0}));
  EXPECT_EQ(received(h), (Octets{0x94, 4, 0, 0}));
  host.in(with_options(host.udp(9, 53, "x"), {7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0, 0}));
  EXPECT_EQ(received(h), (Octets{7, 11, 12, 9, 9, 9, 9, 10, 0, 0, 2, 0})) << "with our own entry";
  host.in(host.udp(9, 53, "x"));
  EXPECT_EQ(received(h), Octets{});
}

TEST_F(IpOptions, OfEchoRequestsAndReplies) {
  const auto h = open({7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, SocketKind::Echo);
  EXPECT_EQ(sent_to_peer(h), (Octets{7, 15, 8, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  host.in(with_options(host.icmp({0, 0, dissect(frames[0]).icmp().rest}, Octets(4)),
                       {7, 15, 12, 10, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(received(h), (Octets{7, 15, 16, 10, 0, 0, 2, 10, 0, 0, 1, 10, 0, 0, 2, 0}));
}

}  // namespace
}  // namespace wireside::testing
