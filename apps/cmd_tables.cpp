// `wireside ss`, `neigh`, `route`, `addr` and `stats`: what a running wireside knows, asked through its control socket.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <memory>

#include "command.hpp"
#include "control.hpp"
#include "control_text.hpp"
#include "host.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

struct TableOptions {
  std::string tap;
  std::string control_path;
  bool as_json = false;
  bool zeros = false;
  bool numeric = false;
  SsOptions ss;
};

using Format = std::function<std::string(const json::array&, const TableOptions&)>;

int show(ControlQuestion question, const TableOptions& options, const Format& format) {
  const auto path = choose_control(options.control_path, options.tap);
  if (!path) {
    complain(path.error());
    return exit_failure;
  }
  const auto answer = ask_control(*path, question);
  if (!answer) {
    complain(answer.error());
    return exit_failure;
  }
  auto lines = control_table(*answer, question);
  if (!lines) {
    complain(fmt::format("{}: {}", *path, lines.error()));
    return exit_failure;
  }
  if (question == ControlQuestion::Ss) *lines = select_sockets(*lines, options.ss);
  const std::string text = options.as_json ? json::serialize(*lines) + "\n" : format(*lines, options);
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? exit_ok : exit_failure;
}

CLI::App* add_table(CLI::App& app, Action& chosen, ControlQuestion question, const char* what,
                    const std::shared_ptr<TableOptions>& options, Format format) {
  CLI::App* command = app.add_subcommand(std::string{to_string(question)}, what);
  command->add_option("--tap", options->tap, "the wireside with this TAP (default: the only one that runs)")
      ->type_name("NAME");
  command->add_option("--control", options->control_path, "its control socket")->type_name("PATH");
  command->add_flag("-j,--json", options->as_json, "print JSON");
  command->callback([options, &chosen, question, format = std::move(format)] {
    chosen = [options, question, format] { return show(question, *options, format); };
  });
  return command;
}

}  // namespace

void register_tables(CLI::App& app, Action& chosen) {
  const auto make = [] { return std::make_shared<TableOptions>(); };
  auto ss = make();
  CLI::App* command = add_table(app, chosen, ControlQuestion::Ss, "sockets of a running wireside", ss,
                                [](const auto& lines, const auto& o) { return format_sockets(lines, o.ss); });
  command->add_flag("-t,--tcp", ss->ss.tcp, "TCP sockets");
  command->add_flag("-u,--udp", ss->ss.udp, "UDP sockets");
  command->add_flag("-l,--listening", ss->ss.listening, "only those that listen");
  command->add_flag("-a,--all", ss->ss.all, "listening ones too");
  command->add_flag("-n,--numeric", ss->numeric, "no names (there never are any)");
  command->add_flag("-i,--info", ss->ss.info, "what TCP knows of the connection");
  command->add_flag("-o,--options", ss->ss.timers, "the next timer");
  command->add_flag("-m,--memory", ss->ss.memory, "queues and buffers");
  add_table(app, chosen, ControlQuestion::Neigh, "neighbour cache (ARP) of a running wireside", make(),
            [](const auto& lines, const auto&) { return format_neighbours(lines); });
  add_table(app, chosen, ControlQuestion::Route, "routes of a running wireside", make(),
            [](const auto& lines, const auto&) { return format_routes(lines); });
  add_table(app, chosen, ControlQuestion::Addr, "addresses of a running wireside", make(),
            [](const auto& lines, const auto&) { return format_addresses(lines); });
  auto stats = make();
  command = add_table(app, chosen, ControlQuestion::Stats, "counters of a running wireside", stats,
                      [](const auto& lines, const auto& o) { return format_statistics(lines, o.zeros); });
  command->add_flag("-z,--zeros", stats->zeros, "counters that are zero, too");
}

}  // namespace wireside::apps
