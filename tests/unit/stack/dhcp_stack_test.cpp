// DHCP through a whole Stack: frames before an address is held, what a lease sets, what its end takes down.
#include <gtest/gtest.h>

#include <functional>

#include "host.hpp"
#include "wire/dhcp.hpp"

namespace wireside {
namespace {

using testing::dissect;
using testing::Host;
using testing::Octets;
using testing::peer_address;
using testing::peer_mac;
using testing::Seen;
using wire::DhcpMessage;
using wire::DhcpMessageType;

constexpr Ipv4Address given{10, 0, 0, 57};
constexpr Ipv4Address everybody{255, 255, 255, 255};

class StackDhcpTest : public ::testing::Test, public Host {
 protected:
  explicit StackDhcpTest(const Config& config = {}) : Host{config} {}

  static DhcpMessage message(const Seen& seen) {
    EXPECT_TRUE(seen.ip_ok && seen.transport_ok);
    EXPECT_EQ(seen.udp().source, wire::dhcp_client_port);
    EXPECT_EQ(seen.udp().destination, wire::dhcp_server_port);
    return *wire::parse_dhcp(ByteView{seen.transport}.subspan(wire::udp_header_length));
  }
  Seen sent_one() {
    auto frames = out();
    std::erase_if(frames, [](const Octets& f) { return wire::parse_ethernet(f)->ether_type == 0x0806; });
    EXPECT_EQ(frames.size(), 1U);
    return frames.empty() ? Seen{} : dissect(frames.front());
  }
  [[nodiscard]] DhcpMessage reply(DhcpMessageType type, std::uint32_t xid) const {
    DhcpMessage m;
    m.op = DhcpMessage::Op::Reply;
    m.xid = xid;
    m.chaddr = stack.mac();
    m.type = type;
    m.server_id = peer_address;
    m.yiaddr = given;
    m.subnet_mask = Ipv4Address{255, 255, 255, 0};
    m.lease_seconds = 600;
    m.routers = {peer_address};
    return m;
  }
  [[nodiscard]] Octets frame(const DhcpMessage& m, MacAddress to_mac, Ipv4Address to) const {
    const auto octets = wire::emit_dhcp(m);
    Octets d(wire::udp_header_length);
    d.insert(d.end(), octets.begin(), octets.end());
    wire::emit_udp({.source = Port{67}, .destination = Port{68}, .length = static_cast<std::uint16_t>(d.size())}, d);
    store_be16(d.data() + wire::udp_checksum_offset, transport_checksum(d, 17, peer_address, to));
    Octets f = ipv4(wire::IpProtocol::Udp, d, to);
    std::copy(to_mac.octets.begin(), to_mac.octets.end(), f.begin());
    return f;
  }
  /// The server asks for our MAC address, and thereby tells its own.
  void introduce_server() {
    Octets body(wire::arp_message_length);
    wire::emit_arp({.operation = wire::ArpMessage::Operation::Request,
                    .sender_mac = peer_mac,
                    .sender_ip = peer_address,
                    .target_mac = {},
                    .target_ip = given},
                   body);
    in(ethernet(MacAddress::broadcast(), 0x0806, body));
    out();
  }
  /// The exchange up to BOUND, the replies changed by `adjust`.
  void bind(const std::function<void(DhcpMessage&)>& adjust = [](DhcpMessage&) {}) {
    ASSERT_TRUE(stack.start_dhcp(now, {}).has_value());
    const auto xid = message(sent_one()).xid;
    for (const auto type : {DhcpMessageType::Offer, DhcpMessageType::Ack}) {
      auto m = reply(type, xid);
      adjust(m);
      in(frame(m, stack.mac(), given));
      if (type == DhcpMessageType::Offer) sent_one();
    }
    ASSERT_EQ(stack.dhcp_status().state, observe::DhcpState::Bound);
  }
};

// RFC 2131 DHCP-02, DHCP-04: from nowhere to everybody; a unicast answer to an address not held yet is taken.
TEST_F(StackDhcpTest, UnicastRepliesBeforeAnAddress) {
  ASSERT_TRUE(stack.start_dhcp(now, {}).has_value());
  EXPECT_EQ(stack.start_dhcp(now, {}).error(), Error::Already);
  const Seen discover = sent_one();
  EXPECT_TRUE(discover.ethernet.destination.is_broadcast());
  EXPECT_TRUE(discover.ip.source.is_unspecified());
  EXPECT_EQ(discover.ip.destination, everybody);
  const auto xid = message(discover).xid;
  in(frame(reply(DhcpMessageType::Offer, xid), stack.mac(), given));
  const Seen request = sent_one();
  EXPECT_EQ(message(request).type, DhcpMessageType::Request);
  EXPECT_TRUE(request.ip.source.is_unspecified());
  EXPECT_TRUE(stack.config().ip.addresses.empty());
  in(frame(reply(DhcpMessageType::Ack, xid), stack.mac(), given));
  ASSERT_EQ(stack.config().ip.addresses.size(), 1U);
  EXPECT_EQ(stack.config().ip.addresses[0].to_string(), "10.0.0.57/24");
  EXPECT_EQ(stack.routes().gateway(), peer_address);
}

// RFC 2131 DHCP-04: broadcast answers too.
TEST_F(StackDhcpTest, BroadcastReplies) {
  ASSERT_TRUE(stack.start_dhcp(now, {}).has_value());
  const auto xid = message(sent_one()).xid;
  in(frame(reply(DhcpMessageType::Offer, xid), MacAddress::broadcast(), everybody));
  sent_one();
  in(frame(reply(DhcpMessageType::Ack, xid), MacAddress::broadcast(), everybody));
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Bound);
}

TEST_F(StackDhcpTest, BadChecksumAndOtherStationsAreDropped) {
  ASSERT_TRUE(stack.start_dhcp(now, {}).has_value());
  const auto xid = message(sent_one()).xid;
  Octets bad = frame(reply(DhcpMessageType::Offer, xid), stack.mac(), given);
  bad.back() ^= 1;
  in(bad);
  EXPECT_EQ(stack.sink().drops(observe::DropReason::UdpBadChecksum), 1U);
  in(frame(reply(DhcpMessageType::Offer, xid), MacAddress{{2, 0, 0, 0, 0, 9}}, given));
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Selecting);
}

// RFC 2131 DHCP-26
TEST_F(StackDhcpTest, AnnouncesTheAddress) {
  bind();
  const auto frames = out();
  ASSERT_FALSE(frames.empty());
  const auto arp = *wire::parse_arp(ByteView{frames[0]}.subspan(14));
  EXPECT_EQ(arp.sender_ip, given);
  EXPECT_EQ(arp.target_ip, given);
}

// RFC 2131 DHCP-09, RFC 3442: what the options set, and that the end of the lease takes it back.
TEST_F(StackDhcpTest, MtuAndClasslessRoutes) {
  bind([](DhcpMessage& m) {
    m.mtu = 1000;
    m.classless_routes = {{{Ipv4Address{}, 0}, Ipv4Address{10, 0, 0, 3}}, {{Ipv4Address{172, 16, 0, 0}, 12}, {}}};
  });
  out();
  EXPECT_EQ(stack.routes().gateway(), (Ipv4Address{10, 0, 0, 3})) << "option 3 counts for nothing beside option 121";
  const auto udp = *stack.sockets().open(SocketKind::Datagram);
  DatagramOptions whole;
  whole.mtu_discovery = PathMtuDiscovery::Do;
  ASSERT_TRUE(stack.sockets().set_datagram_options(udp, whole).has_value());
  const Octets data(973, 0);
  EXPECT_EQ(stack.sockets().send_to(now, udp, data, {peer_address, Port{9}}).error(), Error::MessageTooLong);
  ASSERT_TRUE(stack.sockets().send_to(now, udp, ByteView{data}.first(972), {Ipv4Address{172, 16, 1, 1}, Port{9}}));
  const auto asked = out();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(wire::parse_arp(ByteView{asked[0]}.subspan(14))->target_ip, (Ipv4Address{172, 16, 1, 1})) << "on the link";
  stack.stop_dhcp(now, false);
  EXPECT_TRUE(stack.config().ip.addresses.empty());
  EXPECT_FALSE(stack.routes().gateway());
  EXPECT_EQ(stack.sockets().send_to(now, udp, data, {Ipv4Address{172, 16, 1, 1}, Port{9}}).error(),
            Error::AddressNotAvailable);
}

// RFC 2132 section 3.5: routers in the server's order, each a default route; a gone one gives way to the next.
TEST_F(StackDhcpTest, SeveralRouters) {
  const Ipv4Address second{10, 0, 0, 4};
  bind([&](DhcpMessage& m) { m.routers = {peer_address, second}; });
  const auto& routes = stack.routes().routes();
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].gateway, peer_address);
  EXPECT_EQ(routes[0].origin, ip::RouteOrigin::Dhcp);
  EXPECT_EQ(routes[1].gateway, second);
  const ip::Route by_hand{.destination = {Ipv4Address{}, 0}, .gateway = Ipv4Address{10, 0, 0, 9}, .metric = 7};
  ASSERT_TRUE(stack.add_route(by_hand));
  stack.stop_dhcp(now, false);
  ASSERT_EQ(stack.routes().routes().size(), 1U) << "only what the lease set goes";
  EXPECT_EQ(stack.routes().routes()[0], by_hand);
}

// RFC 2131 DHCP-17: connections end with a clear error.
TEST_F(StackDhcpTest, LostLeaseEndsConnections) {
  bind([](DhcpMessage& m) { m.lease_seconds = 20; });
  introduce_server();
  const auto h = *stack.sockets().open(SocketKind::Stream);
  std::ignore = stack.sockets().connect(now, h, {peer_address, Port{80}});
  ASSERT_EQ(dissect(out().at(0)).ip.protocol, 6);
  for (int second = 0; second < 19; ++second) {  // the server's MAC address stays known
    wait(std::chrono::seconds{1});
    introduce_server();
  }
  EXPECT_EQ(stack.connections().size(), 1U);
  EXPECT_EQ(stack.config().ip.addresses.size(), 1U);
  wait(std::chrono::seconds{1});
  sent_while_waiting.clear();
  EXPECT_TRUE(stack.config().ip.addresses.empty());
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Selecting);
  EXPECT_EQ(stack.sockets().take_error(h), Error::AddressNotAvailable);
  wait(std::chrono::seconds{60});
  ASSERT_FALSE(sent_while_waiting.empty());
  for (const Octets& f : sent_while_waiting) {
    EXPECT_EQ(dissect(f).ip.protocol, 17) << "DHCP only";
    EXPECT_TRUE(dissect(f).ip.source.is_unspecified());
  }
}

// RFC 2131 DHCP-13, DHCP-20: unicast to the server once its MAC address is known; the address goes after RELEASE.
TEST_F(StackDhcpTest, RenewsAndReleasesByUnicast) {
  bind();
  out();
  introduce_server();
  wait(std::chrono::seconds{301});
  std::erase_if(sent_while_waiting, [](const Octets& f) { return wire::parse_ethernet(f)->ether_type == 0x0806; });
  ASSERT_FALSE(sent_while_waiting.empty());
  const Seen renewal = dissect(sent_while_waiting.front());
  EXPECT_EQ(renewal.ethernet.destination, peer_mac);
  EXPECT_EQ(renewal.ip.source, given);
  EXPECT_EQ(renewal.ip.destination, peer_address);
  const auto m = message(renewal);
  EXPECT_EQ(m.ciaddr, given);
  EXPECT_FALSE(m.server_id || m.requested_address);
  in(frame(reply(DhcpMessageType::Ack, m.xid), stack.mac(), given));
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Bound);

  stack.stop_dhcp(now, true);
  EXPECT_EQ(stack.config().ip.addresses.size(), 1U);
  const Seen release = sent_one();
  EXPECT_EQ(message(release).type, DhcpMessageType::Release);
  EXPECT_EQ(release.ethernet.destination, peer_mac);
  EXPECT_EQ(release.ip.source, given);
  EXPECT_TRUE(stack.config().ip.addresses.empty());
}

// RFC 2131 DHCP-20: a server that cannot be reached does not hold the end up.
TEST_F(StackDhcpTest, ReleaseToASilentServer) {
  bind();
  out();
  stack.stop_dhcp(now, true);
  out();
  wait(std::chrono::seconds{2});
  EXPECT_TRUE(stack.config().ip.addresses.empty());
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Stopped);
}

TEST_F(StackDhcpTest, NewsForTheOwner) {
  bind();
  const auto news = stack.poll_dhcp_change();
  ASSERT_TRUE(news && std::holds_alternative<dhcp::Bound>(*news));
  EXPECT_FALSE(stack.poll_dhcp_change());
}

Config checking() {
  Config config;
  config.link.conflict.check_before_use = true;
  return config;
}

class StackDhcpProbeTest : public StackDhcpTest {
 protected:
  StackDhcpProbeTest() : StackDhcpTest{checking()} {}

  /// Up to the DHCPACK; the address is offered, but not ours yet.
  void acknowledged() {
    ASSERT_TRUE(stack.start_dhcp(now, {}).has_value());
    const auto xid = message(sent_one()).xid;
    in(frame(reply(DhcpMessageType::Offer, xid), stack.mac(), given));
    sent_one();
    in(frame(reply(DhcpMessageType::Ack, xid), stack.mac(), given));
    EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Checking);
    EXPECT_TRUE(stack.config().ip.addresses.empty());
  }
  /// Another host says that the address is its own.
  void objection() {
    Octets body(wire::arp_message_length);
    wire::emit_arp({.operation = wire::ArpMessage::Operation::Reply,
                    .sender_mac = peer_mac,
                    .sender_ip = given,
                    .target_mac = stack.mac(),
                    .target_ip = {}},
                   body);
    in(ethernet(MacAddress::broadcast(), 0x0806, body));
  }
};

// RFC 2131 DHCP-10, RFC 5227: three probes from 0.0.0.0 before the address is used, announcements after.
TEST_F(StackDhcpProbeTest, TheAddressIsProbedForBeforeItIsUsed) {
  acknowledged();
  out();
  wait(std::chrono::seconds{8});
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Bound);
  ASSERT_EQ(stack.config().ip.addresses.size(), 1U);
  unsigned probes = 0;
  unsigned announcements = 0;
  for (const Octets& f : sent_while_waiting) {
    const auto arp = wire::parse_arp(ByteView{f}.subspan(14));
    ASSERT_TRUE(arp.has_value());
    EXPECT_EQ(arp->target_ip, given);
    ++(arp->sender_ip.is_unspecified() ? probes : announcements);
  }
  EXPECT_EQ(probes, 3U);
  EXPECT_GE(announcements, 1U);
  EXPECT_FALSE(stack.poll_address_event().has_value()) << "told by the client's own news";
}

// RFC 2131 DHCP-11: an address that another host has is declined, and not used.
TEST_F(StackDhcpProbeTest, AnAddressInUseIsDeclined) {
  acknowledged();
  out();
  wait(std::chrono::seconds{2});
  objection();
  EXPECT_EQ(message(sent_one()).type, DhcpMessageType::Decline);
  EXPECT_TRUE(stack.config().ip.addresses.empty());
}

// RFC 5227 section 2.4: one defence, then the address is given up, declined, and gone.
TEST_F(StackDhcpProbeTest, AnAddressLostLaterIsDeclinedToo) {
  acknowledged();
  out();
  wait(std::chrono::seconds{8});
  ASSERT_EQ(stack.config().ip.addresses.size(), 1U);
  objection();
  out();
  EXPECT_EQ(stack.config().ip.addresses.size(), 1U) << "defended";
  objection();
  EXPECT_EQ(message(sent_one()).type, DhcpMessageType::Decline);
  EXPECT_TRUE(stack.config().ip.addresses.empty());
}

// RFC 2131 section 3.7, RFC 5227 section 2.1: after the link was down the lease is asked for (INIT-REBOOT) and the
// address probed for, while connections go on.
TEST_F(StackDhcpProbeTest, ALinkThatComesBackVerifiesTheLeaseAndKeepsConnections) {
  acknowledged();
  out();
  wait(std::chrono::seconds{12});
  introduce_server();
  const auto h = *stack.sockets().open(SocketKind::Stream);
  std::ignore = stack.sockets().connect(now, h, {peer_address, Port{80}});
  ASSERT_EQ(dissect(out().at(0)).ip.protocol, 6);

  stack.link_down();
  wait(std::chrono::seconds{2});
  stack.announce(now);
  const auto request = message(sent_one());
  EXPECT_EQ(request.type, DhcpMessageType::Request);
  EXPECT_EQ(request.requested_address, given);
  EXPECT_FALSE(request.server_id);
  EXPECT_TRUE(request.ciaddr.is_unspecified());
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Rebooting);
  EXPECT_EQ(stack.config().ip.addresses.size(), 1U) << "in use meanwhile";
  in(frame(reply(DhcpMessageType::Ack, request.xid), stack.mac(), given));
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Checking);
  sent_while_waiting.clear();
  wait(std::chrono::seconds{8});
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Bound);
  unsigned probes = 0;
  for (const Octets& f : sent_while_waiting) {
    if (wire::parse_ethernet(f)->ether_type != 0x0806) continue;
    probes += wire::parse_arp(ByteView{f}.subspan(14))->sender_ip.is_unspecified();
  }
  EXPECT_EQ(probes, 3U);
  EXPECT_EQ(stack.config().ip.addresses.size(), 1U);
  ASSERT_EQ(stack.connections().size(), 1U);
  EXPECT_EQ(stack.connections()[0].state, TcpState::SynSent);
}

TEST_F(StackDhcpProbeTest, AnotherNetworkTakesTheAddressAway) {  // RFC 2131 DHCP-12
  acknowledged();
  out();
  wait(std::chrono::seconds{12});
  stack.link_down();
  stack.announce(now);
  const auto request = message(sent_one());
  in(frame(reply(DhcpMessageType::Nak, request.xid), MacAddress::broadcast(), everybody));
  EXPECT_TRUE(stack.config().ip.addresses.empty());
  EXPECT_EQ(stack.dhcp_status().state, observe::DhcpState::Selecting);
}

}  // namespace
}  // namespace wireside
