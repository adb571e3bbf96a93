// What `wireside sim` runs: hosts, routers, links and flows, and the text they are written in (docs/sim.md).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "impair/settings.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::sim {

/// An endpoint; it has exactly one link.
struct Host {
  std::string name;
  tcp::TcpConfig tcp;
};

/// Forwards between its links.
struct Router {
  std::string name;
};

/// Between two nodes; frames from `a` to `b` are treated by `forth`, the others by `back`.
struct Link {
  std::string a, b;
  impair::Settings forth, back;
  std::uint16_t mtu = 1500;
};

/// One TCP connection that carries octets from a host to another.
struct Flow {
  std::string name;
  std::string from, to;
  /// How many octets; nullopt: as many as possible for `run_for`, then the connection is aborted.
  std::optional<std::uint64_t> octets;
  Duration run_for{};
  Duration start{};
  tcp::ConnectionOptions options;
};

struct Scenario {
  std::uint64_t seed = 1;
  Duration stop = std::chrono::minutes{10};  ///< virtual time after which it ends at the latest
  std::vector<Host> hosts;
  std::vector<Router> routers;
  std::vector<Link> links;
  std::vector<Flow> flows;
};

inline constexpr std::size_t max_hosts = 256;
inline constexpr std::size_t max_links = 1024;
inline constexpr std::size_t max_flows = 1024;
inline constexpr std::uint64_t max_flow_octets = std::uint64_t{1} << 40;
inline constexpr Duration max_stop = std::chrono::hours{24};

/// Why a text is no scenario. Line 0: the text as a whole.
struct ScenarioError {
  std::size_t line = 0;
  std::string what;
  std::string remedy;
};

[[nodiscard]] std::expected<Scenario, ScenarioError> parse_scenario(std::string_view text);
/// Text that parse_scenario reads back as the same.
[[nodiscard]] std::string describe(const Scenario& scenario);

}  // namespace wireside::sim
