#include "wire/header_edit.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

#include "base/checksum.hpp"
#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"
#include "wire/icmp.hpp"

namespace wireside::wire {
namespace {

// RFC 1812 section 5.2.1.1, RFC 1624: the checksum is right after every hop.
RC_GTEST_PROP(HeaderEdit, ATtlIsDecrementedWithTheChecksum,
              (std::uint8_t tos, std::uint16_t length, std::uint16_t id, std::uint8_t protocol, std::uint32_t from,
               std::uint32_t to)) {
  Ipv4Header header;
  header.tos = tos;
  header.total_length = length;
  header.identification = id;
  header.ttl = *rc::gen::inRange<std::uint8_t>(1, 255);
  header.protocol = protocol;
  header.source = Ipv4Address{from};
  header.destination = Ipv4Address{to};
  std::array<std::uint8_t, ipv4_min_header> octets{};
  emit_ipv4(header, octets);
  std::array<std::uint8_t, ipv4_min_header> wanted{};
  while (header.ttl > 0) {
    decrement_ttl(octets);
    --header.ttl;
    emit_ipv4(header, wanted);
    RC_ASSERT(internet_checksum(octets) == 0);
    RC_ASSERT(octets == wanted);
  }
}

/// The first 28 octets of a packet with this protocol.
std::vector<std::uint8_t> quote(std::uint8_t protocol, std::string_view transport) {
  std::vector<std::uint8_t> packet(ipv4_min_header);
  emit_ipv4({.total_length = 1500, .protocol = protocol, .source = {10, 0, 0, 2}, .destination = {10, 0, 0, 1}},
            packet);
  return joined(packet, octets(transport));
}

TEST(QuotedPacket, TellsPortsAndSequenceNumber) {
  const auto tcp = parse_quoted_packet(quote(6, "1f90 0050 12345678"));
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->header.total_length, 1500U);
  EXPECT_EQ(tcp->source_port, Port{8080});
  EXPECT_EQ(tcp->destination_port, Port{80});
  EXPECT_EQ(tcp->seq, SeqNum{0x12345678});
  const auto udp = parse_quoted_packet(quote(17, "1f90 0035 00100000"));
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->destination_port, Port{53});
  EXPECT_FALSE(udp->seq);
}

// RFC 1122 ICMP-09: only our echo requests belong to a socket; a reply of ours carries the identifier of its asker.
TEST(QuotedPacket, OnlyAnEchoRequestHasAnIdentifier) {
  const auto request = parse_quoted_packet(quote(1, "0800 0000 1234 0007"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->echo_id, 0x1234U);
  EXPECT_EQ(request->echo_sequence, 7U);
  for (const std::string_view other : {"0000 0000 1234 0007", "0303 0000 1234 0007", "0d00 0000 1234 0007"}) {
    const auto quoted = parse_quoted_packet(quote(1, other));
    ASSERT_TRUE(quoted);
    EXPECT_EQ(quoted->echo_id, 0U) << other;
    EXPECT_EQ(quoted->echo_sequence, 0U) << other;
  }
}

// RFC 1122 ICMP-16
TEST(QuotedPacket, AnyCutIsTruncated) {
  const auto whole = quote(6, "1f90 0050 12345678");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(parse_quoted_packet(ByteView{whole}.first(n)).error(), Error::Truncated) << n;
  }
  auto broken = whole;
  broken[0] = 0x65;
  EXPECT_EQ(parse_quoted_packet(broken).error(), Error::Malformed);
  broken[0] = 0x44;
  EXPECT_EQ(parse_quoted_packet(broken).error(), Error::Malformed);
  broken[0] = 0x4f;
  EXPECT_EQ(parse_quoted_packet(broken).error(), Error::Truncated);
}

TEST(QuotedPacket, ALaterFragmentHasNoPorts) {
  auto fragment = quote(17, "1f90 0035 00100000");
  fragment[7] = 1;
  const auto quoted = parse_quoted_packet(fragment);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->header.fragment_offset, 8U);
  EXPECT_EQ(quoted->source_port, Port{});
}

RC_GTEST_PROP(QuotedPacket, ReadsTheHeaderThatWasWritten, (std::uint16_t total_length)) {
  const Ipv4Header header = arbitrary::ipv4(total_length);
  std::vector<std::uint8_t> packet(ipv4_min_header + 8);
  emit_ipv4(header, packet);
  const auto quoted = parse_quoted_packet(packet);
  RC_ASSERT(quoted.has_value());
  RC_ASSERT((quoted->header == header));
}

// What segmentation does to one header, for any header: SEQ moves, three flags are thinned out, nothing else changes.
RC_GTEST_PROP(HeaderEdit, ASegmentsHeaderDiffersOnlyWhereItMust, (std::uint32_t step, bool first, bool last)) {
  const TcpHeader before = arbitrary::tcp();
  std::vector<std::uint8_t> octets(tcp_max_header);
  octets.resize(emit_tcp(before, octets));
  const auto parsed_before = parse_tcp(octets);
  RC_ASSERT(parsed_before.has_value());
  adjust_tcp_segment(octets, step, first, last);
  TcpHeader expected = parsed_before->header;
  expected.seq = expected.seq + step;
  expected.flags.fin = expected.flags.fin && last;
  expected.flags.psh = expected.flags.psh && last;
  expected.flags.cwr = expected.flags.cwr && first;
  const auto after = parse_tcp(octets);
  RC_ASSERT(after.has_value());
  RC_ASSERT((after->header == expected));
}

}  // namespace
}  // namespace wireside::wire
