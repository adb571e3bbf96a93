// `wireside router`: several TAPs as the interfaces of one IPv4 router.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <vector>

#include "command.hpp"
#include "host.hpp"
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

/// "tap0,ip=10.1.0.1/24,mac=...,mtu=1400,pcap=FILE"
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
    if (value.empty()) throw bad_tap(text, fmt::format("'{}' is no NAME=VALUE", field));
    if (name == "ip") {
      out.addresses.push_back(value);
    } else if (name == "mac") {
      out.mac = value;
    } else if (name == "pcap") {
      out.capture_file = value;
    } else if (name == "mtu") {
      const int mtu = std::atoi(value.c_str());
      if (mtu < min_mtu || mtu > max_mtu) {
        throw bad_tap(text, fmt::format("an MTU is {} to {} octets", min_mtu, max_mtu));
      }
      out.mtu = static_cast<std::uint16_t>(mtu);
    } else {
      throw bad_tap(text, fmt::format("'{}' is none of ip, mac, mtu and pcap", name));
    }
  }
  if (out.addresses.empty()) throw bad_tap(text, "it has no address");
  out.adjust = [](Config& config) { config.ip.forwarding = true; };
  return out;
}

class RouterProcess {
 public:
  explicit RouterProcess(const RouterOptions& options) : options_{options} {}

  int run() {
    for (const auto& text : options_.taps) {
      hosts_.push_back(Host::open(context_, options_.interface(text)));
      if (!hosts_.back()) return exit_failure;
      router_.add_interface(runtime(hosts_.size() - 1).stack());
    }
    if (!open_control()) return exit_failure;
    for (std::size_t i = 0; i < hosts_.size(); ++i) connect(i);
    signals_.async_wait([this](boost::system::error_code ec, int) {
      if (!ec) context_.stop();
    });
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

  void connect(std::size_t i) {
    runtime(i).on_turn([this, i](Instant now) {
      router_.pump(now, [&](std::size_t touched) {
        if (touched != i) runtime(touched).schedule_output();
      });
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

  /// All addresses are ours.
  void begin() {
    for (const auto& text : options_.common.routes) {
      if (router_.add_route(parse_route(text))) continue;
      complain(fmt::format("--route {}: refused, the table is full", text));
    }
    announce();
  }

  void announce() {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      for (const auto& own : runtime(i).stack().routes().addresses()) {
        fmt::print("wireside: routing for {} as {} on {}\n", Ipv4Prefix{own.network(), own.length}.to_string(),
                   own.address.to_string(), runtime(i).device().name());
      }
    }
    std::fflush(stdout);
  }

  const RouterOptions& options_;
  asio::io_context context_{1};
  asio::signal_set signals_{context_, SIGINT, SIGTERM};
  Router router_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::unique_ptr<ControlServer> control_;
  std::size_t unready_ = 0;  // interfaces with addresses still probed for
  int status_ = exit_ok;
};

int run_router(const RouterOptions& options) {
  if (options.taps.size() < 2) {
    throw UsageError{"a router needs at least two interfaces",
                     "wireside router --tap tap0,ip=10.1.0.1/24 --tap tap1,ip=10.2.0.1/24"};
  }
  std::vector<Ipv4Prefix> networks;
  for (const auto& text : options.taps) {
    const Config config = options.interface(text).config();
    networks.insert(networks.end(), config.ip.addresses.begin(), config.ip.addresses.end());
  }
  for (const auto& text : options.common.routes) {
    const ip::Route route = parse_route(text);
    const auto holds = [&](const Ipv4Prefix& p) { return p.contains(route.gateway); };
    if (!route.on_link() && std::ranges::any_of(networks, holds)) continue;
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
                   "interface: NAME,ip=A/LEN[,ip=...][,mac=MAC][,mtu=OCTETS][,pcap=FILE]; once for each")
      ->type_name("INTERFACE")
      ->allow_extra_args(false)
      ->required();
  command->add_option("--route", common.routes, "route: DESTINATION,via=GATEWAY[,metric=N]; repeatable")
      ->type_name("ROUTE")
      ->allow_extra_args(false);
  command->add_flag("--no-acd", common.no_acd,
                    "use the addresses at once, without asking whether another host has them (RFC 5227)");
  command->add_flag("--no-offload", common.no_offload, "frames as on a real wire: no super-segments, full checksums");
  command->add_option("--seed", common.seed, "make every random choice repeatable")->type_name("N");
  command->add_flag("--trace", common.trace, "print each frame with its reason to standard error");
  command->add_option("--control", common.control_path, "control socket for `wireside stats` and the like")
      ->type_name("PATH");
  command->add_flag("--no-control", common.no_control, "open no control socket");
  command->add_flag("-v,--verbose", common.verbose, "say more");
  command->callback([options, &chosen] { chosen = [options] { return run_router(*options); }; });
}

}  // namespace wireside::apps
