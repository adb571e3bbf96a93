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
#include "runtime.hpp"
#include "tap_device.hpp"
#include "watch_options.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace wireside::apps {

/// An impaired path, as the command line has it.
struct ImpairmentOptions {
  std::string both, in, out;  ///< impair::Settings as text; `in` and `out` go before `both`
  std::optional<std::uint64_t> seed;

  /// nullopt where nothing is impaired. Throws UsageError. Without a seed of its own, random numbers come from `other`,
  /// or else from the system.
  [[nodiscard]] std::optional<PathImpairment> path(const std::optional<std::uint64_t>& other) const;
};
/// Reads the value of `option`; empty text impairs nothing. Throws UsageError.
[[nodiscard]] impair::Settings parse_impairment(const std::string& option, const std::string& text);
/// From `n`, else from the system's randomness.
[[nodiscard]] Seed seed_from(const std::optional<std::uint64_t>& n);

struct CommonOptions {
  std::string tap = "tap0";
  std::optional<int> tap_descriptor;
  std::vector<std::string> addresses;
  std::optional<std::string> gateway;
  std::vector<std::string> routes;
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
  std::size_t queues = 1;                    ///< of the TAP, each with a stack and a thread
  std::optional<double> reassembly_timeout;  ///< seconds
  ImpairmentOptions impairment;
  std::optional<std::uint32_t> busy_poll;  ///< microseconds
  bool no_acd = false;
  std::string on_conflict = "defend-once";
  std::optional<std::uint64_t> seed;
  WatchOptions watch;
  bool verbose = false;
  /// The subcommand runs long enough to be looked into: it opens a control socket.
  bool long_running = false;
  std::string command;       ///< its name, for those who list what runs
  std::string control_path;  ///< empty: the default place for the TAP's name
  bool no_control = false;
  /// Settings of one subcommand alone, applied last by config(). May be empty.
  std::function<void(Config&)> adjust;

  /// The stack's configuration. Throws UsageError for a missing or unusable --ip, --gateway, --mac, --hostname, or
  /// options that contradict each other. The lease file is not read.
  [[nodiscard]] Config config() const;
  /// For Stack::start_dhcp, without a lease of before. Throws UsageError for an unusable --hostname.
  [[nodiscard]] dhcp::Options dhcp_options() const;
  [[nodiscard]] TapOptions tap_options() const;
  /// For Runtime::set_busy_poll.
  [[nodiscard]] std::optional<Duration> busy_poll_time() const;
  /// From --seed, else from the system's randomness.
  [[nodiscard]] Seed make_stack_seed() const;
};

/// "10.2.0.0/16,via=10.0.0.1,metric=10": a destination ("default" is 0.0.0.0/0), then any of via (a gateway; without it
/// the destination is on the link), metric and src (preferred source). Throws UsageError.
[[nodiscard]] ip::Route parse_route(const std::string& text);

/// `--seed` and the like: a whole number. Throws UsageError while the command line is parsed.
CLI::Option* add_seed_option(CLI::App& command, const std::string& name, std::optional<std::uint64_t>& out,
                             const std::string& what);
/// Adds the options to a subcommand; `out` outlives it.
void add_common_options(CLI::App& subcommand, CommonOptions& out);
/// Only those of an impaired path.
void add_impairment_options(CLI::App& subcommand, ImpairmentOptions& out);
/// Only --busy-poll.
void add_busy_poll_option(CLI::App& subcommand, CommonOptions& out);
/// Only --queues.
void add_queues_option(CLI::App& subcommand, CommonOptions& out);
/// Only those of address conflict detection.
void add_conflict_options(CLI::App& subcommand, CommonOptions& out);

}  // namespace wireside::apps
