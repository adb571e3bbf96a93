// `wireside resolve`: looks names up and shows what DNS said, in the manner of host and dig.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <vector>

#include "asio_resolver.hpp"
#include "command.hpp"
#include "event_text.hpp"
#include "host.hpp"
#include "name_lookup.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;

struct ResolveOptions {
  CommonOptions common;
  std::vector<std::string> names;
  bool brief = false;
};

/// "www.example.com.  300  IN  CNAME  web.example.com."
void print_record(const wire::DnsName& owner, std::uint32_t ttl, std::string_view type, const std::string& data) {
  put("{:<31} {:>7} IN {:<5} {}\n", owner.to_string(), ttl, type, data);
}

/// As a zone file has it, with TTLs.
void print_records(const dns::Answer& answer) {
  wire::DnsName owner = answer.name;
  for (const auto& alias : answer.aliases) {
    print_record(alias.owner, alias.ttl, "CNAME", alias.target.to_string());
    owner = alias.target;
  }
  for (const auto& a : answer.addresses) print_record(owner, a.ttl, "A", a.address.to_string());
}

void print_source(const dns::Answer& answer) {
  const std::string took = describe_duration(answer.took);
  if (answer.server) {
    put(";; from {} over {} in {}\n", answer.server->to_string(), answer.over_tcp ? "TCP" : "UDP", took);
  } else {
    put(";; known without asking a server, in {}\n", took);
  }
}

/// One sentence a line, as host does.
void print_sentences(const std::string& name, const dns::Answer& answer) {
  std::string owner = name;
  for (const auto& alias : answer.aliases) {
    owner = alias.target.to_string();
    put("{} is an alias for {}\n", alias.owner.to_string(), owner);
  }
  for (const auto& a : answer.addresses) put("{} has address {}\n", owner, a.address.to_string());
}

void print_answer(const ResolveOptions& options, const std::string& name, const dns::Answer& answer) {
  if (options.brief) {
    for (const auto& alias : answer.aliases) put("{}\n", alias.target.to_string());
    for (const auto& a : answer.addresses) put("{}\n", a.address.to_string());
  } else if (options.common.verbose) {
    print_records(answer);
    print_source(answer);
  } else {
    print_sentences(answer.name.is_root() ? name : answer.name.to_string(), answer);
  }
}

asio::awaitable<int> resolve(const ResolveOptions& options, Surroundings around) {
  net::resolver resolver{around.runtime()};
  int status = exit_ok;
  for (const auto& name : options.names) {
    const auto [ec, answer] = co_await resolver.async_lookup(name, asio::as_tuple(asio::use_awaitable));
    if (ec == asio::error::operation_aborted) co_return exit_failure;
    if (ec) {
      complain(lookup_failure(around.runtime(), name, ec));
      status = exit_failure;
    }
    print_answer(options, name, answer);
  }
  const auto& counters = around.runtime().names().resolver().counters();
  if (options.common.verbose && counters.answers_ignored > 0) {
    put(";; {} messages ignored that were no answers to what was asked\n", counters.answers_ignored);
  }
  co_return status;
}

int run_resolve(const ResolveOptions& options) {
  (void)options.common.config();
  for (const auto& name : options.names) {
    if (const auto problem = host_problem(name)) {
      throw UsageError{*problem, "wireside resolve --ip 10.0.0.2/24 --dns 10.0.0.1 www.example.com"};
    }
  }
  return run_on_host(options.common, [&](Surroundings around) { return resolve(options, around); });
}

}  // namespace

void register_resolve(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<ResolveOptions>();
  CLI::App* command = app.add_subcommand("resolve", "look up the IPv4 addresses of host names");
  command->alias("host");
  command->add_option("names", options->names, "host names")->required()->type_name("NAME");
  command->add_flag("--short", options->brief, "only aliases and addresses, one a line");
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_resolve(*options); }; });
}

}  // namespace wireside::apps
