#include "link/link_layer.hpp"

#include "link_test_support.hpp"

namespace wireside::link::testing {
namespace {

using observe::DropReason;
using observe::TxReason;
using wire::ArpMessage;

constexpr std::uint16_t type_ipv4 = 0x0800;
constexpr std::uint16_t type_arp = 0x0806;

class LinkLayerTest : public ::testing::Test {
 protected:
  LinkLayerTest() { build(); }
  void build() {
    config.mac = our_mac;
    link.emplace(config, random, sink);
    link->set_addresses({{our_ip, 24}, {Ipv4Address{192, 168, 1, 5}, 16}});
  }
  std::optional<ArrivedPacket> receive(MacAddress destination, std::uint16_t type,
                                       const std::vector<std::uint8_t>& payload) {
    return link->handle_frame(at(0s), frame_in(pool, destination, type, payload));
  }
  void receive_arp(const ArpMessage& message, MacAddress destination = MacAddress::broadcast()) {
    EXPECT_FALSE(receive(destination, type_arp, arp_octets(message)));
  }
  ArpMessage poll_arp(MacAddress* destination = nullptr) {
    EXPECT_TRUE(link->poll(at(0s), out));
    const auto octets = octets_of(out);
    const auto header = wire::parse_ethernet(octets).value();
    EXPECT_EQ(header.source, our_mac);
    EXPECT_EQ(header.ether_type, type_arp);
    if (destination != nullptr) *destination = header.destination;
    return wire::parse_arp(ByteView{octets}.subspan(wire::ethernet_header_length)).value();
  }

  LinkConfig config;
  observe::Sink sink;
  Random random{make_seed(1)};
  BufferPool pool;
  std::optional<LinkLayer> link;
  FrameOut out;
};

const ArpMessage who_has_us{ArpMessage::Operation::Request, peer_mac, peer_ip, MacAddress{}, our_ip};

TEST_F(LinkLayerTest, AnswersARequestForEachOfOurAddressesByUnicast) {  // RFC 826 ARP-01, ARP-05
  for (const Ipv4Address own : {our_ip, Ipv4Address{192, 168, 1, 5}}) {
    ArpMessage request = who_has_us;
    request.target_ip = own;
    receive_arp(request);
    MacAddress destination;
    const ArpMessage reply = poll_arp(&destination);
    EXPECT_EQ(destination, peer_mac);
    EXPECT_EQ(reply, (ArpMessage{ArpMessage::Operation::Reply, our_mac, own, peer_mac, peer_ip}));
    EXPECT_EQ(out.size(), 60U);
    EXPECT_EQ(out.reason, TxReason::ArpReply);
    EXPECT_FALSE(link->poll(at(0s), out));
  }
}

TEST_F(LinkLayerTest, NoPaddingWhereTheLinkPads) {
  config.pad_to_minimum = false;
  build();
  receive_arp(who_has_us);
  poll_arp();
  EXPECT_EQ(out.size(), 42U);
}

TEST_F(LinkLayerTest, IsSilentAboutOtherAddresses) {  // RFC 826 ARP-01, ARP-04
  ArpMessage request = who_has_us;
  request.target_ip = other_ip;
  receive_arp(request);
  EXPECT_FALSE(link->poll(at(0s), out));
  EXPECT_EQ(link->neighbours().size(), 0U);
  EXPECT_EQ(sink.drops(DropReason::ArpNotForUs), 1U);
}

TEST_F(LinkLayerTest, DropsShortAndForeignArp) {  // RFC 826 ARP-02
  const auto good = arp_octets(who_has_us);
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(receive(our_mac, type_arp, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)}));
  }
  for (const std::size_t field : {0U, 2U, 4U, 5U, 6U}) {
    auto broken = good;
    broken[field] = 0x77;
    EXPECT_FALSE(receive(our_mac, type_arp, broken));
  }
  EXPECT_EQ(sink.drops(DropReason::ArpMalformed), good.size() + 5);
  EXPECT_FALSE(link->poll(at(0s), out));
}

TEST_F(LinkLayerTest, RefusesGroupAndZeroSenders) {
  ArpMessage request = who_has_us;
  request.sender_mac = MacAddress::broadcast();
  receive_arp(request);
  request.sender_mac = MacAddress{};
  receive_arp(request);
  EXPECT_EQ(sink.drops(DropReason::ArpMalformed), 2U);
  EXPECT_EQ(link->neighbours().size(), 0U);
}

TEST_F(LinkLayerTest, AcceptsAPaddedRequestWithJunkBehind) {  // RFC 826 ARP-05
  auto padded = arp_octets(who_has_us);
  padded.resize(46, 0xaa);
  EXPECT_FALSE(receive(MacAddress::broadcast(), type_arp, padded));
  EXPECT_EQ(poll_arp().operation, ArpMessage::Operation::Reply);
}

TEST_F(LinkLayerTest, AnswersAProbeWithoutLearning) {  // RFC 5227: a probe's sender has no address yet
  ArpMessage probe = who_has_us;
  probe.sender_ip = Ipv4Address{};
  receive_arp(probe);
  EXPECT_EQ(poll_arp().target_ip, Ipv4Address{});
  EXPECT_EQ(link->neighbours().size(), 0U);
}

TEST_F(LinkLayerTest, NobodyElseBecomesTheNeighbourBehindOurOwnAddress) {
  receive_arp({ArpMessage::Operation::Request, peer_mac, our_ip, MacAddress{}, our_ip});
  receive_arp({ArpMessage::Operation::Reply, peer_mac, our_ip, our_mac, our_ip});
  receive_arp({ArpMessage::Operation::Request, peer_mac, Ipv4Address{192, 168, 1, 5}, MacAddress{}, our_ip});
  EXPECT_EQ(link->neighbours().size(), 0U);
  // RFC 5227 ACD-08: the address claimed once is defended, the one claimed twice is given up.
  EXPECT_EQ(poll_arp().sender_ip, (Ipv4Address{192, 168, 1, 5}));
  EXPECT_EQ(out.reason, TxReason::ArpDefence);
  EXPECT_EQ(link->conflicts().poll_result()->address, our_ip);
  EXPECT_FALSE(link->poll(at(0s), out));
}

TEST_F(LinkLayerTest, GratuitousArpUpdatesButDoesNotCreate) {  // RFC 826 ARP-03, ARP-04
  const ArpMessage gratuitous{ArpMessage::Operation::Request, other_mac, peer_ip, MacAddress{}, peer_ip};
  receive_arp(gratuitous);
  EXPECT_EQ(link->neighbours().size(), 0U);
  receive_arp(who_has_us);
  poll_arp();
  receive_arp(gratuitous);
  FrameOut frame = marked_frame(1);
  ASSERT_EQ(link->send(at(0s), peer_ip, frame), Disposition::Ready);
  EXPECT_EQ(wire::parse_ethernet(frame.header.view())->destination, other_mac);
}

TEST_F(LinkLayerTest, RepliesUnderFloodAreBounded) {
  for (int i = 0; i < 10'000; ++i) receive_arp(who_has_us);
  int replies = 0;
  while (link->poll(at(0s), out)) ++replies;
  EXPECT_EQ(replies, 256);
  EXPECT_EQ(sink.drops(DropReason::QueueFull), 10'000U - 256U);
}

TEST_F(LinkLayerTest, AsksFromTheAddressOnTheTargetsNetwork) {
  FrameOut frame = marked_frame(1);
  EXPECT_EQ(link->send(at(0s), Ipv4Address{192, 168, 77, 1}, frame), Disposition::Parked);
  MacAddress destination;
  const ArpMessage request = poll_arp(&destination);
  EXPECT_EQ(destination, MacAddress::broadcast());
  EXPECT_EQ(request.sender_ip, Ipv4Address(192, 168, 1, 5));
  EXPECT_TRUE(request.target_mac.is_zero());
  EXPECT_EQ(out.reason, TxReason::ArpRequest);
}

TEST_F(LinkLayerTest, PollsAKnownNeighbourByUnicast) {  // RFC 1122 ARPC-01
  receive_arp(who_has_us);
  poll_arp();
  FrameOut frame = marked_frame(1);
  ASSERT_EQ(link->send(at(0s), peer_ip, frame), Disposition::Ready);
  EXPECT_EQ(link->next_deadline(), at(5s));
  link->handle_timeouts(at(5s));
  MacAddress destination;
  EXPECT_EQ(poll_arp(&destination).target_mac, peer_mac);
  EXPECT_EQ(destination, peer_mac);
  EXPECT_EQ(out.reason, TxReason::ArpPoll);
}

TEST_F(LinkLayerTest, AParkedPacketLeavesWithItsHeaderAndOffsets) {  // RFC 1122 ARPC-04
  FrameOut frame = marked_frame(7, 60);
  frame.checksum_wanted = true;
  frame.checksum_start = 20;
  frame.checksum_offset = 16;
  EXPECT_EQ(link->send(at(0s), peer_ip, frame), Disposition::Parked);
  poll_arp();
  receive_arp({ArpMessage::Operation::Reply, peer_mac, peer_ip, our_mac, our_ip}, our_mac);
  ASSERT_TRUE(link->poll(at(0s), out));
  const auto header = wire::parse_ethernet(out.header.view()).value();
  EXPECT_EQ(header, (wire::EthernetHeader{peer_mac, our_mac, type_ipv4}));
  EXPECT_EQ(out.size(), 74U);
  EXPECT_EQ(out.checksum_start, 34U);
  EXPECT_EQ(out.header.view()[14], 7U);
}

TEST_F(LinkLayerTest, AFailedPacketComesBackWithoutEthernetHeader) {  // RFC 1122 ARPC-05
  FrameOut frame = marked_frame(7);
  EXPECT_EQ(link->send(at(0s), peer_ip, frame), Disposition::Parked);
  for (const Duration when : {1000ms, 2500ms, 4750ms}) link->handle_timeouts(at(when));
  ASSERT_TRUE(link->poll_failed(out));
  EXPECT_EQ(octets_of(out), octets_of(marked_frame(7)));
}

TEST_F(LinkLayerTest, MapsMulticastAndBroadcast) {  // RFC 1112 6.4
  FrameOut frame = marked_frame(1);
  ASSERT_EQ(link->send(at(0s), Ipv4Address{224, 129, 2, 3}, frame), Disposition::Ready);
  EXPECT_EQ(wire::parse_ethernet(frame.header.view())->destination, (MacAddress{{0x01, 0, 0x5e, 1, 2, 3}}));
  frame = marked_frame(1);
  ASSERT_EQ(link->send_broadcast(frame), Disposition::Ready);
  EXPECT_EQ(wire::parse_ethernet(frame.header.view())->destination, MacAddress::broadcast());
}

TEST_F(LinkLayerTest, PadsEveryShortFrameWithZeros) {
  FrameOut frame = marked_frame(9, 20);
  frame.payload.push_back(pool.copy(std::vector<std::uint8_t>(5, 8)));
  ASSERT_EQ(link->send_broadcast(frame), Disposition::Ready);
  const auto octets = octets_of(frame);
  ASSERT_EQ(octets.size(), 60U);
  EXPECT_EQ(octets[33], 9U);
  EXPECT_EQ(octets[34], 8U);
  EXPECT_EQ(octets[38], 8U);
  EXPECT_TRUE(std::all_of(octets.begin() + 39, octets.end(), [](std::uint8_t o) { return o == 0; }));
}

TEST_F(LinkLayerTest, GivesIpv4FramesForUsToTheOwner) {  // RFC 1122 ARPC-06
  const std::vector<std::uint8_t> payload(30, 1);
  const auto unicast = receive(our_mac, type_ipv4, payload);
  ASSERT_TRUE(unicast);
  EXPECT_EQ(unicast->packet.size(), 30U);
  EXPECT_FALSE(unicast->link_broadcast);
  EXPECT_EQ(unicast->source, peer_mac);
  const auto broadcast = receive(MacAddress::broadcast(), type_ipv4, payload);
  ASSERT_TRUE(broadcast);
  EXPECT_TRUE(broadcast->link_broadcast);
  const auto multicast = receive({{0x01, 0, 0x5e, 0, 0, 1}}, type_ipv4, payload);
  ASSERT_TRUE(multicast);
  EXPECT_TRUE(multicast->link_broadcast);
}

TEST_F(LinkLayerTest, DropsWhatIsNotForUsOrNotUnderstood) {  // RFC 1122 ARPC-06, ARPC-07
  EXPECT_FALSE(receive(other_mac, type_ipv4, {1, 2, 3}));
  EXPECT_EQ(sink.drops(DropReason::NotForUs), 1U);
  EXPECT_FALSE(receive(our_mac, 0x86dd, {1, 2, 3}));
  EXPECT_FALSE(receive(our_mac, 38, std::vector<std::uint8_t>(38, 0xaa)));  // 802.3 with LLC/SNAP
  EXPECT_EQ(sink.drops(DropReason::UnknownEtherType), 2U);
  EXPECT_FALSE(link->handle_frame(at(0s), Packet{pool.copy(std::vector<std::uint8_t>(13)), {}, 0}));
  EXPECT_FALSE(link->handle_frame(at(0s), Packet{}));
  EXPECT_EQ(sink.drops(DropReason::FrameTooShort), 2U);
}

TEST_F(LinkLayerTest, AnnouncesEachAddressByBroadcast) {  // RFC 5227 2.3
  link->announce(at(0s));
  for (const Ipv4Address own : {our_ip, Ipv4Address{192, 168, 1, 5}}) {
    MacAddress destination;
    const ArpMessage m = poll_arp(&destination);
    EXPECT_EQ(destination, MacAddress::broadcast());
    EXPECT_EQ(m, (ArpMessage{ArpMessage::Operation::Request, our_mac, own, MacAddress{}, own}));
    EXPECT_EQ(out.reason, TxReason::ArpAnnouncement);
  }
  EXPECT_FALSE(link->poll(at(0s), out));
}

TEST_F(LinkLayerTest, AnIdleLayerHasNoDeadline) { EXPECT_EQ(link->next_deadline(), Instant::max()); }

}  // namespace
}  // namespace wireside::link::testing
