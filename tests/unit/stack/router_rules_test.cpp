// A router by the rules of RFC 1812: what it must not forward, options on the way, whom errors reach.
#include <gtest/gtest.h>

#include "router_lab.hpp"

namespace wireside::testing {
namespace {

using observe::DropReason;

/// An echo request from the left host.
Octets echo_request(const Host& left, Ipv4Address to, std::uint8_t ttl) {
  Octets echo(wire::icmp_header_length + 8, 7);
  wire::emit_icmp({.type = 8, .code = 0, .rest = 0x00010001}, echo);
  store_be16(echo.data() + 2, internet_checksum(echo));
  Octets octets(wire::ipv4_min_header);
  wire::emit_ipv4({.total_length = 36, .ttl = ttl, .protocol = 1, .source = peer_address, .destination = to}, octets);
  octets.insert(octets.end(), echo.begin(), echo.end());
  return left.ethernet(left.stack.mac(), 0x0800, octets);
}

TEST_F(RouterTest, WhatIsForItselfMayComeWithItsLastHop) {  // RFC 1812 RTR-01, 5.3.1: traceroute to the far address
  in(echo_request(left, right_router, 1));
  drain(right.stack);
  pump();
  const auto frames = drain(left.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).icmp().type, 0) << "an answer, no time exceeded";
  EXPECT_EQ(dissect(frames[0]).ip.source, right_router);
}

TEST_F(RouterTest, SourcesThatCannotBeAreNotForwarded) {  // RFC 1812 RTR-02, 5.3.7
  for (const Ipv4Address source : {right_router, Ipv4Address{10, 2, 0, 255}, Ipv4Address{10, 2, 0, 0}}) {
    auto header = to_right();
    header.source = source;
    send(header);
    EXPECT_TRUE(drain(right.stack).empty());
    EXPECT_TRUE(drain(left.stack).empty());
  }
  EXPECT_EQ(left_drops(DropReason::IpBadSource), 3U);
}

TEST_F(RouterTest, OldBroadcastsAreNotForwarded) {  // RFC 1812 RTR-02, 5.3.5.3: host part zero
  auto header = to_right();
  header.destination = Ipv4Address{10, 2, 0, 0};
  send(header);
  EXPECT_TRUE(drain(right.stack).empty());
  EXPECT_EQ(left_drops(DropReason::NotForwarded), 1U);
}

TEST_F(RouterTest, ARedirectIsOnlyForHostsOnTheNextHopsNetwork) {  // RFC 1812 RTR-04, 5.2.7.2 (2)
  ASSERT_TRUE(left.stack.add_address(left.now, {Ipv4Address{10, 7, 0, 1}, 24}));
  pump();
  drain(left.stack);
  const Ipv4Address gateway{10, 7, 0, 33};
  resolve(left.stack, right_mac, gateway, Ipv4Address{10, 7, 0, 1});
  ASSERT_TRUE(router.add_route({.destination = {Ipv4Address{198, 51, 100, 0}, 24}, .gateway = gateway}));
  auto header = to_right();
  header.destination = Ipv4Address{198, 51, 100, 3};
  send(header);  // out where it came in, but 10.0.0.1 is no neighbour of 10.7.0.33
  const auto frames = drain(left.stack);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).ip.protocol, 17);
  EXPECT_EQ(dissect(frames[0]).ethernet.destination, right_mac);
}

// --- options ---

/// A packet to the right host with IP options.
class RouterOptions : public RouterTest {
 protected:
  void send_with(const Octets& options) {
    Octets octets(wire::ipv4_min_header + options.size() + 8, 0x5a);
    auto header = to_right();
    header.protocol = 253;
    header.source = peer_address;
    header.total_length = static_cast<std::uint16_t>(octets.size());
    wire::emit_ipv4(header, options, octets);
    in(left.ethernet(left.stack.mac(), 0x0800, octets));
  }
  /// The options as they left on the right; empty when nothing did.
  Octets options_of_forwarded() {
    const auto frames = drain(right.stack);
    if (frames.empty()) return {};
    packet_.assign(frames[0].begin() + 14, frames[0].end());
    const auto parsed = wire::parse_ipv4(packet_);
    EXPECT_TRUE(parsed && parsed->checksum_ok);
    return {parsed->options.begin(), parsed->options.end()};
  }
  Octets packet_;
};

TEST_F(RouterOptions, RecordRouteGetsTheAddressOfTheWayOut) {  // RFC 1812 RTR-06, 5.2.4.2
  send_with({7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(options_of_forwarded(), (Octets{7, 11, 8, 10, 2, 0, 1, 0, 0, 0, 0, 0}));
  send_with({7, 7, 8, 1, 2, 3, 4, 0});
  EXPECT_EQ(options_of_forwarded(), (Octets{7, 7, 8, 1, 2, 3, 4, 0})) << "full: passed on as it is";
}

TEST_F(RouterOptions, TimestampsAreEntered) {  // RFC 1812 RTR-06, 5.2.4.3, RFC 791
  send_with({68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0});
  const auto with_address = options_of_forwarded();
  ASSERT_EQ(with_address.size(), 12U);
  EXPECT_EQ(with_address[2], 13);
  EXPECT_EQ(Octets(with_address.begin() + 4, with_address.begin() + 8), (Octets{10, 2, 0, 1}));
  EXPECT_NE(with_address[8] & 0x80, 0) << "no time since midnight";
  send_with({68, 8, 5, 0, 0, 0, 0, 0});
  EXPECT_EQ(options_of_forwarded().at(2), 9);
  send_with({68, 8, 9, 0x20, 1, 2, 3, 4});
  EXPECT_EQ(options_of_forwarded(), (Octets{68, 8, 9, 0x30, 1, 2, 3, 4})) << "no room: counted";
}

TEST_F(RouterOptions, WhatCannotBeEnteredIsAParameterProblem) {  // RFC 791, RFC 1812 5.2.4, 4.3.3.5
  const struct {
    Octets options;
    std::uint32_t pointer;
  } cases[] = {{{7, 7, 3, 0, 0, 0, 0, 0}, 22}, {{7, 7, 5, 0, 0, 0, 0, 0}, 22}, {{68, 8, 9, 0xf0, 1, 2, 3, 4}, 23}};
  for (const auto& c : cases) {
    send_with(c.options);
    EXPECT_TRUE(drain(right.stack).empty());
    const auto frames = drain(left.stack);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(dissect(frames[0]).icmp().type, 12);
    EXPECT_EQ(dissect(frames[0]).icmp().rest >> 24U, c.pointer);
  }
  EXPECT_EQ(left_drops(DropReason::IpBadOption), 3U);
}

TEST_F(RouterOptions, SourceRoutesAreRefused) {  // RFC 1812 RTR-06, 5.2.4.1; RFC 7126 4.3.5: source route failed
  for (const std::uint8_t kind : {std::uint8_t{131}, std::uint8_t{137}}) {
    send_with({kind, 7, 4, 10, 2, 0, 77, 0});
    EXPECT_TRUE(drain(right.stack).empty());
    const auto frames = drain(left.stack);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(dissect(frames[0]).icmp().type, 3);
    EXPECT_EQ(dissect(frames[0]).icmp().code, 5);
  }
  EXPECT_EQ(left_drops(DropReason::IpSourceRoute), 2U);
}

TEST_F(RouterOptions, OthersPassUnchanged) {  // RFC 1812 RTR-06, 4.2.2.1
  send_with({148, 4, 0, 0});
  EXPECT_EQ(options_of_forwarded(), (Octets{148, 4, 0, 0}));
}

// --- what the router itself sends through its other interface ---

class RoutersOwnSocket : public RouterTest {
 protected:
  RoutersOwnSocket() : RouterTest{600} {}
  /// A connected UDP socket of the left stack; what it sends leaves on the right.
  SocketHandle socket_to(Ipv4Address peer, DatagramOptions options = {}) {
    auto& sockets = left.stack.sockets();
    const auto h = sockets.open(SocketKind::Datagram).value();
    EXPECT_TRUE(sockets.set_datagram_options(h, options));
    EXPECT_TRUE(sockets.connect(left.now, h, {peer, Port{9}}));
    return h;
  }
  void send_own(SocketHandle h, std::size_t octets) {
    EXPECT_TRUE(left.stack.sockets().send(left.now, h, Octets(octets, 1)));
    settle();
  }
  void settle() {
    for (int i = 0; i < 4; ++i) {
      drain(left.stack);
      pump();
      drain(right.stack);
    }
  }
};

TEST_F(RoutersOwnSocket, LearnsThatThereIsNoRoute) {
  const auto h = socket_to(Ipv4Address{192, 0, 2, 1});
  send_own(h, 10);
  EXPECT_EQ(left.stack.sockets().take_error(h), Error::NetworkUnreachable);
}

TEST_F(RoutersOwnSocket, LearnsTheMtuOfTheOtherLink) {  // RFC 1191
  const auto h = socket_to(right_host, {.mtu_discovery = PathMtuDiscovery::Do});
  send_own(h, 1000);
  EXPECT_EQ(left.stack.sockets().take_error(h), Error::MessageTooLong);
  EXPECT_EQ(left.stack.sockets().path_mtu(h), Result<std::uint16_t>{600});
}

TEST_F(RoutersOwnSocket, LearnsThatTheNeighbourThereIsSilent) {  // RFC 1122 ARPC-05
  const auto h = socket_to(Ipv4Address{10, 2, 0, 77});
  send_own(h, 10);
  for (int i = 0; i < 10; ++i) {
    left.now += 2s;
    right.stack.handle_timeouts(left.now);
    settle();
  }
  EXPECT_EQ(left.stack.sockets().take_error(h), Error::HostUnreachable);
}

}  // namespace
}  // namespace wireside::testing
