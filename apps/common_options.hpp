// Options that every subcommand with an endpoint of its own takes: device, addresses, trace and capture.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "config.hpp"
#include "dhcp/dhcp_types.hpp"
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
  bool dhcp = false;
  bool dhcp_by_hand = false;  ///< the subcommand itself starts DHCP
  std::string host_name;
  std::string lease_file;
  bool link_local = false;
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

  /// The stack's configuration. Throws UsageError for a missing or unusable --ip, --gateway, --mac, --hostname, or
  /// options that contradict each other. The lease file is not read.
  [[nodiscard]] Config config() const;
  /// For Stack::start_dhcp, without a lease of before. Throws UsageError for an unusable --hostname.
  [[nodiscard]] dhcp::Options dhcp_options() const;
  [[nodiscard]] TapOptions tap_options() const;
  /// From --seed, else from the system's randomness.
  [[nodiscard]] Seed make_stack_seed() const;
};

/// Adds the options to a subcommand; `out` outlives it.
void add_common_options(CLI::App& subcommand, CommonOptions& out);

}  // namespace wireside::apps
