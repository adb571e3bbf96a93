// The retransmission timer (RFC 6298, RFC 9293 section 3.8.1) and its limits (3.8.3).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"
#include "tcp/rtt_estimator.hpp"

namespace wireside::testing {
namespace {

/// Established with a measured round trip of 100 ms: SRTT 100 ms, RTTVAR 50 ms, RTO 300 ms.
void establish_100ms(TcpPeer& t, std::string_view options = "<mss 1000>") { t.establish_after(100ms, options); }

// RFC 6298 RTO-02: SRTT = R, RTTVAR = R/2, then 7/8-1/8 and 3/4-1/4 with RTTVAR first.
TEST(RttEstimator, FollowsTheFormulas) {
  tcp::RttEstimator e{{.initial = 1s, .min = 1ms, .max = 120s}};
  EXPECT_EQ(e.rto(), 1s);
  double srtt = 0, rttvar = 0;
  bool first = true;
  for (const double ms : {100.0, 100.0, 200.0, 50.0, 50.0, 1000.0, 10.0, 10.0, 10.0, 300.0}) {
    if (first) {
      srtt = ms;
      rttvar = ms / 2;
    } else {
      rttvar = 0.75 * rttvar + 0.25 * std::abs(srtt - ms);
      srtt = 0.875 * srtt + 0.125 * ms;
    }
    first = false;
    e.sample(std::chrono::microseconds{static_cast<std::int64_t>(ms * 1000)});
    EXPECT_NEAR(static_cast<double>(e.srtt().count()) / 1e6, srtt, 0.001);
    EXPECT_NEAR(static_cast<double>(e.rttvar().count()) / 1e6, rttvar, 0.001);
    EXPECT_NEAR(static_cast<double>(e.rto().count()) / 1e6, srtt + 4 * rttvar, 0.001);
  }
}

TEST(RttEstimator, VarianceOfZeroLeavesTheClockGranularity) {  // RFC 6298 RTO-02: max(G, K*RTTVAR)
  tcp::RttEstimator e{{.initial = 1s, .min = Duration{0}, .max = 120s}};
  for (int i = 0; i < 500; ++i) e.sample(100ms);
  EXPECT_GT(e.rto(), 100ms);
  EXPECT_LE(e.rto(), 110ms);
}

TEST(RttEstimator, BoundsHold) {  // RFC 6298 RTO-03
  tcp::RttEstimator e{{.initial = 1s, .min = 200ms, .max = 120s}};
  e.sample(0us);
  EXPECT_EQ(e.rto(), 200ms);
  for (int i = 0; i < 30; ++i) e.back_off();
  EXPECT_EQ(e.rto(), 120s);
  EXPECT_GE(tcp::TcpConfig{}.rto_max, 60s);
}

TEST(RttEstimator, ASteadyPathLeavesTimeForADelayedAck) {  // RFC 6298 RTO-03; RFC 8985 section 7.2
  tcp::RttEstimator e{{.initial = 1s, .min = 200ms, .max = 120s}};
  for (int i = 0; i < 500; ++i) e.sample(190ms);
  EXPECT_GE(e.rto(), 390ms);
  EXPECT_LE(e.rto(), 400ms);
}

TEST(TcpRetransmission, TimeoutComesAfterTheMeasuredRto) {  // RFC 9293 MUST-18; RFC 6298 RTO-02
  TcpPeer t;
  establish_100ms(t);
  EXPECT_EQ(t.status().rto, 300ms);
  t.send(1000);
  t.out("P. 1+1000");
  EXPECT_EQ(t.out_after(300ms, "P. 1+1000").reason, observe::TxReason::RtoRetransmit);
}

// RFC 9293 MUST-19; RFC 6298 RTO-06: doubles on expiry.
TEST(TcpRetransmission, BackOffDoubles) {
  PeerSetup s;
  s.config.mtu_probing = false;  // the size stays
  TcpPeer t{s};
  establish_100ms(t);
  t.send(1000);
  t.out("P. 1+1000");
  for (const auto gap : {300ms, 600ms, 1200ms, 2400ms, 4800ms}) t.out_after(gap, "P. 1+1000");
}

TEST(TcpRetransmission, TimerIsRestartedByNewAcks) {  // RFC 6298 RTO-06 (5.3)
  TcpPeer t;
  establish_100ms(t);
  t.send(3000);
  t.discard();
  t.wait(200ms);
  t.in(". 1 ack 1001");
  const auto rto = t.status().rto;
  EXPECT_GT(rto, 200ms);
  t.out_after(rto, ". 1001+1000");
}

TEST(TcpRetransmission, TimerStopsWhenAllIsAcknowledged) {  // RFC 6298 RTO-06 (5.2)
  TcpPeer t;
  establish_100ms(t);
  t.send(1000);
  t.out("P. 1+1000");
  t.in(". 1 ack 1001");
  t.silence(1h);
  EXPECT_EQ(t.layer().next_deadline(), Instant::max());
}

TEST(TcpRetransmission, LaterSegmentsDoNotPostponeTheTimer) {  // RFC 6298 RTO-05, RTO-06 (5.1)
  TcpPeer t;
  establish_100ms(t);
  t.send(1000);
  t.out("P. 1+1000");
  t.wait(200ms);
  t.send(1000);
  t.out("P. 1001+1000");
  t.out_after(100ms, ". 1+1000");
}

// RFC 6298 RTO-04; RFC 9293 MUST-18: Karn's algorithm.
TEST(TcpRetransmission, NoSampleFromRetransmittedSegmentWithoutTimestamps) {
  TcpPeer t;
  establish_100ms(t);
  t.send(1000);
  t.out("P. 1+1000");
  t.out_after(300ms, "P. 1+1000");
  const auto samples = t.samples_seen().size();
  const auto srtt = t.status().srtt;
  t.wait(10ms);
  t.in(". 1 ack 1001");
  EXPECT_EQ(t.samples_seen().size(), samples);
  EXPECT_EQ(t.status().srtt, srtt);
  // The back-off stays until a segment that was sent once is acknowledged.
  t.send(1000);
  t.out("P. 1001+1000");
  t.wait(100ms);
  t.in(". 1 ack 2001");
  EXPECT_EQ(t.samples_seen().size(), samples + 1);
  EXPECT_LT(t.status().rto, 400ms);
}

// RFC 7323 section 4: with timestamps the echo tells which transmission was acknowledged.
TEST(TcpRetransmission, TimestampsGiveASampleFromARetransmittedSegment) {
  TcpPeer t;
  establish_100ms(t, all_options);
  t.send(1000);
  t.out("P. 1+1000");
  t.wait(2s);
  ASSERT_GE(t.discard(), 1U);
  const auto samples = t.samples_seen().size();
  const auto echoed = t.our_last_timestamp();
  t.wait(50ms);
  t.in(". 1 ack 1001 <TS val 3000 ecr " + std::to_string(echoed) + ">");
  ASSERT_EQ(t.samples_seen().size(), samples + 1);
  EXPECT_LT(t.samples_seen().back().sample, 2s);
  t.ignore_rest();
}

// RFC 7323 TS-08, section 4.1: what cannot be the time of anything in flight, too old or still to come, measures
// nothing.
TEST(TcpRetransmission, AnEchoThatIsNoneOfOursIsNoSample) {
  for (const std::uint32_t wrong : {0U - 700'000U, 1000U}) {
    TcpPeer t;
    establish_100ms(t, all_options);
    t.send(1000);
    t.out("P. 1+1000");
    t.wait(2s);
    ASSERT_GE(t.discard(), 1U);  // sent again: only an echo could measure it
    const auto samples = t.samples_seen().size();
    const auto srtt = t.status().srtt;
    t.in(". 1 ack 1001 <TS val 3000 ecr " + std::to_string(t.our_last_timestamp() + wrong) + ">");
    EXPECT_EQ(t.status().flight, 0U);
    EXPECT_EQ(t.samples_seen().size(), samples);
    EXPECT_EQ(t.status().srtt, srtt);
    t.ignore_rest();
  }
}

// RFC 7323 TS-08: only ACKs that advance SND.UNA.
TEST(TcpRetransmission, NoSampleFromAckThatDoesNotAdvance) {
  TcpPeer t;
  establish_100ms(t, all_options);
  t.send(1000);
  t.out("P. 1+1000");
  t.in(". 1 ack 1001");
  const auto samples = t.samples_seen().size();
  t.wait(5s);
  t.in("P. 1+10 ack 1001");
  EXPECT_EQ(t.samples_seen().size(), samples);
  t.ignore_rest();
}

// RFC 6298 RTO-07
TEST(TcpRetransmission, AfterALostSynTheRtoIsThreeSeconds) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.out_after(1s, "S 0");
  t.in("S. 0 ack 1 <mss 1000>");
  t.out(". 1 ack 1");
  t.send(500);
  t.out("P. 1+500");
  t.out_after(3s, "P. 1+500");
}

TEST(TcpRetransmission, AfterALostSynAckTheRtoIsThreeSeconds) {  // RFC 6298 RTO-07
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1000>");
  t.out("S. 0 ack 1");
  t.out_after(1s, "S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
  t.send(500);
  t.out("P. 1+500");
  t.out_after(3s, "P. 1+500");
}

// RFC 5681 section 3.1, after RFC 6298: go back to SND.UNA with one segment, and on with the ACKs.
TEST(TcpRetransmission, TimeoutRepeatsTheWindowWithTheAckClock) {
  TcpPeer t;
  establish_100ms(t);
  t.send(4000);
  EXPECT_EQ(t.discard(), 4U);
  t.out_after(300ms, ". 1+1000");
  t.nothing();
  t.wait(100ms);
  t.in(". 1 ack 1001");
  t.out(". 1001+1000");
  t.out(". 2001+1000");
  t.in(". 1 ack 4001");  // the rest had only been delayed
  t.nothing();
  t.silence(1min);
}

// RFC 9293 MUST-20, SHLD-10, SHLD-11: many retransmissions, for more than 100 s, then the connection is closed.
TEST(TcpRetransmission, GivesUpAfterR2) {
  TcpPeer t;
  establish_100ms(t);
  t.send(1000);
  t.out("P. 1+1000");
  t.wait(100s);
  EXPECT_GE(t.discard(), 3U);
  t.no_event(EventKind::Failed);
  t.state(TcpState::Established);
  t.wait(1h);
  t.discard();
  t.failed(Error::TimedOut);
  t.read_fails(Error::TimedOut);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
  EXPECT_EQ(t.layer().next_deadline(), Instant::max());
}

TEST(TcpRetransmission, ProgressRestartsTheGiveUpTime) {
  TcpPeer t;
  establish_100ms(t);
  t.send(2000);
  t.discard();
  t.wait(14min);
  t.discard();
  t.in(". 1 ack 1001");
  t.discard();
  t.wait(14min);
  t.discard();
  t.state(TcpState::Established);
}

TEST(TcpRetransmission, RetransmissionIsCutFreely) {  // the scoreboard is by sequence range
  PeerSetup s;
  s.max_super_segment = 65000;
  TcpPeer t{s};
  establish_100ms(t);
  t.send(10000);
  t.out("P. 1+10000");
  t.in(". 1 ack 3501");  // in the middle of a segment
  t.out_within(3s, ". 3501+1000");
}

// RFC 6298 RTO-06 (5.3); RFC 6582 section 4: only the further *partial* ACKs leave the timer alone.
TEST(TcpRetransmission, AckThatEndsRecoveryRestartsTheTimer) {
  TcpPeer t;
  establish_100ms(t);
  t.send(30000);
  EXPECT_EQ(t.discard(), 10U);
  t.wait(100ms);
  for (int i = 0; i < 10; ++i) t.in(". 1 ack 1");  // limited transmit and inflation send new segments
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 4001");  // partial: the timer now runs until 500 ms
  t.out(". 4001+1000");
  t.wait(200ms);
  t.in(". 1 ack 12001");  // all that was sent when recovery began
  t.discard();
  EXPECT_GT(t.status().flight, 0U);
  t.out_after(300ms, ". 12001+1000");
  t.ignore_rest();
}

// RFC 6582 NR-01, section 4 (the "Impatient" variant): of the partial ACKs the first restarts the timer, no other, so
// that with many losses the timeout takes over.
TEST(TcpRetransmission, OnlyTheFirstPartialAckRestartsTheTimer) {
  TcpPeer t;
  establish_100ms(t);
  t.send(10000);
  EXPECT_EQ(t.discard(), 10U);
  t.wait(100ms);
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  t.out(". 1+1000");
  t.wait(100ms);
  t.in(". 1 ack 2001");
  t.out(". 2001+1000");
  const auto rto = t.status().rto;
  t.wait(100ms);
  t.in(". 1 ack 4001");
  t.out(". 4001+1000");
  EXPECT_EQ(t.out_after(rto - 100ms, ". 4001+1000").reason, observe::TxReason::RtoRetransmit);
  t.ignore_rest();
}

// RFC 6298 RTO-04: which of two SYN-ACKs was acknowledged is not known.
TEST(TcpRetransmission, NoSampleWhenTheClientMadeUsRepeatTheSynAck) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1000>");
  t.out("S. 0 ack 1");
  t.wait(500ms);
  t.in("S 0 <mss 1000>");
  t.out("S. 0 ack 1");
  t.wait(10ms);
  t.in(". 1 ack 1");
  t.accept();
  EXPECT_EQ(t.status().srtt, Duration{0});
  EXPECT_GE(t.status().rto, 1s);
}

/// A path that becomes narrower.
class NarrowPath : public tcp::PathMtu {
 public:
  [[nodiscard]] std::uint16_t mtu(IpAddress /*destination*/) const override { return mtu_; }
  [[nodiscard]] std::uint32_t generation() const override { return generation_; }
  void narrow(std::uint16_t mtu) {
    mtu_ = mtu;
    ++generation_;
  }

 private:
  std::uint16_t mtu_ = 1500;
  std::uint32_t generation_ = 1;
};

TEST(TcpRetransmission, WhatWasTooBigForThePathIsNoTimeoutsRepetition) {  // RFC 1191 section 6.4
  TcpPeer t;
  NarrowPath path;
  t.layer().set_path_mtu(&path);
  t.establish("<mss 1460>");
  t.send(1460);
  t.out("P. 1+1460");
  path.narrow(1040);
  t.layer().path_mtu_changed(t.now(), t.tuple());
  t.collect();
  EXPECT_EQ(t.out(". 1+1000").reason, observe::TxReason::PathMtuRetransmit);
  EXPECT_EQ(t.out("P. 1001+460").reason, observe::TxReason::PathMtuRetransmit);
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
  t.in(". 1 ack 1461");
}

TEST(TcpStatus, ThePathMtuIsThePathsWhateverThePeersMss) {  // RFC 1191 section 3, RFC 9293 MUST-16
  TcpPeer t;
  t.establish("<mss 536>");
  EXPECT_EQ(t.status().mss, 536U);
  EXPECT_EQ(t.status().path_mtu, 1500U);  // of the link
  NarrowPath path;
  path.narrow(1040);
  t.layer().set_path_mtu(&path);
  EXPECT_EQ(t.status().path_mtu, 1040U);
  ASSERT_EQ(t.layer().list().size(), 1U);
  EXPECT_EQ(t.layer().list()[0].path_mtu, 1040U);
  path.narrow(300);
  t.layer().path_mtu_changed(t.now(), t.tuple());
  EXPECT_EQ(t.status().mss, 260U);
  EXPECT_EQ(t.status().path_mtu, 300U);
}

}  // namespace
}  // namespace wireside::testing
