// Fragments that come before their first one wait for it, in bounded memory and time.
#include "fragment_ways.hpp"

#include <gtest/gtest.h>

namespace wireside {
namespace {

using namespace std::chrono_literals;

struct Ways {
  BufferPool pool;
  FragmentWays ways{60s};
  Instant now = Instant::from_ns(1);

  static wire::FlowKey key(std::uint16_t id, bool first) {
    wire::FlowKey out;
    out.identification = id;
    out.fragment = true;
    out.first_fragment = first;
    return out;
  }
  Packet frame(std::size_t octets = 100) { return {.data = pool.copy(std::vector<std::uint8_t>(octets))}; }
  std::optional<std::size_t> first(std::uint16_t id, std::size_t owner) {
    return ways.place(now, key(id, true), owner, frame());
  }
  std::optional<std::size_t> later(std::uint16_t id, std::size_t octets = 100) {
    return ways.place(now, key(id, false), 0, frame(octets));
  }
};

TEST(FragmentWays, TheFirstFragmentTellsTheWayOfAll) {
  Ways lab;
  EXPECT_EQ(lab.first(7, 3), 3U);
  EXPECT_EQ(lab.later(7), 3U);
  EXPECT_TRUE(lab.ways.take_released().empty());
}

TEST(FragmentWays, WhatCameBeforeItIsKeptAndReleased) {
  Ways lab;
  EXPECT_EQ(lab.later(7), std::nullopt);
  EXPECT_EQ(lab.later(7), std::nullopt);
  EXPECT_EQ(lab.later(8), std::nullopt);
  EXPECT_EQ(lab.first(7, 2), 2U);
  EXPECT_EQ(lab.ways.take_released().size(), 2U);
  EXPECT_EQ(lab.ways.lost(), 0U);
}

TEST(FragmentWays, AnIdentificationServesTheNextDatagram) {
  Ways lab;
  EXPECT_EQ(lab.first(7, 2), 2U);
  EXPECT_EQ(lab.first(7, 1), 1U);
  EXPECT_EQ(lab.later(7), 1U);
}

TEST(FragmentWays, WithoutAFirstFragmentTheRestIsGivenUp) {
  Ways lab;
  EXPECT_EQ(lab.later(7), std::nullopt);
  lab.now = lab.now + 60s;
  EXPECT_EQ(lab.first(8, 1), 1U);
  EXPECT_EQ(lab.ways.lost(), 1U);
  EXPECT_EQ(lab.ways.datagrams(), 1U);
}

TEST(FragmentWays, MemoryIsBounded) {
  Ways lab;
  for (std::uint32_t id = 0; id < 4 * FragmentWays::max_datagrams; ++id) {
    EXPECT_EQ(lab.later(static_cast<std::uint16_t>(id)), std::nullopt);
  }
  EXPECT_EQ(lab.ways.datagrams(), FragmentWays::max_datagrams);
  EXPECT_EQ(lab.ways.lost(), 3 * FragmentWays::max_datagrams);
  Ways large;
  for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(large.later(1, 65000), std::nullopt);
  EXPECT_EQ(large.first(1, 1), 1U);
  EXPECT_EQ(large.ways.take_released().size(), FragmentWays::max_kept_octets / 65000);
}

}  // namespace
}  // namespace wireside
