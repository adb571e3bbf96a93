// The acceptability test, table 6 of RFC 9293 section 3.10.7.4 (EV-13), and what is cut to the window (EV-27).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

constexpr std::size_t buffer = 4000;

/// Connection with a fixed receive buffer, so that the window's edges are known: [1, 4001).
void establish_small(TcpPeer& t) {
  ConnectionOptions o;
  o.receive_buffer = buffer;
  t.establish("<mss 1460>", o);
}

/// The same with the window filled: rcv_nxt = 4001, window 0.
void establish_full(TcpPeer& t) {
  establish_small(t);
  t.in(". 1+1460 ack 1");
  t.in(". 1461+1460 ack 1");
  t.in(". 2921+1080 ack 1");
  t.wait(500ms);
  t.discard();
  ASSERT_EQ(t.status().rcv_wnd, 0U);
  ASSERT_EQ(t.status().rcv_nxt - t.status().irs, 4001);
}

struct Case {
  const char* name;
  const char* segment;
  bool acceptable;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
std::string case_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

// An unacceptable segment is answered with <SEQ=SND.NXT><ACK=RCV.NXT> and not processed: here its ACK field must not
// count. We leave 100 octets unacknowledged to see that.
class OpenWindow : public ::testing::TestWithParam<Case> {};
TEST_P(OpenWindow, Row) {  // RFC 9293 EV-13
  TcpPeer t;
  establish_small(t);
  t.send(100);
  t.out(". 1+100");
  t.in(GetParam().segment);
  EXPECT_EQ(t.status().flight, GetParam().acceptable ? 0U : 100U);
  if (!GetParam().acceptable) {
    const auto ack = t.out(". 101 ack 1");
    EXPECT_EQ(ack.reason, observe::TxReason::UnacceptableSegment);
  }
  t.ignore_rest();
}
INSTANTIATE_TEST_SUITE_P(
    Table, OpenWindow,
    ::testing::Values(
        // length 0, window > 0: RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND
        Case{"EmptyAtLeftEdge", ". 1 ack 101", true}, Case{"EmptyBeforeLeftEdge", ". 0 ack 101", false},
        Case{"EmptyInside", ". 2000 ack 101", true}, Case{"EmptyLastInside", ". 4000 ack 101", true},
        Case{"EmptyBeyond", ". 4002 ack 101", false}, Case{"EmptyFarBeyond", ". 2000000000 ack 101", false},
        Case{"EmptyFarBefore", ". -2000000000 ack 101", false},
        // length > 0, window > 0: first or last octet inside
        Case{"TextAtLeftEdge", ". 1+100 ack 101", true}, Case{"TextInside", ". 2000+100 ack 101", true},
        Case{"TextOldEntirely", ". -99+100 ack 101", false}, Case{"TextOverlapsLeft", ". -98+100 ack 101", true},
        Case{"TextOverlapsRight", ". 4000+100 ack 101", true}, Case{"TextAtRightEdge", ". 4001+100 ack 101", false},
        Case{"TextBeyond", ". 5000+100 ack 101", false}, Case{"FinLastInside", "F. 4000 ack 101", true}),
    case_name);

class ZeroWindow : public ::testing::TestWithParam<Case> {};
TEST_P(ZeroWindow, Row) {  // RFC 9293 EV-13
  TcpPeer t;
  establish_full(t);
  t.send(100);
  t.out(". 1+100");
  t.in(GetParam().segment);
  EXPECT_EQ(t.status().flight, GetParam().acceptable ? 0U : 100U);
  EXPECT_EQ(t.status().receive_queued, buffer);
  t.ignore_rest();
}
INSTANTIATE_TEST_SUITE_P(Table, ZeroWindow,
                         ::testing::Values(
                             // length 0, window 0: SEG.SEQ = RCV.NXT
                             Case{"EmptyAtRcvNxt", ". 4001 ack 101", true},
                             Case{"EmptyBefore", ". 4000 ack 101", false}, Case{"EmptyBeyond", ". 4002 ack 101", false},
                             // length > 0, window 0: the text is never acceptable. At RCV.NXT the ACK is still taken,
                             // as the RFC's "special allowance" for valid ACKs asks.
                             Case{"TextAtRcvNxt", ". 4001+1 ack 101", true},
                             Case{"TextBefore", ". 3000+100 ack 101", false},
                             Case{"TextBeyond", ". 4002+1 ack 101", false}),
                         case_name);

TEST(TcpAcceptability, ProbeIntoZeroWindowIsAnsweredAndNotTaken) {  // RFC 9293 EV-13
  TcpPeer t;
  establish_full(t);
  t.in(". 4001+1 ack 1");
  t.out(". 1 ack 4001 win 0");
  t.read_exactly(buffer);
  t.discard();
  t.in(". 4001+1 ack 1");
  t.read_exactly(1);
  t.discard();
  t.ignore_rest();
}

TEST(TcpAcceptability, UnacceptableSegmentsDoNotStartAnAckStorm) {
  TcpPeer t;
  establish_small(t);
  for (int i = 0; i < 10000; ++i) t.in(". 5000 ack 1");
  EXPECT_LT(t.discard(), 1000U);
}

// RFC 9293 EV-13, section 3.4: the acceptability test would refuse what a peer has to say that has filled our window
// with a loss in front: its sequence number is the window's right edge, and its ACKs and windows must count.
TEST(TcpAcceptability, AnAckBehindAFilledWindowCounts) {
  TcpPeer t;
  establish_small(t);
  t.in(". 1461+1460 ack 1");  // 1+1460 was lost
  t.in(". 2921+1080 ack 1");
  t.discard();
  t.send(100);
  t.out(". 1+100");
  t.in(". 4001 ack 101");
  EXPECT_EQ(t.status().flight, 0U);
  t.in("R 4001");  // a RST there is outside
  t.state(TcpState::Established);
  t.nothing();
}

// RFC 9293 EV-27: only new octets inside the window are delivered, exactly once.
TEST(TcpAcceptability, LeftOverlapIsCut) {
  TcpPeer t;
  establish_small(t);
  t.in(". 1+1000 ack 1");
  t.in(". 501+1000 ack 1");
  t.read_exactly(1500);
  t.ignore_rest();
}

TEST(TcpAcceptability, RightOverflowIsCut) {  // RFC 9293 EV-27
  TcpPeer t;
  establish_small(t);
  t.in(". 1+5000 ack 1");
  EXPECT_EQ(t.status().receive_queued, buffer);
  t.out(". 1 ack 4001 win 0");
  t.read_exactly(buffer);
  t.discard();
  t.in(". 4001+1000 ack 1");
  t.read_exactly(1000);
  t.ignore_rest();
}

TEST(TcpAcceptability, FinBeyondTheWindowIsCutWithTheText) {  // RFC 9293 EV-27, EV-29
  TcpPeer t;
  establish_small(t);
  t.in("FP. 1+5000 ack 1");
  t.discard();
  t.state(TcpState::Established);
  t.read_exactly(buffer);
  t.discard();
  t.in("FP. 4001+1000 ack 1");
  t.state(TcpState::CloseWait);
  t.read_exactly(1000);
  t.eof();
  t.ignore_rest();
}

TEST(TcpAcceptability, RepeatedSegmentIsAcknowledgedAtOnceAndNotDelivered) {  // RFC 9293 EV-27
  TcpPeer t;
  establish_small(t);
  t.in("P. 1+100 ack 1");
  t.out_within(500ms, ". 1 ack 101");
  t.read_exactly(100);
  t.in("P. 1+100 ack 1");
  t.out(". 1 ack 101");
  t.read_fails(Error::WouldBlock);
}

// RFC 9293 EV-21
TEST(TcpAcceptability, AckOfUnsentDataIsAnsweredAndTheSegmentDropped) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+10 ack 2");
  t.out(". 1 ack 1");
  t.read_fails(Error::WouldBlock);
  EXPECT_EQ(t.status().snd_una, t.status().snd_nxt);
}

// RFC 9293 EV-22
TEST(TcpAcceptability, OldAckChangesNothingButItsTextCounts) {
  TcpPeer t;
  t.establish();
  t.send(1000);
  t.out(". 1+1000");
  t.in(". 1 ack 1001");
  t.in("P. 1+10 ack 500");
  EXPECT_EQ(t.status().snd_una - t.our_iss(), 1001);
  t.read_exactly(10);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
