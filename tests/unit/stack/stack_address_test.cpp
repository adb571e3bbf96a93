// The whole stack taking addresses into use, defending them and losing them: RFC 5227.
#include <gtest/gtest.h>

#include <algorithm>

#include "host.hpp"

namespace wireside {
namespace {

using observe::TxReason;
using testing::Host;
using testing::Octets;
using testing::our_address;
using testing::peer_address;
using testing::peer_mac;
using What = link::ConflictResult::What;

Config checking_config() {
  Config config = testing::test_config();
  config.link.conflict.check_before_use = true;
  return config;
}

/// The peer speaks as if it had our address.
Octets claim(const Host& host) {
  Octets body(wire::arp_message_length);
  wire::emit_arp({.operation = wire::ArpMessage::Operation::Reply,
                  .sender_mac = peer_mac,
                  .sender_ip = our_address,
                  .target_mac = host.stack.mac(),
                  .target_ip = our_address},
                 body);
  return host.ethernet(MacAddress::broadcast(), 0x0806, body);
}

std::optional<wire::ArpMessage> arp_of(const Octets& frame) {
  if (wire::parse_ethernet(frame)->ether_type != 0x0806) return std::nullopt;
  return *wire::parse_arp(ByteView{frame}.subspan(wire::ethernet_header_length));
}

class StackAddress : public ::testing::Test {
 protected:
  void watch() { host.stack.attach(&recorder); }
  [[nodiscard]] std::size_t sent(TxReason reason) const {
    return static_cast<std::size_t>(std::ranges::count(recorder.reasons, reason));
  }
  testing::Recorder recorder;
  Host host{checking_config()};
};

TEST_F(StackAddress, IsOursOnlyAfterProbingAndIsAnnouncedThen) {  // RFC 5227 ACD-01, ACD-06, ACD-07
  watch();
  EXPECT_TRUE(host.stack.config().ip.addresses.empty());
  host.stack.announce(host.now);
  host.wait(3900ms);  // the earliest end of probing: 0 + 1 + 1 + 2 seconds
  EXPECT_TRUE(host.stack.config().ip.addresses.empty());
  EXPECT_EQ(sent(TxReason::ArpAnnouncement), 0U);
  host.wait(3100ms);  // the latest: 1 + 2 + 2 + 2
  ASSERT_EQ(host.stack.config().ip.addresses.size(), 1U);
  EXPECT_EQ(host.stack.poll_address_event(), (link::ConflictResult{What::Free, our_address, {}}));
  host.wait(100s);
  EXPECT_EQ(sent(TxReason::ArpProbe), 3U);
  EXPECT_EQ(sent(TxReason::ArpAnnouncement), 2U);
  EXPECT_EQ(recorder.sent_frames, 5U);  // ACD-10: and never again
}

TEST_F(StackAddress, IsNeitherAnsweredForNorUsedWhileProbing) {  // RFC 5227 section 2.1.1
  host.stack.announce(host.now);
  host.wait(3s);
  host.sent_while_waiting.clear();
  host.in(host.arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
  host.in(host.icmp({.type = 8, .code = 0, .rest = 1}, {1, 2, 3}));
  EXPECT_TRUE(host.out().empty());
  auto& sockets = host.stack.sockets();
  EXPECT_EQ(sockets.bind(*sockets.open(SocketKind::Datagram), {our_address, Port{5}}).error(),
            Error::AddressNotAvailable);
  const auto client = *sockets.open(SocketKind::Stream);
  EXPECT_EQ(sockets.connect(host.now, client, {peer_address, Port{80}}).error(), Error::AddressNotAvailable);
}

TEST_F(StackAddress, AConflictWhileProbingIsToldAndTheAddressNotTaken) {  // RFC 5227 ACD-03
  host.stack.announce(host.now);
  host.wait(2s);
  host.in(claim(host));
  EXPECT_EQ(host.stack.poll_address_event(), (link::ConflictResult{What::Conflict, our_address, peer_mac}));
  host.wait(100s);
  EXPECT_TRUE(host.stack.config().ip.addresses.empty());
  EXPECT_EQ(host.stack.next_deadline(), std::nullopt);
}

TEST_F(StackAddress, AddedAddressesAreProbedForToo) {  // RFC 5227 ACD-01
  const Ipv4Address second{10, 0, 0, 3};
  ASSERT_TRUE(host.stack.add_address(host.now, {second, 24}));
  EXPECT_EQ(host.stack.add_address(host.now, {second, 24}).error(), Error::AddressInUse);
  host.wait(7s);
  EXPECT_EQ(host.stack.poll_address_event()->address, second);
  ASSERT_EQ(host.stack.config().ip.addresses.size(), 1U);
  ASSERT_TRUE(host.stack.remove_address(host.now, second));
  ASSERT_TRUE(host.stack.add_address(host.now, {second, 24}));
  ASSERT_TRUE(host.stack.remove_address(host.now, second)) << "while it is probed for";
  host.wait(10s);
  EXPECT_FALSE(host.stack.poll_address_event());
}

TEST_F(StackAddress, CheckingAloneTakesNothing) {
  const Ipv4Address candidate{10, 0, 0, 77};
  host.stack.check_address(host.now, candidate);
  host.wait(7s);
  EXPECT_EQ(host.stack.poll_address_event(), (link::ConflictResult{What::Free, candidate, {}}));
  EXPECT_TRUE(host.stack.config().ip.addresses.empty());
}

TEST(StackAddressLost, EndsItsConnectionsClearly) {  // RFC 5227 ACD-08
  Host host;
  auto& sockets = host.stack.sockets();
  const auto client = *sockets.open(SocketKind::Stream);
  std::ignore = sockets.connect(host.now, client, {peer_address, Port{80}});
  const auto syn = host.out_resolving();
  ASSERT_EQ(syn.size(), 1U);
  const wire::TcpHeader ours = testing::dissect(syn[0]).tcp();
  wire::TcpHeader syn_ack;
  syn_ack.source = Port{80};
  syn_ack.destination = ours.source;
  syn_ack.seq = SeqNum{100};
  syn_ack.ack = ours.seq + 1;
  syn_ack.flags.syn = syn_ack.flags.ack = true;
  syn_ack.window = 1000;
  host.in(host.tcp(syn_ack));
  host.out();
  host.in(claim(host));  // the first is answered by a defence
  const auto defence = host.out();
  ASSERT_EQ(defence.size(), 1U);
  const auto message = arp_of(defence[0]);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->sender_ip, our_address);
  EXPECT_EQ(message->target_ip, our_address);
  EXPECT_FALSE(host.stack.poll_address_event());

  host.in(claim(host));
  EXPECT_EQ(host.stack.poll_address_event(), (link::ConflictResult{What::Lost, our_address, peer_mac}));
  EXPECT_TRUE(host.stack.config().ip.addresses.empty());
  ASSERT_EQ(host.stack.connections().size(), 1U);
  EXPECT_EQ(host.stack.connections()[0].error, Error::AddressNotAvailable);
  EXPECT_TRUE(host.out().empty()) << "nothing is sent from the address any more";
  host.in(host.arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
  EXPECT_TRUE(host.out().empty());
}

/// The probed-for address in use, and the link down and up again.
class StackAddressReturns : public StackAddress {
 protected:
  StackAddressReturns() {
    host.stack.announce(host.now);
    host.wait(20s);
    std::ignore = host.stack.poll_address_event();
    host.stack.link_down();
    host.wait(5s);
    host.sent_while_waiting.clear();
    watch();
    host.stack.announce(host.now);
  }
};

TEST_F(StackAddressReturns, ProbesInTheBackgroundAndKeepsTheAddress) {  // RFC 5227 section 2.1, ACD-01
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(host.stack.config().ip.addresses.size(), 1U);
    host.in(host.arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
    EXPECT_FALSE(host.out().empty()) << "it answers for its address meanwhile";
    host.wait(1s);
  }
  EXPECT_EQ(sent(TxReason::ArpProbe), 3U);
  EXPECT_EQ(sent(TxReason::ArpAnnouncement), 2U);
  EXPECT_FALSE(host.stack.poll_address_event()) << "nothing has changed";
}

TEST_F(StackAddressReturns, IsGivenUpToAHostThatTookItMeanwhile) {  // RFC 5227 ACD-08
  host.wait(1500ms);
  host.in(claim(host));
  EXPECT_EQ(host.stack.config().ip.addresses.size(), 1U) << "defended once";
  host.in(claim(host));
  EXPECT_EQ(host.stack.poll_address_event(), (link::ConflictResult{What::Lost, our_address, peer_mac}));
  EXPECT_TRUE(host.stack.config().ip.addresses.empty());
}

TEST(StackAddressOrder, IsTheOneGivenWhicheverProbingEndsFirst) {  // RFC 1122 section 3.3.4.3
  bool other_order_seen = false;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Config config = checking_config();
    config.ip.addresses.clear();
    for (std::uint8_t i = 2; i < 6; ++i) config.ip.addresses.push_back({Ipv4Address{10, 0, 0, i}, 24});
    const auto given = config.ip.addresses;
    Host host{config, seed};
    host.stack.announce(host.now);
    std::vector<Ipv4Address> free;
    host.wait(10s);
    while (const auto event = host.stack.poll_address_event()) free.push_back(event->address);
    EXPECT_EQ(host.stack.config().ip.addresses, given);
    EXPECT_EQ(host.stack.routes().source_for(peer_address), Result<Ipv4Address>{given[0].address});
    other_order_seen |= !std::ranges::is_sorted(free, std::less{}, &Ipv4Address::value);
  }
  EXPECT_TRUE(other_order_seen) << "or the test shows nothing";
}

TEST(StackAddressLost, DropsWhatWaitsForANeighbourFromIt) {
  Config config = testing::test_config();
  config.ip.addresses.push_back({Ipv4Address{10, 0, 0, 3}, 24});
  Host host{config};
  auto& sockets = host.stack.sockets();
  for (const auto& own : config.ip.addresses) {
    const auto h = *sockets.open(SocketKind::Datagram);
    ASSERT_TRUE(sockets.bind(h, {own.address, Port{1000}}));
    ASSERT_TRUE(sockets.send_to(host.now, h, testing::octets_of("waits"), {peer_address, Port{9}}));
  }
  EXPECT_EQ(host.out().size(), 1U) << "the ARP request only";
  ASSERT_TRUE(host.stack.remove_address(host.now, our_address));
  EXPECT_EQ(host.stack.sink().drops(observe::DropReason::SourceAddressLost), 1U);
  Octets body(wire::arp_message_length);
  wire::emit_arp({.operation = wire::ArpMessage::Operation::Reply,
                  .sender_mac = peer_mac,
                  .sender_ip = peer_address,
                  .target_mac = host.stack.mac(),
                  .target_ip = Ipv4Address{10, 0, 0, 3}},
                 body);
  host.in(host.ethernet(host.stack.mac(), 0x0806, body));
  const auto frames = host.out();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(testing::dissect(frames[0]).ip.source, (Ipv4Address{10, 0, 0, 3}));
}

TEST(StackAddressLost, DropsWhatWasResolvedButHasNotLeft) {
  Host host;
  auto& sockets = host.stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.send_to(host.now, h, testing::octets_of("waits"), {peer_address, Port{9}}));
  host.out();
  host.in(host.arp_from_peer(wire::ArpMessage::Operation::Reply, host.stack.mac()));
  ASSERT_TRUE(host.stack.remove_address(host.now, our_address));
  EXPECT_TRUE(host.out().empty());
  EXPECT_EQ(host.stack.sink().drops(observe::DropReason::SourceAddressLost), 1U);
}

TEST(StackAddressLost, ALinkThatComesBackAnnouncesAgain) {
  Host host;
  host.stack.announce(host.now);
  EXPECT_EQ(host.out().size(), 1U);
  host.stack.link_down();
  host.wait(60s);
  host.sent_while_waiting.clear();
  host.stack.announce(host.now);
  EXPECT_EQ(host.out().size(), 1U);
}

}  // namespace
}  // namespace wireside
