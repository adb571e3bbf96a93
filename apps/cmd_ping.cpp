// `wireside ping`: ICMP echo requests and what came back, in the manner of iputils.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "asio_sockets.hpp"
#include "command.hpp"
#include "host.hpp"
#include "icmp_text.hpp"
#include "name_lookup.hpp"
#include "network_remedy.hpp"
#include "option_checks.hpp"
#include "ping_statistics.hpp"
#include "task_group.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t stamp_octets = sizeof(std::int64_t);
constexpr unsigned header_octets = 28;  // IPv4 and ICMP headers, as in "56(84) bytes of data"

struct PingOptions {
  CommonOptions common;
  std::string destination;
  unsigned count = 0;  ///< 0 = until interrupted
  double interval = 1.0;
  double wait = 10.0;
  std::uint16_t size = 56;
  std::optional<unsigned> ttl;
  double deadline = 0;  ///< seconds; 0 = none
  std::string discovery = "dont";
  bool quiet = false;
};

PathMtuDiscovery discovery_named(const std::string& name) {
  if (name == "do") return PathMtuDiscovery::Do;
  if (name == "want") return PathMtuDiscovery::Want;
  return name == "probe" ? PathMtuDiscovery::Probe : PathMtuDiscovery::Dont;
}

/// One run: a sender that keeps the pace and a receiver, each a coroutine of its own.
class Ping {
 public:
  Ping(const PingOptions& options, Ipv4Address destination, Surroundings around)
      : options_{options},
        destination_{destination},
        around_{around},
        socket_{around.runtime()},
        timer_{around.runtime().context()} {}

  asio::awaitable<int> run() {
    if (const auto ec = prepare()) {
      complain(fmt::format("ping: {}: {}{}", options_.destination, ec.message(), remedy_for(ec)));
      co_return exit_failure;
    }
    put("PING {} ({}) {}({}) bytes of data.\n", options_.destination, destination_.to_string(), options_.size,
        options_.size + header_octets);
    tasks_.spawn(receive());
    const auto began = Clock::now();
    for (unsigned sequence = 1; options_.count == 0 || sequence <= options_.count; ++sequence) {
      if (!co_await send(static_cast<std::uint16_t>(sequence))) break;
      const bool last = sequence == options_.count;
      if (last && statistics_.received() + statistics_.errors() >= statistics_.transmitted()) break;
      const double seconds = last ? options_.wait : options_.interval;
      if (options_.deadline > 0) {
        const double left = options_.deadline - std::chrono::duration<double>(Clock::now() - began).count();
        if (left <= seconds || last) {  // the last wait of the run
          (void)co_await pause(std::max(left, 0.0));
          break;
        }
      }
      if (!co_await pause(seconds)) break;
    }
    co_await asio::this_coro::reset_cancellation_state();
    const auto took = Clock::now() - began;
    tasks_.cancel();
    socket_.close();
    put("\n{}", statistics_.summary(options_.destination, took));
    (void)co_await tasks_.join();
    co_return statistics_.received() > 0 ? exit_ok : exit_failure;
  }

 private:
  net::error_code prepare() {
    if (const auto ec = socket_.connect({destination_, Port{}})) return ec;
    DatagramOptions datagram;
    if (options_.ttl) datagram.ttl = datagram.multicast_ttl = static_cast<std::uint8_t>(*options_.ttl);
    datagram.report_errors = true;
    datagram.mtu_discovery = discovery_named(options_.discovery);
    return socket_.set_options(datagram);
  }

  /// False when nothing more is to be sent.
  asio::awaitable<bool> send(std::uint16_t sequence) {
    auto datagram = socket_.options().value_or(DatagramOptions{});
    datagram.echo_sequence = sequence;
    (void)socket_.set_options(datagram);
    std::vector<std::uint8_t> payload(options_.size);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i);
    const std::int64_t now = around_.runtime().now().ns();
    if (payload.size() >= stamp_octets) std::memcpy(payload.data(), &now, stamp_octets);
    sent_at_[sequence % sent_at_.size()] = now;
    statistics_.sent(sequence);
    // An earlier request's error comes out of the next call, whatever that is: it is shown, and the call repeated.
    for (int attempt = 0;; ++attempt) {
      const auto [ec, n] = co_await socket_.async_send(asio::buffer(payload), asio::as_tuple(asio::use_awaitable));
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return false;
      if (!ec) break;
      if (show_reports() && attempt < 8) continue;
      failed(sequence, ec);
      break;
    }
    co_return true;
  }

  /// False when interrupted. Ends early when the last reply is there.
  asio::awaitable<bool> pause(double seconds) {
    timer_.expires_after(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{seconds}));
    const auto [ec] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return !(ec && (around_.interrupted() || around_.device_gone()));
  }

  asio::awaitable<void> receive() {
    std::vector<std::uint8_t> payload(65536);
    while (true) {
      ReceivedDatagram facts;
      const auto [ec, octets] =
          co_await socket_.async_receive_from(asio::buffer(payload), facts, asio::as_tuple(asio::use_awaitable));
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
      if (ec) {
        if (!show_reports()) failed(facts.echo_sequence, ec);
        if (ec == asio::error::network_down) co_return;
        end_early();
        continue;
      }
      received(facts, {payload.data(), octets});
      end_early();
    }
  }

  /// Nothing more can come once every request of a counted run has its answer.
  void end_early() {
    const bool all_sent = options_.count != 0 && statistics_.transmitted() >= options_.count;
    if (all_sent && statistics_.received() + statistics_.errors() >= options_.count) timer_.cancel();
  }

  /// What the network said; false when it said nothing.
  bool show_reports() {
    bool any = false;
    while (const auto report = socket_.take_error_report()) {
      any = true;
      statistics_.error(report->sequence);
      if (options_.quiet) continue;
      put("From {} icmp_seq={} {}\n", report->reporter.to_string(), report->sequence, icmp_error_text(*report));
    }
    return any;
  }

  void received(const ReceivedDatagram& facts, ByteView payload) {
    std::int64_t sent = sent_at_[facts.echo_sequence % sent_at_.size()];
    if (payload.size() >= stamp_octets) std::memcpy(&sent, payload.data(), stamp_octets);
    const Duration rtt{std::max<std::int64_t>(0, around_.runtime().now().ns() - sent)};
    const bool duplicate = statistics_.reply(facts.echo_sequence, rtt);
    if (options_.quiet) return;
    put("{} bytes from {}: icmp_seq={} ttl={} time={} ms{}\n", facts.full_length + 8, facts.from.address.to_string(),
        facts.echo_sequence, facts.ttl, format_milliseconds(rtt), duplicate ? " (DUP!)" : "");
  }

  void failed(std::uint16_t sequence, net::error_code ec) {
    statistics_.error();
    if (ec == asio::error::message_size) {
      put("ping: local error: message too long, mtu={}\n", socket_.path_mtu().value_or(0));
    } else if (sequence == 0) {
      put("ping: {}\n", ec.message());
    } else {
      put("ping: icmp_seq={}: {}\n", sequence, ec.message());
    }
  }

  const PingOptions& options_;
  Ipv4Address destination_;
  Surroundings around_;
  net::echo_socket socket_;
  asio::steady_timer timer_;
  TaskGroup tasks_{around_.runtime().context().get_executor()};
  PingStatistics statistics_;
  std::array<std::int64_t, 1024> sent_at_{};
};

asio::awaitable<int> ping(const PingOptions& options, Surroundings around) {
  const auto destination = co_await look_up_or_complain(around, "ping", options.destination);
  if (!destination) co_return exit_failure;
  if (destination->is_unspecified()) {
    complain("ping: 0.0.0.0 is the address of no host\n  try: wireside ping --ip 10.0.0.2/24 10.0.0.1");
    co_return exit_failure;
  }
  Ping run{options, *destination, around};
  co_return co_await run.run();
}

int run_ping(const PingOptions& options) {
  (void)options.common.config();
  if (const auto problem = host_problem(options.destination)) {
    throw UsageError{*problem, "wireside ping --ip 10.0.0.2/24 10.0.0.1"};
  }
  return run_on_host(options.common, [&](Surroundings around) { return ping(options, around); });
}

}  // namespace

void register_ping(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<PingOptions>();
  CLI::App* command = app.add_subcommand("ping", "send ICMP echo requests and time the replies");
  command->add_option("destination", options->destination, "IPv4 address or host name")->required()->type_name("HOST");
  command->add_option("-c,--count", options->count, "stop after this many requests (default: at Ctrl-C)")
      ->type_name("N")
      ->check(in_range(1U, 4294967295U));
  command->add_option("-i,--interval", options->interval, "seconds between requests")
      ->type_name("S")
      ->check(in_range(0.001, 86400.0))
      ->capture_default_str();
  command->add_option("-W,--wait", options->wait, "seconds to wait for the last reply")
      ->type_name("S")
      ->check(in_range(0.001, 86400.0))
      ->capture_default_str();
  command->add_option("-s,--size", options->size, "octets of data per request")
      ->type_name("OCTETS")
      ->check(in_range(0, 65507))
      ->capture_default_str();
  command->add_option("-t,--ttl", options->ttl, "time to live of the requests (default 64, to a multicast group 1)")
      ->type_name("N")
      ->check(in_range(1, 255));
  command
      ->add_option("-M,--pmtudisc", options->discovery,
                   "path MTU discovery: dont (DF clear), want (DF where it fits), do (DF, never fragment), probe")
      ->type_name("HOW")
      ->check(CLI::IsMember({"dont", "want", "do", "probe"}))
      ->capture_default_str();
  command->add_option("-w,--deadline", options->deadline, "stop after this many seconds, whatever came")
      ->type_name("S")
      ->check(in_range(0.001, 1e6));
  command->add_flag("-q,--quiet", options->quiet, "only the statistics");
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_ping(*options); }; });
}

}  // namespace wireside::apps
