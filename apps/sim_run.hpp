// Runs a scenario under a virtual clock, writes what happened, and sums it up.
#pragma once

#include <boost/json/object.hpp>
#include <cstdio>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "sim_flow.hpp"
#include "sim_network.hpp"
#include "sim_scenario.hpp"

namespace wireside::sim {

/// Where to write what happens; nowhere by default.
struct Outputs {
  std::FILE* events = nullptr;  ///< one JSON object per line (docs/agent.md), with the node's name
  std::string capture_folder;   ///< a pcapng capture for each host, and for each interface of a router
  /// Asked now and then: true ends the simulation where it is. May be empty.
  std::function<bool()> interrupted{};
};

struct LinkResult {
  std::string from, to;
  impair::Impairment::Counters counters;
  double utilisation = 0;  ///< share of the rate that was used; 0 without a rate
};

struct Summary {
  Duration virtual_time{};
  std::uint64_t frames = 0;  ///< sent on all links
  std::vector<FlowResult> flows;
  std::vector<LinkResult> links;  ///< each way
  /// Jain's index of the goodputs over the time in which all flows ran; nullopt where they never all did, or there is
  /// only one.
  std::optional<double> fairness;
  [[nodiscard]] bool ok() const;
};

/// Ends when all flows have ended, or at the scenario's stop. The same scenario gives the same results and the same
/// octets in all outputs. The error is a sentence.
[[nodiscard]] std::expected<Summary, std::string> run(const Scenario& scenario, const Outputs& outputs);

[[nodiscard]] std::string to_text(const Summary& summary);
[[nodiscard]] boost::json::object to_json(const Summary& summary);

}  // namespace wireside::sim
