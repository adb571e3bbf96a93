#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

using observe::DropReason;
using wire::IpProtocol;

class IpInputTest : public IpTest {
 protected:
  /// Changes a good UDP packet and says whether it still gets through.
  template <class Change>
  bool accepts_changed(Change change, bool fix_checksum = true) {
    Octets packet = make_packet(header_to_us(IpProtocol::Udp), make_udp(1000, 2000, {1, 2, 3}));
    change(packet);
    if (fix_checksum && packet.size() >= 20) fix_ip_checksum(packet);
    return std::holds_alternative<IncomingDatagram>(receive(packet));
  }
  bool accepts_options(const Octets& options) {
    const auto packet = make_packet(header_to_us(IpProtocol::Udp), make_udp(1000, 2000, {1, 2, 3}), options);
    auto arrived = receive(packet);
    const auto* datagram = std::get_if<IncomingDatagram>(&arrived);
    return datagram != nullptr && datagram->payload.size() == 11;
  }
};

TEST_F(IpInputTest, DeliversTheDatagramCutToItsTotalLength) {  // RFC 1122 IP-04
  wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
  header.ttl = 33;
  header.tos = 0x28;
  Octets packet = make_packet(header, make_udp(1000, 2000, {1, 2, 3}));
  packet.resize(46, 0xee);  // Ethernet padding
  const Arrival arrival{.checksum = ChecksumState::Validated, .gso_size = 1400};
  auto arrived = receive(packet, arrival);
  const auto& datagram = std::get<IncomingDatagram>(arrived);
  EXPECT_EQ(datagram.payload.size(), 11U);
  EXPECT_EQ(datagram.packet.size(), 31U);
  EXPECT_EQ(datagram.header.ttl, 33U);
  EXPECT_EQ(datagram.header.tos, 0x28U);
  EXPECT_EQ(datagram.header.source, peer_ip);
  EXPECT_FALSE(datagram.broadcast);
  EXPECT_EQ(datagram.checksum, ChecksumState::Validated);
  EXPECT_EQ(datagram.gso_size, 1400U);
}

TEST_F(IpInputTest, DropsOtherVersions) {  // RFC 1122 IP-01
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[0] = 0x55; }));
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[0] = 0x65; }));
  EXPECT_EQ(drops(DropReason::IpBadVersion), 2U);
  EXPECT_FALSE(poll());
}

TEST_F(IpInputTest, DropsABadHeaderChecksum) {  // RFC 1122 IP-02
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[10] ^= 1; }, /*fix_checksum=*/false));
  EXPECT_EQ(drops(DropReason::IpBadChecksum), 1U);
  EXPECT_FALSE(poll());
}

TEST_F(IpInputTest, DropsImpossibleLengths) {  // RFC 1122 IP-03
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[0] = 0x44; }));
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[0] = 0x4f; }));
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[3] = 32; }));
  EXPECT_FALSE(accepts_changed([](Octets& p) { p[3] = 19; }));
  for (std::size_t length = 0; length < 31; ++length) {
    EXPECT_FALSE(accepts_changed([&](Octets& p) { p.resize(length); }, /*fix_checksum=*/false));
  }
  EXPECT_EQ(drops(DropReason::IpMalformed), 35U);
}

TEST_F(IpInputTest, DropsWhatIsNotForUsWithoutForwarding) {  // RFC 1122 IP-05, IP-15
  for (const Ipv4Address destination : {far_ip, peer_ip, Ipv4Address{10, 0, 1, 255}, Ipv4Address{224, 0, 0, 1},
                                        Ipv4Address{0, 0, 0, 0}, Ipv4Address{240, 1, 1, 1}}) {
    wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
    header.destination = destination;
    EXPECT_FALSE(accepts_udp(header)) << destination.to_string();
  }
  EXPECT_EQ(drops(DropReason::IpNotOurs), 6U);
  EXPECT_FALSE(poll());
}

TEST_F(IpInputTest, AcceptsEachOwnAddressAndTheBroadcasts) {  // RFC 1122 IP-05, IP-19
  for (const Ipv4Address destination : {our_ip, second_ip}) {
    wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
    header.destination = destination;
    EXPECT_FALSE(receive_udp(header).value().broadcast);
  }
  for (const Ipv4Address destination :
       {Ipv4Address{255, 255, 255, 255}, Ipv4Address{10, 0, 0, 255}, Ipv4Address{192, 168, 255, 255}}) {
    wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
    header.destination = destination;
    EXPECT_TRUE(receive_udp(header, {.link_broadcast = true}).value().broadcast);
  }
}

TEST_F(IpInputTest, AUnicastDatagramInALinkBroadcastFrameIsDropped) {  // RFC 1122 ARPC-06, 3.3.6
  EXPECT_FALSE(accepts_udp(header_to_us(IpProtocol::Udp), {.link_broadcast = true}));
  EXPECT_EQ(drops(DropReason::IpNotOurs), 1U);
  EXPECT_FALSE(poll());
}

TEST_F(IpInputTest, DropsImpossibleSources) {  // RFC 1122 IP-06
  for (const Ipv4Address source :
       {Ipv4Address{255, 255, 255, 255}, Ipv4Address{10, 0, 0, 255}, Ipv4Address{192, 168, 255, 255},
        Ipv4Address{224, 0, 0, 1}, Ipv4Address{127, 0, 0, 1}, Ipv4Address{0, 0, 0, 0}, Ipv4Address{0, 0, 0, 5},
        Ipv4Address{240, 0, 0, 1}, our_ip, second_ip}) {
    wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
    header.source = source;
    EXPECT_FALSE(accepts_udp(header)) << source.to_string();
  }
  EXPECT_EQ(drops(DropReason::IpBadSource), 10U);
  EXPECT_FALSE(poll());
}

TEST_F(IpInputTest, OwnAddressesAndLoopbackAreFineOnTheLoopbackPath) {  // RFC 1122 IP-07
  wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
  header.source = our_ip;
  EXPECT_TRUE(accepts_udp(header, {.loopback = true}));
  header.source = header.destination = Ipv4Address{127, 0, 0, 1};
  EXPECT_TRUE(accepts_udp(header, {.loopback = true}));
  header.source = peer_ip;
  EXPECT_FALSE(accepts_udp(header));
  EXPECT_EQ(drops(DropReason::LoopbackOnWire), 1U);
}

TEST_F(IpInputTest, AReceivedTtlOfZeroOrOneIsNoReasonToDrop) {  // RFC 1122 IP-09
  for (const std::uint8_t ttl : std::initializer_list<std::uint8_t>{0, 1}) {
    wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
    header.ttl = ttl;
    EXPECT_TRUE(accepts_udp(header));
  }
}

TEST_F(IpInputTest, UnknownOptionsAreIgnored) {            // RFC 1122 IP-12
  EXPECT_TRUE(accepts_options({0x9e, 4, 1, 2}));           // copied
  EXPECT_TRUE(accepts_options({0x1e, 3, 1, 0}));           // not copied, end of list
  EXPECT_TRUE(accepts_options({1, 1, 1, 1}));              // no-operations
  EXPECT_TRUE(accepts_options({7, 7, 4, 0, 0, 0, 0, 0}));  // record route
  EXPECT_FALSE(poll());
}

TEST_F(IpInputTest, MalformedOptionsAreDroppedWithAParameterProblem) {  // RFC 1122 IP-13, ICMP-12
  EXPECT_FALSE(accepts_options({0x9e, 0, 1, 2}));
  const auto error = poll();
  ASSERT_TRUE(error);
  const auto icmp = wire::parse_icmp(ByteView{*error}.subspan(20)).value();
  EXPECT_EQ(icmp.type, 12U);
  EXPECT_EQ(icmp.code, 0U);
  EXPECT_EQ(icmp.rest >> 24U, 21U) << "points at the length octet";
  EXPECT_FALSE(accepts_options({0x9e, 1, 1, 2}));
  EXPECT_FALSE(accepts_options({0x9e, 5, 1, 2}));
  EXPECT_FALSE(accepts_options({1, 1, 1, 0x9e}));
  EXPECT_EQ(drops(DropReason::IpBadOption), 4U);
}

TEST_F(IpInputTest, ASourceRouteIsAcceptedOnlyAtItsEnd) {  // RFC 1122 IP-14, 3.3.5
  for (const std::uint8_t kind : std::initializer_list<std::uint8_t>{131, 137}) {
    EXPECT_TRUE(accepts_options({kind, 7, 8, 10, 0, 0, 9, 0}));
    EXPECT_FALSE(poll());
    EXPECT_FALSE(accepts_options({kind, 7, 4, 10, 0, 0, 9, 0}));
    const auto error = poll();
    ASSERT_TRUE(error);
    EXPECT_EQ(wire::parse_ipv4(*error)->header.destination, peer_ip) << "back to the sender, not to the next hop";
    const auto icmp = wire::parse_icmp(ByteView{*error}.subspan(20)).value();
    EXPECT_EQ(icmp.type, 3U);
    EXPECT_EQ(icmp.code, 5U) << "source route failed";
  }
  EXPECT_EQ(drops(DropReason::IpSourceRoute), 2U);
  receive(make_packet(header_to_us(IpProtocol::Icmp), make_icmp(3, 3, 0, Octets(28, 0)), {131, 7, 4, 10, 0, 0, 9, 0}));
  EXPECT_FALSE(poll()) << "no error about an error";
}

TEST_F(IpInputTest, AnUnknownProtocolIsAnsweredUnreachable) {  // RFC 1122 ICMP-08
  wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
  header.protocol = 200;
  receive(make_packet(header, Octets(40, 5)));
  EXPECT_EQ(drops(DropReason::IpUnknownProtocol), 1U);
  const auto error = poll();
  ASSERT_TRUE(error);
  const auto icmp = wire::parse_icmp(ByteView{*error}.subspan(20)).value();
  EXPECT_EQ(icmp.type, 3U);
  EXPECT_EQ(icmp.code, 2U);
}

TEST_F(IpInputTest, ArbitraryOctetsDoNoHarm) {  // RFC 1122 IP-13, ICMP-16
  Random random{make_seed(99)};
  for (int i = 0; i < 20'000; ++i) {
    Octets packet = make_packet(header_to_us(i % 2 == 0 ? IpProtocol::Icmp : IpProtocol::Udp),
                                make_icmp(static_cast<std::uint8_t>(random.below(20)), 0, random.next_u32(),
                                          Octets(random.below(40), static_cast<std::uint8_t>(i))),
                                Octets(random.below(11) * 4, static_cast<std::uint8_t>(random.below(256))));
    for (std::uint64_t changes = random.below(4); changes > 0; --changes) {
      packet[random.below(packet.size())] = static_cast<std::uint8_t>(random.below(256));
    }
    packet.resize(random.below(packet.size() + 1));
    if (packet.size() >= 20 && random.below(4) != 0) fix_ip_checksum(packet);
    receive(packet);
    while (poll()) {
    }
  }
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

}  // namespace
}  // namespace wireside::ip::testing
