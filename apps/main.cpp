// The `wireside` command: finds the subcommand and turns every failure into a message and a status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "agent.hpp"
#include "command.hpp"

namespace {

using namespace wireside::apps;

/// What went wrong, then where to look.
std::string usage_message(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* at = app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  const std::string command = at == app ? "wireside" : fmt::format("wireside {}", at->get_name());
  const auto unknown = at == app ? app->remaining() : std::vector<std::string>{};
  const std::string what =
      unknown.empty()
          ? error.what()
          : fmt::format("there is no {} '{}'", unknown[0].starts_with('-') ? "option" : "subcommand", unknown[0]);
  return fmt::format("{}: {}\n  try: {} --help\n", command, what, command);
}

int usage_error(const UsageError& error) {
  fmt::print(stderr, "wireside: {}\n  try: {}\n", error.what(), error.remedy());
  return exit_usage;
}

void set_up(CLI::App& app, Action& chosen) {
  app.set_version_flag("--version", "wireside " WIRESIDE_VERSION);
  app.failure_message(usage_message);
  app.require_subcommand(1);
  register_serve(app, chosen);
  register_ping(app, chosen);
  register_traceroute(app, chosen);
  register_get(app, chosen);
  register_nc(app, chosen);
  register_router(app, chosen);
  register_bridge(app, chosen);
  register_sim(app, chosen);
  register_tables(app, chosen);
  register_resolve(app, chosen);
  register_dhcp(app, chosen);
  wireside::agent::register_agent(app, chosen);
  for (CLI::App* subcommand : app.get_subcommands({})) {
    subcommand->set_version_flag("--version", "wireside " WIRESIDE_VERSION);
    subcommand->failure_message(usage_message);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A TCP/IP endpoint in user space on a Linux TAP device.", "wireside"};
  Action chosen;
  set_up(app, chosen);
  try {
    app.parse(argc, argv);
    return chosen();
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    (void)app.exit(e);
    return exit_usage;
  } catch (const UsageError& e) {
    return usage_error(e);
  } catch (const std::exception& e) {
    fmt::print(stderr, "wireside: {}\n", e.what());
    return exit_failure;
  }
}
