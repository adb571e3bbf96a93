// ICMP errors about what a whole stack sent: they reach the socket they concern, and nobody can make one up.
#include <gtest/gtest.h>

#include "host.hpp"

namespace wireside::testing {
namespace {

using observe::DropReason;

/// What a router quotes of a frame of ours: the IP header and eight octets.
Octets quote_of(const Octets& frame, std::size_t octets = 28) {
  return Octets(frame.begin() + 14, frame.begin() + 14 + static_cast<std::ptrdiff_t>(octets));
}

wire::IcmpHeader frag_needed(std::uint16_t mtu) { return {3, 4, mtu}; }

class IcmpErrors : public ::testing::Test {
 protected:
  SocketHandle udp(DatagramOptions options = {}) {
    const auto h = host.stack.sockets().open(SocketKind::Datagram).value();
    EXPECT_TRUE(host.stack.sockets().set_datagram_options(h, options));
    return h;
  }
  std::vector<Octets> send(SocketHandle h, std::size_t octets, std::uint16_t port = 9) {
    EXPECT_TRUE(host.stack.sockets().send_to(host.now, h, Octets(octets, 1), {peer_address, Port{port}}));
    return host.out_resolving();
  }
  static wire::TcpHeader from_peer(SeqNum seq) {
    wire::TcpHeader header;
    header.source = Port{4000};
    header.destination = Port{80};
    header.seq = seq;
    header.window = 65535;
    return header;
  }
  /// An established connection, accepted from the peer; SEQ of our first octet.
  void connect_tcp() {
    auto& sockets = host.stack.sockets();
    listener = sockets.open(SocketKind::Stream).value();
    ASSERT_TRUE(sockets.bind(listener, {Ipv4Address{}, Port{80}}));
    ASSERT_TRUE(sockets.listen(listener, 1));
    wire::TcpHeader syn = from_peer(SeqNum{100});
    syn.flags.syn = true;
    syn.options.mss = 1460;
    host.in(host.tcp(syn));
    const auto reply = dissect(host.out_resolving().at(0)).tcp();
    next = reply.seq + 1;
    host.in(ack(next));
    connection = sockets.accept(listener).value().socket;
  }
  Octets ack(SeqNum of) const {
    wire::TcpHeader header = from_peer(SeqNum{101});
    header.ack = of;
    header.flags.ack = true;
    return host.tcp(header);
  }
  std::vector<std::size_t> lengths(const std::vector<Octets>& frames) const {
    std::vector<std::size_t> all;
    for (const auto& f : frames) {
      if (wire::parse_ethernet(f)->ether_type == 0x0800) all.push_back(dissect(f).transport.size() - 20);
    }
    return all;
  }

  Host host;
  SocketHandle listener, connection;
  SeqNum next;
};

TEST_F(IcmpErrors, FragmentationNeededMakesSegmentsSmallerAtOnce) {  // RFC 1191 PMTU-01, PMTU-02
  connect_tcp();
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(4000, 7)));
  const auto sent = host.out();
  ASSERT_EQ(lengths(sent), (std::vector<std::size_t>{1460, 1460, 1080}));
  for (const auto& f : sent) EXPECT_TRUE(dissect(f).ip.dont_fragment);
  const auto before = host.stack.sockets().status(connection)->cwnd;
  host.in(host.icmp(frag_needed(1000), quote_of(sent[0])));
  const auto again = host.out();
  EXPECT_EQ(lengths(again), (std::vector<std::size_t>{960, 960, 960, 960, 160}));
  EXPECT_EQ(dissect(again.at(0)).tcp().seq, next);
  EXPECT_EQ(host.stack.sockets().status(connection)->cwnd, before) << "no congestion was reported";
  EXPECT_EQ(host.stack.sockets().status(connection)->mss, 960U);
}

TEST_F(IcmpErrors, AForgedQuoteChangesNothing) {  // RFC 5927 ICMP-15, PMTU-02
  connect_tcp();
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(1460, 7)));
  const auto sent = host.out();
  auto stale = quote_of(sent.at(0));
  store_be32(stale.data() + 24, load_be32(stale.data() + 24) - 1);
  host.in(host.icmp(frag_needed(1000), stale));
  store_be32(stale.data() + 24, load_be32(stale.data() + 24) + 1461);
  host.in(host.icmp(frag_needed(1000), stale));
  auto other_port = quote_of(sent.at(0));
  other_port[23] ^= 1;
  host.in(host.icmp(frag_needed(1000), other_port));
  auto without_df = quote_of(sent.at(0));
  without_df[6] = 0;
  host.in(host.icmp(frag_needed(1000), without_df));
  EXPECT_EQ(host.stack.sink().drops(DropReason::IcmpNotCredible), 4U);
  EXPECT_EQ(host.stack.sockets().status(connection)->mss, 1460U);
  EXPECT_TRUE(host.out().empty());
}

TEST_F(IcmpErrors, TheMssReturnsWhenTheValueIsTooOld) {  // RFC 1191 PMTU-05
  connect_tcp();
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(1460, 7)));
  host.in(host.icmp(frag_needed(1000), quote_of(host.out().at(0))));
  (void)host.out();
  host.in(ack(next + 1460));
  host.wait(11min);
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(1460, 7)));
  EXPECT_EQ(lengths(host.out_resolving()), (std::vector<std::size_t>{1460}));
}

TEST_F(IcmpErrors, ABlackHoleIsSuspectedAfterTwoTimeouts) {  // RFC 4821 PMTU-06
  connect_tcp();
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(1460, 7)));
  ASSERT_EQ(lengths(host.out()), (std::vector<std::size_t>{1460}));
  host.wait(5s);
  const auto repeated = lengths(host.sent_while_waiting);
  ASSERT_GE(repeated.size(), 2U);
  EXPECT_EQ(repeated[0], 1460U);
  EXPECT_EQ(repeated[1], 984U);
}

TEST_F(IcmpErrors, AfterABlackHoleTheFullSizeIsTriedAgain) {  // RFC 4821 PMTU-06
  connect_tcp();
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(1460, 7)));
  (void)host.out();
  host.wait(1s);
  host.in(ack(next + 1460));
  host.wait(30s);
  (void)host.out();
  ASSERT_EQ(host.stack.sockets().status(connection)->mss, 984U);
  // Enough data, and a window to send it in: grow it first.
  SeqNum acked = next + 1460;
  bool probed = false;
  for (int round = 0; round < 10 && !probed; ++round) {
    ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(12'000, 7)));
    for (int i = 0; i < 30; ++i) {
      const auto frames = host.out();
      if (frames.empty()) break;
      for (const std::size_t n : lengths(frames)) probed |= n == 1460;
      for (const auto& f : frames) {
        if (wire::parse_ethernet(f)->ether_type != 0x0800) continue;
        acked = later(acked, dissect(f).tcp().seq + static_cast<std::uint32_t>(dissect(f).transport.size() - 20));
      }
      host.now += 1ms;
      host.in(ack(acked));
    }
  }
  EXPECT_TRUE(probed);
  EXPECT_EQ(host.stack.sockets().status(connection)->mss, 1460U);
}

TEST_F(IcmpErrors, AUdpSocketWithDfLearnsThePathMtu) {  // RFC 1191 PMTU-07, RFC 1122 FRAG-11
  const auto h = udp({.mtu_discovery = PathMtuDiscovery::Do});
  const auto sent = send(h, 1472);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(dissect(sent[0]).ip.dont_fragment);
  auto& sockets = host.stack.sockets();
  EXPECT_EQ(sockets.send_to(host.now, h, Octets(1473, 1), {peer_address, Port{9}}).error(), Error::MessageTooLong);
  host.in(host.icmp(frag_needed(1400), quote_of(sent[0])));
  EXPECT_EQ(sockets.send_to(host.now, h, Octets(1373, 1), {peer_address, Port{9}}).error(), Error::MessageTooLong);
  EXPECT_TRUE(sockets.send_to(host.now, h, Octets(1372, 1), {peer_address, Port{9}}));
}

TEST_F(IcmpErrors, WantSetsDfOnlyWhereTheDatagramFits) {  // RFC 1122 FRAG-11
  const auto h = udp({.mtu_discovery = PathMtuDiscovery::Want});
  EXPECT_TRUE(dissect(send(h, 1472).at(0)).ip.dont_fragment);
  const auto parts = send(h, 1473);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_FALSE(dissect(parts[0]).ip.dont_fragment);
}

TEST_F(IcmpErrors, TheErrorQueueTellsWhoReportedWhatAboutWhich) {  // RFC 1122 ICMP-09, ICMP-11, UDP-05
  const auto h = udp({.ttl = 1, .report_errors = true});
  const auto sent = send(h, 32, 33434);
  host.in(host.icmp({11, 0, 0}, quote_of(sent.at(0))));
  auto& sockets = host.stack.sockets();
  Octets buffer(100);
  EXPECT_EQ(sockets.receive_from(h, buffer).error(), Error::HostUnreachable);
  const auto report = sockets.take_error_report(h);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->reporter, IpAddress{peer_address});
  EXPECT_EQ(report->icmp_type, 11);
  EXPECT_EQ(report->tuple.remote, (Endpoint{peer_address, Port{33434}}));
  EXPECT_EQ(report->quoted_ttl, 1);
  EXPECT_FALSE(report->local);
  EXPECT_EQ(report->quote.size(), 28U);
  EXPECT_EQ(sockets.take_error_report(h).error(), Error::WouldBlock);
}

TEST_F(IcmpErrors, TheErrorQueueIsBounded) {
  const auto h = udp({.report_errors = true});
  const auto sent = send(h, 32);
  for (int i = 0; i < 1000; ++i) host.in(host.icmp({3, 3, 0}, quote_of(sent.at(0))));
  std::size_t kept = 0;
  while (host.stack.sockets().take_error_report(h)) ++kept;
  EXPECT_EQ(kept, 64U);
}

TEST_F(IcmpErrors, ANeighbourThatDoesNotAnswerIsReportedAsOurOwnFinding) {
  const auto h = udp({.report_errors = true});
  ASSERT_TRUE(host.stack.sockets().send_to(host.now, h, Octets(10, 1), {peer_address, Port{9}}));
  (void)host.out();
  host.wait(10s);
  const auto report = host.stack.sockets().take_error_report(h);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->local);
  EXPECT_EQ(report->reporter, IpAddress{our_address});
}

TEST_F(IcmpErrors, SourceQuenchChangesNothing) {  // RFC 6633 ICMP-14
  connect_tcp();
  ASSERT_TRUE(host.stack.sockets().send(host.now, connection, Octets(1460, 7)));
  const auto sent = host.out();
  const auto before = host.stack.sockets().status(connection)->cwnd;
  host.in(host.icmp({4, 0, 0}, quote_of(sent.at(0))));
  EXPECT_EQ(host.stack.sockets().status(connection)->cwnd, before);
}

TEST_F(IcmpErrors, SixtyThousandOctetsOfEchoGoBothWays) {  // RFC 1122 ICMP-01
  const auto h = host.stack.sockets().open(SocketKind::Echo).value();
  ASSERT_TRUE(host.stack.sockets().send_to(host.now, h, Octets(60'000, 9), {peer_address, Port{}}));
  const auto request = host.out_resolving();
  EXPECT_EQ(request.size(), 41U) << "a queue of the neighbour holds the datagram, not its parts";
  // The request's fragments, sent back by the peer, are a request to us.
  for (const auto& f : request) {
    Octets back = f;
    std::swap_ranges(back.begin(), back.begin() + 6, back.begin() + 6);
    std::swap_ranges(back.begin() + 26, back.begin() + 30, back.begin() + 30);
    host.in(back);
  }
  const auto reply = host.out();
  EXPECT_EQ(reply.size(), 41U);
  EXPECT_EQ(dissect(reply.at(0)).transport.at(0), 0) << "echo reply";
}

TEST_F(IcmpErrors, ARedirectIsTakenForWhatWasSent) {  // RFC 1122 IP-18
  host.stack.set_gateway(peer_address);
  const auto h = udp();
  ASSERT_TRUE(host.stack.sockets().send_to(host.now, h, Octets(10, 1), {Ipv4Address{203, 0, 113, 7}, Port{9}}));
  const auto sent = host.out_resolving();
  const wire::IcmpHeader redirect{5, 1, Ipv4Address{10, 0, 0, 9}.value()};
  auto other = quote_of(sent.at(0));
  other[19] ^= 1;  // another destination: never sent to
  host.in(host.icmp(redirect, other));
  EXPECT_EQ(host.stack.sink().drops(DropReason::IcmpNotCredible), 1U);
  host.in(host.icmp(redirect, quote_of(sent.at(0))));
  ASSERT_TRUE(host.stack.sockets().send_to(host.now, h, Octets(10, 1), {Ipv4Address{203, 0, 113, 7}, Port{9}}));
  const auto request = host.out();
  ASSERT_EQ(request.size(), 1U);
  EXPECT_EQ(wire::parse_arp(ByteView{request[0]}.subspan(14))->target_ip, (Ipv4Address{10, 0, 0, 9}));
  const auto learnt = host.stack.redirects();
  ASSERT_EQ(learnt.size(), 1U);
  EXPECT_EQ(learnt[0].destination, (Ipv4Address{203, 0, 113, 7}));
  EXPECT_EQ(learnt[0].gateway, (Ipv4Address{10, 0, 0, 9}));
  EXPECT_GT(learnt[0].expires, host.now);
}

TEST_F(IcmpErrors, ARedirectAboutAnAnswerOfIcmpIsTakenToo) {  // RFC 1122 IP-18, 3.2.2.2
  host.stack.set_gateway(peer_address);
  // Somebody beyond the gateway pings us; the answer takes the long way.
  auto request = host.icmp({8, 0, 0x00070001}, Octets(8));
  const Ipv4Address asker{203, 0, 113, 7};
  store_be32(request.data() + 26, asker.value());
  store_be16(request.data() + 24, 0);
  store_be16(request.data() + 24, internet_checksum(ByteView{request}.subspan(14, 20)));
  host.in(request);
  const auto reply = host.out_resolving();
  ASSERT_EQ(dissect(reply.at(0)).ip.destination, asker);
  const wire::IcmpHeader redirect{5, 1, Ipv4Address{10, 0, 0, 9}.value()};
  auto other = quote_of(reply.at(0));
  other[19] ^= 1;  // nothing went there
  host.in(host.icmp(redirect, other));
  EXPECT_EQ(host.stack.sink().drops(DropReason::IcmpNotCredible), 1U);
  EXPECT_TRUE(host.stack.redirects().empty());
  host.in(host.icmp(redirect, quote_of(reply.at(0))));
  ASSERT_EQ(host.stack.redirects().size(), 1U);
  EXPECT_EQ(host.stack.redirects()[0].destination, asker);
  EXPECT_EQ(host.stack.redirects()[0].gateway, (Ipv4Address{10, 0, 0, 9}));
  host.in(request);
  const auto asked = host.out();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(wire::parse_arp(ByteView{asked[0]}.subspan(14))->target_ip, (Ipv4Address{10, 0, 0, 9}));
}

TEST_F(IcmpErrors, WhatTheTransportMayLearnOfMessageSizes) {  // RFC 1122 FRAG-12, 3.3.2, 3.3.3
  const auto h = udp();
  auto& sockets = host.stack.sockets();
  EXPECT_EQ(sockets.message_limits(h).error(), Error::NotConnected);
  ASSERT_TRUE(sockets.connect(host.now, h, {peer_address, Port{9}}));
  EXPECT_EQ(sockets.message_limits(h)->mms_s, 1480);
  EXPECT_EQ(sockets.message_limits(h)->mms_r, 65515);
  auto options = *sockets.datagram_options(h);
  options.mtu_discovery = PathMtuDiscovery::Do;
  options.ip_options = wire::Ipv4Options::copy_of(Octets{0x94, 4, 0, 0});
  ASSERT_TRUE(sockets.set_datagram_options(h, options));
  EXPECT_EQ(sockets.message_limits(h)->mms_s, 1476) << "IP options count";
  const auto sent = send(h, 1468);  // exactly the limit, UDP's header included
  EXPECT_EQ(sockets.send_to(host.now, h, Octets(1469, 1), {peer_address, Port{9}}).error(), Error::MessageTooLong);
  host.in(host.icmp(frag_needed(1400), quote_of(sent.at(0), 32)));
  EXPECT_EQ(sockets.message_limits(h)->mms_s, 1376) << "a router has a narrower link";
}

TEST_F(IcmpErrors, PathsNarrowerThanTheLinkAreListed) {
  const auto sent = send(udp({.mtu_discovery = PathMtuDiscovery::Do}), 1472);
  EXPECT_TRUE(host.stack.path_mtus().empty());
  host.in(host.icmp(frag_needed(1400), quote_of(sent.at(0))));
  const auto paths = host.stack.path_mtus();
  ASSERT_EQ(paths.size(), 1U);
  EXPECT_EQ(paths[0].destination, peer_address);
  EXPECT_EQ(paths[0].mtu, 1400);
}

TEST_F(IcmpErrors, AStreamsErrorQueueToo) {  // RFC 1122 4.2.3.9, RFC 9293 MUST-56
  connect_tcp();
  auto& sockets = host.stack.sockets();
  ASSERT_TRUE(sockets.send(host.now, connection, Octets(100, 7)));
  const auto sent = host.out();
  host.in(host.icmp({11, 0, 0}, quote_of(sent.at(0))));
  EXPECT_EQ(sockets.take_error_report(connection).error(), Error::WouldBlock) << "nobody asked for it";
  tcp::ConnectionOptions options = sockets.stream_options(connection).value();
  options.report_errors = true;
  ASSERT_TRUE(sockets.set_stream_options(host.now, connection, options));
  while (host.stack.poll_event()) {
  }
  host.in(host.icmp({11, 0, 0}, quote_of(sent.at(0))));
  bool reported = false;
  while (const auto event = host.stack.poll_event()) reported |= event->reported && event->socket == connection;
  EXPECT_TRUE(reported);
  const auto report = sockets.take_error_report(connection);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->icmp_type, 11);
  EXPECT_EQ(report->reporter, IpAddress{peer_address});
  EXPECT_EQ(report->quote.size(), 28U);
  EXPECT_EQ(sockets.status(connection)->state, TcpState::Established);
  EXPECT_EQ(sockets.status(connection)->error, Error::HostUnreachable) << "a soft error is kept";
  auto stale = quote_of(sent.at(0));
  store_be32(stale.data() + 24, load_be32(stale.data() + 24) - 1);
  const auto before = host.stack.sink().drops(DropReason::IcmpNotCredible);
  host.in(host.icmp({11, 0, 0}, stale));  // RFC 5927 4.1
  EXPECT_EQ(host.stack.sink().drops(DropReason::IcmpNotCredible), before + 1);
  EXPECT_EQ(sockets.take_error_report(connection).error(), Error::WouldBlock);
}

TEST_F(IcmpErrors, AStreamsErrorQueueIsBounded) {
  connect_tcp();
  auto& sockets = host.stack.sockets();
  tcp::ConnectionOptions options;
  options.report_errors = true;
  ASSERT_TRUE(sockets.set_stream_options(host.now, connection, options));
  ASSERT_TRUE(sockets.send(host.now, connection, Octets(100, 7)));
  const auto sent = host.out();
  for (int i = 0; i < 1000; ++i) host.in(host.icmp({11, 0, 0}, quote_of(sent.at(0))));
  std::size_t kept = 0;
  while (sockets.take_error_report(connection)) ++kept;
  EXPECT_EQ(kept, 64U);
}

TEST_F(IcmpErrors, TheReportOfAFailedAttemptIsKept) {  // RFC 9293 SHLD-26
  auto& sockets = host.stack.sockets();
  const auto h = sockets.open(SocketKind::Stream).value();
  tcp::ConnectionOptions options;
  options.report_errors = true;
  ASSERT_TRUE(sockets.set_stream_options(host.now, h, options));
  EXPECT_EQ(sockets.connect(host.now, h, {peer_address, Port{80}}).error(), Error::InProgress);
  const auto sent = host.out_resolving();
  host.in(host.icmp({3, 3, 0}, quote_of(sent.at(0))));
  EXPECT_EQ(sockets.take_error(h), Error::ConnectionRefused);
  const auto report = sockets.take_error_report(h);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->error, Error::ConnectionRefused);
  EXPECT_EQ(report->icmp_code, 3);
}

}  // namespace
}  // namespace wireside::testing
