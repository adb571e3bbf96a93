// The network model does what its conditions say.
#include "support/virtual_link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

namespace wireside::testing {
namespace {

constexpr std::size_t frame_octets = 1000;

/// An IPv4-looking frame whose first octet behind the headers tells its number.
FrameOut numbered_frame(BufferPool& pool, std::uint8_t number) {
  FrameOut frame;
  std::uint8_t* header = frame.header.prepend(14);
  std::fill(header, header + 14, std::uint8_t{0});
  store_be16(header + 12, 0x0800);
  std::vector<std::uint8_t> octets(frame_octets - 14, number);
  frame.payload.push_back(pool.copy(octets));
  return frame;
}

struct Traffic {
  explicit Traffic(const LinkConditions& c, std::uint64_t seed = 1) : link{c, {}, seed} {}
  void send(int count, Duration gap = 10us) {
    for (int i = 0; i < count; ++i, now += gap) link.send(now, 0, numbered_frame(pool, static_cast<std::uint8_t>(i)));
  }
  /// Numbers of the frames in order of arrival.
  std::vector<int> receive() {
    std::vector<int> numbers;
    unsigned to = 0;
    WireFrame frame;
    while (link.under_way() > 0) {
      now = std::max(now, link.next_arrival());
      while (link.receive(now, to, frame)) {
        EXPECT_EQ(to, 1U);
        numbers.push_back(frame.octets.back());
      }
    }
    return numbers;
  }
  BufferPool pool;
  VirtualLink link;
  Instant now = Instant::from_ns(0);
};

TEST(VirtualLink, CleanLinkDeliversInOrderAfterTheDelay) {
  LinkConditions c;
  c.delay = 7ms;
  Traffic t{c};
  t.link.send(t.now, 0, numbered_frame(t.pool, 1));
  EXPECT_EQ(t.link.next_arrival(), t.now + 7ms);
  unsigned to = 0;
  WireFrame frame;
  EXPECT_FALSE(t.link.receive(t.now + 6999us, to, frame));
  EXPECT_TRUE(t.link.receive(t.now + 7ms, to, frame));
  EXPECT_EQ(frame.octets.size(), frame_octets);
  t.send(100);
  const auto order = t.receive();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(VirtualLink, LosesAndRepeatsAboutAsOftenAsAsked) {
  LinkConditions c;
  c.loss = 0.2;
  c.duplication = 0.1;
  Traffic t{c};
  t.send(10'000);
  const auto& n = t.link.counters(0);
  EXPECT_NEAR(static_cast<double>(n.lost), 2000, 200);
  EXPECT_NEAR(static_cast<double>(n.duplicated), 800, 120);
  EXPECT_EQ(t.receive().size(), n.sent - n.lost + n.duplicated);
}

TEST(VirtualLink, JitterReorders) {
  LinkConditions c;
  c.jitter = 1ms;
  Traffic t{c};
  t.send(100);
  const auto order = t.receive();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST(VirtualLink, HealedLinkLosesNothing) {
  LinkConditions c;
  c.loss = c.duplication = c.corruption = 1;
  c.heals_at = Instant::from_ns(0) + 1s;
  Traffic t{c};
  t.send(10);
  EXPECT_EQ(t.receive().size(), 0U);
  t.now = c.heals_at;
  t.send(10);
  EXPECT_EQ(t.receive().size(), 10U);
}

TEST(VirtualLink, CorruptionFlipsOneBit) {
  LinkConditions c;
  c.corruption = 1;
  Traffic t{c};
  t.link.send(t.now, 0, numbered_frame(t.pool, 0));
  unsigned to = 0;
  WireFrame frame;
  ASSERT_TRUE(t.link.receive(t.now + 1s, to, frame));
  const auto clean = flatten(numbered_frame(t.pool, 0));
  int bits = 0;
  for (std::size_t i = 0; i < frame.octets.size(); ++i)
    bits += std::popcount<std::uint8_t>(frame.octets[i] ^ clean.octets[i]);
  EXPECT_EQ(bits, 1);
  EXPECT_EQ(t.link.counters(0).corrupted, 1U);
}

TEST(VirtualLink, BottleneckSpacesFramesAndItsQueueIsBounded) {
  LinkConditions c;
  c.delay = 1ms;
  c.bits_per_second = 8'000'000;  // one frame per millisecond
  c.queue_octets = 10 * frame_octets;
  Traffic t{c};
  t.send(100, Duration{0});
  EXPECT_NEAR(static_cast<double>(t.link.counters(0).queue_full), 89, 2);
  const auto began = t.now;
  const auto order = t.receive();
  EXPECT_NEAR(static_cast<double>((t.now - began).count()) / 1e6, 1.0 + static_cast<double>(order.size()), 0.1);
}

TEST(VirtualLink, SameSeedGivesTheSameRun) {
  LinkConditions c;
  c.loss = 0.3;
  c.jitter = 5ms;
  Traffic a{c, 5}, b{c, 5}, other{c, 6};
  for (Traffic* t : {&a, &b, &other}) t->send(200);
  const auto order = a.receive();
  EXPECT_EQ(order, b.receive());
  EXPECT_NE(order, other.receive());
}

TEST(VirtualLink, PartialChecksumAndSuperSegmentAreKept) {
  BufferPool pool;
  auto frame = numbered_frame(pool, 3);
  frame.checksum_wanted = true;
  frame.gso_size = 500;
  const auto flat = flatten(frame);
  EXPECT_EQ(flat.checksum, ChecksumState::Partial);
  EXPECT_EQ(flat.gso_size, 500);
  EXPECT_EQ(flat.octets.size(), frame.size());
}

}  // namespace
}  // namespace wireside::testing
