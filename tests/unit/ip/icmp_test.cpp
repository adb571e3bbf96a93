#include "ip_test_support.hpp"

namespace wireside::ip::testing {
namespace {

using observe::DropReason;
using wire::IpProtocol;

class IcmpTest : public IpTest {
 protected:
  Arrived receive_icmp(const Octets& message, wire::Ipv4Header header = header_to_us(IpProtocol::Icmp),
                       const Arrival& arrival = {}) {
    return receive(make_packet(header, message), arrival);
  }
  /// Port unreachable for a UDP datagram with this header; whether an error was sent.
  bool errs_about(const wire::Ipv4Header& header, bool broadcast = false, const Octets& payload = make_udp(1, 2, {})) {
    IncomingDatagram original;
    original.header = header;
    original.packet = pool.copy(make_packet(header, payload));
    original.payload = original.packet.sub(20);
    original.broadcast = broadcast;
    ip->unreachable(now, wire::UnreachableCode::Port, original);
    return poll().has_value();
  }
  /// The start of a TCP segment we sent, as a router would quote it.
  static Octets quote(Ipv4Address source = our_ip, std::uint8_t protocol = 6) {
    wire::Ipv4Header header;
    header.protocol = protocol;
    header.source = source;
    header.destination = far_ip;
    const Octets tcp{0x1f, 0x90, 0, 80, 0x12, 0x34, 0x56, 0x78};
    const Octets echo_request{8, 0, 0, 0, 0x12, 0x34, 0, 1};
    Octets packet = make_packet(header, protocol == 1 ? echo_request : tcp);
    store_be16(packet.data() + 2, 1500);  // the quote is shorter than the packet was
    fix_ip_checksum(packet);
    return packet;
  }

  Instant now;
};

TEST_F(IcmpTest, AnswersEchoOfAnySizeThatFits) {  // RFC 792 ICMP-01
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 17, 18, 56, 1471, 1472}) {
    Octets data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 3);
    wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
    header.tos = 0x20;
    receive_icmp(make_icmp(8, 0, 0x12345678, data), header);
    const auto reply = poll();
    ASSERT_TRUE(reply);
    const auto parsed = wire::parse_ipv4(*reply).value();
    EXPECT_EQ(parsed.header.source, our_ip);
    EXPECT_EQ(parsed.header.destination, peer_ip);
    EXPECT_EQ(parsed.header.tos, 0x20U);
    EXPECT_EQ(parsed.header.ttl, 64U);
    EXPECT_EQ(Octets(reply->begin() + 20, reply->end()), make_icmp(0, 0, 0x12345678, data));
    EXPECT_EQ(next_hop.address, peer_ip);
    EXPECT_EQ(next_hop.kind, NextHop::Kind::Neighbour);
  }
}

TEST_F(IcmpTest, TheReplysPayloadIsSharedNotCopied) {
  receive_icmp(make_icmp(8, 0, 1, Octets(1000, 7)));
  EXPECT_EQ(pool.buffers_in_use(), 1U) << "only the received packet";
  poll();
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST_F(IcmpTest, ThePingedAddressAnswers) {  // RFC 1122 ICMP-02
  wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
  header.destination = second_ip;
  receive_icmp(make_icmp(8, 0, 1, {1}), header);
  const auto reply = poll();
  ASSERT_TRUE(reply);
  EXPECT_EQ(wire::parse_ipv4(*reply)->header.source, second_ip);
}

TEST_F(IcmpTest, ATrailingLinkPaddingIsNotEchoed) {  // RFC 1122 IP-04
  Octets packet = make_packet(header_to_us(IpProtocol::Icmp), make_icmp(8, 0, 1, {9}));
  packet.resize(46, 0xcc);
  receive(packet);
  EXPECT_EQ(poll()->size(), 29U);
}

TEST_F(IcmpTest, BroadcastEchoIsIgnored) {  // RFC 1122 ICMP-03
  for (const Ipv4Address destination : {Ipv4Address{255, 255, 255, 255}, Ipv4Address{10, 0, 0, 255}}) {
    wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
    header.destination = destination;
    receive_icmp(make_icmp(8, 0, 1, {}), header, {.link_broadcast = true});
    receive_icmp(make_icmp(8, 0, 1, {}), header);
  }
  EXPECT_FALSE(poll());
  EXPECT_EQ(drops(DropReason::IcmpSuppressed), 4U);
}

TEST_F(IcmpTest, EchoCanBeSwitchedOff) {
  config.icmp.answer_echo = false;
  build();
  receive_icmp(make_icmp(8, 0, 1, {}));
  EXPECT_FALSE(poll());
}

TEST_F(IcmpTest, ABadChecksumIsDropped) {  // RFC 1122 ICMP-04
  Octets message = make_icmp(8, 0, 1, {1, 2, 3});
  message.back() ^= 1;
  receive_icmp(message);
  EXPECT_FALSE(poll());
  EXPECT_EQ(drops(DropReason::IcmpBadChecksum), 1U);
}

TEST_F(IcmpTest, UnknownTypesAreDroppedInSilence) {  // RFC 1122 ICMP-05, ICMP-13, ICMP-14
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{1, 4, 13, 14, 15, 17, 18, 42, 255}) {
    EXPECT_TRUE(std::holds_alternative<std::monostate>(receive_icmp(make_icmp(type, 0, 0, quote())))) << int{type};
  }
  EXPECT_EQ(drops(DropReason::IcmpUnknownType), 9U);
  EXPECT_FALSE(poll());
}

TEST_F(IcmpTest, RepliesAreBoundedUnderFlood) {
  for (int i = 0; i < 2000; ++i) receive_icmp(make_icmp(8, 0, 1, {}));
  EXPECT_EQ(drops(DropReason::QueueFull), 2000U - Icmp::max_queued);
}

TEST_F(IcmpTest, EchoRepliesGoToTheOwner) {
  wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
  header.ttl = 55;
  const auto arrived = receive_icmp(make_icmp(0, 0, 0x00070003, {4, 5}), header);
  const auto& reply = std::get<EchoReplyReport>(arrived);
  EXPECT_EQ(reply.source, peer_ip);
  EXPECT_EQ(reply.destination, our_ip);
  EXPECT_EQ(reply.id, 7U);
  EXPECT_EQ(reply.sequence, 3U);
  EXPECT_EQ(reply.ttl, 55U);
  EXPECT_EQ(Octets(reply.data.view().begin(), reply.data.view().end()), (Octets{4, 5}));
}

TEST_F(IcmpTest, ErrorsQuoteThePacketAsReceivedUpTo576Octets) {  // RFC 792 ICMP-07, ICMP-08
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 100, 519, 520, 521, 1400}) {
    const Octets packet = make_packet(header_to_us(IpProtocol::Udp), make_udp(1000, 9, Octets(size, 3)));
    auto arrived = receive(packet);
    ip->unreachable(now, wire::UnreachableCode::Port, std::get<IncomingDatagram>(arrived));
    const auto error = poll();
    ASSERT_TRUE(error);
    EXPECT_LE(error->size(), 576U);
    const auto parsed = wire::parse_ipv4(*error).value();
    EXPECT_EQ(parsed.header.source, our_ip);
    EXPECT_EQ(parsed.header.destination, peer_ip);
    const ByteView message = ByteView{*error}.subspan(20);
    EXPECT_EQ(internet_checksum(message), 0U);
    EXPECT_EQ(wire::parse_icmp(message).value(), (wire::IcmpHeader{3, 3, 0}));
    const std::size_t quoted = std::min<std::size_t>(packet.size(), 548);
    EXPECT_EQ(Octets(message.begin() + 8, message.end()),
              Octets(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(quoted)));
  }
}

TEST_F(IcmpTest, NoErrorAboutWhatMustNotCauseOne) {  // RFC 1122 ICMP-06, UDP-04
  const wire::Ipv4Header good = header_to_us(IpProtocol::Udp);
  EXPECT_TRUE(errs_about(good));
  EXPECT_FALSE(errs_about(good, /*broadcast=*/true));
  wire::Ipv4Header header = good;
  header.fragment_offset = 8;
  EXPECT_FALSE(errs_about(header));
  for (const Ipv4Address source : {Ipv4Address{0, 0, 0, 0}, Ipv4Address{255, 255, 255, 255}, Ipv4Address{10, 0, 0, 255},
                                   Ipv4Address{224, 0, 0, 1}, Ipv4Address{127, 0, 0, 1}, Ipv4Address{240, 0, 0, 1}}) {
    header = good;
    header.source = source;
    EXPECT_FALSE(errs_about(header)) << source.to_string();
  }
  header = good;
  header.protocol = 1;
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{3, 4, 5, 11, 12}) {
    EXPECT_FALSE(errs_about(header, false, make_icmp(type, 0, 0, quote()))) << int{type};
  }
  EXPECT_FALSE(errs_about(header, false, {3, 3})) << "too short to tell whether it is an error";
  EXPECT_TRUE(errs_about(header, false, make_icmp(8, 0, 0, {})));
}

TEST_F(IcmpTest, NoErrorAboutABadOptionInAnError) {  // RFC 1122 ICMP-06
  receive(make_packet(header_to_us(IpProtocol::Icmp), make_icmp(3, 3, 0, quote()), {0x9e, 0, 0, 0}));
  EXPECT_FALSE(poll());
  EXPECT_EQ(drops(DropReason::IpBadOption), 1U);
}

TEST_F(IcmpTest, ErrorsAreRateLimited) {  // RFC 1122 ICMP-10
  config.icmp.errors_per_second = 100;
  config.icmp.error_burst = 10;
  build();
  const wire::Ipv4Header header = header_to_us(IpProtocol::Udp);
  int sent = 0;
  for (int i = 0; i < 100; ++i) sent += errs_about(header) ? 1 : 0;
  EXPECT_EQ(sent, 10);
  EXPECT_EQ(drops(DropReason::IcmpRateLimited), 90U);
  for (int ms = 1; ms <= 1000; ++ms) {
    now = at(std::chrono::milliseconds{ms});
    sent += errs_about(header) ? 1 : 0;
  }
  EXPECT_EQ(sent, 110);
  now = at(1h);
  sent = 0;
  for (int i = 0; i < 100; ++i) sent += errs_about(header) ? 1 : 0;
  EXPECT_EQ(sent, 10) << "idle time saves up no more than the burst";
}

TEST_F(IcmpTest, ErrorsAboutOurPacketsAreReportedWithWhatTheyQuote) {  // RFC 1122 ICMP-09, ICMP-11, ICMP-15
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{3, 11, 12}) {
    const auto arrived = receive_icmp(make_icmp(type, 1, 0, quote()));
    const auto& report = std::get<IcmpErrorReport>(arrived);
    EXPECT_EQ(static_cast<std::uint8_t>(report.type), type);
    EXPECT_EQ(report.code, 1U);
    EXPECT_EQ(report.reporter, peer_ip);
    EXPECT_EQ(report.protocol, 6U);
    EXPECT_EQ(report.tuple, (FourTuple{{our_ip, Port{8080}}, {far_ip, Port{80}}}));
    EXPECT_EQ(report.seq, SeqNum{0x12345678});
    EXPECT_EQ(report.mtu, 0U);
    EXPECT_EQ(report.quoted_length, 1500U);
  }
}

TEST_F(IcmpTest, FragmentationNeededTellsTheMtu) {  // RFC 1191 PMTU-02
  const auto arrived = receive_icmp(make_icmp(3, 4, 1400, quote()));
  EXPECT_EQ(std::get<IcmpErrorReport>(arrived).mtu, 1400U);
}

TEST_F(IcmpTest, AnErrorAboutAnEchoRequestNamesItsIdentifier) {
  const auto arrived = receive_icmp(make_icmp(3, 1, 0, quote(our_ip, 1)));
  const auto& report = std::get<IcmpErrorReport>(arrived);
  EXPECT_EQ(report.protocol, 1U);
  EXPECT_EQ(report.tuple.local.port, Port{0x1234});
  EXPECT_EQ(report.tuple.remote.port, Port{});
}

TEST_F(IcmpTest, AnErrorAboutAnEchoReplyNamesNoSocket) {  // RFC 1122 ICMP-09
  Octets reply = quote(our_ip, 1);
  reply[20] = 0;
  const auto arrived = receive_icmp(make_icmp(3, 1, 0, reply));
  EXPECT_EQ(std::get<IcmpErrorReport>(arrived).tuple.local.port, Port{}) << "its identifier is the asker's";
}

TEST_F(IcmpTest, ErrorsAboutForeignPacketsAndBroadcastErrorsAreIgnored) {  // RFC 1122 ICMP-09
  const auto arrived = receive_icmp(make_icmp(3, 1, 0, quote(far_ip)));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(arrived));
  wire::Ipv4Header header = header_to_us(IpProtocol::Icmp);
  header.destination = Ipv4Address{10, 0, 0, 255};
  EXPECT_TRUE(std::holds_alternative<std::monostate>(receive_icmp(make_icmp(3, 1, 0, quote()), header)));
}

TEST_F(IcmpTest, CutQuotesDoNoHarm) {  // RFC 1122 ICMP-16
  const Octets whole = quote();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_TRUE(std::holds_alternative<std::monostate>(receive_icmp(make_icmp(3, 1, 0, cut)))) << length;
  }
  EXPECT_EQ(drops(DropReason::IcmpMalformed), whole.size());
  for (std::size_t length = 0; length < 8; ++length) receive_icmp(Octets(length, 0));
  EXPECT_EQ(drops(DropReason::IcmpMalformed), whole.size() + 8);
}

}  // namespace
}  // namespace wireside::ip::testing
