// Frames in, frames out: ARP, ICMP, UDP and TCP through a whole Stack.
#include <gtest/gtest.h>

#include "host.hpp"

namespace wireside {
namespace {

using observe::DropReason;
using testing::dissect;
using testing::Host;
using testing::Octets;
using testing::octets_of;
using testing::our_address;
using testing::peer_address;
using testing::peer_mac;

class StackFramesTest : public ::testing::Test, public Host {
 protected:
  /// The peer asks for our MAC address and thereby becomes known.
  void introduce_peer() {
    in(arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
    out();
  }
  wire::TcpHeader syn(std::uint16_t port) {
    wire::TcpHeader h;
    h.source = Port{40000};
    h.destination = Port{port};
    h.seq = SeqNum{1000};
    h.flags.syn = true;
    h.window = 65535;
    h.options.mss = 1460;
    return h;
  }
  SocketHandle listening(std::uint16_t port) {
    const auto h = *stack.sockets().open(SocketKind::Stream);
    EXPECT_TRUE(stack.sockets().bind(h, {{}, Port{port}}).has_value());
    EXPECT_TRUE(stack.sockets().listen(h, 5).has_value());
    return h;
  }
};

TEST_F(StackFramesTest, AnswersArp) {  // RFC 826 ARP-01
  in(arp_from_peer(wire::ArpMessage::Operation::Request, MacAddress::broadcast()));
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].size(), 60U);
  const auto header = *wire::parse_ethernet(frames[0]);
  EXPECT_EQ(header.destination, peer_mac);
  const auto reply = *wire::parse_arp(ByteView{frames[0]}.subspan(14));
  EXPECT_EQ(reply.operation, wire::ArpMessage::Operation::Reply);
  EXPECT_EQ(reply.sender_mac, stack.mac());
  EXPECT_EQ(reply.sender_ip, our_address);
}

TEST_F(StackFramesTest, AnswersEcho) {  // RFC 792 ICMP-01
  introduce_peer();
  const Octets data(1400, 0x5a);
  in(icmp({.type = 8, .code = 0, .rest = 0x00070001}, data));
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  const auto seen = dissect(frames[0]);
  EXPECT_TRUE(seen.ip_ok && seen.transport_ok);
  EXPECT_EQ(seen.icmp().type, 0);
  EXPECT_EQ(seen.icmp().rest, 0x00070001U);
  EXPECT_EQ(Octets(seen.transport.begin() + 8, seen.transport.end()), data);
}

TEST_F(StackFramesTest, EchoReplyWaitsForTheNeighbour) {
  in(icmp({.type = 8, .code = 0, .rest = 1}, {}));
  const auto frames = out_resolving();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).ethernet.destination, peer_mac);
}

TEST_F(StackFramesTest, ClosedUdpPortIsAnsweredOnlyToUnicast) {  // RFC 1122 UDP-04, ICMP-06
  introduce_peer();
  in(udp(4000, 9, "anybody?"));
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  const auto seen = dissect(frames[0]);
  EXPECT_EQ(seen.icmp().type, 3);
  EXPECT_EQ(seen.icmp().code, 3);
  EXPECT_TRUE(seen.transport_ok);
  in(udp(4000, 9, "anybody?", Ipv4Address{10, 0, 0, 255}));
  in(udp(4000, 9, "anybody?", Ipv4Address{255, 255, 255, 255}));
  EXPECT_TRUE(out().empty());
}

TEST_F(StackFramesTest, DatagramsFromImpossibleSourcesReachNobody) {  // RFC 1122 UDP-08
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.bind(h, {{}, Port{7}}).has_value());
  for (const Ipv4Address source : {Ipv4Address{10, 0, 0, 255}, Ipv4Address{255, 255, 255, 255},
                                   Ipv4Address{224, 0, 0, 1}, Ipv4Address{127, 0, 0, 1}, our_address}) {
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{7, 9}) {  // bound and closed
      auto frame = udp(4000, port, "?");
      store_be32(frame.data() + 14 + 12, source.value());
      store_be16(frame.data() + 14 + 10, 0);
      store_be16(frame.data() + 14 + 10, internet_checksum(ByteView{frame}.subspan(14, 20)));
      store_be16(frame.data() + 34 + wire::udp_checksum_offset, 0);
      in(frame);
    }
  }
  EXPECT_EQ(stack.sink().drops(DropReason::IpBadSource), 10U);
  std::array<std::uint8_t, 8> buffer{};
  EXPECT_EQ(sockets.receive_from(h, buffer).error(), Error::WouldBlock);
  EXPECT_TRUE(out().empty());
}

TEST_F(StackFramesTest, APartialUdpChecksumIsTheDevicesToComplete) {  // RFC 768 UDP-02
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.bind(h, {{}, Port{7}}).has_value());
  auto frame = udp(4000, 7, "half");
  ChecksumAccumulator pseudo;
  wire::add_pseudo_header(pseudo, peer_address, our_address, 17, 12);
  store_be16(frame.data() + 34 + wire::udp_checksum_offset, pseudo.folded());
  in(frame);
  EXPECT_EQ(stack.sink().drops(DropReason::UdpBadChecksum), 1U);
  in(frame, ChecksumState::Partial);
  std::array<std::uint8_t, 8> buffer{};
  EXPECT_EQ(sockets.receive_from(h, buffer)->octets, 4U);
}

TEST_F(StackFramesTest, TaggedAndUnknownFramesAreCounted) {  // RFC 1122 ARPC-07
  const auto arp = arp_from_peer(wire::ArpMessage::Operation::Request, stack.mac());
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{0x8100, 0x88a8, 0x86dd, 0x002e, 0xffff}) {
    in(ethernet(stack.mac(), type, Octets(arp.begin() + 14, arp.end())));
  }
  EXPECT_EQ(stack.sink().drops(DropReason::UnknownEtherType), 5U);
  EXPECT_TRUE(out().empty());
}

TEST_F(StackFramesTest, UdpRoundTrip) {
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.bind(h, {{}, Port{7}}).has_value());
  in(udp(4000, 7, "echo me"));
  std::array<std::uint8_t, 32> buffer{};
  const auto got = sockets.receive_from(h, buffer);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->from, (Endpoint{peer_address, Port{4000}}));
  EXPECT_TRUE(stack.poll_event()->readable);
  ASSERT_TRUE(sockets.send_to(now, h, ByteView{buffer}.first(got->octets), got->from).has_value());
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  const auto seen = dissect(frames[0]);
  EXPECT_TRUE(seen.ip_ok && seen.transport_ok);
  EXPECT_EQ(seen.udp().source, Port{7});
  EXPECT_EQ(seen.udp().length, 15);
  EXPECT_EQ(seen.transport.size(), 15U);
}

TEST_F(StackFramesTest, UdpChecksumOfZeroIsSentAsAllOnes) {  // RFC 768 UDP-01
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.bind(h, {{}, Port{7}}).has_value());
  // Two octets of payload that make the sum come out as all ones.
  Octets d(10);
  wire::emit_udp({.source = Port{7}, .destination = Port{4000}, .length = 10}, d);
  const std::uint16_t missing = transport_checksum(d, 17, our_address, peer_address);
  Octets payload(2);
  store_be16(payload.data(), missing);
  ASSERT_TRUE(sockets.send_to(now, h, payload, {peer_address, Port{4000}}).has_value());
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(dissect(frames[0]).udp().checksum, 0xffff);
}

TEST_F(StackFramesTest, IcmpPortUnreachableReachesTheConnectedSocket) {  // RFC 1122 UDP-05, ICMP-09
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Datagram);
  ASSERT_TRUE(sockets.connect(now, h, {peer_address, Port{9}}).has_value());
  ASSERT_TRUE(sockets.send(now, h, octets_of("x")).has_value());
  const auto sent = out();
  ASSERT_EQ(sent.size(), 1U);
  in(icmp({.type = 3, .code = 3, .rest = 0}, Octets(sent[0].begin() + 14, sent[0].begin() + 42)));
  EXPECT_TRUE(stack.poll_event()->readable);
  EXPECT_EQ(sockets.take_error(h), Error::ConnectionRefused);
}

TEST_F(StackFramesTest, AnErrorAboutOurEchoReplyIsNotTheEchoSockets) {  // RFC 1122 ICMP-09
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Echo);
  ASSERT_TRUE(sockets.send_to(now, h, octets_of("abcdefgh"), {peer_address, {}}).has_value());
  const auto sent = out();
  ASSERT_EQ(sent.size(), 1U);
  // The peer pings us with the identifier our socket uses, and then says that our reply did not arrive.
  auto request = dissect(sent[0]).icmp();
  in(icmp(request, Octets(8)));
  const auto reply = out();
  ASSERT_EQ(reply.size(), 1U);
  in(icmp({.type = 3, .code = 1, .rest = 0}, Octets(reply[0].begin() + 14, reply[0].begin() + 42)));
  EXPECT_FALSE(sockets.take_error(h));
  in(icmp({.type = 3, .code = 1, .rest = 0}, Octets(sent[0].begin() + 14, sent[0].begin() + 42)));
  EXPECT_EQ(sockets.take_error(h), Error::HostUnreachable);
}

TEST_F(StackFramesTest, EchoSocketPings) {
  introduce_peer();
  auto& sockets = stack.sockets();
  const auto h = *sockets.open(SocketKind::Echo);
  ASSERT_TRUE(sockets.set_datagram_options(h, {.ttl = 5, .echo_sequence = 3}).has_value());
  ASSERT_TRUE(sockets.send_to(now, h, octets_of("abcdefgh"), {peer_address, {}}).has_value());
  const auto sent = out();
  ASSERT_EQ(sent.size(), 1U);
  auto seen = dissect(sent[0]);
  EXPECT_TRUE(seen.ip_ok && seen.transport_ok);
  EXPECT_EQ(seen.ip.ttl, 5);
  EXPECT_EQ(seen.icmp().type, 8);
  EXPECT_EQ(seen.icmp().echo_sequence(), 3);
  auto reply = seen.icmp();
  reply.type = 0;
  in(icmp(reply, Octets(seen.transport.begin() + 8, seen.transport.end())));
  std::array<std::uint8_t, 32> buffer{};
  const auto got = sockets.receive_from(h, buffer);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->octets, 8U);
  EXPECT_EQ(got->echo_sequence, 3);
}

TEST_F(StackFramesTest, SynToAListenerIsAnswered) {  // RFC 9293 MUST-2
  introduce_peer();
  listening(80);
  in(tcp(syn(80)));
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  const auto seen = dissect(frames[0]);
  EXPECT_TRUE(seen.ip_ok && seen.transport_ok);
  EXPECT_TRUE(seen.tcp().flags.syn && seen.tcp().flags.ack);
  EXPECT_EQ(seen.tcp().ack, SeqNum{1001});
  EXPECT_EQ(seen.tcp().options.mss, 1460);
}

TEST_F(StackFramesTest, BadTcpChecksumIsDroppedSilently) {  // RFC 9293 MUST-3
  introduce_peer();
  listening(80);
  auto frame = tcp(syn(80));
  frame[14 + 20 + wire::tcp_checksum_offset] ^= 1;
  in(frame);
  EXPECT_TRUE(out().empty());
  EXPECT_EQ(stack.sink().drops(DropReason::TcpBadChecksum), 1U);
  // The same octets are good when the device vouches for them.
  in(frame, ChecksumState::Validated);
  EXPECT_EQ(out().size(), 1U);
}

TEST_F(StackFramesTest, BroadcastSynIsIgnored) {  // RFC 9293 MUST-57
  introduce_peer();
  listening(80);
  in(tcp(syn(80), {}, Ipv4Address{10, 0, 0, 255}));
  in(tcp(syn(81), {}, Ipv4Address{255, 255, 255, 255}));
  EXPECT_TRUE(out().empty());
  EXPECT_EQ(stack.sink().drops(DropReason::TcpBroadcast), 2U);
}

TEST_F(StackFramesTest, MalformedTcpIsCounted) {
  introduce_peer();
  auto frame = tcp(syn(80));
  frame[14 + 20 + 12] = 0x40;  // data offset 4
  in(frame, ChecksumState::Validated);
  EXPECT_TRUE(out().empty());
  EXPECT_EQ(stack.sink().drops(DropReason::TcpMalformed), 1U);
}

TEST_F(StackFramesTest, SynToAClosedPortIsReset) {
  introduce_peer();
  in(tcp(syn(81)));
  const auto frames = out();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(dissect(frames[0]).tcp().flags.rst);
  EXPECT_TRUE(dissect(frames[0]).transport_ok);
}

TEST_F(StackFramesTest, ReportsFramesAtTheEdge) {
  testing::Recorder recorder;
  stack.attach(&recorder);
  introduce_peer();
  in(icmp({.type = 8, .code = 0, .rest = 1}, Octets(100)));
  std::size_t octets = 60;
  for (const auto& f : out()) octets += f.size();
  EXPECT_EQ(recorder.received_frames, 2U);
  EXPECT_EQ(recorder.sent_frames, 2U);
  EXPECT_EQ(recorder.sent_octets, octets);
  EXPECT_EQ(recorder.reasons, (std::vector{observe::TxReason::ArpReply, observe::TxReason::EchoReply}));
}

}  // namespace
}  // namespace wireside
