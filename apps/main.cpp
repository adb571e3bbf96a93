// The `wireside` command: finds the subcommand and turns every failure into a message and a status.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "agent.hpp"
#include "command.hpp"
#include "output.hpp"

namespace {

using namespace wireside::apps;

/// What went wrong, then where to look.
std::string usage_message(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* at = app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  const std::string command = at == app ? "wireside" : fmt::format("wireside {}", at->get_name());
  auto unknown = at->remaining();
  // What is missing may be so only since a misspelt option was not taken for one.
  const bool extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (at != app) std::erase_if(unknown, [](const std::string& word) { return !word.starts_with('-'); });
  if (at != app && !extra && !missing) unknown.clear();
  const std::string what =
      unknown.empty()
          ? error.what()
          : fmt::format("there is no {} '{}'", unknown[0].starts_with('-') ? "option" : "subcommand", unknown[0]);
  return fmt::format("{}: {}\n  try: {} --help\n", command, what, command);
}

int usage_error(const UsageError& error) {
  complain(fmt::format("{}\n  try: {}", error.what(), error.remedy()));
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
  register_dissect(app, chosen);
  register_extcap(app, chosen);
  wireside::agent::register_agent(app, chosen);
  for (CLI::App* subcommand : app.get_subcommands({})) {
    subcommand->set_version_flag("--version", "wireside " WIRESIDE_VERSION);
    subcommand->failure_message(usage_message);
  }
}

int run(CLI::App& app, const Action& chosen, int argc, char** argv) {
  std::ostringstream out;
  std::ostringstream err;
  try {
    app.parse(argc, argv);
    return chosen();
  } catch (const CLI::Success& e) {  // --help, --version
    const int status = app.exit(e, out, err);
    return write_out(out.str()) ? status : exit_failure;
  } catch (const CLI::ParseError& e) {
    (void)app.exit(e, out, err);
    tell(err.str());
    return exit_usage;
  } catch (const UsageError& e) {
    return usage_error(e);
  } catch (const std::exception& e) {
    complain(e.what());
    return exit_failure;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A TCP/IP endpoint in user space on a Linux TAP device.", "wireside"};
  Action chosen;
  set_up(app, chosen);
  const int status = run(app, chosen, argc, argv);
  return status == exit_ok && output_failed() ? exit_failure : status;
}
