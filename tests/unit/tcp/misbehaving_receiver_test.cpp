// Receivers that want more than their share (Savage et al., "TCP congestion control with a misbehaving receiver"), and
// offers made to hurt (CVE-2019-11477 to 11479).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

constexpr std::uint32_t mss = 1000;

void established(TcpPeer& t, std::string_view options, std::size_t octets) {
  t.establish_after(100ms, options);
  t.send(octets);
  t.discard();
}

TEST(TcpMisbehavingReceiver, DividedAcksGrowTheWindowNoMoreThanOneDoes) {  // RFC 5681 CC-01; RFC 3465 section 2.1
  TcpPeer one, many;
  for (TcpPeer* t : {&one, &many}) established(*t, "<mss 1000>", 40 * mss);
  one.in(". 1 ack 1001");
  for (std::uint32_t i = 1; i <= 20; ++i) many.in(". 1 ack " + std::to_string(1 + 50 * i));
  EXPECT_EQ(many.status().cwnd, one.status().cwnd);
  for (TcpPeer* t : {&one, &many}) t->ignore_rest();
}

TEST(TcpMisbehavingReceiver, AcksOfWhatWasNeverSentDoNothing) {  // RFC 9293 section 3.10.7.4, optimistic ACKs
  TcpPeer t;
  established(t, "<mss 1000>", 40 * mss);
  const auto before = t.status();
  t.in(". 1 ack 20001");  // 10 segments are out
  EXPECT_EQ(t.status().cwnd, before.cwnd);
  EXPECT_EQ(t.status().snd_una, before.snd_una);
  t.out(". 10001 ack 1");
  t.nothing();
}

TEST(TcpMisbehavingReceiver, EndlessDuplicateAcksReleaseNoMoreThanWasInFlight) {  // RFC 5681 CC-05
  TcpPeer t;
  established(t, "<mss 1000>", 100 * mss);
  for (int i = 0; i < 200; ++i) t.in(". 1 ack 1");
  std::size_t octets = 0;
  while (t.pending() > 0) octets += t.any().payload.octets();
  // Limited transmit sent two, recovery repeats one and lets at most one out for each segment that can have arrived.
  EXPECT_LE(octets, (2 + 1 + 10) * mss);
  EXPECT_LE(t.status().cwnd, (5 + 3 + 10) * mss);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, ReportsOfWhatWasNeverSentDoNothing) {  // RFC 2018 SACK-07
  TcpPeer t;
  established(t, "<mss 1000,sackOK>", 40 * mss);
  t.in(". 1 ack 1 <sack 20001:30001>");
  t.in(". 1 ack 1 <sack 9001:30001>");
  t.in(". 1 ack 1 <sack 5001:4001>");
  EXPECT_EQ(t.status().sacked, 0U);
  EXPECT_EQ(t.status().cwnd, 10 * mss);
  EXPECT_EQ(t.pending(), 0U);
}

TEST(TcpMisbehavingReceiver, ATinyMssIsNotFollowedBelowTheBound) {  // CVE-2019-11477, CVE-2019-11479
  for (const std::string offered : {"0", "1", "8", "47"}) {
    TcpPeer t;
    established(t, "<mss " + offered + ",sackOK>", 0);
    EXPECT_EQ(t.status().mss, 48U) << offered;
    t.send(200);
    EXPECT_EQ(t.any().payload.octets(), 48U) << offered;
    t.ignore_rest();
  }
}

TEST(TcpMisbehavingReceiver, FalseDsacksCannotUndoATimeout) {  // RFC 3708 section 3; RFC 2883
  TcpPeer t;
  established(t, "<mss 1000,sackOK>", 40 * mss);
  t.wait(5s);
  t.discard();
  const auto lowered = t.status().cwnd;
  EXPECT_LT(lowered, 10 * mss);
  t.in(". 1 ack 1 <sack -5000:-4000>");  // octets before the connection began
  EXPECT_EQ(t.status().cwnd, lowered);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, DuplicatesOfWhatWasNotRepeatedUndoNothing) {  // RFC 3708 section 3; RFC 2883
  TcpPeer t;
  established(t, "<mss 1000,sackOK>", 40 * mss);
  t.wait(100ms);
  for (const char* block : {"1001:2001", "1001:3001", "1001:4001"}) t.in(std::string{". 1 ack 1 <sack "} + block + ">");
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 20001");  // the one loss is repaired
  t.discard();
  const auto ssthresh = t.status().ssthresh;
  EXPECT_LT(ssthresh, 10 * mss);
  t.in(". 1 ack 20001 <sack 15001:16001>");  // the network made a copy of this one
  EXPECT_EQ(t.status().ssthresh, ssthresh);
  t.in(". 1 ack 20001 <sack 1:1001>");  // and now nothing is believed any more
  EXPECT_EQ(t.status().ssthresh, ssthresh);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, ADuplicateOfWhatWasRepeatedUndoesTheReduction) {  // RFC 3708 section 3
  TcpPeer t;
  established(t, "<mss 1000,sackOK>", 40 * mss);
  t.wait(100ms);
  for (const char* block : {"1001:2001", "1001:3001", "1001:4001"}) t.in(std::string{". 1 ack 1 <sack "} + block + ">");
  t.discard();
  t.in(". 1 ack 12001");
  t.discard();
  EXPECT_LT(t.status().ssthresh, 10 * mss);
  t.in(". 1 ack 12001 <sack 1:1001>");
  EXPECT_GT(t.status().ssthresh, 10 * mss);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, TwoBlocksInOneReportAreNoReordering) {  // RFC 8985 section 6.2 step 3
  TcpPeer t;
  established(t, "<mss 1000,sackOK>", 40 * mss);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 3001:4001 1001:2001>");  // an ACK between was lost; the newest comes first
  EXPECT_FALSE(t.status().reordering_seen);
  t.in(". 1 ack 1 <sack 2001:3001 3001:4001 1001:2001>");
  EXPECT_TRUE(t.status().reordering_seen);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, ABlindSegmentDoesNotLockThePeerOut) {  // RFC 7323 TS-05; RFC 5961 section 1
  TcpPeer t;
  t.establish("<mss 1460,sackOK,TS val 1 ecr 0>");
  t.in(". 1+100 ack 90000 <TS val 1000000 ecr 0>");  // acknowledges what was never sent
  t.discard();
  t.in("P. 1+100 ack 1 <TS val 5 ecr last>");
  t.read_exactly(100);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, AClosedWindowOverReportedDataLeavesATimer) {  // RFC 9293 MUST-36; RFC 2018 section 8
  TcpPeer t;
  established(t, "<mss 1000,sackOK>", 3 * mss);
  t.wait(10ms);
  t.in(". 1 ack 1 win 0 <sack 1:3001>");
  t.wait(5s);
  t.discard();
  t.out_within(60s, ". 1+1 ack 1");
  t.ignore_rest();
}

/// Two flights, 100 ms apart: octets up to 10001, of which 8,000 are acknowledged as they should be, and those behind.
std::uint32_t two_flights(TcpPeer& t) {
  established(t, "<mss 1012,TS val 1 ecr 0>", 100 * mss);
  const std::uint32_t first = t.our_last_timestamp();
  t.wait(100ms);
  t.in(". 1 ack 8001 <TS val 200 ecr " + std::to_string(first) + ">");
  EXPECT_GT(t.our_last_timestamp(), first);
  t.discard();
  return first;
}

// RFC 5681 CC-10; RFC 7323 section 4.3: who acknowledges the second flight before it has come knows no time of it yet.
TEST(TcpMisbehavingReceiver, AcksAheadOfTheDataGiveNoGrowth) {
  TcpPeer t;
  const auto first = two_flights(t);
  const auto cwnd = t.status().cwnd;
  t.wait(5ms);
  t.in(". 1 ack 10001 <TS val 205 ecr " + std::to_string(first) + ">");
  const auto honest = t.status().cwnd;
  EXPECT_GT(honest, cwnd);  // octets up to 10001 were of the first flight
  for (const char* ack : {"12001", "14001", "16001"}) {
    t.in(std::string{". 1 ack "} + ack + " <TS val 205 ecr " + std::to_string(first) + ">");
    EXPECT_EQ(t.status().cwnd, honest) << ack;
  }
  t.in(". 1 ack 18001 <TS val 205 ecr " + std::to_string(t.our_last_timestamp() + 1000) + ">");  // a guess
  EXPECT_EQ(t.status().cwnd, honest);
  EXPECT_EQ(t.sink().count.tcp_optimistic_acks, 4U);
  t.ignore_rest();
}

TEST(TcpMisbehavingReceiver, AcksOfWhatHasComeGiveGrowth) {  // RFC 5681 CC-10; RFC 7323 section 4.3
  TcpPeer t;
  two_flights(t);
  t.wait(100ms);
  auto cwnd = t.status().cwnd;
  const auto second = std::to_string(t.our_last_timestamp());
  for (std::uint32_t to = 10001; to <= 18001; to += 4000) {
    // The echo is of the earliest segment that an ACK is for, or of a later one where an ACK before it was lost.
    t.in(". 1 ack " + std::to_string(to) + " <TS val 300 ecr " + second + ">");
    EXPECT_GT(t.status().cwnd, cwnd) << to;
    cwnd = t.status().cwnd;
  }
  EXPECT_EQ(t.sink().count.tcp_optimistic_acks, 0U);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
