// `wireside traceroute`: the routers on the way to a host, by probes whose TTL ends at each of them in turn.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
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
#include "task_group.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr unsigned header_octets = 28;  // IPv4 and UDP, or IPv4 and ICMP

struct TracerouteOptions {
  CommonOptions common;
  std::string destination;
  unsigned length = 60;  ///< octets of a probe packet
  bool icmp = false;
  bool numeric = false;
  bool dont_fragment = false;
  unsigned queries = 3;
  double wait = 5.0;
  unsigned max_ttl = 30;
  unsigned first_ttl = 1;
  std::uint16_t port = 33434;
};

/// One probe: when it left, and what came back.
struct Probe {
  std::int64_t sent = 0;
  std::optional<Duration> rtt;
  IpAddress from;
  std::string mark;
};

template <class Socket>
class Traceroute {
 public:
  Traceroute(const TracerouteOptions& options, Ipv4Address destination, Surroundings around)
      : options_{options},
        destination_{destination},
        around_{around},
        socket_{around.runtime()},
        timer_{around.runtime().context()} {}

  asio::awaitable<int> run() {
    if (const auto ec = socket_.bind({})) {
      complain(fmt::format("traceroute: {}", ec.message()));
      co_return exit_failure;
    }
    put("traceroute to {} ({}), {} hops max, {} byte packets\n", options_.destination, destination_.to_string(),
        options_.max_ttl, options_.length);
    tasks_.spawn(receive());
    for (unsigned ttl = options_.first_ttl; ttl <= options_.max_ttl && !done_; ++ttl) {
      if (co_await hop(ttl)) continue;
      failed_ |= !done_;  // interrupted before the host was reached
      break;
    }
    co_await asio::this_coro::reset_cancellation_state();
    tasks_.cancel();
    socket_.close();
    (void)co_await tasks_.join();
    co_return failed_ ? exit_failure : exit_ok;
  }

 private:
  /// All probes of one hop at once; false when interrupted or nothing can be sent.
  asio::awaitable<bool> hop(unsigned ttl) {
    first_ = static_cast<std::uint16_t>(probes_.size());
    open_ = 0;
    for (unsigned i = 0; i < options_.queries; ++i) {
      if (!co_await send(ttl)) co_return false;
    }
    timer_.expires_after(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{options_.wait}));
    while (open_ > 0) {
      const auto [ec] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (!ec) break;
      if (around_.interrupted() || around_.device_gone()) co_return false;
    }
    print(ttl);
    co_return true;
  }

  asio::awaitable<bool> send(unsigned ttl) {
    const auto number = static_cast<std::uint16_t>(probes_.size());
    DatagramOptions datagram;
    datagram.ttl = static_cast<std::uint8_t>(ttl);
    datagram.report_errors = true;
    datagram.echo_sequence = static_cast<std::uint16_t>(number + 1);
    if (options_.dont_fragment) datagram.mtu_discovery = PathMtuDiscovery::Probe;
    (void)socket_.set_options(datagram);
    const std::vector<std::uint8_t> payload(options_.length - header_octets, std::uint8_t{'@'});
    probes_.push_back({.sent = around_.runtime().now().ns(), .rtt = {}, .from = {}, .mark = {}});
    ++open_;
    // An earlier probe's error comes out of the next call, whatever that is: it is taken, and the call repeated.
    for (int attempt = 0;; ++attempt) {
      const Port port{static_cast<std::uint16_t>(options_.icmp ? 0 : options_.port + number)};
      const auto [ec, n] = co_await socket_.async_send_to(asio::buffer(payload), Endpoint{destination_, port},
                                                          asio::as_tuple(asio::use_awaitable));
      if (!ec) co_return true;
      const bool earlier = take_reports();
      if (earlier && attempt < 8 && ec != asio::error::operation_aborted) continue;
      if (ec != asio::error::operation_aborted) complain(fmt::format("traceroute: {}{}", ec.message(), remedy_for(ec)));
      failed_ = true;
      co_return false;
    }
  }

  asio::awaitable<void> receive() {
    std::vector<std::uint8_t> payload(65536);
    while (true) {
      ReceivedDatagram facts;
      const auto [ec, octets] =
          co_await socket_.async_receive_from(asio::buffer(payload), facts, asio::as_tuple(asio::use_awaitable));
      if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
      if (ec == asio::error::network_down) co_return;
      if (ec) {
        take_reports();
      } else if (facts.from.address == IpAddress{destination_}) {
        const unsigned number =
            options_.icmp ? facts.echo_sequence - 1U : facts.from.port.value - unsigned{options_.port};
        answered(number, facts.from.address, "", true);
      }
    }
  }

  /// False when there was none.
  bool take_reports() {
    bool any = false;
    while (const auto report = socket_.take_error_report()) {
      any = true;
      const unsigned number =
          options_.icmp ? report->sequence - 1U : report->tuple.remote.port.value - unsigned{options_.port};
      answered(number, report->reporter, traceroute_mark(*report), report->icmp_type != 11);
    }
    return any;
  }

  /// `last`: no router but the end of the way.
  void answered(unsigned number, IpAddress from, std::string mark, bool last) {
    if (number >= probes_.size() || probes_[number].rtt) return;
    Probe& probe = probes_[number];
    probe.rtt = Duration{around_.runtime().now().ns() - probe.sent};
    probe.from = from;
    probe.mark = std::move(mark);
    done_ |= last;
    if (number < first_ || open_ == 0) return;  // of a hop that is printed already
    if (--open_ == 0) timer_.cancel();
  }

  void print(unsigned ttl) const {
    std::string line = fmt::format("{:2d} ", ttl);
    const auto end = std::back_inserter(line);
    IpAddress shown;
    for (std::size_t i = first_; i < probes_.size(); ++i) {
      const Probe& probe = probes_[i];
      if (!probe.rtt) {
        line += " *";
        continue;
      }
      if (probe.from != shown) {
        shown = probe.from;
        fmt::format_to(end, " {}", shown.to_string());
        if (!options_.numeric) fmt::format_to(end, " ({})", shown.to_string());
      }
      fmt::format_to(end, "  {:.3f} ms", std::chrono::duration<double, std::milli>(*probe.rtt).count());
      if (!probe.mark.empty()) fmt::format_to(end, " {}", probe.mark);
    }
    put("{}\n", line);
  }

  const TracerouteOptions& options_;
  Ipv4Address destination_;
  Surroundings around_;
  Socket socket_;
  asio::steady_timer timer_;
  TaskGroup tasks_{around_.runtime().context().get_executor()};
  std::vector<Probe> probes_;
  std::size_t first_ = 0;  // probe of the hop at hand
  unsigned open_ = 0;      // of the hop at hand, without an answer
  bool done_ = false;
  bool failed_ = false;
};

template <class Socket>
asio::awaitable<int> traceroute(const TracerouteOptions& options, Surroundings around) {
  const auto destination = co_await look_up_or_complain(around, "traceroute", options.destination);
  if (!destination) co_return exit_failure;
  Traceroute<Socket> run{options, *destination, around};
  co_return co_await run.run();
}

int run_traceroute(const TracerouteOptions& options) {
  (void)options.common.config();
  if (const auto problem = host_problem(options.destination)) {
    throw UsageError{*problem, "wireside traceroute --ip 10.0.0.2/24 --gateway 10.0.0.1 192.0.2.7"};
  }
  if (options.first_ttl > options.max_ttl) {
    throw UsageError{fmt::format("the first TTL, {}, is beyond the largest, {}", options.first_ttl, options.max_ttl),
                     "give -f a number up to that of -m"};
  }
  return run_on_host(options.common, [&](Surroundings around) {
    return options.icmp ? traceroute<net::echo_socket>(options, around) : traceroute<net::udp_socket>(options, around);
  });
}

}  // namespace

void register_traceroute(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<TracerouteOptions>();
  CLI::App* command = app.add_subcommand("traceroute", "show the routers on the way to a host");
  command->add_option("destination", options->destination, "IPv4 address or host name")->required()->type_name("HOST");
  command->add_option("packet-length", options->length, "octets of a probe packet, headers included")
      ->type_name("OCTETS")
      ->check(in_range(header_octets, 65535U))
      ->capture_default_str();
  command->add_flag("-I,--icmp", options->icmp, "probe with ICMP echo requests instead of UDP");
  command->add_flag("-n,--numeric", options->numeric, "print each address once");
  command->add_flag("-F,--dont-fragment", options->dont_fragment, "set DF");
  command->add_option("-q,--queries", options->queries, "probes per hop")
      ->type_name("N")
      ->check(in_range(1, 10))
      ->capture_default_str();
  command->add_option("-w,--wait", options->wait, "seconds to wait for an answer")
      ->type_name("S")
      ->check(in_range(0.001, 86400.0))
      ->capture_default_str();
  command->add_option("-m,--max-hops", options->max_ttl, "largest TTL")
      ->type_name("N")
      ->check(in_range(1, 255))
      ->capture_default_str();
  command->add_option("-f,--first", options->first_ttl, "TTL to begin with")
      ->type_name("N")
      ->check(in_range(1, 255))
      ->capture_default_str();
  command->add_option("-p,--port", options->port, "destination port of the first UDP probe; each next one has the next")
      ->type_name("PORT")
      ->check(in_range(1, 62000))
      ->capture_default_str();
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_traceroute(*options); }; });
}

}  // namespace wireside::apps
