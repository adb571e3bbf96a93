// `wireside ss`, `neigh`, `route`, `addr`, `stats` and `dns`: what a running wireside knows, asked through its control
// socket.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

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
  bool unused = false;               ///< flags of iproute2 that ask for what is so anyway
  std::vector<std::string> words;    ///< behind the options, as iproute2 has them: "show dev tap0"
  std::string dev;                   ///< of the words
  std::optional<Ipv4Prefix> prefix;  ///< of the words, for routes and neighbours
  std::optional<Ipv4Address> get;    ///< of the words "route get ADDRESS"
  bool cached = false;
  SsOptions ss;
};

using Select = std::function<json::array(const json::array&, const TableOptions&)>;
using Format = std::function<std::string(const json::array&, const TableOptions&)>;

/// One subcommand.
struct Table {
  ControlQuestion question;
  const char* what;
  Select select;
  Format format;
};

/// "10.0.0.0/8", "10.0.0.1", "default"
std::optional<Ipv4Prefix> prefix_named(const std::string& word) {
  if (word == "default" || word == "all" || word == "any") return Ipv4Prefix{Ipv4Address{}, 0};
  if (const auto host = Ipv4Address::parse(word)) return Ipv4Prefix{*host, 32};
  return Ipv4Prefix::parse(word);
}

/// "get [to] ADDRESS" behind `wireside route`.
void take_get(TableOptions& options) {
  std::size_t i = 1;
  if (i < options.words.size() && options.words[i] == "to") ++i;
  if (i < options.words.size()) options.get = Ipv4Address::parse(options.words[i]);
  if (!options.get || i + 1 != options.words.size()) {
    throw UsageError{"wireside route get: the IPv4 address of a host is needed, and nothing else",
                     "wireside route get 192.0.2.7"};
  }
}

/// "show", "list", "dev NAME"; for routes "cache" and "get ADDRESS", for routes and neighbours an address or a network,
/// for addresses a name alone.
void take_words(const std::string& op, TableOptions& options) {
  if (op == "route" && !options.words.empty() && options.words.front() == "get") return take_get(options);
  constexpr std::array changing{"add", "del", "delete", "change", "replace", "append", "flush"};
  for (std::size_t i = 0; i < options.words.size(); ++i) {
    const std::string& word = options.words[i];
    const bool show = word == "show" || word == "list" || word == "lst" || word == "ls";
    if (show && i == 0) continue;
    if (std::ranges::find(changing, word) != changing.end()) {
      throw UsageError{fmt::format("wireside {} {}: a running wireside is looked at only, not changed", op, word),
                       fmt::format("wireside {}; addresses and routes are given when it starts, by --ip, --gateway and "
                                   "--route",
                                   op)};
    }
    if (word == "dev" && i + 1 < options.words.size()) {
      options.dev = options.words[++i];
    } else if (op == "route" && word == "cache") {
      options.cached = true;
    } else if (op == "addr" && word != "dev") {
      options.dev = word;
    } else if (op != "addr" && (word == "to" || word == "exact") && i + 1 < options.words.size()) {
      continue;
    } else if (const auto prefix = prefix_named(word); op != "addr" && prefix) {
      options.prefix = *prefix;
    } else {
      throw UsageError{fmt::format("wireside {}: '{}' is not understood", op, word),
                       fmt::format("wireside {} [show] {}[dev NAME]", op, op == "addr" ? "" : "[ADDRESS] ")};
    }
  }
}

int show(const Table& table, const TableOptions& options) {
  const auto path = choose_control(options.control_path, options.tap);
  if (!path) {
    complain(path.error());
    return exit_failure;
  }
  const auto answer =
      ask_control(*path, options.get ? ControlRequest{table.question, *options.get} : ControlRequest{table.question});
  if (!answer) {
    complain(answer.error());
    return exit_failure;
  }
  auto lines = control_table(*answer, table.question);
  if (!lines) {
    complain(fmt::format("{}: {}", *path, lines.error()));
    return exit_failure;
  }
  TableOptions told = options;
  if (const json::value* pid = answer->if_contains("pid"); pid != nullptr && pid->is_int64()) {
    told.ss.process = fmt::format("users:((\"wireside\",pid={}))", pid->get_int64());
  }
  const json::array selected = table.select(*lines, told);
  if (table.question == ControlQuestion::Addr && selected.empty()) {
    complain(fmt::format("this wireside has no interface {}\n  try: wireside addr", options.dev));
    return exit_failure;
  }
  const std::string text = options.as_json ? json::serialize(selected) + "\n" : table.format(selected, told);
  return write_out(text) ? exit_ok : exit_failure;
}

CLI::App* add_table(CLI::App& app, Action& chosen, const Table& table, const std::shared_ptr<TableOptions>& options) {
  CLI::App* command = app.add_subcommand(std::string{to_string(table.question)}, table.what);
  command->add_option("--tap", options->tap, "the wireside with this TAP (default: the only one that runs)")
      ->type_name("NAME");
  command->add_option("--control", options->control_path, "its control socket")->type_name("PATH");
  command->add_flag("-j,--json", options->as_json, "print JSON");
  command->add_flag("-4", options->unused, "IPv4 (there is nothing else)");
  command->callback([options, &chosen, table] { chosen = [options, table] { return show(table, *options); }; });
  return command;
}

/// A table of iproute2's `ip`, with its words.
void add_ip_table(CLI::App& app, Action& chosen, const Table& table, const std::vector<std::string>& aliases) {
  auto options = std::make_shared<TableOptions>();
  CLI::App* command = add_table(app, chosen, table, options);
  for (const auto& alias : aliases) command->alias(alias);
  command->add_option("words", options->words, "[show] [dev NAME], as behind `ip`; routes: get ADDRESS, show default")
      ->type_name("WORD");
  command->callback([options, &chosen, table] {
    chosen = [options, table] {
      take_words(std::string{to_string(table.question)}, *options);
      return show(table, *options);
    };
  });
}

json::array of_interface(const json::array& lines, const TableOptions& o) { return select_interface(lines, o.dev); }

json::array neighbours_of(const json::array& lines, const TableOptions& o) {
  const json::array all = of_interface(lines, o);
  return o.prefix ? select_prefix(all, *o.prefix, PrefixMatch::Within) : all;
}

json::array routes_of(const json::array& lines, const TableOptions& o) {
  json::array some = of_interface(lines, o);
  if (o.prefix) some = select_prefix(some, *o.prefix, PrefixMatch::Exact);
  return o.cached ? select_cached(some) : some;
}

void register_ss(CLI::App& app, Action& chosen) {
  const Table table{ControlQuestion::Ss, "sockets of a running wireside",
                    [](const json::array& lines, const TableOptions& o) { return select_sockets(lines, o.ss); },
                    [](const json::array& lines, const TableOptions& o) { return format_sockets(lines, o.ss); }};
  auto options = std::make_shared<TableOptions>();
  CLI::App* command = add_table(app, chosen, table, options);
  SsOptions& ss = options->ss;
  command->add_flag("-t,--tcp", ss.tcp, "TCP sockets");
  command->add_flag("-u,--udp", ss.udp, "UDP sockets");
  command->add_flag("-l,--listening", ss.listening, "only those that listen");
  command->add_flag("-a,--all", ss.all, "listening ones too");
  command->add_flag("-n,--numeric", options->unused, "no names (there never are any)");
  command->add_flag("-p,--processes", ss.processes, "the process");
  command->add_flag("-i,--info", ss.info, "what TCP knows of the connection");
  command->add_flag("-o,--options", ss.timers, "the next timer");
  command->add_flag("-m,--memory", ss.memory, "queues and buffers");
  command->add_flag("-H,--no-header", ss.no_header, "no line of headings");
}

void register_stats(CLI::App& app, Action& chosen) {
  const Table table{ControlQuestion::Stats, "counters of a running wireside",
                    [](const json::array& lines, const TableOptions& o) { return select_counters(lines, o.words); },
                    [](const json::array& lines, const TableOptions& o) { return format_statistics(lines, o.zeros); }};
  auto options = std::make_shared<TableOptions>();
  CLI::App* command = add_table(app, chosen, table, options);
  command->alias("nstat");
  command->add_option("names", options->words, "only these counters, such as 'Tcp*'")->type_name("PATTERN");
  command->add_flag("-z,--zeros", options->zeros, "counters that are zero, too");
  command->add_flag("-a,--ignore", options->unused, "counts since the start (they always are)");
  command->add_flag("-s,--noupdate", options->unused, "keep no history (there never is any)");
}

}  // namespace

void register_tables(CLI::App& app, Action& chosen) {
  register_ss(app, chosen);
  add_ip_table(app, chosen,
               {ControlQuestion::Neigh, "neighbour cache (ARP) of a running wireside", neighbours_of,
                [](const json::array& lines, const TableOptions&) { return format_neighbours(lines); }},
               {"neighbour", "neighbor"});
  add_ip_table(app, chosen,
               {ControlQuestion::Route, "routes of a running wireside", routes_of,
                [](const json::array& lines, const TableOptions&) { return format_routes(lines); }},
               {});
  add_ip_table(app, chosen,
               {ControlQuestion::Addr, "addresses of a running wireside", of_interface,
                [](const json::array& lines, const TableOptions&) { return format_addresses(lines); }},
               {"address"});
  register_stats(app, chosen);
  auto options = std::make_shared<TableOptions>();
  add_table(app, chosen,
            {ControlQuestion::Dns, "DNS servers, cache and counters of a running wireside", of_interface,
             [](const json::array& lines, const TableOptions&) { return format_names(lines); }},
            options);
}

}  // namespace wireside::apps
