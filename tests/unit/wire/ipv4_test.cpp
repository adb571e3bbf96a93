#include "wire/ipv4.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

// A SYN's header as Linux sends it; its checksum was taken from a capture.
constexpr std::string_view header_text = "45 00 00 3c 1c 46 40 00 40 06 b1 e6 ac 10 0a 63 ac 10 0a 0c";

std::vector<std::uint8_t> header_example() { return joined(octets(header_text), std::vector<std::uint8_t>(40)); }

std::vector<std::uint8_t> with(std::size_t at, std::uint8_t value) {
  auto packet = header_example();
  packet[at] = value;
  return packet;
}

TEST(Ipv4, KnownOctets) {
  const auto parsed = parse_ipv4(header_example());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header_length, 20U);
  EXPECT_TRUE(parsed->options.empty());
  EXPECT_TRUE(parsed->checksum_ok);
  const Ipv4Header& h = parsed->header;
  EXPECT_EQ(h.tos, 0);
  EXPECT_EQ(h.total_length, 60);
  EXPECT_EQ(h.identification, 0x1c46);
  EXPECT_TRUE(h.dont_fragment);
  EXPECT_FALSE(h.is_fragment());
  EXPECT_EQ(h.ttl, 64);
  EXPECT_EQ(h.protocol, 6);
  EXPECT_EQ(h.source, (Ipv4Address{172, 16, 10, 99}));
  EXPECT_EQ(h.destination, (Ipv4Address{172, 16, 10, 12}));
  std::vector<std::uint8_t> out(20);
  emit_ipv4(h, out);
  EXPECT_EQ(out, octets(header_text));
  EXPECT_EQ(describe_ipv4(h),
            "IP (tos 0x0, ttl 64, id 7238, offset 0, flags [DF], proto TCP (6), length 60) "
            "172.16.10.99 > 172.16.10.12");
}

// RFC 1122 IP-01
TEST(Ipv4, OtherVersionsAreMalformed) {
  for (const unsigned version : {0U, 3U, 5U, 6U, 15U}) {
    EXPECT_EQ(parse_ipv4(with(0, static_cast<std::uint8_t>(version << 4 | 5))).error(), Error::Malformed);
  }
}

// RFC 1122 IP-02
TEST(Ipv4, AnyFlippedBitIsSeenByTheChecksum) {
  for (std::size_t at = 4; at < 20; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const auto parsed = parse_ipv4(with(at, static_cast<std::uint8_t>(header_example()[at] ^ (1U << bit))));
      ASSERT_TRUE(parsed);
      EXPECT_FALSE(parsed->checksum_ok) << "octet " << at << ", bit " << bit;
    }
  }
}

// RFC 1122 IP-03
TEST(Ipv4, HeaderLengthBelowFiveOrPastTheEnd) {
  for (std::uint8_t ihl = 0; ihl < 5; ++ihl)
    EXPECT_EQ(parse_ipv4(with(0, static_cast<std::uint8_t>(0x40U | ihl))).error(), Error::Malformed);
  const auto packet = with(0, 0x4f);
  EXPECT_EQ(parse_ipv4(ByteView{packet}.first(59)).error(), Error::Truncated);
  EXPECT_TRUE(parse_ipv4(ByteView{packet}.first(60)));
}

// RFC 1122 IP-03
TEST(Ipv4, TotalLengthBelowTheHeaderOrPastTheEnd) {
  EXPECT_EQ(parse_ipv4(with(3, 19)).error(), Error::Malformed);
  EXPECT_TRUE(parse_ipv4(with(3, 20)));
  EXPECT_EQ(parse_ipv4(with(3, 61)).error(), Error::Truncated);
  EXPECT_EQ(parse_ipv4(with(2, 0xff)).error(), Error::Truncated);
}

TEST(Ipv4, FewerThanTwentyOctetsAreTruncated) {
  const auto packet = header_example();
  for (std::size_t n = 0; n < 20; ++n) EXPECT_EQ(parse_ipv4(ByteView{packet}.first(n)).error(), Error::Truncated);
}

// RFC 1122 IP-04
TEST(Ipv4, PaddingBehindTotalLengthIsNoError) {
  const auto parsed = parse_ipv4(joined(header_example(), std::vector<std::uint8_t>(6, 0xff)));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header.total_length, 60);
}

TEST(Ipv4, FragmentFieldsInOctets) {
  const auto parsed =
      parse_ipv4(joined(octets("4500003c 1c46 2003 4011 0000 0a000001 0a000002"), std::vector<std::uint8_t>(40)));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->header.more_fragments);
  EXPECT_EQ(parsed->header.fragment_offset, 24);
  EXPECT_TRUE(parsed->header.is_fragment());
}

RC_GTEST_PROP(Ipv4, ParsesWhatItEmits, ()) {
  const auto data = *rc::gen::inRange<std::size_t>(0, 100);
  const auto header = arbitrary::ipv4(static_cast<std::uint16_t>(ipv4_min_header + data));
  std::vector<std::uint8_t> out(ipv4_min_header + data);
  emit_ipv4(header, out);
  const auto parsed = parse_ipv4(out);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->header == header);
  RC_ASSERT(parsed->checksum_ok);
}

// RFC 1122 IP-12: unknown options are passed over.
TEST(Ipv4Options, UnknownOnesAreSkipped) {
  const auto summary = summarise_ipv4_options(octets("01 44 04 05 00 07 03 04 99 02 00 00"));
  EXPECT_FALSE(summary.malformed);
  EXPECT_FALSE(summary.source_route);
}

TEST(Ipv4Options, NothingBehindTheEndIsRead) {
  EXPECT_FALSE(summarise_ipv4_options(octets("00 83 00 ff")).malformed);
  EXPECT_FALSE(summarise_ipv4_options(ByteView{}).malformed);
}

// RFC 1122 IP-13: lengths of 0, of 1, past the end, or missing.
TEST(Ipv4Options, BrokenLengthsAreFoundWhereTheyStand) {
  const auto at = [](std::string_view text) {
    const auto summary = summarise_ipv4_options(octets(text));
    return summary.malformed ? summary.malformed_at : 0;
  };
  EXPECT_EQ(at("44 00 00 00"), 21U);
  EXPECT_EQ(at("44 01 00 00"), 21U);
  EXPECT_EQ(at("01 01 44 03"), 23U);
  EXPECT_EQ(at("01 01 01 44"), 23U);
  EXPECT_EQ(at("83 02 00 00"), 21U);
  EXPECT_EQ(at("83 07 03 0a 00 00 01 00"), 22U);
}

// RFC 1122 IP-14
TEST(Ipv4Options, SourceRouteIsCompleteWhenItsPointerIsPastItsEnd) {
  const auto open = summarise_ipv4_options(octets("83 07 04 0a 00 00 09 00"));
  EXPECT_TRUE(open.source_route);
  EXPECT_FALSE(open.source_route_complete);
  const auto complete = summarise_ipv4_options(octets("89 07 08 0a 00 00 09 00"));
  EXPECT_TRUE(complete.source_route);
  EXPECT_TRUE(complete.source_route_complete);
}

RC_GTEST_PROP(Ipv4Options, AnyOctetsAreWalkedToAnEnd, (std::vector<std::uint8_t> options)) {
  options.resize(std::min<std::size_t>(options.size(), 40));
  const auto summary = summarise_ipv4_options(options);
  if (summary.malformed) RC_ASSERT(summary.malformed_at >= 20 && summary.malformed_at < 20 + options.size());
}

// RFC 9293 section 3.1, RFC 768: addresses, a zero, the protocol, the length.
TEST(Ipv4, PseudoHeaderCountsAsItsTwelveOctets) {
  ChecksumAccumulator fields;
  add_pseudo_header(fields, {10, 1, 2, 3}, {192, 168, 255, 254}, 17, 0x1234);
  ChecksumAccumulator raw;
  raw.add(octets("0a 01 02 03 c0 a8 ff fe 00 11 12 34"));
  EXPECT_EQ(fields.folded(), raw.folded());
}

}  // namespace
}  // namespace wireside::wire
