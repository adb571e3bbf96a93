#include "link/neighbour_cache.hpp"

#include "link_test_support.hpp"

namespace wireside::link::testing {
namespace {

using observe::DropReason;
using State = observe::NeighbourState;

class NeighbourCacheTest : public ::testing::Test {
 protected:
  NeighbourCacheTest() { sink.attach(&log); }

  bool use(Duration when, Ipv4Address address, std::uint8_t mark = 1) {
    FrameOut frame = marked_frame(mark);
    return cache().use(at(when), address, frame).has_value();
  }
  NeighbourCache& cache() {
    if (!cache_) cache_.emplace(config, sink);
    return *cache_;
  }
  State state_of(Ipv4Address address) { return cache().find(address).value().state; }
  void answer(Duration when, MacAddress mac = peer_mac) {
    cache().learn(at(when), {peer_ip, mac, /*is_reply=*/true, /*for_us=*/true});
  }
  /// Runs every deadline up to `end` at its exact time; returns when requests were made.
  std::vector<Duration> run_until(Duration end) {
    std::vector<Duration> requests;
    for (int i = 0; i < 1000 && cache().next_deadline() <= at(end); ++i) {
      const Instant due = cache().next_deadline();
      cache().handle_timeouts(due);
      while (cache().poll_solicitation()) requests.push_back(due - Instant{});
    }
    return requests;
  }
  void drain_solicitations() {
    while (cache().poll_solicitation()) {
    }
  }

  NeighbourConfig config;
  observe::Sink sink;
  StateLog log;

 private:
  std::optional<NeighbourCache> cache_;
};

TEST_F(NeighbourCacheTest, ParksAFrameAsksAndReleasesItWhenAnswered) {  // RFC 1122 ARPC-04
  EXPECT_FALSE(use(0s, peer_ip, 7));
  const auto request = cache().poll_solicitation();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->target, peer_ip);
  EXPECT_FALSE(request->mac);
  answer(500ms);
  FrameOut frame;
  MacAddress mac;
  ASSERT_TRUE(cache().poll_resolved(frame, mac));
  EXPECT_EQ(mac, peer_mac);
  EXPECT_EQ(octets_of(frame), octets_of(marked_frame(7)));
  EXPECT_FALSE(cache().poll_resolved(frame, mac));
  EXPECT_TRUE(use(501ms, peer_ip));
  EXPECT_EQ(log.states, (std::vector{State::Incomplete, State::Reachable}));
}

TEST_F(NeighbourCacheTest,
       ManyPacketsToASilentNeighbourMakeOneRequestASecondAtMost) {  // RFC 1122 ARPC-02, RFC 8961 TMR-01
  std::vector<Duration> requests;
  for (int ms = 0; ms < 7000; ms += 10) {
    const auto more = run_until(std::chrono::milliseconds{ms});
    requests.insert(requests.end(), more.begin(), more.end());
    EXPECT_FALSE(use(std::chrono::milliseconds{ms}, peer_ip));
    while (cache().poll_solicitation()) requests.push_back(std::chrono::milliseconds{ms});
  }
  EXPECT_EQ(requests, (std::vector<Duration>{0s, 1s, 2500ms}));
}

TEST_F(NeighbourCacheTest, UnreachableOnlyAfterResolutionFailed) {  // RFC 1122 ARPC-05
  use(0s, peer_ip, 3);
  drain_solicitations();
  FrameOut frame;
  run_until(4749ms);
  EXPECT_FALSE(cache().poll_failed(frame));
  EXPECT_EQ(cache().next_deadline(), at(4750ms)) << "1 + 1.5 + 2.25 s";
  run_until(4750ms);
  EXPECT_EQ(state_of(peer_ip), State::Failed);
  ASSERT_TRUE(cache().poll_failed(frame));
  EXPECT_EQ(octets_of(frame), octets_of(marked_frame(3)));
  EXPECT_FALSE(cache().poll_failed(frame));
  EXPECT_EQ(sink.drops(DropReason::NeighbourUnreachable), 1U);
}

TEST_F(NeighbourCacheTest, AFailedNeighbourAnswersUnreachableForAWhileAndIsThenAskedAgain) {
  use(0s, peer_ip);
  run_until(4750ms);
  FrameOut frame;
  while (cache().poll_failed(frame)) {
  }
  EXPECT_FALSE(use(7s, peer_ip, 4));
  ASSERT_TRUE(cache().poll_failed(frame));
  EXPECT_EQ(octets_of(frame), octets_of(marked_frame(4)));
  EXPECT_FALSE(cache().poll_solicitation());
  run_until(7750ms);
  EXPECT_FALSE(cache().find(peer_ip));
  EXPECT_FALSE(use(7750ms, peer_ip));
  EXPECT_TRUE(cache().poll_solicitation());
}

TEST_F(NeighbourCacheTest, ALateAnswerRevivesAFailedNeighbour) {
  use(0s, peer_ip);
  run_until(4750ms);
  answer(6s);
  EXPECT_TRUE(use(6s, peer_ip));
}

TEST_F(NeighbourCacheTest, QueueOfAResolvingNeighbourDropsItsOldest) {  // RFC 1122 ARPC-04: the latest is kept
  config.max_queued_frames = 3;
  for (std::uint8_t mark = 1; mark <= 5; ++mark) use(0s, peer_ip, mark);
  EXPECT_EQ(sink.drops(DropReason::NeighbourQueueFull), 2U);
  answer(1ms);
  FrameOut frame;
  MacAddress mac;
  for (std::uint8_t mark = 3; mark <= 5; ++mark) {
    ASSERT_TRUE(cache().poll_resolved(frame, mac));
    EXPECT_EQ(octets_of(frame), octets_of(marked_frame(mark)));
  }
  EXPECT_FALSE(cache().poll_resolved(frame, mac));
}

TEST_F(NeighbourCacheTest, ReachableTimeIsConfigurable) {  // RFC 1122 ARPC-03
  config.reachable_time = 2s;
  use(0s, peer_ip);
  answer(0s);
  run_until(1999ms);
  EXPECT_EQ(state_of(peer_ip), State::Reachable);
  run_until(2s);
  EXPECT_EQ(state_of(peer_ip), State::Stale);
}

TEST_F(NeighbourCacheTest, AStaleEntryInUseIsDelayedThenPolledByUnicast) {  // RFC 1122 ARPC-01
  use(0s, peer_ip);
  drain_solicitations();
  answer(0s);
  run_until(30s);
  EXPECT_EQ(state_of(peer_ip), State::Stale);
  EXPECT_TRUE(use(40s, peer_ip));
  EXPECT_EQ(state_of(peer_ip), State::Delay);
  EXPECT_EQ(cache().next_deadline(), at(45s));
  cache().handle_timeouts(at(45s));
  EXPECT_EQ(state_of(peer_ip), State::Probe);
  const auto poll = cache().poll_solicitation();
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll->mac, peer_mac);
  EXPECT_TRUE(use(45s, peer_ip)) << "frames still go to the known address while it is polled";
  answer(46s);
  EXPECT_EQ(state_of(peer_ip), State::Reachable);
}

TEST_F(NeighbourCacheTest, ASilentMoveToAnotherMacIsFoundByAskingEverybody) {  // RFC 1122 ARPC-01
  cache().learn(at(0s), {peer_ip, peer_mac, false, true});
  run_until(30s);
  EXPECT_TRUE(use(30s, peer_ip));
  run_until(36s);
  EXPECT_TRUE(use(36s, peer_ip));
  run_until(42s);
  EXPECT_EQ(state_of(peer_ip), State::Incomplete);
  const auto info = cache().find(peer_ip);
  EXPECT_TRUE(info->mac.is_zero());
  EXPECT_FALSE(use(42s, peer_ip, 5));
  answer(42s, other_mac);
  FrameOut frame;
  MacAddress mac;
  ASSERT_TRUE(cache().poll_resolved(frame, mac));
  EXPECT_EQ(mac, other_mac);
}

TEST_F(NeighbourCacheTest, AnUnusedNeighbourThatDoesNotAnswerPollsIsForgotten) {
  use(0s, peer_ip);
  answer(0s);
  run_until(30s);
  EXPECT_TRUE(use(30s, peer_ip));
  run_until(42s);
  EXPECT_FALSE(cache().find(peer_ip));
  EXPECT_EQ(cache().next_deadline(), Instant::max());
}

TEST_F(NeighbourCacheTest, AnUnusedStaleEntryExpires) {  // RFC 1122 ARPC-01
  cache().learn(at(0s), {peer_ip, peer_mac, false, true});
  EXPECT_EQ(state_of(peer_ip), State::Stale);
  EXPECT_EQ(cache().next_deadline(), at(600s));
  run_until(600s);
  EXPECT_EQ(cache().size(), 0U);
}

TEST_F(NeighbourCacheTest, ForwardProgressKeepsANeighbourReachableWithoutARequest) {  // RFC 4861 7.3.1
  use(0s, peer_ip);
  drain_solicitations();
  answer(0s);
  for (int s = 1; s < 200; ++s) {
    EXPECT_TRUE(run_until(std::chrono::seconds{s}).empty());
    cache().confirm(at(std::chrono::seconds{s}), peer_ip);
    EXPECT_TRUE(use(std::chrono::seconds{s}, peer_ip));
  }
  EXPECT_EQ(state_of(peer_ip), State::Reachable);
  EXPECT_EQ(cache().next_deadline(), at(229s));
}

TEST_F(NeighbourCacheTest, VerifyingAsksTheNeighbourAtOnce) {  // RFC 9293 MUST-20, RFC 4861 7.3.3
  use(0s, peer_ip);
  answer(0s);
  ASSERT_EQ(state_of(peer_ip), State::Reachable);
  while (cache().poll_advice()) continue;
  cache().verify(at(1s), peer_ip);
  EXPECT_EQ(state_of(peer_ip), State::Probe);
  EXPECT_TRUE(use(1s, peer_ip)) << "packets go on meanwhile";
  EXPECT_FALSE(cache().poll_advice());
  run_until(11s);  // by unicast, then by broadcast: 4.75 s each
  EXPECT_EQ(state_of(peer_ip), State::Failed);
  const auto advice = cache().poll_advice();
  ASSERT_TRUE(advice);
  EXPECT_EQ(advice->address, peer_ip);
  EXPECT_FALSE(advice->reachable);
}

TEST_F(NeighbourCacheTest, VerifyingAnUnknownNeighbourResolvesIt) {  // RFC 1122 3.3.1.4
  cache().verify(at(0s), peer_ip);
  EXPECT_EQ(state_of(peer_ip), State::Incomplete);
  answer(0s);
  const auto advice = cache().poll_advice();
  ASSERT_TRUE(advice);
  EXPECT_TRUE(advice->reachable);
}

TEST_F(NeighbourCacheTest, ConfirmingAnUnresolvedNeighbourIsNoAddress) {
  use(0s, peer_ip);
  cache().confirm(at(0s), peer_ip);
  cache().confirm(at(0s), other_ip);
  EXPECT_EQ(state_of(peer_ip), State::Incomplete);
  EXPECT_FALSE(cache().find(other_ip));
}

TEST_F(NeighbourCacheTest, AnyMessageUpdatesAnExistingEntry) {  // RFC 826 ARP-03
  use(0s, peer_ip);
  answer(0s);
  EXPECT_TRUE(cache().learn(at(1s), {peer_ip, other_mac, false, false}));
  FrameOut frame = marked_frame(1);
  EXPECT_EQ(cache().use(at(1s), peer_ip, frame), other_mac);
  EXPECT_EQ(state_of(peer_ip), State::Delay) << "the new address is still to be verified";
}

TEST_F(NeighbourCacheTest, OnlyAMessageForUsMakesAnEntry) {  // RFC 826 ARP-04
  EXPECT_FALSE(cache().learn(at(0s), {peer_ip, peer_mac, false, false}));
  EXPECT_FALSE(cache().learn(at(0s), {peer_ip, peer_mac, true, false}));
  EXPECT_EQ(cache().size(), 0U);
  EXPECT_TRUE(cache().learn(at(0s), {peer_ip, peer_mac, false, true}));
  EXPECT_EQ(cache().size(), 1U);
}

TEST_F(NeighbourCacheTest, AnUnsolicitedReplyDoesNotProveReachability) {
  cache().learn(at(0s), {peer_ip, peer_mac, true, true});
  EXPECT_EQ(state_of(peer_ip), State::Stale);
}

TEST_F(NeighbourCacheTest, AFloodNeitherGrowsTheTableNorEvictsEntriesInUse) {
  config.max_entries = 16;
  use(0s, peer_ip);
  answer(0s);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    cache().learn(at(1s), {Ipv4Address{0x0a000100U + i}, other_mac, false, true});
    EXPECT_LE(cache().size(), 16U);
  }
  EXPECT_EQ(state_of(peer_ip), State::Reachable);
  EXPECT_TRUE(cache().find(Ipv4Address{0x0a000100U + 999}));
  EXPECT_FALSE(cache().find(Ipv4Address{0x0a000100U})) << "the oldest unused went first";
}

TEST_F(NeighbourCacheTest, AFloodDoesNotDisturbRunningResolutions) {
  config.max_entries = 4;
  for (std::uint8_t i = 1; i <= 4; ++i) use(0s, Ipv4Address{10, 0, 1, i});
  EXPECT_FALSE(cache().learn(at(0s), {other_ip, other_mac, false, true}));
  EXPECT_EQ(sink.drops(DropReason::NeighbourTableFull), 1U);
  EXPECT_EQ(state_of(Ipv4Address(10, 0, 1, 1)), State::Incomplete);
  // A packet of our own may cost the oldest resolution its place, and its frame comes back.
  EXPECT_FALSE(use(0s, other_ip));
  EXPECT_FALSE(cache().find(Ipv4Address{10, 0, 1, 1}));
  EXPECT_EQ(state_of(other_ip), State::Incomplete);
  FrameOut frame;
  EXPECT_TRUE(cache().poll_failed(frame));
}

TEST_F(NeighbourCacheTest, ATableFullOfReachableNeighboursMakesRoomForOurPacketsOnly) {
  config.max_entries = 3;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    const Ipv4Address address{10, 0, 1, i};
    use(0s, address);
    cache().learn(at(0s), {address, peer_mac, true, true});
  }
  EXPECT_FALSE(cache().learn(at(1s), {other_ip, other_mac, false, true})) << "what others say evicts nobody in use";
  EXPECT_EQ(sink.drops(DropReason::NeighbourTableFull), 1U);
  cache().confirm(at(1s), Ipv4Address{10, 0, 1, 1});
  EXPECT_FALSE(use(2s, other_ip));
  EXPECT_EQ(cache().size(), 3U);
  EXPECT_EQ(state_of(other_ip), State::Incomplete);
  EXPECT_TRUE(cache().find(Ipv4Address{10, 0, 1, 1})) << "confirmed later than the others";
  EXPECT_FALSE(cache().find(Ipv4Address{10, 0, 1, 2}));
  // The next one costs the running resolution its place, so that silent neighbours cannot displace those that answer.
  EXPECT_FALSE(use(2s, peer_ip));
  EXPECT_FALSE(cache().find(other_ip));
  EXPECT_TRUE(cache().find(Ipv4Address{10, 0, 1, 3}));
}

TEST_F(NeighbourCacheTest, AllSilentNeighboursTogetherHoldABoundedNumberOfFrames) {  // RFC 1122 ARPC-04
  config.max_queued_frames = 8;
  config.max_queued_in_all = 20;
  const auto parked = [&] {
    std::size_t n = 0;
    for (const NeighbourInfo& info : cache().list()) n += info.parked;
    return n;
  };
  for (std::uint8_t i = 1; i <= 50; ++i) {
    for (std::uint8_t mark = 1; mark <= 8; ++mark) use(0s, Ipv4Address{10, 0, 1, i}, mark);
  }
  EXPECT_EQ(cache().size(), 50U);
  EXPECT_EQ(parked(), 20U + 47U) << "beyond the bound, each keeps its latest only";
  EXPECT_EQ(sink.drops(DropReason::NeighbourQueueFull), 400U - parked());
  FrameOut frame;
  MacAddress mac;
  cache().learn(at(1s), {Ipv4Address{10, 0, 1, 50}, peer_mac, true, true});
  ASSERT_TRUE(cache().poll_resolved(frame, mac));
  EXPECT_EQ(octets_of(frame), octets_of(marked_frame(8)));
  run_until(5s);  // all give up
  EXPECT_EQ(parked(), 0U);
  while (cache().poll_failed(frame)) {
  }
  run_until(20s);
  for (std::uint8_t mark = 1; mark <= 8; ++mark) use(20s, peer_ip, mark);
  EXPECT_EQ(parked(), 8U) << "the room came back";
}

TEST_F(NeighbourCacheTest, ForgettingHandsParkedFramesBack) {
  use(0s, peer_ip);
  cache().forget(at(0s), peer_ip);
  FrameOut frame;
  EXPECT_TRUE(cache().poll_failed(frame));
  EXPECT_EQ(cache().size(), 0U);
  EXPECT_FALSE(cache().poll_solicitation()) << "nothing to ask any more";
  EXPECT_EQ(cache().next_deadline(), Instant::max());
}

TEST_F(NeighbourCacheTest, ListsByAddress) {
  use(0s, other_ip);
  use(0s, peer_ip);
  answer(0s);
  const auto all = cache().list();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].address, peer_ip);
  EXPECT_EQ(all[0].mac, peer_mac);
  EXPECT_EQ(all[1].address, other_ip);
  EXPECT_EQ(all[1].parked, 1U);
}

}  // namespace
}  // namespace wireside::link::testing
