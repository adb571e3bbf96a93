#include "wire/tcp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

/// A header with these option octets behind it, which must be a multiple of four.
std::vector<std::uint8_t> segment(std::string_view options, std::uint8_t flags = 0x10) {
  auto out = octets("a8ca 0050 000003e8 00001388 5000 faf0 0000 0000");
  const auto tail = octets(options);
  out[12] = static_cast<std::uint8_t>((20 + tail.size()) / 4 << 4);
  out[13] = flags;
  return joined(std::move(out), tail);
}

TcpOptions options_of(const std::vector<std::uint8_t>& data) {
  const auto parsed = parse_tcp(data);
  EXPECT_TRUE(parsed);
  return parsed ? parsed->header.options : TcpOptions{};
}

std::vector<std::uint8_t> emitted(const TcpHeader& header) {
  std::vector<std::uint8_t> out(tcp_max_header, 0xee);
  out.resize(emit_tcp(header, out));
  return out;
}

TcpHeader syn() {
  TcpHeader h;
  h.source = Port{43210};
  h.destination = Port{80};
  h.seq = SeqNum{1000};
  h.ack = SeqNum{5000};
  h.flags.syn = true;
  h.window = 64240;
  h.options.mss = 1460;
  h.options.sack_permitted = true;
  h.options.timestamps = TcpTimestamps{5, 0};
  h.options.window_scale = 7;
  return h;
}

// RFC 9293 MUST-4, MUST-68; RFC 7323 section 2.2 and 3.2, RFC 2018 section 2
TEST(Tcp, SynOctetByOctet) {
  const auto expected = octets(
      "a8ca 0050 000003e8 00001388 a0 02 faf0 0000 0000"
      "02 04 05b4  04 02 08 0a 00000005 00000000  01 03 03 07");
  EXPECT_EQ(emitted(syn()), expected);
  const auto parsed = parse_tcp(expected);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header, syn());
  EXPECT_EQ(parsed->header_length, 40U);
}

TEST(Tcp, AckWithTimestampsAndSackOctetByOctet) {
  TcpHeader h;
  h.source = Port{80};
  h.destination = Port{43210};
  h.seq = SeqNum{1};
  h.ack = SeqNum{2};
  h.flags.ack = true;
  h.window = 502;
  h.options.timestamps = TcpTimestamps{6, 5};
  h.options.sack = {SackBlock{SeqNum{10}, SeqNum{20}}};
  h.options.sack_count = 1;
  EXPECT_EQ(emitted(h), octets("0050 a8ca 00000001 00000002 b0 10 01f6 0000 0000"
                               "01 01 08 0a 00000006 00000005  01 01 05 0a 0000000a 00000014"));
}

TEST(Tcp, EachFlagHasItsBit) {
  const auto bit = [](bool TcpFlags::*flag) {
    TcpHeader h;
    h.flags.*flag = true;
    const auto out = emitted(h);
    EXPECT_EQ(parse_tcp(out)->header.flags, h.flags);
    return out[13];
  };
  EXPECT_EQ(bit(&TcpFlags::fin), 0x01);
  EXPECT_EQ(bit(&TcpFlags::syn), 0x02);
  EXPECT_EQ(bit(&TcpFlags::rst), 0x04);
  EXPECT_EQ(bit(&TcpFlags::psh), 0x08);
  EXPECT_EQ(bit(&TcpFlags::ack), 0x10);
  EXPECT_EQ(bit(&TcpFlags::urg), 0x20);
  EXPECT_EQ(bit(&TcpFlags::ece), 0x40);
  EXPECT_EQ(bit(&TcpFlags::cwr), 0x80);
}

// RFC 7413 TFO-02: kind 34, padded in front to a multiple of four.
TEST(Tcp, FastOpenOptionOctetByOctet) {
  TcpHeader h = syn();
  h.options.fast_open = FastOpenCookie{};
  EXPECT_EQ(emitted(h), octets("a8ca 0050 000003e8 00001388 b0 02 faf0 0000 0000"
                               "02 04 05b4  04 02 08 0a 00000005 00000000  01 03 03 07  01 01 22 02"));
  h.options = TcpOptions{};
  h.options.fast_open = FastOpenCookie::from(octets("a1a2a3a4a5a6a7a8"));
  EXPECT_EQ(emitted(h), octets("a8ca 0050 000003e8 00001388 80 02 faf0 0000 0000 01 01 22 0a a1a2a3a4a5a6a7a8"));
  EXPECT_EQ(describe_tcp(h, 0),
            "Flags [S], seq 1000, win 64240, options [nop,nop,tfo  cookie a1a2a3a4a5a6a7a8], length 0");
}

// RFC 7413 TFO-02: 4 to 16 octets, an even number; anything else is ignored.
TEST(Tcp, FastOpenCookieHasFourToSixteenOctets) {
  for (std::size_t length = 0; length <= 36; ++length) {
    std::vector<std::uint8_t> option(length + 2, 0xab);
    option[0] = 34;
    option[1] = static_cast<std::uint8_t>(length + 2);
    option.resize((option.size() + 3) / 4 * 4, 1);
    const auto data = joined(segment(""), option);
    auto with_offset = data;
    with_offset[12] = static_cast<std::uint8_t>((20 + option.size()) / 4 << 4);
    const auto cookie = options_of(with_offset).fast_open;
    const bool valid = length == 0 || (length >= 4 && length <= 16 && length % 2 == 0);
    EXPECT_EQ(cookie.has_value(), valid) << length;
    if (cookie) {
      EXPECT_EQ(cookie->view().size(), length);
    }
  }
}

// RFC 9293 section 3.1: reserved bits are zero when sent and ignored when received.
TEST(Tcp, ReservedBitsAreIgnored) {
  auto data = segment("");
  const auto plain = parse_tcp(data);
  data[12] |= 0x0f;
  ASSERT_TRUE(plain);
  ASSERT_TRUE(parse_tcp(data));
  EXPECT_EQ(parse_tcp(data)->header, plain->header);
  EXPECT_EQ(emitted(plain->header)[12] & 0x0f, 0);
}

TEST(Tcp, TruncatedAndBadDataOffset) {
  const auto data = segment("01010101");
  for (std::size_t n = 0; n < 24; ++n) EXPECT_EQ(parse_tcp(ByteView{data}.first(n)).error(), Error::Truncated) << n;
  EXPECT_TRUE(parse_tcp(data));
  for (std::uint8_t offset = 0; offset < 5; ++offset) {
    auto bad = segment("");
    bad[12] = static_cast<std::uint8_t>(offset << 4);
    EXPECT_EQ(parse_tcp(bad).error(), Error::Malformed) << int{offset};
  }
}

// RFC 9293 MUST-4: end of list, no-operation and MSS.
TEST(TcpOptions, EndNopAndMss) {
  EXPECT_EQ(options_of(segment("01 01 02 04 05 b4 01 00")).mss, 1460);
  EXPECT_EQ(options_of(segment("00 02 04 05 b4 00 00 00")).mss, std::nullopt);
  EXPECT_EQ(options_of(segment("")), TcpOptions{});
}

// RFC 9293 MUST-5: in any segment, not only with SYN.
TEST(TcpOptions, AreReadInAnySegment) {
  for (int flags = 0; flags < 256; ++flags) {
    const auto o = options_of(segment("02 04 02 18 01 03 03 04", static_cast<std::uint8_t>(flags)));
    EXPECT_EQ(o.mss, 536);
    EXPECT_EQ(o.window_scale, 4);
  }
}

// RFC 9293 MUST-6
TEST(TcpOptions, UnknownKindsAreSkippedByTheirLength) {
  for (const std::string_view kind : {"06", "07", "09", "1c", "1d", "1e", "22", "fd", "fe", "ff"}) {
    EXPECT_EQ(options_of(segment(std::string{kind} + "05 02 04 00 01 01 01 02 04 05 b4")).mss, 1460) << kind;
    EXPECT_EQ(options_of(segment(std::string{kind} + "02 02 04 05 b4 01 01")).mss, 1460) << kind;
  }
}

// RFC 9293 MUST-7: lengths of zero, one, past the header's end, or missing.
TEST(TcpOptions, BrokenLengthsMakeTheSegmentMalformed) {
  for (const std::string_view options :
       {"02 00 00 00", "02 01 00 00", "02 05 05 b4", "fd 00 00 00", "fd 01 00 00", "fd ff 00 00", "01 01 01 02",
        "01 01 01 fd", "01 01 08 0a", "05 0a 00 00 00 00 00 00", "02 04 05 b4 03 00 01 01"}) {
    EXPECT_EQ(parse_tcp(segment(options)).error(), Error::Malformed) << options;
  }
}

// RFC 9293 MUST-7: an option never reaches into the data behind the header.
TEST(TcpOptions, LengthIntoTheDataIsMalformed) {
  const auto data = joined(segment("01 01 02 04"), octets("05 b4 00 00"));
  EXPECT_EQ(parse_tcp(data).error(), Error::Malformed);
}

// RFC 9293 MUST-64
TEST(TcpOptions, AreReadAtAnyAlignment) {
  const auto all = octets("02 04 05 b4 04 02 08 0a 00 00 00 05 00 00 00 09 03 03 07");
  for (std::size_t nops = 0; nops <= 9; ++nops) {
    auto list = joined(std::vector<std::uint8_t>(nops, 1), all);
    list.resize((list.size() + 3) / 4 * 4, 0);
    auto data = segment("");
    data[12] = static_cast<std::uint8_t>((20 + list.size()) / 4 << 4);
    const auto o = options_of(joined(data, list));
    EXPECT_EQ(o.mss, 1460) << nops;
    EXPECT_TRUE(o.sack_permitted) << nops;
    EXPECT_EQ(o.timestamps, (TcpTimestamps{5, 9})) << nops;
    EXPECT_EQ(o.window_scale, 7) << nops;
  }
}

// RFC 9293 MUST-69: nothing behind the end of the list is looked at.
TEST(TcpOptions, OctetsBehindTheEndAreIgnored) {
  EXPECT_EQ(options_of(segment("00 02 01 ff")), TcpOptions{});
  EXPECT_EQ(options_of(segment("02 04 05 b4 00 fd 00 00")).mss, 1460);
}

// RFC 9293 MUST-68, MUST-69: the list we write is a multiple of four octets, each option but NOP has its length, and
// only zeros stand behind an end of list.
RC_GTEST_PROP(TcpOptions, EmittedListsAreWellFormed, ()) {
  const auto header = arbitrary::tcp();
  const auto out = emitted(header);
  RC_ASSERT(out.size() % 4 == 0);
  RC_ASSERT(out.size() == tcp_header_length(header));
  RC_ASSERT(out.size() <= tcp_max_header);
  std::size_t at = tcp_min_header;
  while (at < out.size() && out[at] != 0) {
    if (out[at] == 1) {
      ++at;
      continue;
    }
    RC_ASSERT(at + 1 < out.size());
    RC_ASSERT(out[at + 1] >= 2);
    at += out[at + 1];
    RC_ASSERT(at <= out.size());
  }
  for (; at < out.size(); ++at) RC_ASSERT(out[at] == 0);
}

TEST(TcpOptions, KnownKindWithAForeignLengthSaysNothing) {
  const auto o = options_of(segment("02 03 05 03 04 07 07 04 03 00 08 06 00 00 00 05 05 04 00 00 01 01 01 01"));
  EXPECT_EQ(o, TcpOptions{});
}

// RFC 2018 section 3: up to four blocks.
TEST(TcpOptions, SackBlocks) {
  const auto o = options_of(segment("01 01 05 12 0000000a 00000014 ffffffff 00000003"));
  ASSERT_EQ(o.sack_count, 2);
  EXPECT_EQ(o.sack[0], (SackBlock{SeqNum{10}, SeqNum{20}}));
  EXPECT_EQ(o.sack[1], (SackBlock{SeqNum{0xffffffff}, SeqNum{3}}));
}

// RFC 2018 section 3: with timestamps there is room for three blocks.
TEST(TcpOptions, SackBlocksThatDoNotFitAreLeftOut) {
  TcpHeader h;
  h.options.timestamps = TcpTimestamps{1, 2};
  h.options.sack_count = 4;
  for (std::uint32_t i = 0; i < 4; ++i) h.options.sack[i] = {SeqNum{i * 10}, SeqNum{i * 10 + 5}};
  const auto with_timestamps = parse_tcp(emitted(h));
  ASSERT_TRUE(with_timestamps);
  EXPECT_EQ(with_timestamps->header_length, 60U);
  EXPECT_EQ(with_timestamps->header.options.sack_count, 3);
  h.options.timestamps.reset();
  EXPECT_EQ(parse_tcp(emitted(h))->header.options.sack_count, 4);
}

// RFC 5482 section 3.1
TEST(TcpOptions, UserTimeoutInSecondsAndInMinutes) {
  EXPECT_EQ(options_of(segment("1c 04 00 78")).user_timeout, std::chrono::seconds{120});
  EXPECT_EQ(options_of(segment("1c 04 80 78")).user_timeout, std::chrono::minutes{120});
  EXPECT_EQ(options_of(segment("1c 03 78 01")).user_timeout, std::nullopt);
  TcpHeader h;
  h.options.user_timeout = std::chrono::seconds{32768};  // told in whole minutes, rounded up
  EXPECT_EQ(parse_tcp(emitted(h))->header.options.user_timeout, std::chrono::minutes{547});
  h.options.user_timeout = std::chrono::hours{1'000'000};
  EXPECT_EQ(parse_tcp(emitted(h))->header.options.user_timeout, std::chrono::minutes{32767});
}

// RFC 7323 section 2.3: the shift count is kept as received; WindowScale caps it.
TEST(TcpOptions, WindowScaleAbove14IsReported) { EXPECT_EQ(options_of(segment("03 03 0f 00")).window_scale, 15); }

RC_GTEST_PROP(Tcp, ParsesWhatItEmits, ()) {
  auto header = arbitrary::tcp();
  const auto out = emitted(header);
  const auto parsed = parse_tcp(out);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->header_length == out.size());
  RC_ASSERT(parsed->header.options.sack_count <= header.options.sack_count);
  // What did not fit was left out from the end; all else is the same.
  if (!parsed->header.options.user_timeout) header.options.user_timeout.reset();
  header.options.sack_count = parsed->header.options.sack_count;
  for (std::size_t i = header.options.sack_count; i < 4; ++i) header.options.sack[i] = {};
  RC_ASSERT(parsed->header == header);
}

RC_GTEST_PROP(Tcp, AnyOptionOctetsAreParsedOrRefused, (std::vector<std::uint8_t> options)) {
  options.resize(std::min<std::size_t>(options.size(), 40) / 4 * 4);
  auto data = octets("a8ca 0050 000003e8 00001388 5000 faf0 0000 0000");
  data[12] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
  const auto parsed = parse_tcp(joined(data, options));
  if (!parsed) {
    RC_ASSERT(parsed.error() == Error::Malformed);
  } else {
    RC_ASSERT(parse_tcp(emitted(parsed->header))->header == parsed->header);
  }
}

}  // namespace
}  // namespace wireside::wire
