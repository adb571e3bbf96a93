// Loss recovery with SACK: RACK (RFC 8985), the rules of RFC 6675 as a fallback, PRR (RFC 6937bis), and taking a
// reduction back (RFC 3522, RFC 5682, RFC 3708).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using observe::TxReason;
using observe::WindowCause;

constexpr std::string_view sack_only = "<mss 1000,sackOK>";

PeerSetup without_tail_loss_probe() {
  PeerSetup s;
  s.config.tail_loss_probe = false;
  return s;
}

/// Established with a measured round trip of 100 ms and a window of ten segments.
void establish_with_sack(TcpPeer& t, std::string_view options = sack_only) { t.establish_after(100ms, options); }

/// Segments of 1,000 octets from octet 1 on; the cwnd of ten is in flight, the rest waits.
void send_segments(TcpPeer& t, std::size_t count, std::size_t expected) {
  t.send(count * 1000);
  for (std::size_t i = 0; i < expected; ++i) {
    EXPECT_EQ(t.any().header.seq, t.our_iss() + static_cast<std::uint32_t>(1 + i * 1000));
  }
  t.nothing();
}

/// Without a tail loss probe the timer is what tells of the loss of everything in flight: the first segment goes again.
struct TimedOut : TcpPeer {
  TimedOut(std::size_t count, std::size_t sent) : TcpPeer{without_tail_loss_probe()} {
    establish_with_sack(*this);
    send_segments(*this, count, sent);
    out_after(300ms, ". 1+1000");
  }
};

bool was_seen(const TcpPeer& t, WindowCause cause) {
  const auto& all = t.windows_seen();
  return std::any_of(all.begin(), all.end(), [&](const auto& w) { return w.cause == cause; });
}

TEST(TcpSackRecovery, ThreeReportedSegmentsAboveAHoleStartIt) {  // RFC 6675 SACKR-01; RFC 8985 RACK-02
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 30, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:2001>");
  EXPECT_EQ(t.out(". 10001+1000").reason, TxReason::Data);  // RFC 3042 LT-01, LT-02
  t.in(". 1 ack 1 <sack 1001:3001>");
  EXPECT_EQ(t.out(". 11001+1000").reason, TxReason::Data);
  EXPECT_EQ(t.status().cwnd, 10000U);
  t.in(". 1 ack 1 <sack 1001:4001>");
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  t.nothing();
  EXPECT_EQ(t.status().ssthresh, 5000U);
}

TEST(TcpSackRecovery, LimitedTransmitWantsNewReports) {  // RFC 3042 LT-02
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 30, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:2001>");
  t.out(". 10001+1000");
  t.in(". 1 ack 1 <sack 1001:2001>");
  t.nothing();
}

TEST(TcpSackRecovery, HolesGoFirstThenNewData) {  // RFC 6675 SACKR-02, SACKR-03
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 30, 10);
  t.wait(100ms);
  t.batch([&] {
    t.in(". 1 ack 1 <sack 1001:2001>");
    t.in(". 1 ack 1 <sack 3001:4001 1001:2001>");
    t.in(". 1 ack 1 <sack 5001:6001 3001:4001 1001:2001>");
  });
  // Three holes: 1, 2001 and 4001. PRR lets one go per two delivered.
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  t.in(". 1 ack 1 <sack 5001:10001 3001:4001 1001:2001>");
  t.out(". 2001+1000");
  t.out(". 4001+1000");
  t.in(". 1 ack 10001");
  EXPECT_EQ(t.out(". 10001+1000").reason, TxReason::Data);
  t.ignore_rest();
}

TEST(TcpSackRecovery, TheWindowGoesDownInStepWithWhatIsDelivered) {  // RFC 6675 SACKR-04; RFC 6937bis
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 40, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:2001>");
  t.in(". 1 ack 1 <sack 1001:3001>");
  t.discard();
  t.wait(1ms);  // what limited transmit sent left earlier than what is sent again
  t.in(". 1 ack 1 <sack 1001:4001>");
  t.out(". 1+1000");
  std::size_t sent = 0;
  for (int end = 5001; end <= 12001; end += 1000) {
    t.in(". 1 ack 1 <sack 1001:" + std::to_string(end) + ">");
    EXPECT_LE(t.pending(), 2U) << "no burst";
    sent += t.discard();
  }
  EXPECT_GE(sent, 4U) << "one for two delivered until ssthresh is reached, then one for one";
  EXPECT_LE(sent, 6U);
  EXPECT_LE(t.status().pipe, 5000U);
  t.in(". 1 ack 12001");
  EXPECT_EQ(t.status().cwnd, 5000U) << "it ends at ssthresh";
  t.ignore_rest();
}

// RFC 6675 SACKR-04: what PRR allows beyond whole segments is no reason for a small one; it adds up.
TEST(TcpSackRecovery, TheRestOfAProportionWaitsForAWholeSegment) {
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 9, 9);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 5001:7001 3001:4001 1001:2001>");
  EXPECT_EQ(t.status().ssthresh, 4500U);
  t.out(". 1+1000");
  t.out(". 2001+1000");
  t.nothing();  // 500 octets are left
  t.in(". 1 ack 1 <sack 5001:8001 3001:4001 1001:2001>");
  t.out(". 4001+1000");
  t.nothing();
}

// What a window carried does not depend on how many of its ACKs come at once.
TEST(TcpSackRecovery, SsthreshIsThatOfTheFlightBeforeABatchOfAcks) {  // RFC 5681 CC-05, equation (4)
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 40, 10);
  t.wait(100ms);
  t.batch([&] {
    t.in(". 1 ack 3001");
    t.in(". 1 ack 6001");
    t.in(". 1 ack 6001 <sack 7001:10001>");
  });
  EXPECT_EQ(t.status().ssthresh, 5000U) << "ten segments were in flight, not four";
  EXPECT_EQ(t.out(". 6001+1000").reason, TxReason::FastRetransmit);
  EXPECT_EQ(t.discard(), 4U) << "nine were delivered: PRR leads straight to ssthresh";
  t.ignore_rest();
}

TEST(TcpSackRecovery, CubicTakesTheSameFlight) {  // RFC 9438 CUBIC-01, section 4.6
  PeerSetup s;
  s.congestion = tcp::CongestionAlgorithm::Cubic;
  TcpPeer t{s};
  establish_with_sack(t);
  send_segments(t, 40, 10);
  t.wait(100ms);
  t.batch([&] {
    t.in(". 1 ack 6001");
    t.in(". 1 ack 6001 <sack 7001:10001>");
  });
  EXPECT_EQ(t.status().ssthresh, 7000U);
  t.ignore_rest();
}

TEST(TcpSackRecovery, WhatSendingHasAnsweredCountsNoMore) {  // RFC 5681 equation (4)
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 10, 10);
  t.wait(100ms);
  t.in(". 1 ack 6001");  // nothing more to send: four segments are in flight
  t.in(". 1 ack 6001 <sack 7001:10001>");
  EXPECT_EQ(t.out(". 6001+1000").reason, TxReason::FastRetransmit);
  EXPECT_EQ(t.status().ssthresh, 2000U);
}

TEST(TcpSackRecovery, ALostRetransmissionIsSentAgainWithoutATimeout) {  // RFC 8985 RACK-08
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 40, 10);
  t.wait(100ms);
  t.batch([&] { t.in(". 1 ack 1 <sack 1001:6001>"); });
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  t.discard();
  t.wait(1ms);
  t.in(". 1 ack 1 <sack 1001:10001>");
  ASSERT_GT(t.discard(), 0U) << "new data";
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:11001>");  // sent after the retransmission, and delivered
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  t.ignore_rest();
}

// RFC 5681 section 4.3: "loss in two successive windows of data, or the loss of a retransmission, should be taken as
// two indications of congestion and, therefore, cwnd (and ssthresh) MUST be lowered twice in this case".

/// The first segment of ten is lost; its repetition has left with four new segments, a round trip ago.
void lose_the_first(TcpPeer& t) {
  establish_with_sack(t);
  send_segments(t, 60, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:10001>");
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  EXPECT_EQ(t.discard(), 4U);
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.wait(100ms);
}

TEST(TcpSackRecovery, TheLossOfARetransmissionLowersTheWindowAgain) {  // RFC 5681 section 4.3; RFC 8985 RACK-08
  TcpPeer t;
  lose_the_first(t);
  t.in(". 1 ack 1 <sack 1001:11001>");  // sent after the repetition
  EXPECT_EQ(t.out(". 1+1000").reason, TxReason::FastRetransmit);
  EXPECT_EQ(t.status().ssthresh, 2500U);
  t.in(". 1 ack 1 <sack 1001:14001>");
  EXPECT_EQ(t.status().ssthresh, 2500U) << "once for each round trip";
  t.in(". 1 ack 14001");
  EXPECT_EQ(t.status().cwnd, 2500U);
  t.ignore_rest();
}

TEST(TcpSackRecovery, AllLossesOfOneWindowLowerItOnce) {  // RFC 5681 section 4.3; RFC 8985 section 9.3
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 60, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 3001:10001 1001:2001>");
  t.out(". 1+1000");
  t.out(". 2001+1000");
  EXPECT_EQ(t.discard(), 3U) << "10001, 11001 and 12001";
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 11001:12001 3001:10001 1001:2001>");  // two repetitions and a new segment are lost
  t.in(". 1 ack 1 <sack 11001:13001 3001:10001 1001:2001>");
  EXPECT_EQ(t.status().ssthresh, 2500U);
  EXPECT_EQ(t.status().total_retransmitted, 4U) << "two more in the window of two and a half";
  t.ignore_rest();
}

TEST(TcpSackRecovery, LossesOfTheNextWindowLowerItAgain) {  // RFC 5681 section 4.3
  PeerSetup s;
  s.config.loss_detection = tcp::LossDetection::Rfc6675;  // which does not judge what was sent again
  TcpPeer t{s};
  establish_with_sack(t);
  send_segments(t, 60, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 3001:10001 1001:2001>");
  t.out(". 1+1000");
  t.out(". 2001+1000");
  EXPECT_EQ(t.discard(), 3U);
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.in(". 1 ack 2001 <sack 3001:10001>");
  EXPECT_GE(t.discard(), 1U) << "13001";
  t.in(". 1 ack 2001 <sack 11001:14001 3001:10001>");
  EXPECT_EQ(t.out(". 10001+1000").reason, TxReason::FastRetransmit);
  EXPECT_EQ(t.status().ssthresh, 2500U);
  t.ignore_rest();
}

TEST(TcpSackRecovery, ARetransmissionLostAfterATimeoutEndsSlowStart) {  // RFC 5681 section 4.3
  TimedOut t{40, 10};
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.in(". 1 ack 1001");
  EXPECT_EQ(t.discard(), 2U) << "new data, as F-RTO wants it";
  t.wait(100ms);
  t.in(". 1 ack 1001 <sack 10001:12001>");
  t.out(". 1001+1000");
  t.out(". 2001+1000");
  EXPECT_EQ(t.status().ssthresh, 5000U) << "all that was in flight at the timeout";
  t.wait(100ms);
  t.in(". 1 ack 1001 <sack 2001:3001 10001:12001>");
  EXPECT_EQ(t.out(". 1001+1000").reason, TxReason::FastRetransmit);
  EXPECT_EQ(t.status().ssthresh, 2000U);
  EXPECT_EQ(t.status().recovery, tcp::LossRecovery::Fast);
  t.ignore_rest();
}

TEST(TcpSackRecovery, DuplicatesOfAllRepetitionsTakeBothReductionsBack) {  // RFC 3708; RFC 4015
  TcpPeer t;
  lose_the_first(t);
  t.in(". 1 ack 1 <sack 1001:11001>");
  t.out(". 1+1000");
  t.discard();
  t.in(". 1 ack 14001");
  EXPECT_EQ(t.status().cwnd, 2500U);
  t.in(". 1 ack 14001 <sack 1:1001>");
  EXPECT_FALSE(was_seen(t, WindowCause::Undo)) << "the first of the two may have been lost";
  t.in(". 1 ack 14001 <sack 1:1001>");
  EXPECT_TRUE(was_seen(t, WindowCause::Undo));
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
  EXPECT_GE(t.status().cwnd, 10000U);
  t.ignore_rest();
}

// RFC 3708 section 3: where the network itself makes duplicates, a report proves nothing about our repetitions.
TEST(TcpSackRecovery, ADuplicateOfWhatWasNeverRepeatedMakesTheReductionStay) {
  TcpPeer t;
  lose_the_first(t);
  t.in(". 1 ack 14001 <sack 5001:6001>");
  t.in(". 1 ack 14001 <sack 1:1001>");
  EXPECT_FALSE(was_seen(t, WindowCause::Undo));
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.ignore_rest();
}

TEST(TcpSackRecovery, OneReportedSegmentIsGivenTimeForReordering) {  // RFC 8985 RACK-04; RFC 5827 ER-01
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 4, 4);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:2001>");
  t.nothing();
  EXPECT_EQ(t.out_after(25ms, ". 1+1000").reason, TxReason::FastRetransmit) << "a quarter of the round trip";
}

TEST(TcpSackRecovery, MildReorderingRepeatsNothing) {  // RFC 8985 RACK-03
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 10, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:2001>");
  t.wait(20ms);
  t.in(". 1 ack 2001");  // the first one was late only
  t.in(". 1 ack 2001 <sack 3001:6001>");
  t.wait(20ms);
  t.in(". 1 ack 10001");
  t.silence(1s);
  EXPECT_EQ(t.status().total_retransmitted, 0U);
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
}

TEST(TcpSackRecovery, Rfc6675WaitsForNoTime) {  // RFC 6675 SACKR-01: what the fallback decides
  PeerSetup s;
  s.config.loss_detection = tcp::LossDetection::Rfc6675;
  s.config.tail_loss_probe = false;
  TcpPeer t{s};
  establish_with_sack(t);
  send_segments(t, 10, 10);
  t.wait(10ms);
  t.in(". 1 ack 1 <sack 1001:3001>");
  t.silence(100ms);
  t.in(". 1 ack 1 <sack 1001:4001>");
  t.out(". 1+1000");
}

TEST(TcpSackRecovery, GarbageBlocksSayNothing) {  // RFC 2018 SACK-06
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 10, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 5001:4001>");
  t.in(". 1 ack 1 <sack 10001:14001>");
  t.in(". 1 ack 1 <sack 4001:900001>");
  t.in(". 1 ack 1 <sack -5000:-1000>");
  t.nothing();
  EXPECT_EQ(t.status().pipe, 10000U);
}

TEST(TcpSackRecovery, APeerThatReneges) {  // RFC 2018 SACK-05
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 5, 5);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:5001>");
  t.out(". 1+1000");
  t.wait(100ms);
  t.in(". 1 ack 1001");  // the hole is filled, and what was reported is gone
  const auto again = t.out_within(2s, ". 1001+1000");
  EXPECT_LE(again, 700ms) << "the retransmission timer";
  t.in(". 1 ack 2001");
  t.out(". 2001+1000");
  t.ignore_rest();
}

TEST(TcpSackRecovery, ATimeoutRepeatsWhatIsMissingOnly) {  // RFC 6675 SACKR-03
  TcpPeer t{without_tail_loss_probe()};
  establish_with_sack(t);
  send_segments(t, 3, 3);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:2001>");
  t.out_after(25ms, ". 1+1000");
  t.out_within(2s, ". 1+1000");  // lost again, and nothing sent later to show it
  t.in(". 1 ack 2001");
  t.out("P. 2001+1000");
  t.nothing();
}

TEST(TcpSackRecovery, DuplicateReportsTakeTheReductionBack) {  // RFC 3708; RFC 4015
  TcpPeer t;
  establish_with_sack(t);
  send_segments(t, 10, 10);
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:4001>");
  t.out(". 1+1000");
  t.in(". 1 ack 10001");
  EXPECT_EQ(t.status().cwnd, 5000U);
  t.in(". 1 ack 10001 <sack 1:1001>");  // it came twice: it had not been lost
  EXPECT_TRUE(was_seen(t, WindowCause::Undo));
  EXPECT_EQ(t.status().cwnd, 10000U);
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
}

TEST(TcpSackRecovery, EifelDetectionByTimestamps) {  // RFC 3522 section 3.2; RFC 4015
  TcpPeer t;
  establish_with_sack(t, "<mss 1000,sackOK,TS val 1 ecr 0>");
  t.send(10000);
  ASSERT_GE(t.discard(), 10U);
  const std::uint32_t original = t.our_last_timestamp();
  t.wait(100ms);
  t.in(". 1 ack 1 <TS val 200 ecr " + std::to_string(original) + ",sack 989:3953>");
  t.any();                                                                 // the retransmission
  t.in(". 1 ack 4941 <TS val 201 ecr " + std::to_string(original) + ">");  // caused by the first transmission
  EXPECT_TRUE(was_seen(t, WindowCause::Undo));
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
  t.ignore_rest();
}

TEST(TcpSackRecovery, FRtoFindsASpuriousTimeout) {  // RFC 5682 section 3.1
  TimedOut t{5, 5};
  EXPECT_EQ(t.status().cwnd, 1000U);
  t.in(". 1 ack 2001");  // the second segment was never repeated: the first transmissions arrive
  EXPECT_TRUE(was_seen(t, WindowCause::Undo));
  EXPECT_GE(t.status().cwnd, 10000U);
  t.nothing();
  EXPECT_EQ(t.status().total_retransmitted, 1U);
}

TEST(TcpSackRecovery, FRtoSendsNewDataFirst) {  // RFC 5682 section 3.1 step 2
  TimedOut t{20, 10};
  t.in(". 1 ack 1001");
  t.out(". 10001+1000");
  t.out(". 11001+1000");
  t.nothing();
  t.in(". 1 ack 1001 <sack 10001:11001>");  // what is between is missing indeed
  EXPECT_EQ(t.any().header.seq, t.our_iss() + 1001);
  EXPECT_FALSE(was_seen(t, WindowCause::Undo));
  t.ignore_rest();
}

TEST(TcpSackRecovery, ThePathsLossAfterATimeoutIsNoNewReduction) {  // RFC 5681 CC-04: once per window
  TimedOut t{20, 10};
  const auto after = t.status().ssthresh;
  t.in(". 1 ack 1001");
  t.discard();  // two new segments, as F-RTO wants it
  t.wait(100ms);
  t.in(". 1 ack 1001 <sack 10001:12001>");
  EXPECT_GT(t.discard(), 0U) << "what is missing is repeated";
  EXPECT_EQ(t.status().ssthresh, after);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing
