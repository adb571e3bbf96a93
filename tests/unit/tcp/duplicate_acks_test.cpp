// Duplicate ACKs for segments out of order that arrive in one batch (RFC 5681 section 4.2), and the limits on passive
// opens and control segments.
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using observe::DropReason;

std::string segment(int number, int octets = 1000) {
  return ". " + std::to_string(1 + octets * number) + "+" + std::to_string(octets) + " ack 1";
}

TEST(TcpDuplicateAcks, EachSegmentOutOfOrderOwesOne) {  // RFC 5681 CC-07
  TcpPeer t;
  t.establish();
  t.batch([&] {
    for (int i = 1; i <= 10; ++i) t.in(segment(i));
  });
  EXPECT_EQ(t.pending(), 10U);
  std::optional<std::uint16_t> window;
  for (int i = 0; i < 10; ++i) {
    const auto ack = t.out(". 1 ack 1");
    EXPECT_EQ(ack.reason, observe::TxReason::OutOfOrder);
    EXPECT_EQ(window.value_or(ack.header.window), ack.header.window) << "another window is no duplicate to a sender";
    window = ack.header.window;
  }
}

TEST(TcpDuplicateAcks, TheyFollowTheAckOfWhatCameInOrder) {  // RFC 5681 CC-07
  TcpPeer t;
  t.establish();
  t.batch([&] {
    t.in(". 1+1460 ack 1");
    t.in(". 1461+1460 ack 1");
    for (int i = 3; i < 6; ++i) t.in(segment(i, 1460));
  });
  EXPECT_EQ(t.out(". 1 ack 2921").reason, observe::TxReason::Ack);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(t.out(". 1 ack 2921").reason, observe::TxReason::OutOfOrder);
}

TEST(TcpDuplicateAcks, ABatchOwesABoundedNumber) {
  TcpPeer t;
  t.establish();
  t.batch([&] {
    for (int i = 1; i <= 200; ++i) t.in(segment(i, 100));
  });
  EXPECT_EQ(t.discard(), 65U);
}

TEST(TcpDuplicateAcks, WithSackEachSaysWhatItWouldHaveSaidAtOnce) {  // RFC 2018 SACK-02, RFC 5681 CC-07
  TcpPeer t;
  t.establish("<mss 1460,sackOK>");
  t.batch([&] {
    t.in(segment(1));
    t.in(segment(2));
    t.in(segment(4));
  });
  t.out(". 1 ack 1 <sack 1001:2001>");
  t.out(". 1 ack 1 <sack 1001:3001>");
  t.out(". 1 ack 1 <sack 4001:5001 1001:3001>");
}

TEST(TcpDuplicateAcks, WithSackFourAreEnoughForABatch) {  // the last tells all
  TcpPeer t;
  t.establish("<mss 1460,sackOK>");
  t.batch([&] {
    for (int i = 1; i <= 20; ++i) t.in(segment(i));
  });
  t.out(". 1 ack 1 <sack 1001:2001>");
  t.out(". 1 ack 1 <sack 1001:3001>");
  t.out(". 1 ack 1 <sack 1001:4001>");
  t.out(". 1 ack 1 <sack 1001:21001>");
}

TEST(TcpDuplicateAcks, AGapFilledInTheSameBatchOwesNone) {  // what was only reordered must not look like a loss
  TcpPeer t;
  t.establish();
  t.batch([&] {
    t.in(segment(1));
    t.in(segment(2));
    t.in(segment(0));
  });
  t.out(". 1 ack 3001");
}

TEST(TcpDuplicateAcks, InOrderABatchOwesOneAck) {  // RFC 5681 CC-09
  TcpPeer t;
  t.establish();
  t.batch([&] {
    for (int i = 0; i < 20; ++i) t.in(segment(i, 1460));
  });
  t.out(". 1 ack 29201");
}

TEST(TcpDuplicateAcks, ASuperSegmentCountsOnce) {
  TcpPeer t;
  t.establish();
  tcp::IncomingSegment s;
  s.tuple = t.tuple();
  s.header.flags.ack = true;
  s.header.seq = SeqNum{1'000'001 + 1460};
  s.header.ack = t.our_iss() + 1;
  s.header.window = 65535;
  s.payload = t.pool().copy(pattern_octets(peer_to_us, 1460, 14600));
  s.gso_size = 1460;
  t.layer().segment_arrives(t.now(), s);
  t.collect();
  t.out(". 1 ack 1");
}

TEST(TcpDuplicateAcks, DataOnTheWayDoesNotTakeTheirPlace) {  // RFC 5681 section 4.2
  TcpPeer t;
  t.establish();
  t.batch([&] {
    for (int i = 1; i <= 3; ++i) t.in(segment(i));
    t.send(100);
  });
  t.out("P. 1+100 ack 1");
  for (int i = 0; i < 3; ++i) t.out(". 101 ack 1");
  t.ignore_rest();
}

// --- an ACK that was owed while a hole was open, and leaves when it is closed ---
//
// A segment of data went first, with the later number. An old block below that number would tell the peer of octets
// that came twice (RFC 2883 section 4), and it would take back a reduction of its window that was right.

/// 64 segments in order, whose ACK is owed: one for so many at the least.
void take_a_stretch(TcpPeer& t) {
  for (int i = 0; i < 64; ++i) t.in(segment(i));
}

TEST(TcpOwedAck, AHoleClosedMeanwhileLeavesNoBlock) {  // RFC 2018 SACK-02; RFC 2883 SACK-04
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.batch([&] {
    take_a_stretch(t);
    t.in(". 64501+500 ack 1");
    t.in(". 64001+500 ack 1");
    t.send(100);
  });
  t.out("P. 1+100 ack 65001");
  t.nothing();
}

TEST(TcpOwedAck, WhatIsStillHeldStaysInIt) {  // RFC 2018 SACK-02; RFC 2883 SACK-04
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.batch([&] {
    take_a_stretch(t);
    t.in(". 64901+100 ack 1");
    t.in(". 64301+300 ack 1");
    t.in(". 64001+300 ack 1");
    t.send(100);
  });
  t.out("P. 1+100 ack 64601");
  t.out(". 101 ack 64601 <sack 64901:65001>");  // of the stretch
  t.out(". 101 ack 64601 <sack 64901:65001>");  // of the segment that closed the first hole
  t.nothing();
  t.ignore_rest();
}

TEST(TcpOwedAck, OctetsThatCameTwiceAreReportedAllTheSame) {  // RFC 2883 SACK-04
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.in(segment(0));
  t.out_within(500ms, ". 1 ack 1001");
  t.batch([&] {
    t.in(segment(2));
    t.in(segment(0));
    t.in(segment(1));
    t.send(100);
  });
  t.out("P. 1+100 ack 3001");
  t.out(". 101 ack 3001 <sack 1:1001>");
  t.nothing();
}

TEST(TcpOwedAck, SoAreThoseThatCameTwiceBehindTheHole) {  // RFC 2883 SACK-04
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.batch([&] {
    t.in(segment(1));
    t.in(segment(1));
    t.in(segment(0));
    t.send(100);
  });
  t.out("P. 1+100 ack 2001");
  t.out(". 101 ack 2001 <sack 1001:2001>");
  t.nothing();
}

// --- max_connections ---

TEST(TcpConnectionLimit, FurtherSynsAreDroppedAndCounted) {
  PeerSetup setup;
  setup.config.max_connections = 1;
  TcpPeer t{setup};
  t.establish();
  t.use_port(40001);
  t.in("S 0 <mss 1460>");
  t.nothing();
  EXPECT_EQ(t.drops(DropReason::TcpConnectionLimit), 1U);
  t.use_port(TcpPeer::peer_port);
  t.abort();
  t.discard();
  t.use_port(40001);
  t.in("S 0 <mss 1460>");  // the client's next try finds room
  t.out("S. 0 ack 1");
  t.ignore_rest();
}

TEST(TcpConnectionLimit, AHandshakeWaitsForRoom) {
  PeerSetup setup;
  setup.config.max_connections = 1;
  TcpPeer t{setup};
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.use_port(40001);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");  // this one comes first
  t.accept();
  t.use_port(TcpPeer::peer_port);
  t.in(". 1 ack 1");
  t.nothing();
  EXPECT_EQ(t.drops(DropReason::TcpConnectionLimit), 1U);
  t.use_port(40001);
  t.abort();
  t.discard();
  t.use_port(TcpPeer::peer_port);
  t.in("P. 1+10 ack 1");
  t.accept();
  t.state(TcpState::Established);
  t.ignore_rest();
}

TEST(TcpConnectionLimit, ConnectSaysNoBuffers) {
  PeerSetup setup;
  setup.config.max_connections = 1;
  TcpPeer t{setup};
  t.establish();
  EXPECT_EQ(t.layer().connect(t.now(), t.tuple_from(41000), {}).error(), Error::NoBuffers);
}

// --- control segments ---

TEST(TcpControlQueue, WhatDoesNotFitIsCounted) {
  TcpPeer t;
  t.batch([&] {
    for (int i = 0; i < 1100; ++i) t.in("S 0");
  });
  EXPECT_EQ(t.discard(), 1024U);
  EXPECT_EQ(t.drops(DropReason::TcpControlQueueFull), 76U);
}

// --- crossing SYN-ACK and RST ---

// Our connection attempt is given up while the SYN-ACK is on its way: it meets no connection and is reset.
TEST(TcpCrossing, ASynAckForAnAbortedAttemptIsReset) {  // RFC 9293 MUST-4, section 3.10.7.1
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.abort();
  t.nothing();  // nothing is known of the peer yet: section 3.10.5, SYN-SENT
  t.in("S. 0 ack 1");
  EXPECT_EQ(t.out("R 1").reason, observe::TxReason::ResetNoConnection);
}

// The client gives up while our SYN-ACK is on its way: its RST ends the half-open record, and no reset is answered.
TEST(TcpCrossing, ARstThatCrossesOurSynAckEndsTheHalfOpenRecord) {  // RFC 9293 section 3.10.7.4, second
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("R 1");
  t.silence(10s);
  t.in("S 0 <mss 1460>");  // and the port is free for the next try
  t.out("S. 0 ack 1");
  t.ignore_rest();
}

// RFC 2883 section 4: the ACK of the segment that brought octets twice reports them, and no other does.
TEST(TcpDsack, IsReportedThoughDataCarriesTheAck) {  // RFC 2883 SACK-04
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.in("P. 1+100 ack 1");
  t.out_within(500ms, ". 1 ack 101");
  t.batch([&] {
    t.in("P. 1+100 ack 1");
    t.send(500);
  });
  t.out("P. 1+500 ack 101");
  t.out(". 501 ack 101 <sack 1:101>");
  t.in(". 101 ack 501");
  t.in("P. 101+100 ack 501");
  t.out_within(500ms, ". 501 ack 201");  // and never again
}

TEST(TcpDsack, IsReportedByTheAckOfItsSegmentOnly) {  // RFC 2883 SACK-04, section 4 (1)
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.in(". 1+1000 ack 1");
  t.in(". 1001+1000 ack 1");
  t.discard();
  t.batch([&] {
    t.in(". 1+1000 ack 1");
    t.in(". 2001+1000 ack 1");
    t.in(". 3001+1000 ack 1");
  });
  t.out(". 1 ack 2001 <sack 1:1001>");
  t.out(". 1 ack 4001");
  t.nothing();
}

TEST(TcpDsack, GoesBeforeWhatIsHeldOutOfOrder) {  // RFC 2883 SACK-04; RFC 2018 SACK-02
  TcpPeer t;
  t.establish("<mss 1000,sackOK>");
  t.in(". 1+1000 ack 1");
  t.discard();
  t.batch([&] {
    t.in(". 1+1000 ack 1");
    t.in(". 2001+1000 ack 1");
  });
  t.out(". 1 ack 1001 <sack 1:1001>");
  t.out(". 1 ack 1001 <sack 2001:3001>");
  t.ignore_rest();
}

// Both at once: our RST leaves while their SYN-ACK comes, and their answer to it must not be answered again.
TEST(TcpCrossing, AResetIsNeverAnsweredByAReset) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.abort();
  t.in("S. 0 ack 1");
  t.out("R 1");
  t.in("R. 1 ack 1");
  t.nothing();
}

}  // namespace
}  // namespace wireside::testing
