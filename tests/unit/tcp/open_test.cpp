// Opening a connection: active, passive and simultaneous (RFC 9293 sections 3.5, 3.10.1, 3.10.7.2, 3.10.7.3).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

// RFC 9293 EV-6, EV-11: the three-way handshake from the passive side.
TEST(TcpOpen, PassiveOpenAnswersSynWithSynAckAndEstablishesOnAck) {
  TcpPeer t;
  t.listen();
  t.in("S 0 win 65535 <mss 1460>");
  t.out("S. 0 ack 1 <mss 1460>");
  t.state(TcpState::SynReceived);
  t.in(". 1 ack 1");
  t.event(EventKind::AcceptReady);
  t.accept();
  t.state(TcpState::Established);
  t.nothing();
}

// RFC 9293 EV-11
TEST(TcpOpen, ActiveOpenSendsSynAndAcknowledgesSynAck) {
  TcpPeer t;
  t.connect();
  t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *>");
  t.state(TcpState::SynSent);
  t.no_event(EventKind::Connected);
  t.in("S. 0 ack 1 win 30000 <mss 1460>");
  t.out(". 1 ack 1 <>");
  t.state(TcpState::Established);
  t.event(EventKind::Connected);
  EXPECT_EQ(t.status().snd_wnd, 30000U);
}

TEST(TcpOpen, SynDoesNotCarryAnAcknowledgement) {
  TcpPeer t;
  t.connect();
  const auto syn = t.out("S 0");
  EXPECT_FALSE(syn.header.flags.ack);
  EXPECT_EQ(syn.header.ack, SeqNum{0});
  EXPECT_EQ(syn.reason, observe::TxReason::Syn);
}

// RFC 9293 MUST-10, EV-12: crossing SYNs.
TEST(TcpOpen, SimultaneousOpenReachesEstablishedByBareAck) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S 0 win 65535 <mss 1460>");
  t.state(TcpState::SynReceived);
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.state(TcpState::Established);
  t.event(EventKind::Connected);
}

// RFC 9293 MUST-10: the usual form, where each side's SYN-ACK repeats its SYN.
TEST(TcpOpen, SimultaneousOpenReachesEstablishedByCrossingSynAck) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("S. 0 ack 1 <mss 1460>");
  t.state(TcpState::Established);
  t.send(100);
  t.discard();
  t.in(". 1 ack 101");
  EXPECT_EQ(t.status().flight, 0U);
}

// RFC 9293 MUST-10: both ends really are wireside.
TEST(TcpOpen, SimultaneousOpenCarriesDataBothWays) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1+100 ack 1");
  t.read_exactly(100);
  t.out_within(500ms, ". 1 ack 101");
}

// RFC 9293 EV-8: acceptable is ISS < SEG.ACK =< SND.NXT.
TEST(TcpOpen, SynSentAnswersBadAckWithReset) {
  for (const char* ack : {"0", "2", "1000", "-1"}) {
    TcpPeer t;
    t.connect();
    t.out("S 0");
    t.in(std::string{"S. 0 ack "} + ack);
    t.out(std::string{"R "} + ack);
    t.state(TcpState::SynSent);
  }
}

TEST(TcpOpen, SynSentDropsBadAckWithResetSilently) {  // RFC 9293 EV-8, EV-10
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("R. 0 ack 2");
  t.in("R. 0 ack 0");
  t.in("R 0");
  t.nothing();
  t.state(TcpState::SynSent);
}

TEST(TcpOpen, SynSentResetWithGoodAckMeansRefused) {  // RFC 9293 EV-9
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("R. 0 ack 1");
  t.failed(Error::ConnectionRefused);
  t.nothing();
  t.read_fails(Error::ConnectionRefused);
  t.send_fails(Error::ConnectionRefused);
}

TEST(TcpOpen, SynSentDropsSegmentWithNeitherSynNorReset) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in(". 1 ack 1");
  t.in("P. 1+10 ack 1");
  t.nothing();
  t.state(TcpState::SynSent);
}

TEST(TcpOpen, SynSentDropsFinWithoutSyn) {  // RFC 9293 EV-30
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("F 0");
  t.nothing();
  t.state(TcpState::SynSent);
}

// RFC 9293 EV-6: data on the SYN is kept or dropped, but never wrongly acknowledged.
TEST(TcpOpen, DataOnSynIsNotAcknowledgedByTheSynAck) {
  TcpPeer t;
  t.listen();
  t.in("S 0+100 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1+100 ack 1");
  t.accept();
  t.read_exactly(100);
  t.out_within(500ms, ". 1 ack 101");
}

TEST(TcpOpen, DataOnSynAckIsDeliveredOnce) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S. 0+50 ack 1 <mss 1460>");
  t.state(TcpState::Established);
  t.wait(500ms);
  ASSERT_GE(t.pending(), 1U);
  t.discard();
  const auto now = t.read();
  t.in("P. 1+50 ack 1");
  t.wait(500ms);
  t.discard();
  EXPECT_EQ(now + t.read(), 50U);
}

TEST(TcpOpen, SynReceivedAcceptsDataWithTheHandshakeAck) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("P. 1+200 ack 1");
  t.accept();
  t.event(EventKind::Readable);
  t.read_exactly(200);
  t.out_within(500ms, ". 1 ack 201");
}

TEST(TcpOpen, SynReceivedAnswersBadAckWithReset) {  // RFC 9293 EV-20
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 2");
  t.out("R 2");
  t.in(". 1 ack 0");
  t.out("R 0");
  t.state(TcpState::SynReceived);
  t.in(". 1 ack 1");
  t.accept();
}

TEST(TcpOpen, SynReceivedIgnoresSegmentWithoutAck) {  // RFC 9293 EV-19
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("P 1+10");
  t.nothing();
  t.state(TcpState::SynReceived);
}

// RFC 9293 MUST-11, EV-17: SYN-RECEIVED from LISTEN goes back there without the application noticing.
TEST(TcpOpen, ResetInPassiveSynReceivedReturnsToListen) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("R 1");
  t.gone();
  t.no_event(EventKind::Failed);
  t.no_event(EventKind::AcceptReady);
  t.peer_isn(77);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
}

// RFC 9293 MUST-11, EV-17: from SYN-SENT the connection is refused.
TEST(TcpOpen, ResetInActiveSynReceivedMeansRefused) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("R 1");
  t.failed(Error::ConnectionRefused);
  t.nothing();
}

TEST(TcpOpen, RepeatedSynIsAnsweredWithTheSameSynAck) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  const auto iss = t.our_iss();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  EXPECT_EQ(t.our_iss(), iss);
}

// RFC 6298 RTO-01; RFC 9293 MUST-19, MUST-22, MUST-23: gaps 1, 2, 4, 8... s, for at least three minutes.
TEST(TcpOpen, SynIsRetriedWithBackOffForThreeMinutes) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  const auto began = t.now();
  for (const auto gap : {1s, 2s, 4s, 8s, 16s, 32s, 64s}) t.out_after(gap, "S 0");
  t.no_event(EventKind::Failed);
  t.silence(179s - (t.now() - began));
  t.no_event(EventKind::Failed);
  t.wait(120s);
  t.discard();
  t.failed(Error::TimedOut);
  t.silence(1h);
}

TEST(TcpOpen, SynAckIsRetriedWithBackOffAndThenForgotten) {  // RFC 9293 MUST-22, MUST-23
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  for (const auto gap : {1s, 2s, 4s, 8s, 16s, 32s, 64s}) t.out_after(gap, "S. 0 ack 1");
  t.wait(5min);
  t.discard();
  t.gone();
  t.no_event(EventKind::Failed);
  EXPECT_EQ(t.layer().next_deadline(), Instant::max());
}

TEST(TcpOpen, SynSentCloseGivesUpSilently) {  // RFC 9293 section 3.10.4
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.close();
  t.nothing();
  t.gone();
  t.silence(10min);
}

TEST(TcpOpen, SendWhileConnectingWouldBlock) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.send_fails(Error::WouldBlock);
  t.read_fails(Error::WouldBlock);
}

TEST(TcpOpen, SecondConnectOfTheSameFourTupleIsRefusedLocally) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  const auto again = t.layer().connect(t.now(), t.tuple(), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), Error::AddressInUse);
}

// RFC 9293 MUST-42: LISTEN on a port that has connections in SYN-SENT.
TEST(TcpOpen, ListenOnPortWithActiveOpenWorks) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.use_port(40001);
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  t.state(TcpState::Established);
}

// RFC 9293 MUST-54, SHLD-26: a hard ICMP error ends an opening, a soft one does not.
TEST(TcpOpen, HardIcmpErrorEndsOpening) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.icmp(Error::ConnectionRefused, true, 0);
  t.failed(Error::ConnectionRefused);
}

TEST(TcpOpen, SoftIcmpErrorDoesNotEndOpeningButIsRemembered) {  // RFC 9293 MUST-56
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.icmp(Error::HostUnreachable, false, 0);
  t.no_event(EventKind::Failed);
  EXPECT_EQ(t.status().error, Error::HostUnreachable);
  t.wait(10min);
  t.discard();
  t.failed(Error::HostUnreachable);
}

TEST(TcpOpen, IcmpErrorForOtherSequenceNumbersIsIgnored) {  // RFC 5927 section 4.1
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.icmp(Error::ConnectionRefused, true, 5000);
  t.no_event(EventKind::Failed);
  t.state(TcpState::SynSent);
}

TEST(TcpOpen, HardIcmpErrorDoesNotEndSynchronizedConnection) {  // RFC 5461; RFC 9293 MUST-54
  TcpPeer t;
  t.establish();
  t.send(100);
  t.out(". 1+100");
  t.icmp(Error::ConnectionRefused, true, 1);
  t.state(TcpState::Established);
  t.no_event(EventKind::Failed);
  EXPECT_EQ(t.status().error, Error::ConnectionRefused);
  t.in(". 1 ack 101");
}

// RFC 9293 section 3.10.7.4, fourth step: a passive open goes back to LISTEN, and the next SYN begins anew.
TEST(TcpOpen, SynInsideTheWindowReturnsPassiveSynReceivedToListen) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("S 500 <mss 1460>");
  t.nothing();
  t.gone();
  t.peer_isn(1'000'500);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
}

TEST(TcpOpen, SynOutsideTheWindowIsAcknowledgedInPassiveSynReceived) {  // RFC 9293 EV-13
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("S 5000000 <mss 1460>");
  t.out(". 1 ack 1");
  t.state(TcpState::SynReceived);
}

TEST(TcpOpen, ShutdownWhileConnectingIsRefused) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  const auto shut = t.layer().shutdown_receive(t.now(), t.handle());
  ASSERT_FALSE(shut);
  EXPECT_EQ(shut.error(), Error::NotConnected);
}

}  // namespace
}  // namespace wireside::testing
