// The scoreboard of what is in flight, reported or lost (RFC 2018, RFC 6675 section 3, RFC 8985 section 5.2).
#include "tcp/scoreboard.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

namespace wireside::tcp {
namespace {

using State = SentRange::State;

Instant at_ms(int ms) { return Instant::from_ns(std::int64_t{ms} * 1'000'000); }

struct Board : Scoreboard {
  void sent(std::uint32_t start, std::uint32_t end, int ms) {
    Scoreboard::sent(SeqNum{start}, SeqNum{end}, at_ms(ms), {});
  }
  std::uint32_t sack(std::uint32_t left, std::uint32_t right) {
    std::uint32_t octets = 0;
    Scoreboard::sack({SeqNum{left}, SeqNum{right}}, [&](const SentRange& r) { octets += r.octets(); });
    return octets;
  }
  std::uint32_t acknowledge(std::uint32_t una) {
    std::uint32_t octets = 0;
    Scoreboard::acknowledge(SeqNum{una}, [&](const SentRange& r) { octets += r.octets(); });
    return octets;
  }
};

TEST(TcpScoreboard, WhatLeavesAtOnceIsOneRange) {
  Board b;
  b.sent(0, 1000, 1);
  b.sent(1000, 5000, 1);
  EXPECT_EQ(b.size(), 1U);
  b.sent(5000, 6000, 2);
  EXPECT_EQ(b.size(), 2U);
  EXPECT_EQ(b.in_flight(), 6000U);
}

TEST(TcpScoreboard, AcknowledgementsCutRanges) {
  Board b;
  b.sent(0, 6000, 1);
  EXPECT_EQ(b.acknowledge(1500), 1500U);
  EXPECT_EQ(b.in_flight(), 4500U);
  EXPECT_EQ(b.acknowledge(1500), 0U) << "nothing new";
  EXPECT_EQ(b.acknowledge(6000), 4500U);
  EXPECT_TRUE(b.empty());
}

TEST(TcpScoreboard, WhatWasReportedIsDeliveredOnce) {  // RFC 6675 SACKR-03
  Board b;
  b.sent(0, 6000, 1);
  EXPECT_EQ(b.sack(2000, 4000), 2000U);
  EXPECT_EQ(b.sack(2000, 4000), 0U);
  EXPECT_EQ(b.sack(1000, 5000), 2000U);
  EXPECT_EQ(b.sacked(), 4000U);
  EXPECT_EQ(b.reported_runs(), 1U);
  EXPECT_EQ(b.acknowledge(6000), 2000U);
}

TEST(TcpScoreboard, WhatIsSentAgainIsInFlightAgain) {
  Board b;
  b.sent(0, 6000, 1);
  (void)b.sack(3000, 6000);
  EXPECT_EQ(b.mark_all_lost(), 3000U);
  EXPECT_EQ(b.first_lost(), (wire::SackBlock{SeqNum{0}, SeqNum{3000}}));
  b.sent(0, 1000, 9);
  EXPECT_EQ(b.in_flight(), 1000U);
  EXPECT_EQ(b.first_lost(), (wire::SackBlock{SeqNum{1000}, SeqNum{3000}}));
  EXPECT_TRUE(b.begin()->retransmitted);
  EXPECT_EQ(b.begin()->sent_at, at_ms(9));
}

TEST(TcpScoreboard, NewOctetsMayFollowRepeatedOnesInOneSegment) {
  Board b;
  b.sent(0, 1000, 1);
  b.mark_all_lost();
  b.sent(0, 3000, 2);
  EXPECT_EQ(b.in_flight(), 3000U);
  EXPECT_EQ(b.size(), 2U) << "the repeated octets have another history";
}

TEST(TcpScoreboard, EnoughReportedAbove) {  // RFC 6675 SACKR-01, IsLost
  Board b;
  b.sent(0, 10000, 1);
  (void)b.sack(1000, 2000);
  (void)b.sack(3000, 4000);
  EXPECT_EQ(b.reported_enough_above(3, 2000), SeqNum{0}) << "two runs, not more than 2,000 octets";
  (void)b.sack(5000, 5001);
  EXPECT_EQ(b.reported_enough_above(3, 2000), SeqNum{1000}) << "three runs above 1,000";
  (void)b.sack(5001, 6500);
  EXPECT_EQ(b.reported_enough_above(3, 2000), SeqNum{3000}) << "2,500 octets from 3,000 on";
}

TEST(TcpScoreboard, APeerCannotMakeItGrowWithoutEnd) {  // RFC 2018 SACK-07; CVE-2019-11478
  Board b;
  b.sent(0, 100'000, 1);
  for (std::uint32_t i = 1; i + 1 < 100'000; i += 2) (void)b.sack(i, i + 1);
  EXPECT_LE(b.size(), Scoreboard::max_ranges);
  EXPECT_EQ(b.acknowledge(100'000) + 0U, 100'000U - (Scoreboard::max_ranges - 1) / 2)
      << "the islands that still fitted";
}

TEST(TcpScoreboard, SequenceNumbersWrap) {
  Board b;
  b.sent(0xFFFFF000U, 0x1000, 1);
  EXPECT_EQ(b.in_flight(), 0x2000U);
  EXPECT_EQ(b.sack(0xFFFFFF00U, 0x100), 0x200U);
  EXPECT_EQ(b.acknowledge(0x1000), 0x1E00U);
}

/// The same, octet by octet.
struct Model {
  struct Octet {
    State state = State::InFlight;
    bool again = false;
    int when = 0;
  };
  std::map<std::uint32_t, Octet> octets;
  [[nodiscard]] std::uint32_t count(State s) const {
    std::uint32_t n = 0;
    for (const auto& [seq, o] : octets) n += o.state == s ? 1 : 0;
    return n;
  }
};

void expect_alike(const Board& board, const Model& model) {
  RC_ASSERT(board.in_flight() == model.count(State::InFlight));
  RC_ASSERT(board.sacked() == model.count(State::Sacked));
  RC_ASSERT(board.lost() == model.count(State::Lost));
  std::size_t covered = 0;
  SeqNum next = board.empty() ? SeqNum{} : board.begin()->start;
  for (const SentRange& r : board) {
    RC_ASSERT(r.start == next);  // no gap
    RC_ASSERT(r.start.before(r.end));
    next = r.end;
    covered += r.octets();
    for (std::uint32_t s = r.start.value(); s != r.end.value(); ++s) {
      const auto& o = model.octets.at(s);
      RC_ASSERT(o.state == r.state);
      if (r.state == State::Sacked) continue;
      RC_ASSERT(o.again == r.retransmitted);
      RC_ASSERT(at_ms(o.when) == r.sent_at);
    }
  }
  RC_ASSERT(covered == model.octets.size());
}

RC_GTEST_PROP(TcpScoreboardProperty, AgreesWithABookOfEveryOctet, ()) {
  Board board;
  Model model;
  std::uint32_t una = 1000;
  std::uint32_t nxt = 1000;
  const auto operations = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6));
  int now = 1;
  for (const int operation : operations) {
    now += *rc::gen::inRange(0, 2);
    const std::uint32_t a = una + *rc::gen::inRange<std::uint32_t>(0, nxt - una + 1);
    const std::uint32_t b = a + *rc::gen::inRange<std::uint32_t>(0, nxt - a + 1);
    switch (operation) {
      case 0: {  // new octets
        const std::uint32_t end = nxt + *rc::gen::inRange<std::uint32_t>(1, 20);
        board.sent(nxt, end, now);
        for (; nxt != end; ++nxt) model.octets[nxt] = {State::InFlight, false, now};
        break;
      }
      case 1:
        (void)board.sack(a, b);
        for (std::uint32_t s = a; s != b; ++s) model.octets[s].state = State::Sacked;
        break;
      case 2:
        if (a == b) break;
        board.sent(a, b, now);
        for (std::uint32_t s = a; s != b; ++s) model.octets[s] = {State::InFlight, true, now};
        break;
      case 3:
        (void)board.acknowledge(a);
        model.octets.erase(model.octets.begin(), model.octets.lower_bound(a));
        una = a;
        break;
      case 4: {
        const Instant limit = at_ms(now - 1);
        board.mark_lost_if([&](const SentRange& r) { return r.sent_at < limit; });
        for (auto& [seq, o] : model.octets) {
          if (o.state == State::InFlight && at_ms(o.when) < limit) o.state = State::Lost;
        }
        break;
      }
      default:
        board.unmark_lost();
        for (auto& [seq, o] : model.octets) {
          if (o.state == State::Lost) o.state = State::InFlight;
        }
    }
    expect_alike(board, model);
  }
}

}  // namespace
}  // namespace wireside::tcp
