// Options that every subcommand with an endpoint of its own takes: device, addresses, trace and capture.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "config.hpp"
#include "tap_device.hpp"

namespace CLI {
class App;
}

namespace wireside::apps {

struct CommonOptions {
  std::string tap = "tap0";
  std::optional<int> tap_descriptor;
  std::vector<std::string> addresses;
  std::optional<std::string> gateway;
  std::optional<std::string> mac;
  std::vector<std::string> dns_servers;
  std::vector<std::string> search_domains;
  std::optional<std::uint16_t> mtu;
  bool no_offload = false;
  std::optional<double> reassembly_timeout;  ///< seconds
  bool no_acd = false;
  std::string on_conflict = "defend-once";
  std::optional<std::uint64_t> seed;
  bool trace = false;
  std::string capture_file;
  bool verbose = false;
  /// Settings of one subcommand alone, applied last by config(). May be empty.
  std::function<void(Config&)> adjust;

  /// The stack's configuration. Throws UsageError, for a missing or unusable --ip, --gateway or --mac.
  [[nodiscard]] Config config() const;
  [[nodiscard]] TapOptions tap_options() const;
  /// From --seed, else from the system's randomness.
  [[nodiscard]] Seed make_stack_seed() const;
};

/// Adds the options to a subcommand; `out` outlives it.
void add_common_options(CLI::App& subcommand, CommonOptions& out);

}  // namespace wireside::apps
