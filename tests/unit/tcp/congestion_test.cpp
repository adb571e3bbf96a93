// Congestion control: RFC 5681, RFC 6928, RFC 6582 (NewReno without SACK).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"
#include "tcp/congestion.hpp"

namespace wireside::testing {
namespace {

std::string mss_option(int mss) { return "<mss " + std::to_string(mss) + ">"; }

// RFC 6928 IW-01: min(10*MSS, max(2*MSS, 14600)).
TEST(TcpCongestion, InitialWindow) {
  const auto initial = [](int mss) {
    PeerSetup s;
    s.mss = 9000;
    TcpPeer t{s};
    t.establish(mss_option(mss));
    t.send(200'000);
    t.ignore_rest();
    return t.status().flight;
  };
  EXPECT_EQ(initial(536), 5360U);
  EXPECT_EQ(initial(1460), 14600U);
  EXPECT_EQ(initial(8960), 17920U);
}

TEST(TcpCongestion, InitialWindowIsOneSegmentAfterSynLoss) {  // RFC 6928 IW-02
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1000>");
  t.out("S. 0 ack 1");
  t.out_after(1s, "S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  t.send(20000);
  EXPECT_EQ(t.status().cwnd, 1000U);
  t.out(". 1+1000");
  t.nothing();
  t.ignore_rest();
}

// RFC 5681 CC-01: slow start adds at most min(acknowledged, SMSS) per ACK, and ssthresh starts high. MUST-19 of RFC
// 9293 asks for that, and allows other controls with it (MAY-18). NewReno keeps to it wherever what an ACK releases
// would leave in one burst, which is the reason for the limit (RFC 3465 section 2.3); the exceptions are in the next
// tests.
TEST(TcpCongestion, SlowStartAddsOneSegmentPerAck) {
  TcpPeer t;
  t.establish("<mss 1000>");
  EXPECT_GT(t.status().ssthresh, 1U << 24);
  t.send(60000);
  EXPECT_EQ(t.discard(), 10U);
  t.in(". 1 ack 1001");
  EXPECT_EQ(t.status().cwnd, 11000U);
  t.in(". 1 ack 3001");
  EXPECT_EQ(t.status().cwnd, 12000U);
  EXPECT_EQ(t.discard(), 5U);
}

/// Cwnd after an ACK of all ten segments of the initial window, 100 ms after they were sent.
std::uint32_t window_after_a_stretch_ack(tcp::CongestionAlgorithm congestion, tcp::Pacing pacing) {
  PeerSetup s;
  s.congestion = congestion;
  s.pacing = pacing;
  TcpPeer t{s};
  t.establish_after(100ms);
  t.send(60000);
  EXPECT_EQ(t.discard(), 10U);
  t.wait(100ms);
  t.in(". 1 ack 10001");
  EXPECT_LE(t.pending(), pacing == tcp::Pacing::Off ? 20U : 2U) << "no burst where there is pacing";
  t.ignore_rest();
  return t.status().cwnd;
}

// RFC 9406 section 4.3: "L = infinity if paced, L = 8 if non-paced". Receivers that join segments (as our own, and
// common hosts do) acknowledge many at once: with a limit growth would be linear. CUBIC's slow start is that of RFC
// 9406, as RFC 9438 section 4.10 says; NewReno has it where it is paced.
TEST(TcpCongestion,
     AStretchAckCountsForAllItCoversWherePacingSpreadsIt) {  // RFC 9406 section 4.3; RFC 3465 section 2.3
  using tcp::CongestionAlgorithm;
  EXPECT_EQ(window_after_a_stretch_ack(CongestionAlgorithm::Cubic, tcp::Pacing::Auto), 20000U);
  EXPECT_EQ(window_after_a_stretch_ack(CongestionAlgorithm::NewReno, tcp::Pacing::Auto), 20000U);
  EXPECT_EQ(window_after_a_stretch_ack(CongestionAlgorithm::Cubic, tcp::Pacing::Off), 18000U) << "L = 8";
  EXPECT_EQ(window_after_a_stretch_ack(CongestionAlgorithm::NewReno, tcp::Pacing::Off), 11000U) << "RFC 5681 CC-01";
}

TEST(TcpCongestion, AfterATimeoutAnAckAddsOneSegment) {  // RFC 5681 CC-01; RFC 3465 section 2.3; RFC 9406 HS-03
  for (const auto congestion : {tcp::CongestionAlgorithm::Cubic, tcp::CongestionAlgorithm::NewReno}) {
    PeerSetup s;
    s.congestion = congestion;
    TcpPeer t{s};
    t.establish("<mss 1000>");
    t.send(60000);
    EXPECT_EQ(t.discard(), 10U);
    t.out_within(3s, ". 1+1000");
    EXPECT_EQ(t.status().cwnd, 1000U);
    t.in(". 1 ack 4001");  // the peer had the next three
    EXPECT_EQ(t.status().cwnd, 2000U);
    t.ignore_rest();
  }
}

// RFC 5681 CC-10: dividing an ACK gives no more than its octets.
TEST(TcpCongestion, AckDivisionGivesNoUndueGrowth) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(60000);
  t.discard();
  for (int i = 1; i <= 10; ++i) t.in(". 1 ack " + std::to_string(1 + 100 * i));
  EXPECT_LE(t.status().cwnd, 11000U);
  t.ignore_rest();
}

TEST(TcpCongestion, OptimisticAckDoesNothing) {  // RFC 5681 CC-10
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(60000);
  t.discard();
  const auto cwnd = t.status().cwnd;
  t.in(". 1 ack 20001");  // we have sent 10,000
  EXPECT_EQ(t.status().cwnd, cwnd);
  EXPECT_EQ(t.status().snd_una - t.our_iss(), 1);
  t.ignore_rest();
}

/// Acknowledges everything in flight, one segment at a time, and throws the answers away.
void acknowledge_flight(TcpPeer& t, std::uint32_t mss) {
  const auto end = static_cast<std::uint32_t>(t.status().snd_nxt - t.our_iss());
  auto at = static_cast<std::uint32_t>(t.status().snd_una - t.our_iss());
  while (at < end && !t.broken()) {
    at = std::min(end, at + mss);
    t.in(". 1 ack " + std::to_string(at));
  }
  t.discard();
}

// RFC 5681 CC-02: in congestion avoidance one segment per round trip.
TEST(TcpCongestion, CongestionAvoidanceAddsOneSegmentPerRoundTrip) {
  TcpPeer t;
  ConnectionOptions o;
  o.send_buffer = 8 << 20;
  t.establish("<mss 1000>", o);
  t.send(2'000'000);
  t.discard();
  // Recovery: half of the flight, without what limited transmit (RFC 3042) sent on the first two duplicates.
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  EXPECT_EQ(t.status().ssthresh, 5000U);
  acknowledge_flight(t, 100'000);
  for (int i = 0; i < 3; ++i) acknowledge_flight(t, 1000);  // through slow start up to ssthresh
  for (int i = 0; i < 10; ++i) {
    t.wait(1ms);
    const auto before = t.status().cwnd;
    acknowledge_flight(t, 1000);
    const auto grown = t.status().cwnd - before;
    EXPECT_LE(grown, 1000U);
    EXPECT_GE(t.status().cwnd, before);
  }
  EXPECT_GT(t.status().cwnd, 9000U);
  EXPECT_LT(t.status().cwnd, 19000U);
}

// RFC 5681 CC-03
TEST(TcpCongestion, TimeoutSetsCwndToOneSegment) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(60000);
  EXPECT_EQ(t.discard(), 10U);
  t.out_within(3s, ". 1+1000");
  EXPECT_EQ(t.status().cwnd, 1000U);
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.nothing();
}

// "Loss window" is one segment since RFC 5681 takes all that is in flight for lost at a timeout. RACK (RFC 8985 section
// 6.3) takes only what is overdue: what left later still counts as in flight, and the window is one segment above that,
// so that one segment leaves all the same. Linux does so, too.
TEST(TcpCongestion, ATimeoutReleasesOneSegmentWhateverIsStillInFlight) {  // RFC 5681 CC-03; RFC 8985 section 6.3
  PeerSetup s;
  s.config.tail_loss_probe = false;
  TcpPeer t{s};
  t.establish_after(100ms, "<mss 1000,sackOK>");
  t.send(1000);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 1001");
  t.send(2000);
  t.discard();
  t.wait(250ms);
  t.send(3000);  // on their way for 50 ms when the timer for the first ones fires
  EXPECT_EQ(t.discard(), 3U);
  t.out_within(100ms, ". 1001+1000");
  t.nothing();
  EXPECT_EQ(t.status().lost, 1000U) << "the second of those that are overdue";
  EXPECT_EQ(t.status().pipe, 4000U) << "three that are not, and the repetition";
  EXPECT_EQ(t.status().cwnd, 4000U);
  EXPECT_EQ(t.status().ssthresh, 2500U);
  t.ignore_rest();
}

TEST(TcpCongestion, SsthreshIsAtLeastTwoSegments) {  // RFC 5681 CC-03
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(1000);
  t.out("P. 1+1000");
  t.out_within(3s, "P. 1+1000");
  EXPECT_EQ(t.status().ssthresh, 2000U);
}

// RFC 5681 CC-04
TEST(TcpCongestion, SsthreshIsNotCutAgainWhenTheSameSegmentTimesOut) {
  PeerSetup s;
  s.config.mtu_probing = false;  // the size stays
  TcpPeer t{s};
  t.establish("<mss 1000>");
  t.send(60000);
  t.discard();
  t.out_within(3s, ". 1+1000");
  const auto ssthresh = t.status().ssthresh;
  t.out_within(3s, ". 1+1000");
  t.out_within(5s, ". 1+1000");
  EXPECT_EQ(t.status().ssthresh, ssthresh);
}

// RFC 5681 CC-05
TEST(TcpCongestion, ThirdDuplicateAckStartsFastRetransmit) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  t.in(". 1 ack 1");
  t.in(". 1 ack 1");
  t.nothing();
  t.in(". 1 ack 1");
  EXPECT_EQ(t.out(". 1+1000").reason, observe::TxReason::FastRetransmit);
  EXPECT_EQ(t.status().ssthresh, 5000U);
  EXPECT_EQ(t.status().cwnd, 8000U);
  t.in(". 1 ack 10001");
  EXPECT_LE(t.status().cwnd, 5000U);  // deflated
  t.nothing();
}

TEST(TcpCongestion, HalfOfWhatWasInFlightBeforeABatchOfAcks) {  // RFC 5681 CC-05, equation (4)
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(40000);
  EXPECT_EQ(t.discard(), 10U);
  t.batch([&] {
    t.in(". 1 ack 6001");
    for (int i = 0; i < 3; ++i) t.in(". 1 ack 6001");
  });
  EXPECT_EQ(t.out(". 6001+1000").reason, observe::TxReason::FastRetransmit);
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.ignore_rest();
}

TEST(TcpCongestion, FurtherDuplicateAcksInflateTheWindow) {  // RFC 5681 section 3.2 step 4
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(30000);
  EXPECT_EQ(t.discard(), 10U);
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  t.discard();
  const auto cwnd = t.status().cwnd;
  t.in(". 1 ack 1");
  EXPECT_EQ(t.status().cwnd, cwnd + 1000);
  for (int i = 0; i < 4; ++i) t.in(". 1 ack 1");
  EXPECT_GE(t.discard(), 1U);  // new data
}

// RFC 5681 CC-06: what only looks like a duplicate.
TEST(TcpCongestion, NearDuplicatesDoNotCount) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  for (int i = 0; i < 5; ++i) t.in(". 1 ack 1 win " + std::to_string(60000 + i));                // window updates
  for (int i = 0; i < 5; ++i) t.in("P. " + std::to_string(1 + 10 * i) + "+10 ack 1 win 60004");  // data
  t.wait(40ms);
  for (; t.pending() > 0 && !t.broken();) EXPECT_EQ(t.out(". 10001").payload.octets(), 0U);
  EXPECT_EQ(t.status().total_retransmitted, 0U);
}

TEST(TcpCongestion, AcksWithNothingOutstandingDoNotCount) {  // RFC 5681 CC-06
  TcpPeer t;
  t.establish("<mss 1000>");
  for (int i = 0; i < 5; ++i) t.in(". 1 ack 1");
  t.send(1000);
  t.out("P. 1+1000");
  t.nothing();
  EXPECT_GT(t.status().ssthresh, 1U << 24);
}

// RFC 5681 CC-08
TEST(TcpCongestion, WindowRestartsAfterIdle) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(40000);
  t.discard();
  for (int i = 0; i < 4; ++i) acknowledge_flight(t, 1000);
  EXPECT_GT(t.status().cwnd, 15000U);
  EXPECT_EQ(t.status().flight, 0U);
  t.wait(1min);
  t.send(40000);
  EXPECT_EQ(t.discard(), 10U);
}

TEST(TcpCongestion, ApplicationLimitedSenderDoesNotGrowItsWindow) {  // RFC 7661's reason, RFC 5681 section 4.1
  TcpPeer t;
  t.establish("<mss 1000>");
  for (int i = 0; i < 100; ++i) {
    t.send(1000);
    t.discard();
    t.in(". 1 ack " + std::to_string(1001 + 1000 * i));
  }
  EXPECT_LE(t.status().cwnd, 12000U);
}

// RFC 6582 NR-01
TEST(TcpNewReno, PartialAckRetransmitsTheNextHoleAtOnce) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  t.out(". 1+1000");
  t.in(". 1 ack 4001");  // the segment at 4001 was lost, too
  EXPECT_EQ(t.out(". 4001+1000").reason, observe::TxReason::PartialAckRetransmit);
  t.in(". 1 ack 7001");
  t.out(". 7001+1000");
  t.in(". 1 ack 10001");
  t.nothing();
  EXPECT_LE(t.status().cwnd, 5000U);
  EXPECT_EQ(t.status().ssthresh, 5000U);  // cut once for the whole window
}

// RFC 6582 NR-02
TEST(TcpNewReno, OldDuplicatesDoNotStartASecondFastRetransmit) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  t.out(". 1+1000");
  t.in(". 1 ack 10001");
  t.nothing();
  t.send(3000);
  t.discard();
  const auto ssthresh = t.status().ssthresh;
  for (int i = 0; i < 5; ++i) t.in(". 1 ack 9001");  // old
  t.nothing();
  EXPECT_EQ(t.status().ssthresh, ssthresh);
}

// RFC 6582 NR-03
TEST(TcpNewReno, DuplicatesBelowRecoverAfterATimeoutDoNotStartFastRetransmit) {
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  t.out_within(3s, ". 1+1000");
  t.in(". 1 ack 2001");
  t.discard();
  const auto ssthresh = t.status().ssthresh;
  for (int i = 0; i < 4; ++i) t.in(". 1 ack 2001");
  EXPECT_EQ(t.status().ssthresh, ssthresh);
  for (; t.pending() > 0 && !t.broken();) {
    EXPECT_NE(t.out(". 2001+1000").reason, observe::TxReason::FastRetransmit);
  }
}

// A probe of the path may make segments larger than a reduced window.
TEST(TcpCongestion, TheWindowHoldsASegmentWhateverItsSizeBecomes) {  // RFC 5681 CC-03; RFC 4821 section 7.6
  tcp::Congestion c;
  c.select(tcp::CongestionAlgorithm::NewReno);
  c.start(512, false);
  c.reduce(1024, tcp::CongestionSignal::Loss, Instant{});
  c.begin_fast_recovery();
  c.set_smss(4000);
  c.deflate(3000);
  EXPECT_GE(c.cwnd(), 4000U);
  c.end_fast_recovery(512);
  EXPECT_GE(c.cwnd(), 4000U);
  c.on_idle_restart(1s);
  EXPECT_GE(c.cwnd(), 4000U);
}

}  // namespace
}  // namespace wireside::testing
