// The segment notation itself, and that TcpPeer's expectations can fail.
#include "support/segments.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

constexpr SeqNum ours{1000}, theirs{5000};

TEST(SegmentNotation, ReadsASyn) {
  const auto s = parse_segment("S 0 win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>");
  EXPECT_TRUE(s.flags.syn);
  EXPECT_FALSE(s.flags.ack);
  EXPECT_EQ(s.window, 65535);
  const auto h = build_header(s, ours, theirs, 1, 0);
  EXPECT_EQ(h.seq, ours);
  EXPECT_EQ(h.options.mss, 1460);
  EXPECT_EQ(h.options.window_scale, 7);
  EXPECT_TRUE(h.options.sack_permitted);
  EXPECT_EQ(h.options.timestamps->ts_val, 1U);
}

TEST(SegmentNotation, NumbersAreRelativeAndMayBeNegative) {
  const auto h = build_header(parse_segment("P. -1+10 ack 7 <sack 9:12>"), ours, theirs, 77, 0);
  EXPECT_EQ(h.seq, SeqNum{999});
  EXPECT_EQ(h.ack, SeqNum{5007});
  EXPECT_EQ(h.window, 77);
  EXPECT_EQ(h.options.sack[0].left, SeqNum{5009});
}

TEST(SegmentNotation, WrittenTextReadsBackAsTheSame) {
  for (const char* text :
       {"S 0 win 100 <mss 1460,sackOK,TS val 3 ecr 0,wscale 7>", "P. 1+1000 ack 5 win 3", "F. -5 ack 0 win 0",
        "R 7 win 0", "U. 1+5 ack 1 win 9 urg 4", "- 3 win 1", ". 1 ack 1 win 2 <sack 10:20 30:40>"}) {
    const auto spec = parse_segment(text);
    EXPECT_EQ(format_segment(build_header(spec, ours, theirs, 0, 0), spec.length, ours, theirs), text);
  }
}

TEST(SegmentNotation, DifferencesAreNamed) {
  const auto is = [](const char* wanted, const char* got) {
    const auto spec = parse_segment(got);
    return difference(parse_segment(wanted), build_header(spec, ours, theirs, 9, 0), spec.length, ours, theirs);
  };
  EXPECT_EQ(is("P. 1+5 ack 1", "P. 1+5 ack 1"), "");
  EXPECT_EQ(is(". 1+5 ack 1", "P. 1+5 ack 1"), "");  // PSH is compared only where asked for
  EXPECT_EQ(is("P. 1+5 ack 1", ". 1+5 ack 1"), "flags");
  EXPECT_EQ(is(". 1", "F. 1"), "flags");
  EXPECT_EQ(is(". 1", ". 2"), "sequence number");
  EXPECT_EQ(is(". 1+5", ". 1+6"), "payload length");
  EXPECT_EQ(is(". 1 ack 3", ". 1 ack 4"), "acknowledgement number");
  EXPECT_EQ(is(". 1 win 3", ". 1 win 4"), "window");
  EXPECT_EQ(is(". 1 <>", ". 1 <mss 5>"), "mss");
  EXPECT_EQ(is(". 1 <...>", ". 1 <mss 5>"), "");
  EXPECT_EQ(is(". 1 <TS val * ecr 4>", ". 1 <TS val 77 ecr 5>"), "TS ecr");
  EXPECT_EQ(is(". 1 <sack 1:2>", ". 1"), "number of SACK blocks");
}

TEST(SegmentNotation, NonsenseIsRefused) {
  for (const char* text : {"", "X 1", ". one", ". 1 ack", ". 1 foo 3", ". 1 <mss>", ". 1 <mss 5", ". 1 <sack 5>"}) {
    EXPECT_THROW((void)parse_segment(text), std::invalid_argument) << text;
  }
}

TEST(TcpPeerExpectations, WrongSegmentFailsWithTheTranscript) {
  EXPECT_NONFATAL_FAILURE(
      {
        TcpPeer t;
        t.listen();
        t.in("S 0 <mss 1460>");
        t.out("S. 0 ack 2");
      },
      "acknowledgement number");
}

TEST(TcpPeerExpectations, MissingSegmentFails) {
  EXPECT_NONFATAL_FAILURE(
      {
        TcpPeer t;
        t.out("S. 0");
      },
      "nothing was emitted");
}

TEST(TcpPeerExpectations, SegmentNobodyLookedAtFails) {
  EXPECT_NONFATAL_FAILURE(
      {
        TcpPeer t;
        t.in(". 1 ack 1");
      },
      "did not look at");
}

TEST(TcpPeerExpectations, SegmentAtTheWrongTimeFails) {
  EXPECT_NONFATAL_FAILURE(
      {
        TcpPeer t;
        t.connect();
        t.out("S 0");
        t.out_after(2s, "S 0");
        t.ignore_rest();
      },
      "came after");
}

}  // namespace
}  // namespace wireside::testing
