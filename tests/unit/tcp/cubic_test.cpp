// CUBIC (RFC 9438) and HyStart++ (RFC 9406), against the RFCs' formulas.
#include "tcp/cubic.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/tcp_peer.hpp"
#include "tcp/congestion.hpp"

namespace wireside::tcp {
namespace {

constexpr std::uint32_t mss = 1000;

/// A path without loss: each acknowledgement covers one segment, `rtt` after it was sent.
class Path {
 public:
  explicit Path(Duration rtt) : rtt_{rtt} { congestion.select(CongestionAlgorithm::Cubic); }
  void round(Duration rtt) {
    const std::uint32_t segments = congestion.cwnd() / mss;
    for (std::uint32_t i = 1; i <= segments; ++i) {
      const Instant when = now + rtt * i / segments;
      una += mss;
      congestion.on_ack({when, mss, rtt, rtt, SeqNum{una}, SeqNum{una + congestion.cwnd()}});
    }
    now += rtt;
  }
  void round() { round(rtt_); }
  [[nodiscard]] double segments() const { return static_cast<double>(congestion.cwnd()) / mss; }

  Congestion congestion;
  Instant now = Instant::from_ns(1);
  std::uint32_t una = 1;

 private:
  Duration rtt_;
};

/// In congestion avoidance after a loss at `segments`.
void lose_at(Path& p, std::uint32_t segments) {
  p.congestion.start(mss, false);
  p.congestion.set_cwnd(segments * mss);
  p.congestion.reduce(segments * mss, CongestionSignal::Loss, p.now);
  p.congestion.set_cwnd(p.congestion.ssthresh());
}

TEST(Cubic, TheWindowFallsToSevenTenths) {  // RFC 9438 CUBIC-01, section 4.6
  Path p{100ms};
  lose_at(p, 1000);
  EXPECT_EQ(p.congestion.ssthresh(), 700 * mss);
}

TEST(Cubic, GrowthFollowsTheCurve) {  // RFC 9438 CUBIC-01, sections 4.2 and 4.4
  Path p{100ms};
  lose_at(p, 1000);
  const Instant epoch = p.now + Duration{100ms} / 700;
  const double k = std::cbrt(300.0 / 0.4);
  for (int round = 1; round <= 150; ++round) {
    p.round();
    const double t = static_cast<double>((p.now - epoch).count()) * 1e-9;
    const double w = 0.4 * std::pow(t - k, 3) + 1000;
    EXPECT_NEAR(p.segments(), w, 0.02 * w) << "after " << t << " s";
  }
  EXPECT_GT(p.segments(), 1050) << "beyond the old maximum, it looks for more";
}

TEST(Cubic, AtShortRoundTripsItGrowsLikeReno) {  // RFC 9438 CUBIC-02, section 4.3
  Path p{1ms};
  lose_at(p, 20);
  const double begin = p.segments();
  const double alpha = 3 * 0.3 / 1.7;
  for (int round = 0; round < 10; ++round) p.round();
  EXPECT_GE(p.segments(), begin + 10 * alpha - 1);
  for (int round = 0; round < 100; ++round) p.round();
  EXPECT_GE(p.segments(), 20 + 60) << "one segment per round trip beyond the old window";
}

TEST(Cubic, AWindowThatShrinksLeavesRoom) {  // RFC 9438 CUBIC-03, section 4.7
  CongestionWindow w{.smss = mss, .cwnd = 100 * mss, .ssthresh = 50 * mss};
  Cubic c;
  (void)c.reduced(w, w.cwnd, CongestionSignal::Loss, Instant{});
  EXPECT_DOUBLE_EQ(c.w_max(), 100);
  w.cwnd = 80 * mss;
  (void)c.reduced(w, w.cwnd, CongestionSignal::Loss, Instant{});
  EXPECT_DOUBLE_EQ(c.w_max(), 80 * 0.85);
  c.undo();
  EXPECT_DOUBLE_EQ(c.w_max(), 100) << "RFC 9438 CUBIC-05, section 4.9";
}

TEST(Cubic, IdleTimeDoesNotCount) {  // RFC 9438 CUBIC-04, section 5.8
  Path p{100ms}, q{100ms};
  for (Path* path : {&p, &q}) {
    lose_at(*path, 1000);
    for (int i = 0; i < 20; ++i) path->round();
  }
  p.round();
  q.now += 60s;
  q.congestion.on_idle_restart(60s);
  q.congestion.set_cwnd(p.congestion.cwnd());
  q.round();
  EXPECT_NEAR(q.segments(), p.segments(), 0.02 * p.segments()) << "not as if 60 s of the curve had passed";
}

TEST(Cubic, TimeInWhichTheApplicationLimitsDoesNotCount) {  // RFC 9438 CUBIC-04, sections 4.2 and 5.8
  Path p{100ms}, q{100ms};
  for (Path* path : {&p, &q}) {
    lose_at(*path, 1000);
    for (int i = 0; i < 20; ++i) path->round();
  }
  p.round();
  for (int i = 0; i < 600; ++i) {
    q.now += 100ms;
    q.congestion.on_limited(q.now);
  }
  q.round();
  EXPECT_NEAR(q.segments(), p.segments(), 0.02 * p.segments()) << "not as if 60 s of the curve had passed";
}

/// One write of `octets`, acknowledged after 100 ms.
void write_and_acknowledge(testing::TcpPeer& t, std::size_t octets) {
  t.send(octets);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack " + std::to_string(t.status().snd_nxt - t.our_iss()));
}

TEST(Cubic, AMinuteOfSmallWritesDoesNotEndInABurst) {  // RFC 9438 CUBIC-04, section 5.8
  testing::PeerSetup s;
  s.congestion = CongestionAlgorithm::Cubic;
  testing::TcpPeer t{s};
  t.establish("<mss 1000,sackOK>");
  t.send(10'000);
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 1 <sack 1001:10001>");
  t.discard();
  t.wait(100ms);
  t.in(". 1 ack 10001");
  EXPECT_EQ(t.status().cwnd, 7000U);
  for (int i = 0; i < 3; ++i) write_and_acknowledge(t, t.status().cwnd);  // the epoch begins
  const auto before = t.status().cwnd;
  for (int i = 0; i < 600; ++i) write_and_acknowledge(t, 100);
  EXPECT_LE(t.status().cwnd, before + 1000);
  write_and_acknowledge(t, t.status().cwnd);
  EXPECT_LE(t.status().cwnd, before + 2000) << "the curve a minute later would be far above";
}

TEST(Cubic, ATimeoutHasTheSameFactor) {  // RFC 9438 CUBIC-05, section 4.8
  Path p{100ms};
  p.congestion.start(mss, false);
  p.congestion.set_cwnd(100 * mss);
  p.congestion.reduce(100 * mss, CongestionSignal::Timeout, p.now);
  EXPECT_EQ(p.congestion.ssthresh(), 70 * mss);
}

// RFC 9438 CUBIC-05, section 4.8: after a timeout K is 0, and the window at the end of slow start is where the curve
// begins to look for more, not the old maximum.
TEST(Cubic, AfterATimeoutTheCurveStartsAnew) {
  Path p{100ms};
  p.congestion.start(mss, false);
  p.congestion.set_cwnd(1000 * mss);
  p.congestion.reduce(1000 * mss, CongestionSignal::Timeout, p.now);
  p.congestion.set_cwnd(p.congestion.ssthresh());  // slow start has led here
  const Instant epoch = p.now + Duration{100ms} / 700;
  for (int round = 1; round <= 100; ++round) {
    p.round();
    const double t = static_cast<double>((p.now - epoch).count()) * 1e-9;
    const double w = 0.4 * std::pow(t, 3) + 700;
    EXPECT_NEAR(p.segments(), w, 0.02 * w) << "after " << t << " s";
  }
}

TEST(HyStart, ARisingRoundTripEndsFastGrowth) {  // RFC 9406 HS-01, HS-02
  Path p{50ms};
  p.congestion.start(mss, false);
  p.round();
  p.round();
  const double before = p.segments();
  EXPECT_NEAR(before, 40, 1) << "doubling";
  p.round(60ms);  // more than 50/8 ms above
  const double css = p.segments();
  p.round(60ms);
  EXPECT_NEAR(p.segments(), css * 1.25, 2) << "a quarter of the growth";
  for (int i = 0; i < 5; ++i) p.round(60ms);
  EXPECT_NE(p.congestion.ssthresh(), UINT32_MAX) << "after five such rounds: congestion avoidance";
}

TEST(HyStart, AFalseAlarmIsForgotten) {  // RFC 9406 HS-02
  Path p{50ms};
  p.congestion.start(mss, false);
  p.round();
  p.round();
  p.round(60ms);
  p.round(50ms);
  const double begin = p.segments();
  p.round(50ms);
  EXPECT_NEAR(p.segments(), begin * 2, begin * 0.1);
}

TEST(HyStart, AFewMillisecondsAreNoise) {  // RFC 9406 HS-01: at least 4 ms
  Path p{5ms};
  p.congestion.start(mss, false);
  for (int i = 0; i < 4; ++i) p.round(std::chrono::milliseconds{5 + i / 2});
  EXPECT_NEAR(p.segments(), 160, 8);
}

// RFC 9406 HS-01, section 4.2: RttThresh = max(MIN_RTT_THRESH, min(lastRoundMinRTT / 8, MAX_RTT_THRESH)).
TEST(HyStart, TheThresholdIsAnEighthOfTheRoundTripUpToSixteenMilliseconds) {
  struct Case {
    std::chrono::milliseconds before, then;
    bool growth_slows;
  };
  for (const Case& c :
       {Case{80ms, 89ms, false}, Case{80ms, 91ms, true}, Case{400ms, 415ms, false}, Case{400ms, 417ms, true}}) {
    Path p{c.before};
    p.congestion.start(mss, false);
    p.round();
    p.round();
    EXPECT_NEAR(p.segments(), 40, 1);
    p.round(c.then);
    p.round(c.then);
    EXPECT_EQ(p.segments() < 100, c.growth_slows) << c.before.count() << " ms, then " << c.then.count() << " ms";
  }
}

TEST(HyStart, OnlyInTheFirstSlowStart) {  // RFC 9406 HS-03
  Path p{50ms};
  p.congestion.start(mss, false);
  p.congestion.reduce(1000 * mss, CongestionSignal::Timeout, p.now);
  p.congestion.set_cwnd(10 * mss);
  p.round(50ms);
  p.round(50ms);
  p.round(80ms);
  p.round(80ms);
  EXPECT_NEAR(p.segments(), 160, 8) << "up to the ssthresh that is known";
}

TEST(CongestionChoice, IsMadePerSocket) {  // RFC 9293 MAY-18
  testing::PeerSetup s;
  s.congestion = CongestionAlgorithm::Cubic;
  testing::TcpPeer t{s};
  t.establish();
  EXPECT_EQ(t.status().congestion, CongestionAlgorithm::Cubic);
  EXPECT_EQ(ConnectionOptions{}.congestion, CongestionAlgorithm::Cubic) << "the default";
}

}  // namespace
}  // namespace wireside::tcp
