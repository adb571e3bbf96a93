// TIME-WAIT (RFC 9293 sections 3.3.2, 3.6.1, 3.10.7.4, 3.10.8; RFC 1337; RFC 6191).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

/// Active close to TIME-WAIT: snd_nxt = 2, rcv_nxt = 2.
void enter_time_wait(TcpPeer& t, std::string_view options = "<mss 1460>") {
  t.establish(options);
  t.close();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

// RFC 9293 MUST-13
TEST(TcpTimeWait, LastsTwoMsl) {
  TcpPeer t;
  enter_time_wait(t);
  const auto msl = tcp::TcpConfig{}.msl;
  t.silence(2 * msl - 1ms);
  t.state(TcpState::TimeWait);
  t.silence(2ms);
  t.gone();
  EXPECT_EQ(t.layer().next_deadline(), Instant::max());
}

TEST(TcpTimeWait, HoldsNoBuffers) {
  TcpPeer t;
  enter_time_wait(t);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

// RFC 9293 EV-26
TEST(TcpTimeWait, RepeatedFinIsAcknowledgedAndRestartsTheTimer) {
  TcpPeer t;
  enter_time_wait(t);
  t.wait(50s);
  t.in("F. 1 ack 2");
  EXPECT_EQ(t.out(". 2 ack 2").reason, observe::TxReason::TimeWaitAck);
  t.silence(59s);
  t.state(TcpState::TimeWait);
  t.silence(2s);
  t.gone();
}

TEST(TcpTimeWait, AnswersAreLimited) {  // RFC 5961 BLIND-04, section 10
  TcpPeer t;
  enter_time_wait(t);
  EXPECT_EQ(t.in_repeatedly(1000, "P. 1000000+1 ack 2"), 200U);
  EXPECT_EQ(t.in_repeatedly(1000, "S. 0 ack 2"), 10U);
  EXPECT_EQ(t.drops(observe::DropReason::TcpRateLimited), 1790U);
  t.wait(1s);
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
}

TEST(TcpTimeWait, TheLimitOfOneDoesNotShowOnAnother) {  // RFC 5961 BLIND-04, CVE-2016-5696
  TcpPeer t;
  enter_time_wait(t);
  t.in_repeatedly(1000, "P. 1000000+1 ack 2");
  t.use_port(40001);
  t.establish();
  t.in(". 1000000 ack 1");
  t.out(". 1 ack 1");
}

// RFC 9293 EV-35; RFC 1337
TEST(TcpTimeWait, ResetDoesNotEndIt) {
  TcpPeer t;
  enter_time_wait(t);
  t.in("R 2");
  t.in("R. 2 ack 2");
  t.nothing();
  t.state(TcpState::TimeWait);
}

TEST(TcpTimeWait, OtherSegmentsAreAnsweredOrDroppedButNeverTaken) {  // RFC 9293 EV-28, RFC 6191 TW-02
  TcpPeer t;
  enter_time_wait(t);
  t.in("P. 2+100 ack 2");
  t.out(". 2 ack 2");
  t.in(". 2 ack 2");
  t.nothing();
  t.in("S. 0 ack 2");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

// RFC 9293 MAY-2; RFC 6191 TW-01 without timestamps: a larger ISN.
TEST(TcpTimeWait, SynWithLargerSequenceNumberOpensANewConnection) {
  TcpPeer t;
  enter_time_wait(t);
  const auto old_end = t.our_iss() + 2;
  t.peer_isn(1'000'100);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  EXPECT_TRUE(t.our_iss().after(old_end));  // our numbers go on, too
  t.in(". 1 ack 1");
  t.accept();
  t.in("P. 1+10 ack 1");
  t.read(10);
  t.ignore_rest();
}

TEST(TcpTimeWait, OldSynIsAcknowledged) {  // RFC 6191 TW-02
  TcpPeer t;
  enter_time_wait(t);
  t.in("S -100 <mss 1460>");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

// RFC 9293 SHLD-4; RFC 6191 TW-01 with timestamps.
TEST(TcpTimeWait, SynWithNewerTimestampOpensANewConnection) {
  TcpPeer t;
  enter_time_wait(t, "<mss 1460,TS val 100 ecr 0>");
  t.peer_isn(500);  // smaller, but the timestamp is newer
  t.in("S 0 <mss 1460,TS val 5000 ecr 0>");
  t.out("S. 0 ack 1");
}

TEST(TcpTimeWait, SynWithOlderTimestampDoesNot) {  // RFC 6191 TW-02
  TcpPeer t;
  enter_time_wait(t, "<mss 1460,TS val 100 ecr 0>");
  t.in("S 100000 <mss 1460,TS val 50 ecr 0>");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

TEST(TcpTimeWait, SynWithoutListenerDoesNotOpen) {
  TcpPeer t;
  enter_time_wait(t);
  t.layer().close_listener(t.now(), t.listener());
  t.collect();
  t.in("S 100 <mss 1460>");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

TEST(TcpTimeWait, ActiveOpenOfTheSameFourTupleIsRefused) {
  TcpPeer t;
  enter_time_wait(t);
  const auto again = t.layer().connect(t.now(), t.tuple(), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), Error::AddressInUse);
}

TEST(TcpTimeWait, NumberIsBounded) {
  PeerSetup s;
  s.config.max_time_wait = 10;
  TcpPeer t{s};
  for (std::uint16_t port = 40000; port < 40030; ++port) {
    t.use_port(port);
    enter_time_wait(t);
  }
  EXPECT_EQ(t.layer().list().size(), 10U);
}

TEST(TcpTimeWait, UnreadDataStaysReadable) {
  TcpPeer t;
  t.establish();
  t.shutdown();
  t.out("F. 1 ack 1");
  t.in(". 1 ack 2");
  t.in("FP. 1+100 ack 2");
  t.out(". 2 ack 102");
  t.event(EventKind::Readable);
  t.read_exactly(100);
  t.eof();
  t.wait(2min);
  t.eof();
  t.close();
  t.gone();
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

TEST(TcpTimeWait, ClosingEntersItToo) {  // RFC 9293 EV-24
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 1");
  t.out(". 2 ack 2");
  t.in(". 2 ack 2");
  t.state(TcpState::TimeWait);
  t.silence(59s);
  t.state(TcpState::TimeWait);
  t.silence(2s);
  t.gone();
}

// The SYN is dropped, so nothing has replaced the old connection.
TEST(TcpTimeWait, FreshSynToAFullBacklogDoesNotEndIt) {
  TcpPeer t;
  t.listen(1);
  enter_time_wait(t);
  t.use_port(40001);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");  // waits to be accepted
  t.use_port(TcpPeer::peer_port);
  t.in("S 1000 <mss 1460>");
  t.nothing();
  t.state(TcpState::TimeWait);
}

// RFC 6191 section 2: equal timestamps leave the decision to the sequence number.
TEST(TcpTimeWait, SynWithEqualTimestampNeedsALargerSequenceNumber) {
  TcpPeer t;
  enter_time_wait(t, "<mss 1460,TS val 100 ecr 0>");
  t.in("S -10 <mss 1460,TS val 100 ecr 0>");
  t.out(". 2 ack 2");
  t.peer_isn(2'000'000);
  t.in("S 0 <mss 1460,TS val 100 ecr 0>");
  t.out("S. 0 ack 1");
}

// RFC 6191 section 2: from now on PAWS tells old segments apart, whatever their sequence numbers.
TEST(TcpTimeWait, SynThatBringsTimestampsOpensANewConnection) {
  TcpPeer t;
  enter_time_wait(t);
  t.peer_isn(500);
  t.in("S 0 <mss 1460,TS val 7 ecr 0>");
  t.out("S. 0 ack 1");

  TcpPeer u;  // and whatever the time: there is none before it to be older than
  enter_time_wait(u);
  u.peer_isn(500);
  u.in("S 0 <mss 1460,TS val 3000000000 ecr 0>");
  u.out("S. 0 ack 1");
}

}  // namespace
}  // namespace wireside::testing
