// Delivery-rate samples (draft-ietf-ccwg-bbr) as a congestion control gets them: one that is written here and follows
// nothing but the rate takes the place of the built-in ones.
#include "tcp/custom_congestion.hpp"

#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"
#include "tcp/congestion.hpp"

namespace wireside::testing {
namespace {

using tcp::CongestionSignal;
using tcp::CongestionWindow;
using tcp::DeliverySample;
using tcp::GrowthSample;

struct Log {
  std::vector<DeliverySample> samples;
  std::vector<GrowthSample> growth;
  unsigned started = 0, losses = 0;
};

/// Sends at the fastest rate it has seen, and keeps two bandwidth-delay products in flight, whatever is lost.
class ByRate : public tcp::CustomCongestion {
 public:
  explicit ByRate(std::shared_ptr<Log> log) : log_{std::move(log)} {}
  [[nodiscard]] std::string_view name() const override { return "by rate"; }
  void start() override { ++log_->started; }
  void grow(CongestionWindow&, const GrowthSample& sample) override { log_->growth.push_back(sample); }
  void delivered(CongestionWindow& w, const DeliverySample& sample) override {
    log_->samples.push_back(sample);
    fastest_ = std::max(fastest_, sample.rate);
    const double seconds = std::chrono::duration<double>(sample.min_rtt).count();
    if (fastest_ > 0) w.cwnd = static_cast<std::uint32_t>(2.0 * static_cast<double>(fastest_) * seconds);
  }
  std::uint32_t reduced(const CongestionWindow& w, std::uint32_t, CongestionSignal, Instant) override {
    ++log_->losses;
    return w.cwnd;
  }
  [[nodiscard]] std::uint64_t pacing_rate(const CongestionWindow&) const override { return fastest_; }

 private:
  std::shared_ptr<Log> log_;
  std::uint64_t fastest_ = 0;
};

PeerSetup by_rate(const std::shared_ptr<Log>& log) {
  PeerSetup s;
  s.congestion = tcp::CongestionAlgorithm::Custom;
  s.config.custom_congestion = [log] { return std::make_unique<ByRate>(log); };
  return s;
}

/// A round trip of 100 ms and ten segments of 1,000 octets in flight, more waiting.
void send_first_flight(TcpPeer& t, std::size_t octets = 100'000, std::string_view options = "<mss 1000,sackOK>") {
  t.establish_after(100ms, options);
  t.send(octets);
  EXPECT_EQ(t.discard(), std::min<std::size_t>(10, octets / 1000));
}

TEST(TcpCustomCongestion, HearsWhatThePathDelivers) {
  const auto log = std::make_shared<Log>();
  TcpPeer t{by_rate(log)};
  send_first_flight(t);
  EXPECT_EQ(log->started, 1U);
  t.wait(100ms);
  t.in(". 1 ack 10001");
  ASSERT_EQ(log->samples.size(), 1U);
  const DeliverySample& s = log->samples[0];
  EXPECT_EQ(s.delivered, 10'000U);
  EXPECT_EQ(s.prior_delivered, 0U);
  EXPECT_EQ(s.newly_delivered, 10'000U);
  EXPECT_EQ(s.rate, 100'000U);
  EXPECT_FALSE(s.app_limited);
  EXPECT_EQ(s.in_flight, 0U);
  EXPECT_EQ(s.rtt, 100ms);
  EXPECT_EQ(s.min_rtt, 100ms);
  EXPECT_FALSE(s.recovering);
  ASSERT_EQ(log->growth.size(), 1U);
  EXPECT_EQ(log->growth[0].path.rate, 100'000U);
  // The window is what it asked for: twice 100,000 octets per second for 100 ms.
  EXPECT_EQ(t.status().cwnd, 20'000U);
  EXPECT_EQ(t.status().congestion, tcp::CongestionAlgorithm::Custom);
  EXPECT_EQ(t.discard(), 20U);
  // The next flight began behind the first.
  t.wait(100ms);
  t.in(". 1 ack 20001");
  ASSERT_EQ(log->samples.size(), 2U);
  EXPECT_EQ(log->samples[1].prior_delivered, 10'000U);
  EXPECT_EQ(log->samples[1].in_flight, 10'000U);
  EXPECT_EQ(t.status().delivery_rate, 100'000U);
  EXPECT_FALSE(t.status().delivery_rate_app_limited);
  t.ignore_rest();
}

TEST(TcpCustomCongestion, IsToldWhenTheApplicationHeldTheRateDown) {
  const auto log = std::make_shared<Log>();
  TcpPeer t{by_rate(log)};
  send_first_flight(t, 2000);
  t.wait(10ms);
  t.send(1000);
  t.discard();
  t.wait(90ms);
  t.in(". 1 ack 3001");
  ASSERT_EQ(log->samples.size(), 1U);
  EXPECT_TRUE(log->samples[0].app_limited);
  EXPECT_EQ(log->samples[0].rate, 30'000U);
  EXPECT_EQ(t.status().delivery_rate, 30'000U);
  EXPECT_TRUE(t.status().delivery_rate_app_limited);
}

TEST(TcpCustomCongestion, KeepsItsWindowThroughALoss) {
  const auto log = std::make_shared<Log>();
  TcpPeer t{by_rate(log)};
  send_first_flight(t);
  t.wait(100ms);
  t.in(". 1 ack 5001");
  t.discard();
  const auto window = t.status().cwnd;
  t.in(". 1 ack 5001 <sack 6001:10001>");
  t.discard();
  EXPECT_EQ(log->losses, 1U);
  ASSERT_EQ(log->samples.size(), 2U);
  EXPECT_TRUE(log->samples[1].recovering);
  EXPECT_EQ(log->samples[1].newly_delivered, 4000U);
  EXPECT_GE(t.status().cwnd, window);
  t.ignore_rest();
}

TEST(TcpCustomCongestion, SaysHowFastToSend) {
  const auto log = std::make_shared<Log>();
  PeerSetup s = by_rate(log);
  s.pacing = tcp::Pacing::On;
  TcpPeer t{s};
  t.establish_after(100ms);
  t.send(100'000);
  t.wait(100ms);
  t.discard();
  t.in(". 1 ack 5001");
  ASSERT_FALSE(log->samples.empty());
  EXPECT_GT(log->samples[0].rate, 0U);
  EXPECT_EQ(t.status().pacing_rate, log->samples[0].rate);
  t.ignore_rest();
}

TEST(TcpCustomCongestion, MayBeChosenLater) {
  const auto log = std::make_shared<Log>();
  PeerSetup s = by_rate(log);
  s.congestion = tcp::CongestionAlgorithm::Cubic;
  TcpPeer t{s};
  send_first_flight(t);
  const auto window = t.status().cwnd;
  ConnectionOptions options;
  options.congestion = tcp::CongestionAlgorithm::Custom;
  ASSERT_TRUE(t.layer().set_options(t.now(), t.handle(), options).has_value());
  EXPECT_EQ(t.status().cwnd, window);
  t.wait(100ms);
  t.in(". 1 ack 10001");
  EXPECT_EQ(log->samples.size(), 1U);
  t.ignore_rest();
}

TEST(TcpCustomCongestion, WithoutAMakerNewRenoStays) {
  PeerSetup s;
  s.congestion = tcp::CongestionAlgorithm::Custom;
  TcpPeer t{s};
  t.establish();
  EXPECT_EQ(t.status().congestion, tcp::CongestionAlgorithm::NewReno);
}

// What does not ask for samples gets none: the built-in ones are as they were.
static_assert(!tcp::RateBased<tcp::NewReno> && !tcp::RateBased<tcp::Cubic> && tcp::RateBased<tcp::Custom>);

}  // namespace
}  // namespace wireside::testing
