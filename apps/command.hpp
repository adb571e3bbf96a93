// What main.cpp and the subcommands agree on.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace CLI {
class App;
}

namespace wireside::apps {

/// Exit statuses of the command.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

/// Runs the chosen subcommand and gives the exit status.
using Action = std::function<int()>;

/// The command line cannot be obeyed: status 2. `what` says what is wrong (and why), `remedy` what to write instead.
class UsageError : public std::runtime_error {
 public:
  UsageError(const std::string& what, std::string remedy) : std::runtime_error{what}, remedy_{std::move(remedy)} {}
  [[nodiscard]] const std::string& remedy() const { return remedy_; }

 private:
  std::string remedy_;
};

/// Each adds its subcommand to `app`; when the subcommand is given, its callback sets `chosen`.
void register_serve(CLI::App& app, Action& chosen);
void register_ping(CLI::App& app, Action& chosen);
void register_traceroute(CLI::App& app, Action& chosen);
void register_get(CLI::App& app, Action& chosen);
void register_nc(CLI::App& app, Action& chosen);
void register_router(CLI::App& app, Action& chosen);
void register_bridge(CLI::App& app, Action& chosen);
void register_sim(CLI::App& app, Action& chosen);
/// ss, neigh, route, addr, stats and dns: what a running wireside knows.
void register_tables(CLI::App& app, Action& chosen);
void register_resolve(CLI::App& app, Action& chosen);
void register_dhcp(CLI::App& app, Action& chosen);
void register_dissect(CLI::App& app, Action& chosen);
void register_extcap(CLI::App& app, Action& chosen);

}  // namespace wireside::apps
