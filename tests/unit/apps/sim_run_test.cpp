// Scenarios run as they are written, and always the same way.
#include "sim_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace wireside::sim {
namespace {

Summary run_text(std::string_view text, const Outputs& outputs = {}) {
  const auto scenario = parse_scenario(text);
  EXPECT_TRUE(scenario) << scenario.error().what;
  if (!scenario) return {};
  auto summary = run(*scenario, outputs);
  EXPECT_TRUE(summary) << summary.error();
  return summary.value_or(Summary{});
}

TEST(SimRun, ATransferTakesWhatTheLinkAllows) {
  // 10 Mbit/s with 1,514-octet frames: 1,448 octets of payload each, so 9.564 Mbit/s at best.
  const Summary s = run_text(
      "host a\nhost b\nlink a b forth=rate=10mbit,queue=200,delay=10ms back=delay=10ms\nflow f a b octets=10MB\n");
  ASSERT_EQ(s.flows.size(), 1U);
  const FlowResult& f = s.flows[0];
  EXPECT_EQ(f.state, "done");
  EXPECT_TRUE(s.ok());
  EXPECT_EQ(f.octets, 10'000'000U);
  EXPECT_GT(f.goodput, 8.5e6);
  EXPECT_LT(f.goodput, 9.565e6);
  EXPECT_GE(f.rtt_min, 20ms);
  EXPECT_LT(f.rtt_min, 40ms);
  EXPECT_EQ(f.timeouts, 0U);
  EXPECT_GT(s.links[0].utilisation, 0.9);
  EXPECT_FALSE(s.fairness);
}

TEST(SimRun, ALostSegmentIsOneRecovery) {
  const Summary s =
      run_text("host a\nhost b\nlink a b forth=drop=data:20,delay=10ms back=delay=10ms\nflow f a b octets=100kB\n");
  EXPECT_EQ(s.flows[0].retransmitted, 1U);
  EXPECT_EQ(s.flows[0].recoveries, 1U);
  EXPECT_EQ(s.flows[0].timeouts, 0U);
  EXPECT_GT(s.flows[0].in_recovery, 19ms);
  EXPECT_LT(s.flows[0].in_recovery, 100ms);
  EXPECT_EQ(s.links[0].counters.of(observe::ImpairmentAction::LostByRule), 1U);
}

// RFC 6298 section 5.5: the timer backs off. From the second timeout on the window is one segment already and stays so.
TEST(SimRun, EveryTimeoutCountsHoweverSmallTheWindow) {
  const Summary s = run_text(
      "host a tail-loss-probe=off\nhost b\nlink a b forth=drop=data:1-4,delay=10ms back=delay=10ms\n"
      "flow f a b octets=1000B\n");
  EXPECT_TRUE(s.ok());
  EXPECT_EQ(s.flows[0].timeouts, 4U);
  EXPECT_EQ(s.flows[0].retransmitted, 4U);
  EXPECT_EQ(s.flows[0].recoveries, 0U);
  EXPECT_GT(s.flows[0].in_recovery, 2s);
}

TEST(SimRun, TimeoutsOfTheSynCountToo) {
  const Summary s =
      run_text("host a\nhost b\nlink a b forth=drop=syn:1-2,delay=10ms back=delay=10ms\nflow f a b octets=1000B\n");
  EXPECT_TRUE(s.ok());
  EXPECT_EQ(s.flows[0].timeouts, 2U);
}

/// Lines of that file that hold all of these.
std::size_t count_lines(const std::filesystem::path& path, const std::vector<std::string>& parts) {
  std::ifstream file{path};
  std::size_t n = 0;
  for (std::string line; std::getline(file, line);) {
    n += std::ranges::all_of(parts, [&](const std::string& part) { return line.find(part) != std::string::npos; });
  }
  return n;
}

// With so many losses the window is often at its least, where a timeout changes nothing.
TEST(SimRun, CountsAgreeWithTimersAndWithARunWithoutEvents) {
  const auto path = std::filesystem::path{::testing::TempDir()} / "wireside-sim-counts.jsonl";
  const std::string text =
      "seed 3\nstop 300s\nhost a\nhost b\nlink a b both=loss=20%,delay=10ms\nflow f a b octets=300kB\n";
  std::FILE* events = std::fopen(path.c_str(), "wb");
  const Summary s = run_text(text, {events, {}});
  std::fclose(events);
  EXPECT_TRUE(s.ok());
  EXPECT_GT(s.flows[0].timeouts, 5U);
  EXPECT_EQ(s.flows[0].timeouts,
            count_lines(path, {R"("node":"a")", R"("event":"timer")", "retransmission", R"("fired")"}));
  std::filesystem::remove(path);
  // Without events the stacks leave the checksums out.
  EXPECT_EQ(to_text(s), to_text(run_text(text)));
}

TEST(SimRun, PacketsCrossRoutersByTheShortestWay) {
  // A ring of three routers: two links between a and b one way round, one the other.
  const Summary s = run_text(
      "host a\nhost b\nrouter x\nrouter y\nrouter z\n"
      "link a x both=delay=1ms\nlink x y both=delay=1ms\nlink x z both=delay=1ms\nlink z y both=delay=1ms\n"
      "link y b both=delay=1ms\nflow f a b octets=100kB\n");
  EXPECT_TRUE(s.ok()) << s.flows[0].state;
  EXPECT_EQ(s.flows[0].rtt_min, 6ms);
  EXPECT_GT(s.links[2].counters.sent, 0U);  // x>y
  EXPECT_EQ(s.links[4].counters.sent, 0U);  // x>z
}

TEST(SimRun, TwoFlowsShareABottleneck) {
  const Summary s = run_text(
      "seed 2\nhost a\nhost b\nhost c\nrouter r\nlink a r both=delay=1ms\nlink b r both=delay=1ms\n"
      "link r c forth=rate=20mbit,queue=60,delay=15ms back=delay=15ms\n"
      "flow one a c for=60s\nflow two b c for=60s\n");
  ASSERT_TRUE(s.fairness);
  EXPECT_GT(*s.fairness, 0.9);
  EXPECT_LE(*s.fairness, 1.0);
  EXPECT_GT(s.flows[0].goodput + s.flows[1].goodput, 16e6);
  EXPECT_LT(s.flows[0].goodput + s.flows[1].goodput, 19.2e6);
}

TEST(SimRun, WhatCannotEndInTimeIsUnfinished) {
  const Summary s = run_text("stop 2s\nhost a\nhost b\nlink a b both=rate=100kbit,delay=1ms\nflow f a b octets=10MB\n");
  EXPECT_FALSE(s.ok());
  EXPECT_EQ(s.flows[0].state, "unfinished");
  EXPECT_EQ(s.virtual_time, 2s);
  EXPECT_GT(s.flows[0].octets, 15'000U);
}

TEST(SimRun, TimeAloneIsNoSuccess) {  // a flow with `for` has to deliver something
  for (const char* link : {"both=loss=100%", "back=loss=100%", "both=delay=3s"}) {
    const Summary s = run_text(std::string{"host a\nhost b\nlink a b "} + link + "\nflow f a b for=5s\n");
    EXPECT_FALSE(s.ok()) << link;
    EXPECT_EQ(s.flows[0].state, "failed: nothing was delivered in its time");
    EXPECT_EQ(s.flows[0].octets, 0U);
    EXPECT_EQ(s.virtual_time, 5s);
  }
}

// The longest time-outs of neighbours' states are shorter than that. And no more than a request a second goes out.
TEST(SimRun, ANeighbourFarAwayIsNotUnreachable) {
  for (const auto delay : {10s, 60s}) {
    const Summary s =
        run_text("stop 24000s\nhost a\nhost b\nrouter r\nlink a r both=delay=" + std::to_string(delay.count()) +
                 "s\nlink r b both=delay=1ms\nflow f a b octets=100kB\n");
    EXPECT_TRUE(s.ok()) << s.flows[0].state;
    EXPECT_EQ(s.flows[0].octets, 100'000U);
    EXPECT_GE(s.flows[0].rtt_min, 2 * delay);
  }
}

// Timers at their smallest, and nothing ever gets through: it ends all the same.
TEST(SimRun, TheSmallestTimersEnd) {
  const std::string hosts =
      "stop 10s\nhost a rto-min=1ms rto-max=1ms rto-initial=1ms\nhost b delayed-ack=1ms\nlink a b both=delay=1ms";
  const Summary deaf = run_text(hosts + ",loss=100%\nflow f a b octets=100kB\n");
  EXPECT_FALSE(deaf.ok());
  EXPECT_GT(deaf.flows[0].timeouts, 1000U);
  EXPECT_TRUE(run_text(hosts + "\nflow f a b octets=100kB\n").ok());
}

TEST(SimRun, AFlowThatReachesNobodyFails) {
  const Summary s = run_text("host a\nhost b\nlink a b forth=drop=frame:all\nflow f a b octets=1kB\n");
  EXPECT_FALSE(s.ok());
  EXPECT_EQ(s.flows[0].state.substr(0, 7), "failed:");
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(SimRun, SameSeedSameOctetsInEveryOutput) {
  const auto folder = std::filesystem::path{::testing::TempDir()} / "wireside-sim-test";
  const auto once = [&](const std::string& name, int seed) {
    std::filesystem::remove_all(folder / name);
    std::filesystem::create_directories(folder / name);
    std::FILE* events = std::fopen((folder / name / "events").c_str(), "wb");
    const Summary s = run_text("seed " + std::to_string(seed) +
                                   "\nhost a\nhost b\nrouter r\nlink a r both=delay=1ms\n"
                                   "link r b both=loss=2%,corrupt=0.5%,duplicate=1%,delay=10ms,jitter=3ms\n"
                                   "flow f a b octets=200kB\nflow g b a octets=50kB start=50ms\n",
                               {events, (folder / name).string()});
    std::fclose(events);
    EXPECT_TRUE(s.ok());
    return boost::json::serialize(to_json(s)) + to_text(s);
  };
  const std::string first = once("first", 1), again = once("again", 1), other = once("other", 2);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  for (const char* file : {"events", "a.pcapng", "b.pcapng", "r-a.pcapng", "r-b.pcapng"}) {
    const std::string octets = content(folder / "first" / file);
    EXPECT_GT(octets.size(), 10'000U) << file;
    EXPECT_EQ(octets, content(folder / "again" / file)) << file;
    EXPECT_NE(octets, content(folder / "other" / file)) << file;
  }
  std::filesystem::remove_all(folder);
}

TEST(SimRun, AFolderThatCannotBeMadeIsAnError) {
  const auto scenario = parse_scenario("host a\nhost b\nlink a b\nflow f a b octets=1kB\n");
  const auto summary = run(*scenario, {nullptr, "/dev/null/captures"});
  ASSERT_FALSE(summary);
  EXPECT_NE(summary.error().find("/dev/null/captures"), std::string::npos);
}

TEST(SimRun, JainsIndex) {
  EXPECT_DOUBLE_EQ(jain_index({3, 3, 3}), 1);
  EXPECT_DOUBLE_EQ(jain_index({1, 0, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(jain_index({1, 3}), 0.8);
  EXPECT_DOUBLE_EQ(jain_index({0, 0}), 1);
}

}  // namespace
}  // namespace wireside::sim
