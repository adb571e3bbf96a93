// When acknowledgements are sent (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// RFC 9293 MUST-40, SHLD-18; RFC 5681 CC-09
TEST(TcpDelayedAck, SingleSmallSegmentIsAcknowledgedWithinHalfASecond) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+100 ack 1");
  t.nothing();
  const auto took = t.out_within(500ms, ". 1 ack 101");
  EXPECT_GT(took, Duration{0});
  EXPECT_LT(took, 500ms);
}

TEST(TcpDelayedAck, TimerRunsFromTheFirstUnacknowledgedSegment) {  // RFC 9293 MUST-40
  TcpPeer t;
  t.establish();
  t.in("P. 1+10 ack 1");
  t.wait(20ms);
  t.in("P. 11+10 ack 1");
  t.out_after(20ms, ". 1 ack 21");
}

// RFC 9293 SHLD-19; RFC 5681 CC-09
TEST(TcpDelayedAck, EverySecondFullSegmentIsAcknowledgedAtOnce) {
  TcpPeer t;
  t.establish();
  int unacknowledged = 0;
  for (int i = 0; i < 50 && !t.broken(); ++i) {
    t.in(". " + std::to_string(1 + 1460 * i) + "+1460 ack 1");
    ++unacknowledged;
    if (t.pending() > 0) {
      t.out(". 1 ack " + std::to_string(1 + 1460 * (i + 1)));
      unacknowledged = 0;
    }
    EXPECT_LT(unacknowledged, 2) << "segment " << i;
    if (i % 10 == 9) t.read();
    if (i % 10 == 9) unacknowledged -= static_cast<int>(t.discard() > 0) * unacknowledged;
  }
  t.wait(500ms);
  t.ignore_rest();
}

TEST(TcpDelayedAck, ManySmallSegmentsCountByOctets) {  // RFC 9293 SHLD-19: 2*RMSS octets
  TcpPeer t;
  t.establish();
  int acks = 0;
  for (int i = 0; i < 100; ++i) {
    t.in("P. " + std::to_string(1 + 146 * i) + "+146 ack 1");
    acks += static_cast<int>(t.discard());
  }
  EXPECT_GE(acks, 4);
  EXPECT_LE(acks, 60);
  t.ignore_rest();
}

TEST(TcpDelayedAck, ThePeersSegmentsMayBecomeSmaller) {  // RFC 9293 SHLD-19, MUST-58: as the path's MTU does
  TcpPeer t;
  t.establish();
  std::uint32_t at = 1;
  const auto segment = [&](std::uint32_t octets, const char* flags) {
    t.in(flags + std::string{" "} + std::to_string(at) + "+" + std::to_string(octets) + " ack 1");
    at += octets;
    return t.discard();
  };
  for (int i = 0; i < 4; ++i) segment(1460, ".");
  EXPECT_EQ(t.status().rcv_mss, 1460U);
  segment(600, "P.");  // the ends of messages say nothing
  segment(600, "P.");
  EXPECT_EQ(t.status().rcv_mss, 1460U);
  t.wait(500ms);
  t.discard();
  segment(536, ".");
  segment(536, ".");
  EXPECT_EQ(t.status().rcv_mss, 536U);
  t.wait(500ms);
  t.discard();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(segment(536, ".") + segment(536, "."), 1U) << "every second one";
  t.wait(500ms);
  t.discard();
  segment(100, ".");
  segment(100, ".");
  EXPECT_EQ(t.status().rcv_mss, 536U) << "no path is that narrow";
  segment(1460, ".");
  EXPECT_EQ(t.status().rcv_mss, 1460U);
  t.ignore_rest();
}

/// Ten super-segments of twenty segments in one batch; the window has been opened for them by a first octet.
void receive_200_segments(TcpPeer& t) {
  t.establish("<mss 1000,wscale 7>");
  t.in("P. 1+1 ack 1");
  t.out_within(500ms, ". 1 ack 2");
  t.check_right_edge(false);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const std::uint32_t at = 1 + 20'000 * i;
    tcp::IncomingSegment s;
    s.tuple = t.tuple();
    s.header.flags.ack = true;
    s.header.seq = SeqNum{1'000'001} + at;
    s.header.ack = t.our_iss() + 1;
    s.header.window = 512;
    s.payload = t.pool().copy(pattern_octets(peer_to_us, at, 20'000));
    s.gso_size = 1000;
    t.layer().segment_arrives(t.now(), s);
  }
}

PeerSetup with_a_large_buffer() {
  PeerSetup s;
  s.config.receive_buffer_initial = std::size_t{1} << 20;
  return s;
}

/// What the next segment acknowledges, 0 if there is none; the right edge must not move left meanwhile.
std::uint32_t next_ack(TcpPeer& t, SeqNum& edge) {
  tcp::OutgoingSegment s;
  if (!t.layer().poll_segment(t.now(), s)) return 0;
  const SeqNum right = s.header.ack + (std::uint32_t{s.header.window} << 8);
  EXPECT_TRUE(right.at_or_after(edge));
  edge = right;
  return span_octets(SeqNum{1'000'000}, s.header.ack);
}

// RFC 5681 section 4.2 asks for an ACK for two segments, and allows fewer: one per batch would take the sender's clock
// away, and its growth (RFC 5681 section 3.1, RFC 9406 section 4.3).
TEST(TcpDelayedAck, AnAckStandsForSixtyFourSegmentsOfABatch) {  // RFC 5681 CC-09; RFC 9293 SHLD-19
  TcpPeer t{with_a_large_buffer()};
  receive_200_segments(t);
  SeqNum edge{1'000'002};
  EXPECT_EQ(next_ack(t, edge), 80'002U) << "and the rest of the super-segment";
  EXPECT_EQ(next_ack(t, edge), 160'002U);
  EXPECT_EQ(next_ack(t, edge), 200'002U);
  EXPECT_EQ(next_ack(t, edge), 0U);
}

TEST(TcpDelayedAck, DataTakesTheAcksOfABatchAlong) {  // RFC 9293 section 3.8.6.3
  TcpPeer t{with_a_large_buffer()};
  receive_200_segments(t);
  EXPECT_EQ(t.layer().send(t.now(), t.handle(), pattern_octets(ours_to_peer, 0, 100)).value_or(0), 100U);
  SeqNum edge{1'000'002};
  EXPECT_EQ(next_ack(t, edge), 200'002U);
  EXPECT_EQ(next_ack(t, edge), 0U);
}

// A super-segment counts as the segments it stands for.
TEST(TcpDelayedAck, SuperSegmentIsAcknowledgedAtOnce) {
  TcpPeer t;
  t.establish();
  tcp::IncomingSegment s;
  s.tuple = t.tuple();
  s.header.flags.ack = true;
  s.header.seq = SeqNum{1'000'001};
  s.header.ack = t.our_iss() + 1;
  s.header.window = 65535;
  s.payload = t.pool().copy(pattern_octets(peer_to_us, 0, 14600));
  s.gso_size = 1460;
  t.layer().segment_arrives(t.now(), s);
  t.check_right_edge(false);
  tcp::OutgoingSegment ack;
  ASSERT_TRUE(t.layer().poll_segment(t.now(), ack));
  EXPECT_EQ(ack.header.ack, SeqNum{1'014'601});
  EXPECT_EQ(ack.payload.octets(), 0U);
  EXPECT_FALSE(t.layer().poll_segment(t.now(), ack));
}

// RFC 5681 CC-07; RFC 9293 MAY-13
TEST(TcpDelayedAck, OutOfOrderAndGapFillingSegmentsAreAcknowledgedAtOnce) {
  TcpPeer t;
  t.establish();
  t.in(". 1461+1460 ack 1");
  EXPECT_EQ(t.out(". 1 ack 1").reason, observe::TxReason::OutOfOrder);
  t.in(". 2921+1460 ack 1");
  t.out(". 1 ack 1");
  t.in(". 1+100 ack 1");  // fills a part of the gap
  t.out(". 1 ack 101");
  t.in(". 101+1360 ack 1");
  t.out(". 1 ack 4381");
}

// Duplicate ACKs are what a sender without SACK counts: one for each out-of-order segment, even within a batch.
TEST(TcpDelayedAck, OutOfOrderSegmentsOfABatchGiveThreeDuplicateAcks) {  // RFC 5681 CC-05
  TcpPeer t;
  t.establish();
  t.in(". 1+100 ack 1");
  t.out_within(500ms, ". 1 ack 101");
  t.batch([&] {
    for (int i = 1; i < 5; ++i) t.in(". " + std::to_string(101 + 1000 * i) + "+1000 ack 1");
  });
  t.out(". 1 ack 101");
  t.out(". 1 ack 101");
  t.out(". 1 ack 101");
  t.ignore_rest();
}

TEST(TcpDelayedAck, FinIsAcknowledgedAtOnce) {
  TcpPeer t;
  t.establish();
  t.in("FP. 1+100 ack 1");
  t.out(". 1 ack 102");
}

TEST(TcpDelayedAck, QuickAckOptionAcknowledgesEverySegment) {
  TcpPeer t;
  ConnectionOptions o;
  o.quick_ack = true;
  t.establish("<mss 1460>", o);
  t.in("P. 1+10 ack 1");
  t.out(". 1 ack 11");
  t.in("P. 11+10 ack 1");
  t.out(". 1 ack 21");
}

TEST(TcpDelayedAck, PureAcksAreNotAcknowledged) {
  TcpPeer t;
  t.establish();
  t.send(10);
  t.out("P. 1+10");
  t.in(". 1 ack 11");
  t.in(". 1 ack 11");
  t.silence(10s);
}

// RFC 5681 section 4.2: a data segment is no duplicate ACK to the peer, so a gap owes one of its own.
TEST(TcpDelayedAck, DataDoesNotReplaceTheDuplicateAckOfAGap) {
  TcpPeer t;
  t.establish();
  t.batch([&] {
    t.in("P. 101+100 ack 1");
    t.send(100);
  });
  t.out("P. 1+100 ack 1");
  t.out(". 101 ack 1");
}

// A least delay above the greatest is no bound at all.
TEST(TcpDelayedAck, TheLeastDelayIsNoLongerThanTheGreatest) {  // RFC 9293 MUST-40
  PeerSetup s;
  s.config.delayed_ack = 2ms;
  s.config.delayed_ack_min = 400ms;
  TcpPeer t{s};
  t.establish("<mss 1000>");
  for (std::uint32_t at = 1; at < 5; ++at) {
    t.in("P. " + std::to_string(at) + "+1 ack 1");
    t.out_within(3ms, ". 1 ack " + std::to_string(at + 1));
    t.wait(30ms);
  }
}

}  // namespace
}  // namespace wireside::testing
