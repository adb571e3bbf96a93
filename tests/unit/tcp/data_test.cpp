// Sending and receiving octets: segment sizes, PSH, batches, super-segments, urgent data (RFC 9293
// sections 3.7, 3.8, 3.9).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

TEST(TcpData, OctetsGoOutAtOnceAndInOrder) {
  TcpPeer t;
  t.establish();
  t.send(100);
  t.out("P. 1+100 ack 1");
  t.in(". 1 ack 101");
  t.send(50);
  t.out("P. 101+50 ack 1");
}

// RFC 9293 SHLD-28, MUST-16: full-sized segments.
TEST(TcpData, LargeWritesGoOutInFullSegments) {
  TcpPeer t;
  t.establish("<mss 1460>");
  t.send(4000);
  t.out(". 1+1460");
  t.out(". 1461+1460");
  t.out("P. 2921+1080");
}

// RFC 9293 MUST-61: PSH on the last segment of the queue; MUST-60: nothing is held for ever.
TEST(TcpData, PshMarksTheEndOfTheQueue) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(2500);
  EXPECT_FALSE(t.out(". 1+1000").header.flags.psh);
  EXPECT_FALSE(t.out(". 1001+1000").header.flags.psh);
  EXPECT_TRUE(t.out("P. 2001+500").header.flags.psh);
}

TEST(TcpData, SmallWritesAreCollectedIntoFullSegments) {  // RFC 9293 SHLD-27, SHLD-28, MAY-16
  TcpPeer t;
  t.establish("<mss 1000>", {}, 0);
  for (int i = 0; i < 300; ++i) t.send(10);
  t.in(". 1 ack 1 win 65535");
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.out("P. 2001+1000");
}

// RFC 9293 MUST-58, MUST-59: a batch of arrivals is acknowledged once, after all of it.
TEST(TcpData, BatchIsAcknowledgedOnce) {
  TcpPeer t;
  t.establish();
  t.batch([&] {
    for (int i = 0; i < 20; ++i) t.in(". " + std::to_string(1 + 1460 * i) + "+1460 ack 1");
  });
  t.out(". 1 ack 29201");
  t.nothing();
  t.read_exactly(29200);
  t.ignore_rest();
}

TEST(TcpData, AckRidesOnData) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+100 ack 1");
  t.read(100);
  t.send(100);
  t.out("P. 1+100 ack 101");
  t.silence(100ms);  // no separate ACK
}

TEST(TcpData, SuperSegmentsCarrySeveralSegments) {
  PeerSetup s;
  s.max_super_segment = 65000;
  TcpPeer t{s};
  t.establish("<mss 1460>");
  t.send(10000);
  const auto segment = t.out("P. 1+10000");
  EXPECT_EQ(segment.gso_size, 1460);
  t.in(". 1 ack 10001");
  t.send(1460);
  EXPECT_EQ(t.out("P. 10001+1460").gso_size, 0);  // one segment needs no cutting
}

TEST(TcpData, SuperSegmentsRespectTheWindows) {
  PeerSetup s;
  s.max_super_segment = 65000;
  TcpPeer t{s};
  t.establish("<mss 1000>", {}, 5500);
  t.send(30000);
  t.out(". 1+5000");
  t.nothing();
  t.in(". 1 ack 5001 win 60000");
  t.out(". 5001+11000");  // cwnd: ten segments and one for the ACK (slow start), whole segments only
  t.nothing();
}

TEST(TcpData, SendTakesWhatFitsAndTellsWhenThereIsRoom) {
  TcpPeer t;
  ConnectionOptions o;
  o.send_buffer = 5000;
  t.establish("<mss 1000>", o, 2000);
  EXPECT_EQ(t.send(8000, false), 5000U);
  t.send_fails(Error::WouldBlock);
  t.discard();
  t.no_event(EventKind::Writable);
  t.in(". 1 ack 2001 win 3000");
  t.event(EventKind::Writable);
  t.discard();
  EXPECT_EQ(t.send(8000, false), 2000U);
  t.ignore_rest();
}

TEST(TcpData, BorrowedSliceIsSentWithoutCopy) {
  TcpPeer t;
  t.establish();
  auto slice = t.pool().copy(pattern_octets(ours_to_peer, 0, 1000));
  const auto* octets = slice.data();
  ASSERT_TRUE(t.layer().send_slice(t.now(), t.handle(), slice));
  t.collect();
  {
    const auto segment = t.out("P. 1+1000");
    ASSERT_EQ(segment.payload.count(), 1U);
    EXPECT_EQ(segment.payload[0].data(), octets);
  }
  EXPECT_GT(slice.buffer()->references(), 1U);
  t.in(". 1 ack 1001");
  EXPECT_EQ(slice.buffer()->references(), 1U);
}

TEST(TcpData, LentOctetsComeBackWhenAllAreAcknowledged) {
  TcpPeer t;
  t.establish("<mss 1000>");
  const auto own = pattern_octets(ours_to_peer, 0, 2000);
  ASSERT_TRUE(t.layer().send_slice(t.now(), t.handle(), t.pool().lend(own, 5)));
  t.collect();
  EXPECT_EQ(t.out(". 1+1000").payload[0].data(), own.data()) << "from where they lie";
  t.discard();
  t.in(". 1 ack 1501");
  EXPECT_FALSE(t.pool().poll_returned());
  t.out_within(std::chrono::seconds{2}, "P. 1501+500");
  t.discard();
  t.in(". 1 ack 2001");
  const auto loan = t.pool().poll_returned();
  ASSERT_TRUE(loan);
  EXPECT_EQ(loan->ticket, 5U);
  EXPECT_TRUE(loan->used);
}

TEST(TcpData, LentOctetsThatNobodyAcknowledgedComeBackUnused) {
  TcpPeer t;
  t.establish("<mss 1000>");
  const auto first = pattern_octets(ours_to_peer, 0, 1000), second = pattern_octets(ours_to_peer, 1000, 2000);
  ASSERT_TRUE(t.layer().send_slice(t.now(), t.handle(), t.pool().lend(first, 1)));
  ASSERT_TRUE(t.layer().send_slice(t.now(), t.handle(), t.pool().lend(second, 2)));
  t.collect();
  t.discard();
  t.in(". 1 ack 1501");
  t.discard();
  t.in("R 1");
  t.ignore_rest();
  const auto acknowledged = t.pool().poll_returned(), cut_off = t.pool().poll_returned();
  ASSERT_TRUE(acknowledged && cut_off);
  EXPECT_TRUE(acknowledged->ticket == 1 && acknowledged->used);
  EXPECT_TRUE(cut_off->ticket == 2 && !cut_off->used);
}

TEST(TcpData, FewLentOctetsAreCopiedAndComeBackAtOnce) {
  TcpPeer t;
  t.establish();
  auto own = pattern_octets(ours_to_peer, 0, 100);
  ASSERT_TRUE(t.layer().send_slice(t.now(), t.handle(), t.pool().lend(own, 7)));
  const auto loan = t.pool().poll_returned();
  ASSERT_TRUE(loan);
  EXPECT_TRUE(loan->used);
  std::fill(own.begin(), own.end(), std::uint8_t{0});
  t.collect();
  t.out("P. 1+100");
}

TEST(TcpData, BorrowedReceiveGivesSlicesInOrder) {
  TcpPeer t;
  t.establish();
  t.in(". 1+1000 ack 1");
  t.in("P. 1001+500 ack 1");
  std::size_t total = 0;
  while (total < 1500) {
    const auto slice = t.layer().receive_slice(t.now(), t.handle(), 700);
    ASSERT_TRUE(slice);
    ASSERT_FALSE(slice->empty());
    ASSERT_LE(slice->size(), 700U);
    for (std::size_t i = 0; i < slice->size(); ++i) {
      ASSERT_EQ(slice->view()[i], pattern_octet(peer_to_us, total + i));
    }
    total += slice->size();
  }
  EXPECT_EQ(total, 1500U);
  EXPECT_EQ(t.layer().receive_slice(t.now(), t.handle(), 700).error(), Error::WouldBlock);
  t.ignore_rest();
}

TEST(TcpData, ReadableIsReportedForEachNewArrivalAfterReading) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+10 ack 1");
  t.event(EventKind::Readable);
  t.read_exactly(10);
  t.no_event(EventKind::Readable);
  t.in("P. 11+10 ack 1");
  t.event(EventKind::Readable);
  t.ignore_rest();
}

// RFC 9293 MUST-30, MUST-31; RFC 6093: urgent data of any length is accepted and delivered in line.
TEST(TcpData, UrgentDataIsDeliveredInLine) {
  TcpPeer t;
  t.establish();
  t.in("U. 1+100 ack 1 urg 50");
  t.in("U. 101+10 ack 1 urg 60000");
  t.read_exactly(110);
  t.state(TcpState::Established);
  t.ignore_rest();
}

TEST(TcpData, EveryOutgoingSegmentKeepsItsAddressAndMarks) {  // RFC 9293 MUST-45, MUST-48, MUST-49
  TcpPeer t;
  ConnectionOptions o;
  o.ttl = 7;
  o.tos = 0x28;
  t.listen(16, o);
  t.in("S 0 <mss 1460>");
  const auto syn_ack = t.out("S. 0 ack 1");
  EXPECT_EQ(syn_ack.ttl, 7);
  EXPECT_EQ(syn_ack.tos, 0x28);
  EXPECT_EQ(syn_ack.tuple, t.tuple());
  t.in(". 1 ack 1");
  t.accept();
  t.send(10);
  const auto data = t.out("P. 1+10");
  EXPECT_EQ(data.ttl, 7);
  EXPECT_EQ(data.tos, 0x28);
  EXPECT_EQ(data.tuple, t.tuple());
  o.tos = 0x50;  // RFC 9293 SHLD-21
  t.options(o);
  t.in(". 1 ack 11");
  t.send(10);
  EXPECT_EQ(t.out("P. 11+10").tos, 0x50);
}

TEST(TcpData, TransferOfOneMegabyteWithAckClock) {
  TcpPeer t;
  t.establish(all_options, {}, 60000);
  std::size_t sent = 0;
  std::uint32_t acked = 1;
  while (acked < 1'000'001 && !t.broken()) {
    if (sent < 1'000'000) sent += t.send(std::min<std::size_t>(50'000, 1'000'000 - sent), false);
    t.wait(10ms);
    const auto end = static_cast<std::uint32_t>(t.status().snd_nxt - t.our_iss());
    ASSERT_GT(end, acked);
    t.discard();
    acked = end;
    t.in(". 1 ack " + std::to_string(acked));
  }
  EXPECT_EQ(t.status().total_retransmitted, 0U);
  EXPECT_EQ(t.status().octets_sent, 1'000'000U);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
