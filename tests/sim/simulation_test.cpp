// Seeded runs. WIRESIDE_SIM_RUNS=N sets how many (default 300), WIRESIDE_SIM_FIRST the first seed, and
// WIRESIDE_SIM_SEED=N runs that one alone and writes its capture.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "sim/simulation.hpp"

namespace wireside::testing {
namespace {

std::optional<std::uint64_t> environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

std::string capture_path(std::uint64_t seed) {
  const char* folder = std::getenv("WIRESIDE_SIM_PCAP_DIR");
  return std::string{folder != nullptr && *folder != '\0' ? folder : "."} + "/sim-" + std::to_string(seed) + ".pcap";
}

/// Runs the failing seed again, since it comes out the same, and keeps its frames.
void report(std::uint64_t seed, const RunResult& result) {
  const auto path = capture_path(seed);
  std::ignore = run_simulation(make_scenario(seed), path);
  ADD_FAILURE() << "seed " << seed << ": " << result.problem << "\n  frames: " << path
                << "\n  again: WIRESIDE_SIM_SEED=" << seed << " wireside_sim_tests";
}

TEST(Simulation, SeededRunsHoldEveryInvariant) {
  if (const auto seed = environment("WIRESIDE_SIM_SEED")) {
    const auto result = run_simulation(make_scenario(*seed), capture_path(*seed));
    std::cout << "seed " << *seed << ": " << result.frames << " frames, " << result.octets << " octets, "
              << std::chrono::duration<double>(result.virtual_time).count() << " s of virtual time, "
              << (result.problem.empty() ? "every invariant held" : result.problem) << ", frames in "
              << capture_path(*seed) << "\n";
    EXPECT_EQ(result.problem, "");
    return;
  }
  const auto first = environment("WIRESIDE_SIM_FIRST").value_or(1);
  const auto runs = environment("WIRESIDE_SIM_RUNS").value_or(300);
  std::uint64_t frames = 0, octets = 0, lost = 0, failures = 0;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    const auto result = run_simulation(make_scenario(seed));
    frames += result.frames;
    octets += result.octets;
    lost += result.lost;
    if (result.problem.empty()) continue;
    if (++failures <= 5) report(seed, result);
  }
  std::cout << runs << " runs, " << frames << " frames (" << lost << " lost), " << octets << " octets delivered, "
            << failures << " failed\n";
  EXPECT_EQ(failures, 0U);
}

// The same seed and the same inputs give the same octets out.
TEST(Simulation, SameSeedGivesTheSameFrames) {
  for (std::uint64_t seed = 100'001; seed <= 100'020; ++seed) {
    const auto a = run_simulation(make_scenario(seed));
    const auto b = run_simulation(make_scenario(seed));
    EXPECT_GT(a.frames, 0U);
    EXPECT_EQ(a.hash, b.hash) << "seed " << seed;
    EXPECT_EQ(a.frames, b.frames) << "seed " << seed;
  }
}

// Whether idle connections keep their whole state ready, all of them rest at once, or one stays awake: nobody sees it.
TEST(Simulation, ConnectionsAtRestChangeNoFrame) {
  for (std::uint64_t seed = 200'001; seed <= 200'150; ++seed) {
    auto scenario = make_scenario(seed);
    const auto awake = run_simulation(scenario);
    for (const std::size_t most : {0U, 1U}) {
      for (auto& config : scenario.config) config.tcp.max_awake_idle = most;
      const auto resting = run_simulation(scenario);
      EXPECT_EQ(resting.hash, awake.hash) << "seed " << seed << ", " << most << " awake";
      EXPECT_EQ(resting.problem, awake.problem);
    }
  }
}

// What header prediction takes and what takes the RFC's steps one by one: the same frames at the same times, whatever
// the network and the applications do.
TEST(Simulation, TheFastPathChangesNoFrame) {
  const auto runs = environment("WIRESIDE_SIM_RUNS").value_or(300) / 4;
  for (std::uint64_t seed = 200'001; seed <= 200'000 + runs; ++seed) {
    auto scenario = make_scenario(seed);
    const auto with = run_simulation(scenario);
    for (Config& config : scenario.config) config.tcp.fast_path = false;
    const auto without = run_simulation(scenario);
    ASSERT_EQ(with.hash, without.hash) << "seed " << seed;
    ASSERT_EQ(with.events, without.events) << "seed " << seed;
    ASSERT_EQ(with.octets, without.octets) << "seed " << seed;
  }
}

TEST(Simulation, DifferentSeedsGiveDifferentFrames) {
  auto scenario = make_scenario(100'001);
  const auto a = run_simulation(scenario);
  scenario.seed += 1'000'000;
  EXPECT_NE(a.hash, run_simulation(scenario).hash);
}

/// One connection over a clean network.
Scenario clean(std::uint64_t octets, bool offload) {
  Scenario s;
  s.seed = 7;
  for (unsigned side = 0; side < 2; ++side) {
    s.config[side].ip.addresses = {{Ipv4Address{10, 0, 0, static_cast<std::uint8_t>(side + 1)}, 24}};
    s.config[side].link.tx_checksum_offload = s.config[side].link.tso = offload;
    s.link[side].delay = 10ms;
  }
  ConnectionPlan c;
  c.client_plan.octets = octets;
  c.client_plan.largest_write = 1 << 20;
  c.server_plan.largest_read = 1 << 20;
  s.connections.push_back(c);
  return s;
}

TEST(Simulation, CleanTransferTakesNoRetransmissionAndGrowsItsWindow) {
  constexpr std::uint64_t octets = 20'000'000;
  const auto result = run_simulation(clean(octets, false));
  EXPECT_EQ(result.problem, "");
  EXPECT_EQ(result.octets, octets);
  EXPECT_LT(result.frames, octets / 1448 * 16 / 10 + 100);  // data, at most one ACK for two segments, nothing twice
  EXPECT_LT(result.virtual_time, 60s + 3s);                 // TIME-WAIT, and the transfer by slow start
}

TEST(Simulation, SuperSegmentsTakeFarFewerFrames) {
  constexpr std::uint64_t octets = 20'000'000;
  const auto result = run_simulation(clean(octets, true));
  EXPECT_EQ(result.problem, "");
  EXPECT_EQ(result.octets, octets);
  EXPECT_LT(result.frames, 5000U);
}

TEST(Simulation, BulkThroughLossArrives) {
  for (const bool offload : {false, true}) {
    auto scenario = clean(2'000'000, offload);
    for (auto& link : scenario.link) {
      link.loss = 0.02;
      link.jitter = 2ms;
    }
    const auto result = run_simulation(scenario);
    EXPECT_EQ(result.problem, "");
    EXPECT_EQ(result.octets, 2'000'000U);
  }
}

}  // namespace
}  // namespace wireside::testing
