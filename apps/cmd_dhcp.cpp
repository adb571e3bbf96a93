// `wireside dhcp`: the exchange with a DHCP server, message by message, and what it gave.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "command.hpp"
#include "dhcp_session.hpp"
#include "event_text.hpp"
#include "host.hpp"
#include "lease_file.hpp"
#include "option_checks.hpp"
#include "wall_clock.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;

struct DhcpOptions {
  CommonOptions common;
  double timeout = 30;
  bool release = false;
  bool keep = false;
  bool inform = false;
  bool json = false;
};

/// Prints messages, state changes and silence as they happen.
class ExchangePrinter : public observe::Observer {
 public:
  void on_event(Instant now, const observe::Event& event) override {
    if (!began_) began_ = now;
    std::string text;
    if (const auto* m = std::get_if<observe::DhcpMessageSeen>(&event)) {
      text = fmt::format("{} {} (option 53 = {})", m->sent ? "->" : "<-", m->name, m->type);
      if (!m->address.is_unspecified()) text += fmt::format("  address {}", m->address.to_string());
      if (!m->server.is_unspecified()) text += fmt::format("  server {}", m->server.to_string());
      if (!m->text.empty()) text += fmt::format("  \"{}\"", m->text);
    } else if (std::holds_alternative<observe::DhcpStateChanged>(event) ||
               std::holds_alternative<observe::DhcpUnanswered>(event)) {
      text = "   " + describe_event(event, EventDetail::Decisions);
    } else {
      return;
    }
    put("{:8.3f}  {}\n", static_cast<double>((now - *began_).count()) / 1e9, text);
  }

 private:
  std::optional<Instant> began_;
};

void print_lease(const dhcp::Lease& lease, const DhcpOptions& options, Runtime& runtime) {
  if (options.json) {
    put("{}\n", boost::json::serialize(lease_to_json({runtime.stack().mac(), lease}, wall_clock_offset())));
  } else {
    put("\n{}", describe_lease(lease));
  }
}

asio::awaitable<int> lease_an_address(const DhcpOptions& options, std::chrono::milliseconds limit,
                                      Surroundings around) {
  Runtime& runtime = around.runtime();
  DhcpSession session{runtime, options.common.lease_file, true};
  session.start(around.dhcp_options());
  // Nobody could take up again a lease that is kept nowhere.
  const bool give_back = options.release || !(options.keep || session.keeps_lease());
  // A server may have given an address that is still being checked.
  const auto stop = [&] {
    const bool leased = runtime.stack().dhcp_status().state == observe::DhcpState::Checking;
    return session.finish(give_back && leased);
  };
  bool got = false;
  std::exception_ptr interruption;
  try {
    got = co_await session.wait_for_address(limit);
  } catch (...) {
    interruption = std::current_exception();
  }
  if (interruption) {
    co_await asio::this_coro::reset_cancellation_state();
    if (!around.device_gone()) co_await stop();
    std::rethrow_exception(interruption);
  }
  if (!got) {
    complain(
        fmt::format("no DHCP server gave an address within {:g} s\n"
                    "  try: a longer --timeout, or see with --trace what comes back on {}",
                    options.timeout, options.common.tap));
    co_await stop();
    co_return exit_failure;
  }
  const dhcp::Lease lease = *runtime.stack().dhcp_status().lease;
  print_lease(lease, options, runtime);
  const bool release = !lease.link_local && give_back;
  co_await session.finish(release);
  if (release && !options.json) put("\n{} is given back\n", lease.prefix.address.to_string());
  co_return exit_ok;
}

asio::awaitable<int> ask_for_configuration(const DhcpOptions& options, std::chrono::milliseconds limit,
                                           Surroundings around) {
  Runtime& runtime = around.runtime();
  DhcpSession session{runtime, {}, true};
  const auto informed = co_await session.inform(around.dhcp_options(), limit);
  co_await session.finish(false);
  if (!informed) {
    complain(fmt::format("no DHCP server answered DHCPINFORM within {:g} s", options.timeout));
    co_return exit_failure;
  }
  if (options.json) {
    dhcp::Lease lease;
    lease.prefix = runtime.stack().config().ip.addresses.front();
    lease.server = informed->server;
    lease.configuration = informed->configuration;
    lease.infinite = true;  // it was set by hand
    print_lease(lease, options, runtime);
  } else {
    put("\n{:<10} {}\n{}", "server", informed->server.to_string(), describe_configuration(informed->configuration));
  }
  co_return exit_ok;
}

asio::awaitable<int> exchange(const DhcpOptions& options, Surroundings around) {
  ExchangePrinter printer;
  Runtime& runtime = around.runtime();
  if (!options.json) {
    around.observers().add(&printer);
    runtime.stack().attach(&around.observers());
  }
  const std::chrono::milliseconds limit{static_cast<std::int64_t>(options.timeout * 1000)};
  int status = exit_failure;
  std::exception_ptr failure;
  try {
    status = options.inform ? co_await ask_for_configuration(options, limit, around)
                            : co_await lease_an_address(options, limit, around);
  } catch (...) {
    failure = std::current_exception();
  }
  around.observers().remove(&printer);
  if (failure) std::rethrow_exception(failure);
  co_return status;
}

int run_dhcp(const DhcpOptions& given) {
  DhcpOptions options = given;
  options.common.dhcp_by_hand = true;
  options.common.dhcp = !options.inform;
  if (options.inform && options.common.addresses.empty()) {
    throw UsageError{"--inform needs the address that was set by hand", "wireside dhcp --inform --ip 10.0.0.2/24"};
  }
  if (options.inform && options.release) {
    throw UsageError{"--inform gets no lease that could be released", "leave --release or --inform out"};
  }
  (void)options.common.config();
  return run_on_host(options.common, [&](Surroundings around) { return exchange(options, around); });
}

}  // namespace

void register_dhcp(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DhcpOptions>();
  CLI::App* command = app.add_subcommand("dhcp", "get an address by DHCP and show the exchange");
  command->add_option("--timeout", options->timeout, "seconds to wait for an address")
      ->type_name("S")
      ->check(in_range(0.1, 86400.0))
      ->capture_default_str();
  command->add_flag("--release", options->release,
                    "give the address back at the end; so it is without --lease-file, too");
  command->add_flag("--keep", options->keep, "leave the lease as it is, even without --lease-file")
      ->excludes("--release");
  command->add_flag("--inform", options->inform, "ask for configuration only, for the address of --ip");
  command->add_flag("-j,--json", options->json, "only the lease, as JSON");
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_dhcp(*options); }; });
}

}  // namespace wireside::apps
