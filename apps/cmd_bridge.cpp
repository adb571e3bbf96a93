// `wireside bridge`: two TAPs joined by an impaired path, so that two kernels can be measured over it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "bridge.hpp"
#include "command.hpp"
#include "common_options.hpp"
#include "ending_signals.hpp"
#include "host.hpp"
#include "option_checks.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;

struct BridgeOptions {
  std::string first, second;
  std::optional<std::uint16_t> mtu;
  std::string both, forth, back;
  std::optional<std::uint64_t> seed;

  [[nodiscard]] Bridge::Path path() const {
    Bridge::Path path{.forth = parse_impairment("--impair", both), .back = {}, .seed = seed_from(seed)};
    path.back = path.forth;
    if (!forth.empty()) path.forth = parse_impairment("--impair-forth", forth);
    if (!back.empty()) path.back = parse_impairment("--impair-back", back);
    return path;
  }
};

std::optional<TapDevice> open_tap(const std::string& name, const BridgeOptions& options) {
  TapOptions tap;
  tap.name = name;
  tap.offload = false;
  tap.mtu = options.mtu;
  auto device = TapDevice::open(tap);
  if (!device) {
    complain(device.error().to_string());
    return std::nullopt;
  }
  return std::move(*device);
}

/// "wireside: tap0 to tap1: 100 frames, 98 delivered, 2 random loss"
std::string summary(const std::string& from, const std::string& to, const Bridge::Counters& c) {
  std::string text =
      fmt::format("wireside: {} to {}: {} frames, {} delivered", from, to, c.path.sent, c.path.delivered);
  for (std::size_t i = 0; i < c.path.actions.size(); ++i) {
    if (c.path.actions[i] == 0) continue;
    text += fmt::format(", {} {}", c.path.actions[i], to_string(static_cast<observe::ImpairmentAction>(i)));
  }
  if (c.lost_at_device != 0) text += fmt::format(", {} lost as {} took no frames", c.lost_at_device, to);
  return text + "\n";
}

int run_bridge(const BridgeOptions& options) {
  const Bridge::Path path = options.path();
  if (options.first == options.second) {
    throw UsageError{fmt::format("a bridge joins two TAPs, and {} is given twice", options.first),
                     "wireside bridge tap0 tap1"};
  }
  for (const std::string& name : {options.first, options.second}) {
    if (const auto usable = check_interface_name(name); !usable) {
      throw UsageError{fmt::format("{}: {}", usable.error().what, usable.error().why), usable.error().remedy};
    }
  }
  auto first = open_tap(options.first, options);
  auto second = first ? open_tap(options.second, options) : std::nullopt;
  if (!second) return exit_failure;

  asio::io_context context{1};
  asio::signal_set signals{context};
  add_ending_signals(signals);
  int status = exit_ok;
  Bridge bridge{context, std::move(*first), std::move(*second), path};
  bridge.on_fatal([&](const std::string& message) {
    complain(message);
    status = exit_failure;
    context.stop();
  });
  signals.async_wait([&](boost::system::error_code ec, int) {
    if (!ec) context.stop();
  });
  bridge.start();
  put("wireside: bridging {} and {}; {} to {}: {}; back: {}\n", options.first, options.second, options.first,
      options.second, impair::describe(path.forth), impair::describe(path.back));
  context.run();
  put("{}{}", summary(options.first, options.second, bridge.counters(true)),
      summary(options.second, options.first, bridge.counters(false)));
  return status;
}

}  // namespace

void register_bridge(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<BridgeOptions>();
  CLI::App* command = app.add_subcommand("bridge", "join two TAPs by an impaired path, until a signal");
  command->add_option("TAP1", options->first, "first TAP; created where it does not exist")->required();
  command->add_option("TAP2", options->second, "second TAP")->required();
  command
      ->add_option("--impair", options->both,
                   "what happens to frames, both ways, such as loss=1%,delay=20ms (docs/impairment.md)")
      ->type_name("SPEC")
      ->check(not_empty());
  command->add_option("--impair-forth", options->forth, "the same for frames from TAP1 to TAP2 only")
      ->type_name("SPEC")
      ->check(not_empty());
  command->add_option("--impair-back", options->back, "the same for frames from TAP2 to TAP1 only")
      ->type_name("SPEC")
      ->check(not_empty());
  add_seed_option(*command, "--impair-seed", options->seed, "make the random choices repeatable");
  command->add_option("--mtu", options->mtu, "MTU of both ends (default: the interfaces')")
      ->type_name("OCTETS")
      ->check(in_range(min_mtu, max_mtu));
  command->callback([options, &chosen] { chosen = [options] { return run_bridge(*options); }; });
}

}  // namespace wireside::apps
