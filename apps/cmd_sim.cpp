// `wireside sim`: a scenario of hosts, links and flows under a virtual clock.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "command.hpp"
#include "common_options.hpp"
#include "host.hpp"
#include "sim_run.hpp"

namespace wireside::apps {
namespace {

struct SimOptions {
  std::string scenario;
  std::optional<std::uint64_t> seed;
  std::string events, captures;
  bool as_json = false;
  bool verbose = false;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::optional<std::string> read_all(const std::string& path) {
  if (path == "-") return std::string{std::istreambuf_iterator<char>{std::cin}, {}};
  std::ifstream file{path, std::ios::binary};
  if (!file) {
    complain(
        fmt::format("cannot read the scenario {}: {}\n  try: the path of a scenario file (docs/sim.md), or - for "
                    "standard input",
                    path, std::strerror(errno)));
    return std::nullopt;
  }
  (void)file.peek();  // a folder opens, but does not read
  if (file.bad()) {
    complain(
        fmt::format("reading the scenario {} failed\n  try: the path of a scenario file (docs/sim.md), not of a "
                    "folder",
                    path));
    return std::nullopt;
  }
  return std::string{std::istreambuf_iterator<char>{file}, {}};
}

volatile std::sig_atomic_t caught_signal = 0;

/// The first signal ends the simulation with a summary of what was; a second one ends the process.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int number) { caught_signal = number; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) {
      ::sigaction(number, &action, nullptr);
    }
  }
}

sim::Scenario parse(const std::string& path, const std::string& text) {
  auto scenario = sim::parse_scenario(text);
  if (scenario) return std::move(*scenario);
  const sim::ScenarioError& error = scenario.error();
  const std::string where = error.line == 0 ? path : fmt::format("{}:{}", path, error.line);
  throw UsageError{fmt::format("{}: {}", where, error.what), error.remedy};
}

int run_sim(const SimOptions& options) {
  const auto text = read_all(options.scenario);
  if (!text) return exit_failure;
  sim::Scenario scenario = parse(options.scenario, *text);
  if (options.seed) scenario.seed = *options.seed;
  std::unique_ptr<std::FILE, CloseFile> events;
  sim::Outputs outputs{nullptr, options.captures, {}};
  if (!options.events.empty()) {
    events.reset(std::fopen(options.events.c_str(), "wbe"));
    if (!events) {
      complain(fmt::format("cannot write the events {}: {}", options.events, std::strerror(errno)));
      return exit_failure;
    }
    std::setvbuf(events.get(), nullptr, _IOFBF, std::size_t{256} << 10);
    outputs.events = events.get();
  }
  const auto began = std::chrono::steady_clock::now();
  catch_signals();
  outputs.interrupted = [] { return caught_signal != 0; };
  const auto summary = sim::run(scenario, outputs);
  if (!summary) {
    complain(summary.error());
    return exit_failure;
  }
  const std::string shown =
      options.as_json ? boost::json::serialize(sim::to_json(*summary)) + "\n" : sim::to_text(*summary);
  if (!write_out(shown)) return exit_failure;
  if (options.verbose) {
    const std::chrono::duration<double> real = std::chrono::steady_clock::now() - began;
    complain(fmt::format("took {:.3f} s, {:.0f} times as fast as real time", real.count(),
                         std::chrono::duration<double>{summary->virtual_time}.count() / real.count()));
  }
  for (const sim::FlowResult& flow : summary->flows) {
    if (!flow.ok) complain(fmt::format("flow {}: {} after {} octets", flow.name, flow.state, flow.octets));
  }
  if (caught_signal != 0) complain("interrupted: the summary ends where the simulation did");
  return summary->ok() && caught_signal == 0 ? exit_ok : exit_failure;
}

}  // namespace

void register_sim(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<SimOptions>();
  CLI::App* command = app.add_subcommand("sim", "run a scenario of hosts, links and flows under a virtual clock");
  command->add_option("SCENARIO", options->scenario, "file that describes it (docs/sim.md); - is standard input")
      ->required();
  add_seed_option(*command, "--seed", options->seed, "instead of the scenario's seed");
  command->add_option("--events", options->events, "write every event as a JSON line")->type_name("FILE");
  command->add_option("--pcap-dir", options->captures, "write a pcapng capture for each host and router interface")
      ->type_name("DIR");
  command->add_flag("-j,--json", options->as_json, "print the summary as JSON");
  command->add_flag("-v,--verbose", options->verbose, "say how long it took");
  command->callback([options, &chosen] { chosen = [options] { return run_sim(*options); }; });
}

}  // namespace wireside::apps
