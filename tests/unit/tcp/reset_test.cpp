// RST generation and acceptance (RFC 9293 sections 3.5.2, 3.5.3, 3.10.7.1, 3.10.7.2, 3.10.7.4 step two; RFC 5961).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

TEST(TcpReset, ClosedDropsResetSilently) {  // RFC 9293 EV-1
  TcpPeer t;
  t.in("R 5");
  t.in("R. 5 ack 7");
  t.nothing();
}

// RFC 9293 EV-2: SEQ=0, ACK=SEG.SEQ+SEG.LEN, where SYN and FIN count.
TEST(TcpReset, ClosedAnswersSegmentWithoutAck) {
  TcpPeer t;
  t.in("S 0");
  t.out("R. 0 ack 1");
  t.in("S 0+10");
  t.out("R. 0 ack 11");
  t.in("FP 5+10");
  t.out("R. 0 ack 16");
  t.in("- 5");
  t.out("R. 0 ack 5");
}

TEST(TcpReset, ClosedAnswersSegmentWithAck) {  // RFC 9293 EV-3
  TcpPeer t;
  t.in("P. 1+10 ack 500");
  const auto reset = t.out("R 500");
  EXPECT_FALSE(reset.header.flags.ack);
  t.in("S. 1 ack 600");
  t.out("R 600");
  t.in("F. 1 ack 700");
  t.out("R 700");
}

TEST(TcpReset, ResetCarriesNoTimestampsWithoutConnection) {
  TcpPeer t;
  t.in("S 0 <mss 1460,TS val 5 ecr 0>");
  t.out("R. 0 ack 1 <>");
}

TEST(TcpReset, ListenIgnoresReset) {  // RFC 9293 EV-4
  TcpPeer t;
  t.listen();
  t.in("R 1");
  t.in("R. 1 ack 3");
  t.nothing();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
}

TEST(TcpReset, ListenAnswersAckWithReset) {  // RFC 9293 EV-5
  TcpPeer t;
  t.listen();
  t.in(". 1 ack 900");
  t.out("R 900");
  t.in("S. 1 ack 900");
  t.out("R 900");
  t.gone();
}

TEST(TcpReset, ListenDropsSegmentWithoutSynAckRst) {  // RFC 9293 EV-7
  TcpPeer t;
  t.listen();
  t.in("P 1+10");
  t.in("F 1");  // RFC 9293 EV-30
  t.in("- 1");
  t.nothing();
  t.gone();
}

// RFC 9293 EV-31: SYN with FIN is dropped or treated as a SYN, but the FIN is never consumed.
TEST(TcpReset, ListenDoesNotConsumeFinOfSynFin) {
  TcpPeer t;
  t.listen();
  t.in("SF 0 <mss 1460>");
  if (t.pending() == 0) return;
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  t.state(TcpState::Established);
}

/// Brings a connection into each synchronized state; returns the peer's next sequence number.
struct InState {
  const char* name;
  TcpState state;
  int next;
  void (*enter)(TcpPeer&);
  friend std::ostream& operator<<(std::ostream& out, const InState& s) { return out << s.name; }
};

void enter_established(TcpPeer& t) { t.establish(); }
void enter_fin_wait_1(TcpPeer& t) {
  t.establish();
  t.shutdown();
  t.out("F. 1");
}
void enter_fin_wait_2(TcpPeer& t) {
  enter_fin_wait_1(t);
  t.in(". 1 ack 2");
}
void enter_close_wait(TcpPeer& t) {
  t.establish();
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
}
void enter_closing(TcpPeer& t) {
  enter_fin_wait_1(t);
  t.in("F. 1 ack 1");
  t.out(". 2 ack 2");
}
void enter_last_ack(TcpPeer& t) {
  enter_close_wait(t);
  t.shutdown();
  t.out("F. 1 ack 2");
}

class ResetInEveryState : public ::testing::TestWithParam<InState> {};

TEST_P(ResetInEveryState, ExactlyAtRcvNxtResets) {  // RFC 9293 EV-15; RFC 5961 BLIND-01
  TcpPeer t;
  GetParam().enter(t);
  t.state(GetParam().state);
  t.in("R " + std::to_string(GetParam().next));
  t.nothing();
  t.gone();
  t.failed(Error::ConnectionReset);
}

TEST_P(ResetInEveryState, WithPayloadResetsToo) {  // RFC 9293 SHLD-2
  TcpPeer t;
  GetParam().enter(t);
  t.in("R. " + std::to_string(GetParam().next) + "+20 ack 1");
  t.nothing();
  t.gone();
}

TEST_P(ResetInEveryState, InWindowIsChallenged) {  // RFC 9293 EV-16; RFC 5961 BLIND-01
  TcpPeer t;
  GetParam().enter(t);
  t.in("R " + std::to_string(GetParam().next + 1));
  const auto ack = t.out(
      ". " +
      std::string{GetParam().state == TcpState::Established || GetParam().state == TcpState::CloseWait ? "1" : "2"} +
      " ack " + std::to_string(GetParam().next));
  EXPECT_EQ(ack.reason, observe::TxReason::ChallengeAck);
  t.state(GetParam().state);
}

TEST_P(ResetInEveryState, OutsideWindowIsDroppedSilently) {  // RFC 9293 EV-14
  TcpPeer t;
  GetParam().enter(t);
  t.in("R " + std::to_string(GetParam().next - 1));
  t.in("R " + std::to_string(GetParam().next + 10'000'000));
  t.nothing();
  t.state(GetParam().state);
}

TEST_P(ResetInEveryState, SynIsChallengedWhateverItsSequenceNumber) {  // RFC 9293 EV-18; RFC 5961 BLIND-02
  for (const int seq : {-5'000'000, -1, 0, 1, 2, 500, 5'000'000}) {
    TcpPeer t;
    GetParam().enter(t);
    t.in("S " + std::to_string(seq));
    t.out(". " + std::to_string(t.status().snd_nxt - t.our_iss()) + " ack " + std::to_string(GetParam().next));
    t.state(GetParam().state);
  }
}

TEST_P(ResetInEveryState, SegmentWithoutAckIsDropped) {  // RFC 9293 EV-19
  TcpPeer t;
  GetParam().enter(t);
  t.in("P " + std::to_string(GetParam().next) + "+10");
  t.silence(100ms);
  t.state(GetParam().state);
  EXPECT_EQ(t.status().receive_queued, 0U);
}

INSTANTIATE_TEST_SUITE_P(Synchronized, ResetInEveryState,
                         ::testing::Values(InState{"Established", TcpState::Established, 1, enter_established},
                                           InState{"FinWait1", TcpState::FinWait1, 1, enter_fin_wait_1},
                                           InState{"FinWait2", TcpState::FinWait2, 1, enter_fin_wait_2},
                                           InState{"CloseWait", TcpState::CloseWait, 2, enter_close_wait},
                                           InState{"Closing", TcpState::Closing, 2, enter_closing},
                                           InState{"LastAck", TcpState::LastAck, 2, enter_last_ack}),
                         [](const auto& info) { return std::string{info.param.name}; });

// RFC 5961 BLIND-04, section 10: ten a second, whatever draws them. The second begins with the first of them.
TEST(TcpReset, ChallengeAcksAreLimitedPerConnection) {
  for (const std::string_view text : {"R 100", "S 100", "S 1000000"}) {
    SCOPED_TRACE(text);
    TcpPeer t;
    t.establish();
    EXPECT_EQ(t.in_repeatedly(1000, text), 10U);
    EXPECT_EQ(t.drops(observe::DropReason::TcpRateLimited), 990U);
    t.wait(999ms);
    EXPECT_EQ(t.in_repeatedly(1000, text), 0U);
    t.wait(1ms);
    EXPECT_EQ(t.in_repeatedly(1000, text), 10U);
    t.wait(1s);
    t.in(text);
    t.out(". 1 ack 1");
  }
}

// Neither does another connection find fewer left, nor does it make the ration of the first one whole again.
TEST(TcpReset, ChallengeAckLimitOfOneConnectionDoesNotShowOnAnother) {  // RFC 5961 BLIND-04, CVE-2016-5696
  TcpPeer t;
  t.use_port(40001);
  t.establish();
  t.in("R 100");
  t.out(". 1 ack 1");
  t.use_port(TcpPeer::peer_port);
  t.establish();
  EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 10U);
  t.use_port(40001);
  EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 9U);
  t.use_port(TcpPeer::peer_port);
  EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 0U);
}

TEST(TcpReset, AnswersToOtherSegmentsHaveALimitOfTheirOwn) {                 // RFC 5961 BLIND-04, section 10
  for (const std::string_view text : {". 1000000 ack 1", ". 1 ack 1000"}) {  // outside the window; of what was not sent
    SCOPED_TRACE(text);
    TcpPeer t;
    t.establish();
    EXPECT_EQ(t.in_repeatedly(1000, text), 200U);
    EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 10U);
    t.wait(2s);
    EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 10U);
    t.in(text);
    t.out(". 1 ack 1");
  }
}

TEST(TcpReset, AHalfOpenConnectionAnswersNoMoreThanThat) {  // RFC 5961 BLIND-04, section 10
  TcpPeer t;
  t.half_open();
  EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 10U);
  EXPECT_EQ(t.in_repeatedly(1000, ". 1000000 ack 1"), 200U);
  EXPECT_EQ(t.drops(observe::DropReason::TcpRateLimited), 1790U);
}

TEST(TcpReset, SynsFarOffCountAsChallengesOfAHalfOpenConnectionToo) {  // RFC 5961 BLIND-04, sections 4 and 10
  TcpPeer t;
  t.half_open();
  EXPECT_EQ(t.in_repeatedly(1000, "S 1000000"), 10U);
  EXPECT_EQ(t.in_repeatedly(1000, "R 100"), 0U);
}

// RFC 9293 EV-33: the peer rebooted.
TEST(TcpReset, DataToRebootedPeerAbortsWithError) {
  TcpPeer t;
  t.establish();
  t.send(100);
  t.out(". 1+100 ack 1");
  t.in("R 1");  // SEQ = our SEG.ACK, as CLOSED answers
  t.failed(Error::ConnectionReset);
  t.send_fails(Error::ConnectionReset);
  t.silence(10min);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

TEST(TcpReset, AbortSendsReset) {  // RFC 9293 section 3.10.5
  TcpPeer t;
  t.establish();
  t.send(3000);
  t.discard();
  t.abort();
  const auto reset = t.out("R. 3001 ack 1");
  EXPECT_EQ(reset.reason, observe::TxReason::ResetAborted);
  t.gone();
}

// RFC 9293 MUST-66: RST acts even with our window at zero.
TEST(TcpReset, ResetIsAcceptedWithZeroReceiveWindow) {
  TcpPeer t;
  ConnectionOptions o;
  o.receive_buffer = 4096;
  t.establish("<mss 1460>", o);
  t.in(". 1+1460 ack 1");
  t.in(". 1461+1460 ack 1");
  t.in(". 2921+1176 ack 1");
  t.wait(500ms);
  t.discard();
  EXPECT_EQ(t.status().rcv_wnd, 0U);
  t.in("R 4097");
  t.failed(Error::ConnectionReset);
}

TEST(TcpReset, ReceivedDataCanStillNotBeReadAfterReset) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+100 ack 1");
  t.in("R 101");
  t.failed(Error::ConnectionReset);
  t.read_fails(Error::ConnectionReset);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

TEST(TcpReset, InterfaceGoneFailsEverythingWithoutSending) {
  TcpPeer t;
  t.establish();
  t.send(100);
  t.discard();
  t.layer().fail_all(t.now(), Error::NetworkDown);
  t.collect();
  t.nothing();
  t.failed(Error::NetworkDown);
}

TEST(TcpReset, AbortAfterBothFinsSendsNothing) {  // RFC 9293 section 3.10.5: CLOSING, LAST-ACK
  for (const auto enter : {enter_closing, enter_last_ack}) {
    TcpPeer t;
    enter(t);
    t.abort();
    t.nothing();
    t.gone();
  }
}

// RFC 9293 section 3.10.7.4: in CLOSING and LAST-ACK a RST deletes the TCB and flushes nothing. The peer that no longer
// remembers its TIME-WAIT resets, and what it had sent was whole.
TEST(TcpReset, WhatThePeerSentBeforeItsFinStaysReadableInLastAck) {
  TcpPeer t;
  t.establish();
  t.in("FP. 1+100 ack 1");
  t.discard();
  t.shutdown();
  t.out("F. 1 ack 102");
  t.in("R 102");
  t.failed(Error::ConnectionReset);
  t.read_exactly(100);
  t.eof();
}

// A peer takes a RST only exactly at its RCV.NXT (EV-15), and nothing beyond its window.
TEST(TcpReset, AbortStaysInsideAClosedWindow) {
  TcpPeer t;
  t.establish("<mss 1000>", {}, 0);
  t.send(3000);
  t.out_within(10s, ". 1+1 ack 1");  // the probe, which the peer does not take
  t.abort();
  t.out("R. 1 ack 1");
}

TEST(TcpReset, ResetOfAConnectionCarriesTimestamps) {  // RFC 7323 section 3.2: SHOULD be sent in a RST, too
  TcpPeer t;
  t.establish("<mss 1460,TS val 100 ecr 0>");
  t.abort();
  t.out("R. 1 ack 1 <TS val * ecr 100>");
}

}  // namespace
}  // namespace wireside::testing
