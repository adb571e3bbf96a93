// What TCP and UDP learn of the network, and it of them, through the whole stack: advice about gateways, silent
// neighbours, datagrams too large, multicast.
#include <gtest/gtest.h>

#include <algorithm>

#include "host.hpp"

namespace wireside::testing {
namespace {

constexpr Ipv4Address far_host{198, 51, 100, 7};
constexpr Ipv4Address second_gateway{10, 0, 0, 3};
constexpr MacAddress second_mac{{0x02, 0, 0, 0, 0, 0x03}};

struct Log : observe::Observer {
  void on_event(Instant, const observe::Event& event) override {
    if (const auto* g = std::get_if<observe::GatewayChanged>(&event)) gateways.push_back(*g);
    if (const auto* n = std::get_if<observe::NeighbourChanged>(&event)) {
      if (n->to == observe::NeighbourState::Probe) probed.push_back(n->address);
    }
  }
  std::vector<observe::GatewayChanged> gateways;
  std::vector<Ipv4Address> probed;
};

/// Two gateways; both answer ARP, but only what goes through the second reaches anybody.
class TwoGateways : public ::testing::Test {
 protected:
  static Config config() {
    Config c = test_config();
    c.ip.routes.push_back({.destination = {Ipv4Address{}, 0}, .gateway = peer_address, .metric = 1});
    c.ip.routes.push_back({.destination = {Ipv4Address{}, 0}, .gateway = second_gateway, .metric = 2});
    return c;
  }
  TwoGateways() { host.stack.attach(&log); }

  void answer_arp(const Octets& frame) {
    if (wire::parse_ethernet(frame)->ether_type != 0x0806) return;
    const auto asked = *wire::parse_arp(ByteView{frame}.subspan(wire::ethernet_header_length));
    const bool first = asked.target_ip == peer_address;
    if (!first && asked.target_ip != second_gateway) return;
    if (std::ranges::find(silent, asked.target_ip) != silent.end()) return;
    Octets body(wire::arp_message_length);
    wire::emit_arp({.operation = wire::ArpMessage::Operation::Reply,
                    .sender_mac = first ? peer_mac : second_mac,
                    .sender_ip = asked.target_ip,
                    .target_mac = host.stack.mac(),
                    .target_ip = our_address},
                   body);
    host.in(host.ethernet(host.stack.mac(), 0x0806, body));
  }
  /// Lets time pass; the gateways answer ARP. Gateways that TCP segments left through.
  void run(Duration d) {
    const Instant end = host.now + d;
    for (;;) {
      for (bool more = true; more;) {
        const auto frames = host.out();
        more = !frames.empty();
        for (const auto& f : frames) {
          answer_arp(f);
          if (wire::parse_ethernet(f)->ether_type == 0x0800) used.push_back(wire::parse_ethernet(f)->destination);
        }
      }
      const auto due = host.stack.next_deadline();
      if (!due || *due > end) break;
      host.now = std::max(host.now, *due);
      host.stack.handle_timeouts(host.now);
    }
    host.now = end;
  }

  Host host{config()};
  Log log;
  std::vector<MacAddress> used;
  std::vector<Ipv4Address> silent;
};

TEST_F(TwoGateways, WhatWaitedForASilentGatewayGoesByTheNext) {  // RFC 1122 IP-17, 3.3.1.5
  silent = {peer_address};
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Datagram).value();
  ASSERT_TRUE(sockets.connect(host.now, h, {far_host, Port{9}}));
  ASSERT_TRUE(sockets.send(host.now, h, octets_of("x")));
  run(4700ms);
  EXPECT_TRUE(used.empty());
  run(100ms);
  EXPECT_EQ(used, std::vector{second_mac}) << "once, as soon as the first one is given up after 4.75 s";
  EXPECT_FALSE(sockets.take_error(h));
  ASSERT_TRUE(sockets.send(host.now, h, octets_of("x")));
  run(1ms);
  EXPECT_EQ(used.size(), 2U) << "the next one does not wait";
}

TEST_F(TwoGateways, ASilentGatewaysPacketsGoAtOnceByOneThatIsKnown) {
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Datagram).value();
  ASSERT_TRUE(sockets.send_to(host.now, h, octets_of("x"), {second_gateway, Port{9}}));
  run(1ms);
  used.clear();
  silent = {peer_address};
  ASSERT_TRUE(sockets.send_to(host.now, h, octets_of("x"), {far_host, Port{9}}));
  run(4750ms);
  EXPECT_EQ(used, std::vector{second_mac});
}

TEST_F(TwoGateways, WhenAllAreSilentTheDestinationIsUnreachable) {  // RFC 1122 ARPC-05
  silent = {peer_address, second_gateway};
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Datagram).value();
  ASSERT_TRUE(sockets.connect(host.now, h, {far_host, Port{9}}));
  ASSERT_TRUE(sockets.send(host.now, h, octets_of("x")));
  run(9400ms);
  EXPECT_FALSE(sockets.take_error(h));
  run(200ms);
  EXPECT_EQ(sockets.take_error(h), Error::HostUnreachable);
  run(60s);  // ends
  EXPECT_TRUE(used.empty());
}

// RFC 9293 MUST-20 (b), RFC 1122 section 3.3.1.4, IP-17; RFC 4861 section 7.3.3
TEST_F(TwoGateways, TcpWithoutProgressLeadsToAnotherGateway) {
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Stream).value();
  std::ignore = sockets.connect(host.now, h, {far_host, Port{80}});
  run(70s);
  EXPECT_NE(std::ranges::find(log.probed, peer_address), log.probed.end()) << "the gateway itself is asked first";
  ASSERT_FALSE(log.gateways.empty());
  EXPECT_EQ(log.gateways[0].gateway, peer_address);
  EXPECT_FALSE(log.gateways[0].usable);
  EXPECT_EQ(log.gateways[0].why, observe::GatewayAdvice::NoProgress);
  EXPECT_EQ(log.gateways[0].instead, second_gateway);
  EXPECT_NE(std::ranges::find(used, second_mac), used.end());
}

TEST_F(TwoGateways, AfterItsRestAGatewayThatAnswersIsTriedAgain) {  // RFC 1122 section 3.3.1.4
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Stream).value();
  std::ignore = sockets.connect(host.now, h, {far_host, Port{80}});
  while (log.gateways.empty() && host.now < Instant::from_ns(200'000'000'000)) run(1s);
  ASSERT_EQ(log.gateways.size(), 1U);
  ASSERT_TRUE(sockets.abort(host.now, h));
  const auto udp = sockets.open(SocketKind::Datagram).value();  // traffic that would go there
  ASSERT_TRUE(sockets.send_to(host.now, udp, octets_of("x"), {far_host, Port{9}}));
  run(20s);
  EXPECT_EQ(log.gateways.size(), 1U) << "an answer to ARP alone brings it not back";
  run(20s);
  ASSERT_EQ(log.gateways.size(), 2U);
  EXPECT_TRUE(log.gateways[1].usable);
}

TEST_F(TwoGateways, AGatewayOnWhichOtherThingsProgressIsKept) {  // RFC 1122 section 3.3.1.4
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Stream).value();
  std::ignore = sockets.connect(host.now, h, {far_host, Port{80}});
  run(2s);
  EXPECT_TRUE(log.gateways.empty());
  EXPECT_EQ(std::ranges::find(used, second_mac), used.end());
}

class NetworkErrors : public ::testing::Test {
 protected:
  SocketHandle connected(DatagramOptions options = {}) {
    auto& sockets = host.stack.sockets();
    const auto h = sockets.open(SocketKind::Datagram).value();
    EXPECT_TRUE(sockets.set_datagram_options(h, options));
    EXPECT_TRUE(sockets.connect(host.now, h, {peer_address, Port{9}}));
    return h;
  }
  Host host;
};

TEST_F(NetworkErrors, ASilentNeighbourIsHostUnreachable) {  // RFC 1122 ARPC-05, UDP-05
  const auto h = connected();
  auto& sockets = host.stack.sockets();
  ASSERT_TRUE(sockets.send(host.now, h, octets_of("anybody?")));
  host.out();
  EXPECT_FALSE(sockets.take_error(h)) << "not before resolution has failed";
  host.wait(10s);
  Octets buffer(10);
  EXPECT_EQ(sockets.receive(host.now, h, buffer).error(), Error::HostUnreachable);
  EXPECT_EQ(sockets.receive(host.now, h, buffer).error(), Error::WouldBlock) << "told once";
}

TEST_F(NetworkErrors, AnUnconnectedSocketIsNotTold) {  // as on other systems, unless it asks (report_errors)
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Datagram).value();
  ASSERT_TRUE(sockets.send_to(host.now, h, octets_of("anybody?"), {peer_address, Port{9}}));
  host.out();
  host.wait(10s);
  EXPECT_FALSE(sockets.take_error(h));
}

TEST_F(NetworkErrors, TooLargeWithDfIsMessageTooLong) {  // RFC 1122 FRAG-11
  for (const auto discovery : {PathMtuDiscovery::Do, PathMtuDiscovery::Probe}) {
    const auto h = connected({.mtu_discovery = discovery});
    EXPECT_EQ(host.stack.sockets().send(host.now, h, Octets(1473, 1)).error(), Error::MessageTooLong);
    EXPECT_TRUE(host.stack.sockets().send(host.now, h, Octets(1472, 1)));
  }
}

TEST_F(NetworkErrors, AnMtuThatShrinksWhileADatagramWaitsIsToldToo) {  // RFC 1191 PMTU-07
  const auto h = connected({.mtu_discovery = PathMtuDiscovery::Do});
  auto& sockets = host.stack.sockets();
  ASSERT_TRUE(sockets.send(host.now, h, Octets(1472, 1)));
  const auto sent = host.out_resolving();
  ASSERT_EQ(sent.size(), 1U);
  const Octets quote(sent[0].begin() + 14, sent[0].begin() + 42);
  host.in(host.icmp({3, 4, 1000}, quote));
  EXPECT_EQ(sockets.take_error(h), Error::MessageTooLong);
  EXPECT_EQ(sockets.send(host.now, h, Octets(973, 1)).error(), Error::MessageTooLong);
  EXPECT_TRUE(sockets.send(host.now, h, Octets(972, 1)));
}

// --- multicast ---

TEST_F(NetworkErrors, MulticastStaysOnTheLinkUnlessTold) {  // RFC 1112 section 6.1, 6.4: MCAST-01, MCAST-02
  constexpr Ipv4Address group{224, 129, 7, 9};
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Datagram).value();
  ASSERT_TRUE(sockets.send_to(host.now, h, octets_of("all"), {group, Port{9}}));
  auto frames = host.out();
  ASSERT_EQ(frames.size(), 1U) << "nothing to resolve";
  const Seen seen = dissect(frames[0]);
  EXPECT_EQ(seen.ip.ttl, 1);
  EXPECT_EQ(seen.ip.source, our_address);
  EXPECT_EQ(seen.ethernet.destination, (MacAddress{{0x01, 0, 0x5e, 0x01, 7, 9}}));

  auto options = sockets.datagram_options(h).value();
  EXPECT_EQ(options.multicast_ttl, 1);
  options.multicast_ttl = 5;
  options.ttl = 9;
  ASSERT_TRUE(sockets.set_datagram_options(h, options));
  ASSERT_TRUE(sockets.send_to(host.now, h, octets_of("all"), {group, Port{9}}));
  EXPECT_EQ(dissect(host.out().at(0)).ip.ttl, 5);
  options.multicast_ttl = 0;
  EXPECT_EQ(sockets.set_datagram_options(h, options).error(), Error::InvalidArgument);
}

}  // namespace
}  // namespace wireside::testing
