// RACK's rules for themselves (RFC 8985 section 6.2); in a connection they are in sack_recovery_test.cpp.
#include "tcp/rack.hpp"

#include <gtest/gtest.h>

namespace wireside::tcp {
namespace {

Instant at(int ms) { return Instant::from_ns(std::int64_t{ms} * 1'000'000); }

class RackTest : public ::testing::Test {
 protected:
  void sent(std::uint32_t start, std::uint32_t end, int ms) { board.sent(SeqNum{start}, SeqNum{end}, at(ms), {}); }
  void sack(std::uint32_t left, std::uint32_t right, int ms, bool echoes_earlier = false) {
    board.sack({SeqNum{left}, SeqNum{right}}, [&](const SentRange& r) {
      if (!r.retransmitted) rack.min_rtt().sample(at(ms), at(ms) - r.sent_at);
      rack.delivered(at(ms), r, echoes_earlier);
    });
  }
  std::uint32_t detect(int ms, Duration reo_wnd, std::optional<Duration>* wait = nullptr) {
    NewlyLost lost;
    const auto more = rack.detect_loss(at(ms), board, reo_wnd, lost);
    if (wait != nullptr) *wait = more;
    return lost.octets;
  }
  Scoreboard board;
  Rack rack;
};

TEST_F(RackTest, OnlyWhatWasSentEarlierThanADeliveredSegmentIsLost) {  // RFC 8985 RACK-02
  sent(0, 1000, 0);
  sent(1000, 2000, 10);
  sent(2000, 3000, 20);
  sack(1000, 2000, 110);
  EXPECT_EQ(detect(110, 0ms), 1000U);
  EXPECT_EQ(board.first_lost()->right, SeqNum{1000});
}

// The times of sending are kept to the nanosecond, so even on a path of 40 us a quarter of the round trip is told
// apart.
TEST_F(RackTest, TimesAreFinerThanAQuarterOfTheShortestRoundTrip) {  // RFC 8985 RACK-01
  const auto us = [](int n) { return Instant::from_ns(std::int64_t{n} * 1000); };
  board.sent(SeqNum{0}, SeqNum{1000}, us(0), {});
  board.sent(SeqNum{1000}, SeqNum{2000}, us(9), {});
  board.sent(SeqNum{2000}, SeqNum{3000}, us(11), {});
  board.sent(SeqNum{3000}, SeqNum{4000}, us(20), {});
  board.sack({SeqNum{3000}, SeqNum{4000}}, [&](const SentRange& r) {
    rack.min_rtt().sample(us(60), us(60) - r.sent_at);
    rack.delivered(us(60), r, false);
  });
  EXPECT_EQ(rack.min_rtt().value(), 40us);
  const Duration reo_wnd = rack.reordering_window(40us, false);
  EXPECT_EQ(reo_wnd, 10us);
  NewlyLost lost;
  EXPECT_EQ(rack.detect_loss(us(60), board, reo_wnd, lost), 1us) << "until the last one is overdue";
  EXPECT_EQ(lost.octets, 2000U) << "sent 20 and 11 us before the one that arrived, but not the one of 9 us before";
  EXPECT_EQ(board.first_lost()->right, SeqNum{2000});
}

TEST_F(RackTest, SentAtTheSameTimeTheSequenceDecides) {  // RACK_sent_after
  sent(0, 3000, 0);
  sack(1000, 2000, 100);
  EXPECT_EQ(detect(100, 0ms), 1000U) << "what is above was not overtaken";
}

TEST_F(RackTest, TheReorderingWindowDelaysTheVerdict) {  // RFC 8985 RACK-02, RACK-04
  sent(0, 1000, 0);
  sent(1000, 2000, 0);
  sack(1000, 2000, 100);
  std::optional<Duration> wait;
  EXPECT_EQ(detect(100, 25ms, &wait), 0U);
  EXPECT_EQ(wait, 25ms);
  EXPECT_EQ(detect(124, 25ms), 0U);
  EXPECT_EQ(detect(125, 25ms), 1000U);
}

TEST_F(RackTest, ALostRetransmissionIsFound) {  // RFC 8985 RACK-08
  sent(0, 1000, 0);
  sent(1000, 2000, 0);
  sack(1000, 2000, 100);
  EXPECT_EQ(detect(100, 0ms), 1000U);
  sent(0, 1000, 100);
  sent(2000, 3000, 101);
  EXPECT_EQ(detect(150, 0ms), 0U);
  sack(2000, 3000, 201);
  EXPECT_EQ(detect(201, 0ms), 1000U);
}

TEST_F(RackTest, AnAckOfTheOriginalDoesNotTimeTheRetransmission) {  // RFC 8985 section 6.2 step 2
  sent(0, 1000, 0);
  sent(1000, 2000, 0);
  sack(1000, 2000, 100);
  sent(0, 1000, 150);  // sent again
  sent(2000, 3000, 149);
  sack(0, 1000, 160, false);  // 10 ms after: shorter than the shortest round trip
  EXPECT_EQ(detect(160, 0ms), 0U) << "what was sent at 149 was not overtaken";
  Rack timed;
  timed.delivered(at(300), {SeqNum{0}, SeqNum{1000}, at(150), {}, SentRange::State::InFlight, true}, true);
  NewlyLost lost;
  EXPECT_EQ(timed.detect_loss(at(400), board, 0ms, lost), std::nullopt);
  EXPECT_EQ(lost.octets, 0U) << "its timestamp says that an earlier transmission caused the ACK";
}

TEST_F(RackTest, ReorderingIsWhatArrivesBelowTheHighestWithoutBeingRepeated) {  // RFC 8985 section 6.2 step 3
  sent(0, 3000, 0);
  sack(1000, 2000, 100);
  EXPECT_FALSE(rack.reordering_seen());
  sack(0, 1000, 101);
  EXPECT_TRUE(rack.reordering_seen());
}

TEST_F(RackTest, WithoutReorderingThereIsNoWindowInRecovery) {  // RFC 8985 section 6.2 step 4
  sent(0, 3000, 0);
  sack(1000, 2000, 100);
  EXPECT_EQ(rack.reordering_window(100ms, true), 0ms);
  EXPECT_EQ(rack.reordering_window(100ms, false), 25ms);
  sack(0, 1000, 100);
  EXPECT_EQ(rack.reordering_window(100ms, true), 25ms);
  EXPECT_EQ(rack.reordering_window(10ms, true), 10ms) << "at most one SRTT";
}

TEST_F(RackTest, DuplicatesWidenTheWindowOncePerRoundForSixteenRecoveries) {  // RFC 8985 RACK-05
  sent(0, 3000, 0);
  sack(1000, 2000, 100);
  sack(0, 1000, 100);  // reordering seen
  rack.adapt_to_duplicates(SeqNum{0}, SeqNum{3000}, true);
  rack.adapt_to_duplicates(SeqNum{1000}, SeqNum{3000}, true);
  EXPECT_EQ(rack.window_multiplier(), 2U) << "once in a round";
  rack.adapt_to_duplicates(SeqNum{3000}, SeqNum{9000}, true);
  EXPECT_EQ(rack.window_multiplier(), 3U);
  EXPECT_EQ(rack.reordering_window(100ms, false), 75ms);
  // Where few overtakers made the smallest round trip much smaller than the usual one, steps are of the usual one.
  EXPECT_EQ(rack.reordering_window(1s, false), 525ms);
  for (int i = 0; i < 15; ++i) rack.recovery_ended();
  EXPECT_EQ(rack.window_multiplier(), 3U);
  rack.recovery_ended();
  EXPECT_EQ(rack.window_multiplier(), 1U);
}

TEST_F(RackTest, ATimeoutLosesTheOldestAndWhatIsOverdue) {  // RFC 8985 section 6.3
  sent(0, 2000, 0);
  sent(2000, 3000, 250);
  rack.delivered(at(100), {SeqNum{0}, SeqNum{1}, at(0), {}, SentRange::State::InFlight, false}, false);
  EXPECT_EQ(rack.mark_losses_on_timeout(at(300), board, 1000, 25ms), 2000U);
  EXPECT_EQ(board.in_flight(), 1000U) << "sent 50 ms ago";
}

TEST(MinRtt, ForgetsWhatIsOld) {
  MinRtt m;
  EXPECT_EQ(m.value(), Duration::max());
  m.sample(at(0), 10ms);
  m.sample(at(1000), 20ms);
  EXPECT_EQ(m.value(), 10ms);
  m.sample(at(200'000), 30ms);
  EXPECT_EQ(m.value(), 10ms) << "still in the window";
  m.sample(at(360'000), 40ms);
  EXPECT_EQ(m.value(), 30ms);
}

}  // namespace
}  // namespace wireside::tcp
