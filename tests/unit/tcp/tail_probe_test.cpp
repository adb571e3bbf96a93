// Tail loss probes (RFC 8985 section 7).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using observe::TxReason;
using observe::WindowCause;

void establish_for_probe(TcpPeer& t) { t.establish_after(100ms, "<mss 1000,sackOK>"); }

TEST(TcpTailProbe, AfterTwoRoundTripsTheLastSegmentGoesAgain) {  // RFC 8985 RACK-06, RACK-07
  TcpPeer t;
  establish_for_probe(t);
  t.send(3000);
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.out("P. 2001+1000");
  EXPECT_EQ(t.out_after(200ms, "P. 2001+1000").reason, TxReason::TailLossProbe);
  EXPECT_EQ(t.out_after(300ms, ". 1+1000").reason, TxReason::RtoRetransmit) << "one probe only, then the timer anew";
  t.ignore_rest();
}

TEST(TcpTailProbe, ItsReportShowsTheHoleBeforeItWhateverTheEchoSays) {  // RFC 8985 RACK-06; RFC 7323 section 4.3
  TcpPeer t;
  t.establish_after(100ms, "<mss 1012,sackOK,TS val 1 ecr 0>");
  t.wait(50ms);
  t.send(3000);
  EXPECT_EQ(t.discard(), 3U);
  const std::string echo = std::to_string(t.our_last_timestamp());  // of the segment before these, as the peer has it
  EXPECT_EQ(t.out_after(200ms, "P. 2001+1000").reason, TxReason::TailLossProbe);
  t.wait(100ms);
  t.in(". 1 ack 1 <TS val 400 ecr " + echo + ",sack 2001:3001>");
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  t.ignore_rest();
}

TEST(TcpTailProbe, NewDataIsTheBetterProbe) {  // RFC 8985 RACK-07
  TcpPeer t;
  establish_for_probe(t);
  t.send(15000);
  for (int i = 0; i < 10; ++i) t.any();
  t.nothing();
  EXPECT_EQ(t.out_after(200ms, ". 10001+1000").reason, TxReason::TailLossProbe) << "whatever cwnd says";
}

TEST(TcpTailProbe, ThePeersWindowIsKept) {
  TcpPeer t;
  t.default_window(10000);
  establish_for_probe(t);
  t.send(15000);
  for (int i = 0; i < 10; ++i) t.any();
  EXPECT_EQ(t.out_after(200ms, ". 9001+1000").reason, TxReason::TailLossProbe);
}

TEST(TcpTailProbe, WithOneSegmentThePeersDelayedAckIsWaitedFor) {  // RFC 8985 RACK-06
  PeerSetup s;
  s.config.rto_min = 1s;
  TcpPeer t{s};
  establish_for_probe(t);
  t.send(500);
  t.out("P. 1+500");
  EXPECT_EQ(t.out_after(400ms, "P. 1+500").reason, TxReason::TailLossProbe) << "2 SRTT and 200 ms";
}

TEST(TcpTailProbe, WhereTheTimerIsShorterTheProbeTakesItsPlace) {  // RFC 8985 RACK-06, section 7.2
  TcpPeer t;
  establish_for_probe(t);
  t.send(500);
  t.out("P. 1+500");
  EXPECT_EQ(t.out_after(300ms, "P. 1+500").reason, TxReason::TailLossProbe);
  EXPECT_EQ(t.status().cwnd, 10000U) << "no timeout yet";
  EXPECT_EQ(t.out_after(300ms, "P. 1+500").reason, TxReason::RtoRetransmit);
}

TEST(TcpTailProbe, NoSillySegmentOfNewData) {  // RFC 9293 MUST-38
  TcpPeer t;
  t.default_window(10400);
  establish_for_probe(t);
  t.send(15000);
  for (int i = 0; i < 10; ++i) t.any();
  t.out_after(200ms, ". 9001+1000");
  t.ignore_rest();
}

TEST(TcpTailProbe, AnUnansweredFlightOnlyAndNoRecovery) {
  TcpPeer t;
  establish_for_probe(t);
  t.send(3000);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 3001");
  t.silence(10s);
}

TEST(TcpTailProbe, ARepairedLossReducesTheWindow) {  // RFC 8985 RACK-07, section 7.4
  PeerSetup s;
  s.config.rto_min = 1s;
  TcpPeer t{s};
  establish_for_probe(t);
  t.send(3000);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 2001");
  const auto probe = t.out_within(1s, "P. 2001+1000");
  EXPECT_GE(probe, 100ms);
  t.wait(100ms);
  t.in(". 1 ack 3001");
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX) << "it may have come twice: not known yet";
  t.send(1000);
  t.out("P. 3001+1000");
  t.wait(100ms);
  t.in(". 1 ack 4001");
  EXPECT_NE(t.status().ssthresh, UINT32_MAX);
  EXPECT_EQ(t.windows_seen().back().cause, WindowCause::TailLossRepaired);
}

TEST(TcpTailProbe, AProbeTooManyReducesNothing) {  // RFC 8985 section 7.4: DSACK
  TcpPeer t;
  establish_for_probe(t);
  t.send(3000);
  t.discard();
  t.out_after(200ms, "P. 2001+1000");
  t.in(". 1 ack 3001");
  t.in(". 1 ack 3001 <sack 2001:3001>");
  t.send(1000);
  t.out("P. 3001+1000");
  t.wait(100ms);
  t.in(". 1 ack 4001");
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
}

TEST(TcpTailProbe, TheProbeShowsWhatWasLostBeforeIt) {  // RFC 8985 section 7.1: the tail is recovered by RACK
  TcpPeer t;
  establish_for_probe(t);
  t.send(4000);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 1001");  // the rest was lost
  t.out_within(1s, "P. 3001+1000");
  t.wait(100ms);
  t.in(". 1 ack 1001 <sack 3001:4001>");
  EXPECT_LE(t.out_within(100ms, ". 1001+1000"), 30ms);
  t.ignore_rest();
}

TEST(TcpTailProbe, NotWithoutSack) {
  TcpPeer t;
  t.establish_after(100ms);
  t.send(3000);
  t.discard();
  EXPECT_EQ(t.out_after(300ms, ". 1+1000").reason, TxReason::RtoRetransmit);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
