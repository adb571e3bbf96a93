// Closing: every order of FINs, half-close, EOF and abort (RFC 9293 sections 3.6, 3.10.4, 3.10.7.4 step eight).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// RFC 9293 EV-24: FIN acknowledged first, then the peer's FIN.
TEST(TcpClose, ActiveCloseThroughFinWait2) {
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.state(TcpState::FinWait1);
  t.in(". 1 ack 2");
  t.state(TcpState::FinWait2);
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

// RFC 9293 EV-24: FIN and the acknowledgement of ours in one segment.
TEST(TcpClose, ActiveCloseByFinWithAckOfFin) {
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

// RFC 9293 EV-24: simultaneous close.
TEST(TcpClose, SimultaneousCloseThroughClosing) {
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 1");
  t.out(". 2 ack 2");
  t.state(TcpState::Closing);
  t.in(". 2 ack 2");
  t.state(TcpState::TimeWait);
  t.nothing();
}

// An ACK of earlier data is not an ACK of the FIN.
TEST(TcpClose, AckOfDataOnlyDoesNotCountAsAckOfFin) {
  TcpPeer t;
  t.establish();
  t.send(100);
  t.out(". 1+100");
  t.close();
  t.out("F. 101 ack 1");
  t.in(". 1 ack 101");
  t.state(TcpState::FinWait1);
  t.in("F. 1 ack 101");
  t.out(". 102 ack 2");
  t.state(TcpState::Closing);
  t.in(". 2 ack 102");
  t.state(TcpState::TimeWait);
}

// RFC 9293 EV-25
TEST(TcpClose, PassiveCloseThroughLastAck) {
  TcpPeer t;
  t.establish();
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.state(TcpState::CloseWait);
  t.eof();
  t.close();
  t.out("F. 1 ack 2");
  t.state(TcpState::LastAck);
  t.in(". 2 ack 1");  // not of the FIN
  t.state(TcpState::LastAck);
  t.in(". 2 ack 2");
  t.gone();
  t.silence(10min);
  EXPECT_EQ(t.layer().next_deadline(), Instant::max());
}

// RFC 9293 MUST-12: an orderly close is EOF, an abort is an error.
TEST(TcpClose, ApplicationTellsEofFromReset) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+10 ack 1");
  t.in("F. 11 ack 1");
  t.discard();
  t.read_exactly(10);
  t.eof();
  t.eof();  // and it stays so

  TcpPeer u;
  u.establish();
  u.in("R 1");
  u.failed(Error::ConnectionReset);
  u.read_fails(Error::ConnectionReset);
}

// RFC 9293 EV-34
TEST(TcpClose, DataMayBeSentInCloseWait) {
  TcpPeer t;
  t.establish();
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.send(500);
  t.out("P. 1+500 ack 2");
  t.in(". 2 ack 501");
  t.shutdown();
  t.out("F. 501 ack 2");
  t.in(". 2 ack 502");
  t.event(EventKind::Closed);
}

// Half-close: the application still receives after its own FIN.
TEST(TcpClose, DataMayBeReceivedInFinWait) {
  TcpPeer t;
  t.establish();
  t.shutdown();
  t.out("F. 1 ack 1");
  t.in("P. 1+100 ack 1");  // FIN-WAIT-1
  t.read_exactly(100);
  t.in(". 101 ack 2");
  t.state(TcpState::FinWait2);
  t.in("P. 101+100 ack 2");  // FIN-WAIT-2
  t.read_exactly(100);
  t.wait(500ms);
  t.discard();
  t.in("F. 201 ack 2");
  t.out(". 2 ack 202");
  t.eof();
  t.state(TcpState::TimeWait);
}

TEST(TcpClose, HalfClosedConnectionWaitsForThePeerWithoutLimit) {
  TcpPeer t;
  t.establish();
  t.shutdown();
  t.out("F. 1 ack 1");
  t.in(". 1 ack 2");
  t.silence(3h);
  t.state(TcpState::FinWait2);
}

TEST(TcpClose, ClosedConnectionDoesNotWaitInFinWait2ForEver) {
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.in(". 1 ack 2");
  t.wait(2min);
  t.gone();
}

TEST(TcpClose, SendAfterShutdownIsBrokenPipe) {
  TcpPeer t;
  t.establish();
  t.shutdown();
  t.out("F. 1 ack 1");
  t.send_fails(Error::BrokenPipe);
}

TEST(TcpClose, FinFollowsQueuedData) {
  TcpPeer t;
  t.establish("<mss 1460>", {}, 1000);
  t.send(1500);
  t.out(". 1+1000");
  t.close();
  t.nothing();  // the window is full
  t.in(". 1 ack 1001 win 1000");
  t.out("FP. 1001+500 ack 1");
  t.state(TcpState::FinWait1);
}

TEST(TcpClose, FinIsRetransmitted) {
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.out_within(3s, "F. 1 ack 1");
  t.in(". 1 ack 2");
  t.state(TcpState::FinWait2);
}

TEST(TcpClose, FinRidesOnTheRetransmittedData) {
  TcpPeer t;
  t.establish();
  t.send(100);
  t.out(". 1+100");
  t.close();
  t.out("F. 101 ack 1");
  t.out_within(3s, "FP. 1+100 ack 1");
}

// RFC 9293 EV-29
TEST(TcpClose, FinOutOfOrderActsOnlyWhenAllDataIsHere) {
  TcpPeer t;
  t.establish();
  t.in("F. 101 ack 1");
  t.out(". 1 ack 1");
  t.state(TcpState::Established);
  t.read_fails(Error::WouldBlock);
  t.in("P. 1+100 ack 1");
  t.out(". 1 ack 102");
  t.state(TcpState::CloseWait);
  t.read_exactly(100);
  t.eof();
}

TEST(TcpClose, FinWithDataOutOfOrder) {  // RFC 9293 EV-29
  TcpPeer t;
  t.establish();
  t.in("FP. 101+100 ack 1");
  t.discard();
  t.state(TcpState::Established);
  t.in("P. 1+100 ack 1");
  t.out(". 1 ack 202");
  t.state(TcpState::CloseWait);
  t.read_exactly(200);
  t.eof();
}

TEST(TcpClose, RepeatedFinInCloseWaitIsAcknowledgedAgain) {
  TcpPeer t;
  t.establish();
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.state(TcpState::CloseWait);
}

// RFC 9293 EV-28: after the peer's FIN there is no more text.
TEST(TcpClose, DataAfterThePeersFinIsIgnored) {
  TcpPeer t;
  t.establish();
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.in("P. 2+100 ack 1");
  t.wait(500ms);
  for (; t.pending() > 0;) t.out(". 1 ack 2");
  t.eof();
  t.close();
  t.out("F. 1 ack 2");
  t.in("P. 2+100 ack 1");  // LAST-ACK
  t.wait(100ms);
  t.state(TcpState::LastAck);
  t.ignore_rest();
}

TEST(TcpClose, DataInClosingIsIgnored) {  // RFC 9293 EV-28
  TcpPeer t;
  t.establish();
  t.shutdown();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 1");
  t.out(". 2 ack 2");
  t.in("P. 2+50 ack 1");
  t.state(TcpState::Closing);
  t.eof();
  t.ignore_rest();
}

// RFC 9293 SHLD-3: closing with unread data aborts, so that the peer learns of the loss.
TEST(TcpClose, CloseWithUnreadDataSendsReset) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+100 ack 1");
  t.close();
  t.out("R. 1 ack 101");
  t.gone();
}

TEST(TcpClose, DataAfterCloseIsAnsweredWithReset) {  // RFC 9293 SHLD-3
  TcpPeer t;
  t.establish();
  t.close();
  t.out("F. 1 ack 1");
  t.in(". 1 ack 2");
  t.in("P. 1+100 ack 2");
  const auto reset = t.out("R. 2");
  EXPECT_EQ(reset.reason, observe::TxReason::ResetDataAfterClose);
  t.gone();
}

// RFC 9293 SHLD-3, EV-27: the text was taken before the close, and what is new is the FIN alone: nothing was lost.
TEST(TcpClose, OldTextThatComesAgainWithTheFinIsNoDataAfterClose) {
  TcpPeer t;
  t.establish();
  t.in("P. 1+100 ack 1");
  t.out_within(1s, ". 1 ack 101");
  t.read_exactly(100);
  t.close();
  t.out("F. 1 ack 101");
  t.in("FP. 1+100 ack 2");
  t.out(". 2 ack 102");
  t.state(TcpState::TimeWait);
}

// What we still send must get through, which a reset would prevent.
TEST(TcpClose, DataAfterShutdownReceiveIsAcknowledgedAndDropped) {
  TcpPeer t;
  t.establish();
  t.shutdown_receive();
  t.nothing();
  for (int i = 0; i < 100; ++i) {  // more than the receive buffer: the window stays open
    t.in(". " + std::to_string(1 + i * 2920) + "+2920 ack 1");
    EXPECT_GT(t.out(". 1 ack " + std::to_string(1 + (i + 1) * 2920)).header.window, 8192U);
  }
  t.send(100);
  t.out("P. 1+100 ack 292001");
  t.in(". 292001 ack 101");
  t.in("F. 292001 ack 101");
  t.out(". 101 ack 292002");
}

TEST(TcpClose, LingerZeroAborts) {
  TcpPeer t;
  ConnectionOptions o;
  o.linger = Duration{0};
  t.establish("<mss 1460>", o);
  t.close();
  t.out("R. 1 ack 1");
  t.gone();
}

TEST(TcpClose, CloseInSynReceivedSendsFinAfterEstablishment) {  // RFC 9293 section 3.10.4
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.close();
  t.nothing();
  t.in(". 1 ack 1");
  t.out("F. 1 ack 1");
  t.state(TcpState::FinWait1);
}

TEST(TcpClose, FinWithHandshakeAckGoesToCloseWait) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("F. 1 ack 1");
  t.out(". 1 ack 2");
  t.accept();
  t.state(TcpState::CloseWait);
  t.eof();
}

TEST(TcpClose, MemoryReturnsToThePool) {
  TcpPeer t;
  t.establish();
  t.send(5000);
  t.discard();
  t.in("P. 1+1000 ack 1");
  t.in("P. 3001+1000 ack 1");
  t.read_exactly(1000);
  t.in(". 1001 ack 5001");
  t.abort();
  t.discard();
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

TEST(TcpClose, StaleHandleIsRecognised) {
  TcpPeer t;
  t.establish();
  t.abort();
  t.discard();
  t.send_fails(Error::BadHandle);
  t.read_fails(Error::BadHandle);
  t.close();  // does nothing
  t.nothing();
}

// RFC 9293 EV-28, EV-29: a FIN counts once everything before it is here. Text behind it says that it was not true, or
// one blind segment could cut the stream.
TEST(TcpClose, AFinThatTextContradictsIsForgotten) {
  TcpPeer t;
  t.establish();
  t.in("F. 101 ack 1");
  t.out(". 1 ack 1");
  t.in("P. 1+200 ack 1");
  t.wait(100ms);
  t.out(". 1 ack 201");
  t.state(TcpState::Established);
  t.read_exactly(200);
  t.read_fails(Error::WouldBlock);
  t.in("F. 201 ack 1");
  t.out(". 1 ack 202");
  t.state(TcpState::CloseWait);
  t.eof();
}

TEST(TcpClose, AFinInFrontOfHeldTextIsForgotten) {  // RFC 9293 EV-29
  TcpPeer t;
  t.establish();
  t.in("P. 51+100 ack 1");
  t.out(". 1 ack 1");
  t.in("F. 101 ack 1");
  t.out(". 1 ack 1");
  t.in("P. 1+50 ack 1");
  t.out(". 1 ack 151");
  t.state(TcpState::Established);
  t.read_exactly(150);
  t.in("P. 151+50 ack 1");  // what comes then is taken
  t.in("F. 201 ack 1");
  t.out(". 1 ack 202");
  t.read_exactly(50);
  t.state(TcpState::CloseWait);
  t.eof();
}

TEST(TcpClose, HeldTextBehindAFinMakesItForgotten) {  // RFC 9293 EV-29
  TcpPeer t;
  t.establish();
  t.in("F. 101 ack 1");
  t.out(". 1 ack 1");
  t.in("P. 51+100 ack 1");
  t.out(". 1 ack 1");
  t.in("P. 1+50 ack 1");
  t.out(". 1 ack 151");
  t.state(TcpState::Established);
  t.read_exactly(150);
  t.in("F. 151 ack 1");
  t.out(". 1 ack 152");
  t.eof();
}

TEST(TcpClose, OfTwoFinsAheadTheFartherCounts) {  // RFC 9293 EV-29
  TcpPeer t;
  t.establish();
  t.in("F. 151 ack 1");
  t.in("F. 101 ack 1");  // and the other way round:
  t.in("F. 201 ack 1");
  t.discard();
  t.in("P. 1+200 ack 1");
  t.out(". 1 ack 202");
  t.read_exactly(200);
  t.eof();
}

// A gap remains between the FIN and what is held: nothing but the check when it comes keeps it from cutting the stream.
TEST(TcpClose, AFinInFrontOfAGapBeforeHeldTextIsForgotten) {  // RFC 9293 EV-29
  TcpPeer t;
  t.establish();
  t.in("P. 151+50 ack 1");
  t.out(". 1 ack 1");
  t.in("F. 101 ack 1");
  t.out(". 1 ack 1");
  t.in("P. 1+100 ack 1");
  t.out(". 1 ack 101");
  t.state(TcpState::Established);
  t.in("P. 101+50 ack 1");
  t.out(". 1 ack 201");
  t.read_exactly(200);
  t.read_fails(Error::WouldBlock);
}

TEST(TcpClose, ANearerFinDoesNotReplaceTheFarther) {  // RFC 9293 EV-29
  TcpPeer t;
  t.establish();
  t.in("F. 151 ack 1");
  t.in("F. 101 ack 1");
  t.discard();
  t.in("P. 1+100 ack 1");
  t.out_within(1s, ". 1 ack 101");
  t.state(TcpState::Established);
  t.in("P. 101+50 ack 1");
  t.out(". 1 ack 152");
  t.read_exactly(150);
  t.eof();
}

// RFC 9293 EV-24, section 3.10.7.4 eighth: a FIN in sequence counts, whatever was held or announced for later.
TEST(TcpClose, AFinInSequenceCountsWhateverIsAhead) {
  for (const char* ahead : {"F. 101 ack 1", "P. 51+50 ack 1"}) {
    TcpPeer t;
    t.establish();
    t.in(ahead);
    t.out(". 1 ack 1");
    t.in("F. 1 ack 1");
    t.out(". 1 ack 2");
    t.state(TcpState::CloseWait);
    t.eof();
  }
}

}  // namespace
}  // namespace wireside::testing
