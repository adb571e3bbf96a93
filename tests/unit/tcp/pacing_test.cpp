// Pacing: a window leaves spread over its round trip.
#include "tcp/pacing.hpp"

#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using tcp::Pacer;

constexpr Duration round_trip = 100ms;

PeerSetup paced(tcp::Pacing pacing = tcp::Pacing::On) {
  PeerSetup s;
  s.pacing = pacing;
  s.config.tail_loss_probe = false;
  s.config.rto_min = 1s;
  return s;
}

void establish_paced(TcpPeer& t, Duration rtt = round_trip, ConnectionOptions options = {}) {
  t.listen(16, options);
  t.in("S 0 win 65535 <mss 1000,sackOK>");
  t.out("S. 0 ack 1");
  t.wait(rtt);
  t.in(". 1 ack 1");
  t.accept();
  t.nothing();
}

TEST(Pacing, TheFirstWindowIsSpreadOverHalfARoundTrip) {  // gain 2 in slow start
  TcpPeer t{paced()};
  establish_paced(t);
  EXPECT_EQ(t.status().pacing_rate, 200'000) << "2 * 10000 octets in 100 ms";
  t.send(20'000);
  t.out(". 1+1000");
  t.out(". 1001+1000");
  t.nothing();
  for (int burst = 1; burst < 5; ++burst) {
    t.out_after(10ms, ". " + std::to_string(1 + burst * 2000) + "+1000", 0ms);
    t.out(". " + std::to_string(1001 + burst * 2000) + "+1000");
    t.nothing();
  }
  t.silence(500ms);  // the window is full
}

TEST(Pacing, TheDeadlineIsExactAndThereIsNoneWithoutNeed) {
  TcpPeer t{paced()};
  establish_paced(t);
  const auto idle = t.layer().next_deadline();
  t.send(3000);
  const Instant sent = t.now();
  t.out(". 1+1000");
  t.out(". 1001+1000");
  EXPECT_EQ(t.layer().next_deadline(), sent + 10ms);
  t.out_after(10ms, "P. 2001+1000", 0ms);
  EXPECT_GE(t.layer().next_deadline(), t.now() + 990ms) << "only the retransmission timer is left";
  t.wait(5ms);
  t.in(". 1 ack 3001");
  EXPECT_EQ(t.layer().next_deadline(), idle) << "no wake-up when nothing waits";
}

TEST(Pacing, AWindowThatClosesMeanwhileLeavesNoWakeUpsBehind) {
  TcpPeer t{paced()};
  establish_paced(t);
  t.send(20'000);
  t.discard();
  t.in(". 1 ack 2001 win 0");
  t.wait(10ms);  // one late wake-up at most
  const Instant due = t.layer().next_deadline();
  EXPECT_GE(due, t.now() + 200ms) << "the zero-window probe's";
}

TEST(Pacing, InCongestionAvoidanceTheGainIsSmaller) {
  TcpPeer t{paced()};
  establish_paced(t);
  t.send(40'000);
  t.wait(90ms);
  t.discard();
  t.in(". 1 ack 1001 <sack 2001:6001>");  // a loss ends slow start
  t.wait(100ms);
  t.discard();
  t.in(". 1 ack 10001");
  const auto s = t.status();
  const double rate = 1.2 * s.cwnd / (static_cast<double>(s.srtt.count()) * 1e-9);
  EXPECT_NEAR(static_cast<double>(s.pacing_rate), rate, rate * 0.01);
  t.ignore_rest();
}

TEST(Pacing, ABoundHoldsWhateverTheWindow) {  // SO_MAX_PACING_RATE
  TcpPeer t{paced(tcp::Pacing::Auto)};
  ConnectionOptions o;
  o.max_pacing_rate = 100'000;
  establish_paced(t, 1us, o);
  EXPECT_EQ(t.status().pacing_rate, 100'000);
  t.send(200'000);
  const Instant start = t.now();
  std::uint32_t octets = 0;
  while (octets < 100'000) {
    while (t.pending() > 0) octets += static_cast<std::uint32_t>(t.any().payload.octets());
    t.wait(1ms);
    t.in(". 1 ack " + std::to_string(1 + octets));
  }
  const double seconds = static_cast<double>((t.now() - start).count()) * 1e-9;
  EXPECT_NEAR(octets / seconds, 100'000, 4000);
  t.ignore_rest();
}

TEST(Pacing, NothingStarvesAndTheWindowStillGrows) {
  TcpPeer t{paced()};
  establish_paced(t);
  t.send(400'000);
  std::uint32_t acked = 1;
  for (int round = 0; round < 5; ++round) {
    std::uint32_t end = acked;
    t.wait(round_trip);
    while (t.pending() > 0) end += static_cast<std::uint32_t>(t.any().payload.octets());
    for (; acked < end; acked += 1000) t.in(". 1 ack " + std::to_string(acked + 1000));
  }
  EXPECT_GE(t.status().cwnd, 60'000) << "the windows were used up, so they grew";
  t.ignore_rest();
}

TEST(Pacing, AutomaticLeavesShortPathsAndTheFirstFlightAlone) {
  TcpPeer near{paced(tcp::Pacing::Auto)};
  establish_paced(near, 500us);
  near.send(10'000);
  EXPECT_EQ(near.discard(), 10U);
  near.wait(500us);
  near.in(". 1 ack 10001");
  near.send(20'000);
  EXPECT_EQ(near.discard(), 11U) << "all the window has room for";
  EXPECT_EQ(near.status().pacing_rate, 0U);

  TcpPeer far{paced(tcp::Pacing::Auto)};
  establish_paced(far);
  far.send(40'000);
  EXPECT_EQ(far.discard(), 10U) << "the initial window (RFC 6928)";
  far.wait(round_trip);
  far.in(". 1 ack 10001");
  EXPECT_EQ(far.discard(), 2U);
  far.ignore_rest();
}

TEST(Pacing, ALateWakeUpIsMadeGood) {
  Pacer p;
  const Instant start = Instant::from_ns(1'000'000'000);
  constexpr std::uint64_t rate = 10'000'000;  // 10 segments of 1,000 octets per millisecond
  EXPECT_EQ(p.allowance(start, rate, 1000, 60'000), 10'000U);
  p.sent(start, rate, 10'000);
  EXPECT_EQ(p.release_at(), start + 1ms);
  EXPECT_EQ(p.allowance(start + 999us, rate, 1000, 60'000), 0U);
  EXPECT_EQ(p.allowance(start + 1800us, rate, 1000, 60'000), 10'000U) << "0.8 ms late";
  p.sent(start + 1800us, rate, 10'000);
  EXPECT_EQ(p.release_at(), start + 2ms) << "as if it had been in time";
  EXPECT_EQ(p.allowance(start + 1s, rate, 1000, 60'000), 10'000U);
  p.sent(start + 1s, rate, 10'000);
  EXPECT_EQ(p.release_at(), start + 1s + 1ms) << "but idle time saves nothing up";
}

TEST(Pacing, BurstsAreBounded) {
  EXPECT_EQ(Pacer::burst(1000, 1000, 60'000), 2000U) << "two segments at least";
  EXPECT_EQ(Pacer::burst(5'500'000, 1000, 60'000), 5000U) << "one millisecond, in whole segments";
  EXPECT_EQ(Pacer::burst(1'000'000'000, 1000, 60'000), 60'000U) << "a super-segment at most";
}

}  // namespace
}  // namespace wireside::testing
