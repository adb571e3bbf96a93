// Two stacks, a virtual clock and a virtual link: one run of a scenario, with the invariants checked after every event.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sim/application.hpp"
#include "sim/invariants.hpp"
#include "support/pcap_file.hpp"
#include "support/virtual_link.hpp"

namespace wireside::testing {

/// One connection: side 0 connects to side 1 or the other way round.
struct ConnectionPlan {
  unsigned client = 0;
  Duration starts_at{};
  ApplicationPlan client_plan, server_plan;
  [[nodiscard]] bool someone_leaves() const { return client_plan.leaves_after || server_plan.leaves_after; }
};

struct Scenario {
  std::uint64_t seed = 0;
  std::array<Config, 2> config;
  std::array<LinkConditions, 2> link;
  std::vector<ConnectionPlan> connections;
  std::uint64_t largest_batch = 1;  ///< frames a side takes before it is asked for output
};

/// A scenario drawn from the seed: up to 20 % loss, bursts, duplication, reordering, damage, marks and a black hole
/// until the network heals; every option of TcpConfig and ConnectionOptions that changes what is sent; applications
/// that change their options, send urgently, and leave early.
[[nodiscard]] Scenario make_scenario(std::uint64_t seed);

struct RunResult {
  std::string problem;  ///< empty: every invariant held
  std::uint64_t frames = 0, events = 0, octets = 0, retransmitted = 0, lost = 0;
  std::uint64_t hash = 0;  ///< of every frame sent with its time
  Duration virtual_time{};
};

/// Runs to the end. With a path, writes every frame sent to a capture.
[[nodiscard]] RunResult run_simulation(const Scenario& scenario, const std::string& pcap_path = {});

}  // namespace wireside::testing
