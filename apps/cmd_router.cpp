// `wireside router`: several TAPs as the interfaces of one IPv4 router.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <vector>

#include "command.hpp"
#include "dhcp_session.hpp"
#include "ending_signals.hpp"
#include "host.hpp"
#include "option_checks.hpp"
#include "router.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;

struct RouterOptions {
  std::vector<std::string> taps;
  CommonOptions common;  ///< what all interfaces share

  [[nodiscard]] CommonOptions interface(const std::string& text) const;
};

UsageError bad_tap(const std::string& text, const std::string& why) {
  return {fmt::format("--tap {}: {}", text, why), "write it as in --tap tap0,ip=10.1.0.1/24 --tap tap1,ip=10.2.0.1/24"};
}

/// What belongs together, and what excludes each other.
void check_interface(const std::string& text, const CommonOptions& interface) {
  if (interface.addresses.empty() && !interface.dhcp) throw bad_tap(text, "it has neither an address nor dhcp");
  if (!interface.addresses.empty() && interface.dhcp) throw bad_tap(text, "ip and dhcp exclude each other");
  if (!interface.dhcp && !(interface.host_name.empty() && interface.lease_file.empty())) {
    throw bad_tap(text, "hostname and lease-file mean nothing without dhcp");
  }
}

/// "tap0,ip=10.1.0.1/24,mac=...,mtu=1400,pcap=FILE" or "tap1,dhcp"
CommonOptions RouterOptions::interface(const std::string& text) const {
  CommonOptions out = common;
  out.long_running = false;  // the router has one control socket for all
  out.routes.clear();
  std::size_t at = text.find(',');
  out.tap = text.substr(0, at);
  if (out.tap.empty()) throw bad_tap(text, "it has no name");
  while (at != std::string::npos) {
    const std::size_t begin = at + 1;
    at = text.find(',', begin);
    const std::string field = text.substr(begin, at == std::string::npos ? at : at - begin);
    const std::size_t equals = field.find('=');
    const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
    const std::string name = field.substr(0, equals);
    if (field == "dhcp") {
      out.dhcp = true;
      continue;
    }
    if (value.empty()) throw bad_tap(text, fmt::format("'{}' is no NAME=VALUE", field));
    if (name == "ip") {
      out.addresses.push_back(value);
    } else if (name == "mac") {
      out.mac = value;
    } else if (name == "hostname") {
      out.host_name = value;
    } else if (name == "lease-file") {
      out.lease_file = value;
    } else if (name == "pcap") {
      out.watch.capture_file = value;
    } else if (name == "mtu") {
      const int mtu = std::atoi(value.c_str());
      if (mtu < min_mtu || mtu > max_mtu) {
        throw bad_tap(text, fmt::format("an MTU is {} to {} octets", min_mtu, max_mtu));
      }
      out.mtu = static_cast<std::uint16_t>(mtu);
    } else {
      throw bad_tap(text, fmt::format("'{}' is none of ip, dhcp, hostname, lease-file, mac, mtu and pcap", name));
    }
  }
  check_interface(text, out);
  out.adjust = [](Config& config) { config.ip.forwarding = true; };
  return out;
}

class RouterProcess {
 public:
  explicit RouterProcess(const RouterOptions& options) : options_{options} { add_ending_signals(signals_); }

  int run() {
    for (const auto& text : options_.taps) {
      const CommonOptions interface = options_.interface(text);
      hosts_.push_back(Host::open(context_, interface));
      if (!hosts_.back()) return exit_failure;
      router_.add_interface(runtime(hosts_.size() - 1).stack());
      if (interface.dhcp) lease(hosts_.size() - 1, interface);
    }
    for (const auto& text : options_.common.routes) waiting_routes_.push_back(text);
    if (!open_control()) return exit_failure;
    for (std::size_t i = 0; i < hosts_.size(); ++i) connect(i);
    wait_for_signal();
    unready_ = hosts_.size();
    for (const auto& host : hosts_) {
      host->on_ready([this] {
        if (--unready_ == 0) begin();
      });
    }
    context_.run();
    return status_;
  }

 private:
  Runtime& runtime(std::size_t i) { return hosts_[i]->runtime(); }

  /// The interface gets its address from a DHCP server.
  void lease(std::size_t i, const CommonOptions& interface) {
    sessions_.push_back(std::make_unique<DhcpSession>(runtime(i), interface.lease_file, false));
    sessions_.back()->on_address([this, i](const dhcp::Lease& lease) {
      add_routes(true);
      announce(lease.prefix, i);
    });
    sessions_.back()->start(hosts_[i]->dhcp_options());
  }

  /// The first signal gives leases back, the second ends at once.
  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code ec, int) {
      if (ec) return;
      if (sessions_.empty() || ending_) return context_.stop();
      ending_ = true;
      wait_for_signal();
      asio::co_spawn(context_, end_leases(), [this](const std::exception_ptr&) { context_.stop(); });
    });
  }

  asio::awaitable<void> end_leases() {
    for (const auto& session : sessions_) co_await session->finish(!session->keeps_lease());
  }

  void connect(std::size_t i) {
    runtime(i).on_turn([this](Instant now) {
      // A packet may leave where it came in.
      router_.pump(now, [&](std::size_t touched) { runtime(touched).schedule_output(); });
    });
    hosts_[i]->on_gone([this] {
      status_ = exit_failure;
      context_.stop();
    });
  }

  bool open_control() {
    ControlSubject subject{.command = "router", .interfaces = {}, .router = &router_};
    for (std::size_t i = 0; i < hosts_.size(); ++i) subject.interfaces.push_back(&runtime(i));
    return Host::open_control(context_, options_.common, std::move(subject), control_);
  }

  /// All addresses of the command line are ours.
  void begin() {
    add_routes(!sessions_.empty());
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      const dhcp::Status leased = runtime(i).stack().dhcp_status();
      for (const auto& own : runtime(i).stack().routes().addresses()) {
        if (!leased.lease || leased.lease->prefix != own) announce(own, i);  // that one was told when it came
      }
    }
  }

  /// Those whose gateway cannot be reached yet wait for the network that a DHCP server may give.
  void add_routes(bool more_may_come) {
    std::erase_if(waiting_routes_, [&](const std::string& text) {
      const auto added = router_.add_route(parse_route(text));
      if (added) return true;
      if (added.error() == Error::NetworkUnreachable && more_may_come) return false;
      complain(fmt::format("--route {}: refused, {}", text, describe(added.error())));
      return true;
    });
  }

  void announce(const Ipv4Prefix& own, std::size_t i) {
    put("wireside: routing for {} as {} on {}\n", Ipv4Prefix{own.network(), own.length}.to_string(),
        own.address.to_string(), runtime(i).device().name());
  }

  const RouterOptions& options_;
  asio::io_context context_{1};
  asio::signal_set signals_{context_};
  Router router_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<DhcpSession>> sessions_;  // of those with dhcp
  std::unique_ptr<ControlServer> control_;
  std::vector<std::string> waiting_routes_;
  bool ending_ = false;
  std::size_t unready_ = 0;  // interfaces with addresses still probed for
  int status_ = exit_ok;
};

int run_router(const RouterOptions& options) {
  if (options.taps.size() < 2) {
    throw UsageError{"a router needs at least two interfaces",
                     "wireside router --tap tap0,ip=10.1.0.1/24 --tap tap1,ip=10.2.0.1/24"};
  }
  std::vector<Ipv4Prefix> networks;
  bool dhcp = false;
  for (const auto& text : options.taps) {
    const CommonOptions interface = options.interface(text);
    const Config config = interface.config();
    dhcp |= interface.dhcp;
    networks.insert(networks.end(), config.ip.addresses.begin(), config.ip.addresses.end());
  }
  for (const auto& text : options.common.routes) {
    const ip::Route route = parse_route(text);
    const auto holds = [&](const Ipv4Prefix& p) { return p.contains(route.gateway); };
    if (!route.on_link() && (dhcp || std::ranges::any_of(networks, holds))) continue;
    throw UsageError{fmt::format("--route {}: the gateway is on none of the interfaces' networks", text),
                     "name a gateway inside the network of one --tap's ip"};
  }
  std::signal(SIGPIPE, SIG_IGN);
  return RouterProcess{options}.run();
}

}  // namespace

void register_router(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RouterOptions>();
  options->common.command = "router";
  options->common.long_running = true;
  CommonOptions& common = options->common;
  CLI::App* command = app.add_subcommand("router", "forward between two or more TAPs, as an IPv4 router");
  command
      ->add_option("--tap", options->taps,
                   "interface: NAME,ip=A/LEN[,ip=...] or NAME,dhcp[,hostname=NAME][,lease-file=FILE], and "
                   "[,mac=MAC][,mtu=OCTETS][,pcap=FILE]; once for each")
      ->type_name("INTERFACE")
      ->allow_extra_args(false)
      ->required();
  command->add_option("--route", common.routes, "route: DESTINATION,via=GATEWAY[,metric=N]; repeatable")
      ->type_name("ROUTE")
      ->allow_extra_args(false);
  add_conflict_options(*command, common);
  add_impairment_options(*command, common.impairment);
  command->add_flag("--no-offload", common.no_offload, "frames as on a real wire: no super-segments, full checksums");
  add_busy_poll_option(*command, common);
  add_seed_option(*command, "--seed", common.seed, "make every random choice repeatable");
  add_trace_options(*command, common.watch);
  add_rotation_options(*command, common.watch);
  command->add_option("--control", common.control_path, "control socket for `wireside stats` and the like")
      ->type_name("PATH")
      ->check(not_empty())
      ->check(socket_path());
  command->add_flag("--no-control", common.no_control, "open no control socket");
  command->add_flag("-v,--verbose", common.verbose, "say more");
  command->callback([options, &chosen] { chosen = [options] { return run_router(*options); }; });
}

}  // namespace wireside::apps
