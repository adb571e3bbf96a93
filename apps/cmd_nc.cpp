// `wireside nc`: standard input and output joined to a TCP connection or UDP flow.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <memory>
#include <vector>

#include "asio_sockets.hpp"
#include "command.hpp"
#include "host.hpp"
#include "local_stream.hpp"
#include "name_lookup.hpp"
#include "network_remedy.hpp"
#include "option_checks.hpp"
#include "transfer.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

constexpr std::size_t datagram_octets = 16 * 1024;  // most of standard input per datagram

struct NcOptions {
  CommonOptions common;
  std::vector<std::string> words;
  bool listen = false;
  bool udp = false;
  bool keep_listening = false;
  unsigned idle_timeout = 0;  ///< seconds; 0 = none

  [[nodiscard]] UsageError usage(const std::string& what) const {
    return {what, "wireside nc --ip 10.0.0.2/24 10.0.0.1 80, or wireside nc --ip 10.0.0.2/24 -l 80"};
  }
  /// The peer's port, or with -l the local one. Checks the other words too.
  [[nodiscard]] Endpoint endpoint() const {
    if (keep_listening && (!listen || udp)) throw usage("-k goes with -l and TCP only");
    const std::size_t wanted = listen ? 1 : 2;
    if (words.size() != wanted) throw usage(listen ? "-l takes one port" : "an address and a port are needed");
    Endpoint out{Ipv4Address{}, Port{}};
    if (!listen) {
      if (const auto problem = host_problem(words[0])) throw usage(*problem);
    }
    const std::string& port = words.back();
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port.value);
    if (error != std::errc{} || end != port.data() + port.size() || out.port.is_unspecified()) {
      throw usage(fmt::format("'{}' is not a port; ports are 1 to 65535", port));
    }
    return out;
  }
};

class Nc {
 public:
  Nc(const NcOptions& options, Surroundings around)
      : options_{options},
        around_{around},
        input_{LocalStream::standard_input(around.runtime().context())},
        output_{LocalStream::standard_output(around.runtime().context())},
        idle_{around.runtime().context()} {}

  asio::awaitable<int> run() {
    Endpoint endpoint = options_.endpoint();
    if (!options_.listen) {
      const auto address = co_await look_up(around_.runtime(), options_.words[0]);
      if (!address) {
        if (!around_.interrupted()) complain(address.error());
        co_return exit_failure;
      }
      endpoint.address = *address;
    }
    if (options_.udp) co_return co_await datagrams(endpoint);
    if (options_.listen) co_return co_await serve(endpoint);
    net::tcp_socket socket{around_.runtime()};
    if (const auto [ec] = co_await socket.async_connect(endpoint, tuple_token); ec) co_return failed(endpoint, ec);
    say("connected to", endpoint);
    co_return co_await join(socket);
  }

 private:
  using Outcome = asio::awaitable<net::error_code>;

  asio::awaitable<int> serve(const Endpoint& local) {
    net::tcp_acceptor acceptor{around_.runtime()};
    if (const auto ec = acceptor.listen(local, options_.keep_listening ? 16 : 1)) co_return failed(local, ec);
    say("listening on", local);
    int status = exit_ok;
    do {
      auto [ec, socket] = co_await acceptor.async_accept(tuple_token);
      if (ec && options_.keep_listening && around_.interrupted()) co_return exit_ok;  // a server's ordinary end
      if (ec) co_return failed(local, ec);
      if (!options_.keep_listening) acceptor.close();
      say("connection from", socket.remote_endpoint());
      status = co_await join(socket);
    } while (options_.keep_listening && !around_.interrupted() && !around_.device_gone());
    co_return status;
  }

  /// Both directions of a connection, until both have ended. A server does not wait for standard input any longer when
  /// the peer's direction has ended: it sends only what is at hand.
  asio::awaitable<int> join(net::tcp_socket& socket) {
    net::error_code sent;
    net::error_code received;
    no_more_waiting_for_input_ = false;
    touch();
    const auto done = co_await ((send(socket) && receive(socket)) || idle());
    if (const auto* both = std::get_if<0>(&done)) std::tie(sent, received) = *both;
    const Endpoint peer = socket.remote_endpoint();
    socket.close();
    if (sent) co_return failed(peer, sent);
    if (received) co_return failed(peer, received);
    co_return exit_ok;
  }

  /// Standard input to the peer, and its end as a half-close.
  Outcome send(net::tcp_socket& socket) {
    std::vector<char> block(block_octets);
    while (!input_ended_ && (!no_more_waiting_for_input_ || input_.is_readable())) {
      const auto [ec, octets] = co_await input_.descriptor().async_read_some(asio::buffer(block), tuple_token);
      if (ec == asio::error::operation_aborted && !no_more_waiting_for_input_) co_return net::error_code{};
      if (ec == asio::error::operation_aborted) break;
      if (ec) {
        input_ended_ = true;
        break;
      }
      touch();
      const auto [send_error, n] = co_await asio::async_write(socket, asio::buffer(block.data(), octets), tuple_token);
      if (send_error) co_return send_error;
    }
    (void)socket.shutdown(asio::socket_base::shutdown_send);
    co_return co_await delivered(socket);
  }

  /// Waits until the peer has acknowledged everything: nobody would send it again once this process has ended.
  Outcome delivered(net::tcp_socket& socket) {
    asio::steady_timer moment{around_.runtime().context()};
    while (true) {
      const auto status = socket.status();
      if (!status || status->send_queued == 0) co_return net::error_code{};
      if (status->error) co_return net::to_error_code(*status->error);
      moment.expires_after(std::chrono::milliseconds{10});
      if (const auto [ec] = co_await moment.async_wait(tuple_token); ec) co_return net::error_code{};
    }
  }

  /// The peer's octets to standard output; what ends this direction tells send() too.
  Outcome receive(net::tcp_socket& socket) {
    const net::error_code ended = co_await receive_until_end(socket);
    if (ended || options_.listen) {
      no_more_waiting_for_input_ = true;
      net::error_code ignored;
      input_.descriptor().cancel(ignored);
    }
    co_return ended;
  }

  Outcome receive_until_end(net::tcp_socket& socket) {
    SliceList slices;
    while (true) {
      const auto [ec, octets] = co_await socket.async_receive_slices(slices, turn_octets, tuple_token);
      if (ec == asio::error::eof) co_return net::error_code{};
      if (ec) co_return ec;
      touch();
      const auto [write_error, n] = co_await asio::async_write(output_.descriptor(), buffers_of(slices), tuple_token);
      if (write_error) co_return write_error;
    }
  }

  asio::awaitable<int> datagrams(const Endpoint& endpoint) {
    net::udp_socket socket{around_.runtime()};
    if (const auto ec = options_.listen ? socket.bind(endpoint) : socket.connect(endpoint)) {
      co_return failed(endpoint, ec);
    }
    if (!options_.listen) peer_ = endpoint;
    say(options_.listen ? "listening on" : "sending to", endpoint);
    touch();
    const auto done = co_await ((send_datagrams(socket) && receive_datagrams(socket)) || idle());
    if (const auto* both = std::get_if<0>(&done)) {
      if (const auto ec = std::get<1>(*both)) co_return failed(peer_.value_or(endpoint), ec);
    }
    co_return exit_ok;
  }

  /// Each read of standard input is a datagram to the peer: the one given, or whoever sent last.
  Outcome send_datagrams(net::udp_socket& socket) {
    std::vector<char> block(datagram_octets);
    while (true) {
      const auto [ec, octets] = co_await input_.descriptor().async_read_some(asio::buffer(block), tuple_token);
      if (ec) co_return net::error_code{};
      touch();
      if (peer_) (void)co_await socket.async_send_to(asio::buffer(block.data(), octets), *peer_, tuple_token);
    }
  }

  Outcome receive_datagrams(net::udp_socket& socket) {
    std::vector<char> block(65536);
    while (true) {
      Endpoint from;
      const auto [ec, octets] = co_await socket.async_receive_from(asio::buffer(block), from, tuple_token);
      if (ec) co_return ec;
      touch();
      if (options_.listen) peer_ = from;
      const auto [write_error, n] =
          co_await asio::async_write(output_.descriptor(), asio::buffer(block.data(), octets), tuple_token);
      if (write_error) co_return write_error;
    }
  }

  asio::awaitable<void> forever() {
    asio::steady_timer timer{around_.runtime().context(), asio::steady_timer::time_point::max()};
    (void)co_await timer.async_wait(tuple_token);
  }

  void touch() { last_ = std::chrono::steady_clock::now(); }

  /// Ends after -w seconds without octets in either direction.
  asio::awaitable<void> idle() {
    if (options_.idle_timeout == 0) co_await forever();
    const std::chrono::seconds limit{options_.idle_timeout};
    while (options_.idle_timeout != 0 && std::chrono::steady_clock::now() < last_ + limit) {
      idle_.expires_at(last_ + limit);
      const auto [ec] = co_await idle_.async_wait(tuple_token);
      if (ec) co_return;
    }
  }

  int failed(const Endpoint& where, net::error_code ec) const {
    const bool expected = ec == asio::error::operation_aborted && (around_.interrupted() || around_.device_gone());
    if (!expected) complain(fmt::format("{}: {}{}", where.to_string(), ec.message(), remedy_for(ec)));
    return exit_failure;
  }

  void say(const char* what, const Endpoint& where) const {
    if (options_.common.verbose) complain(fmt::format("{} {}", what, where.to_string()));
  }

  const NcOptions& options_;
  Surroundings around_;
  LocalStream input_;
  LocalStream output_;
  asio::steady_timer idle_;
  std::chrono::steady_clock::time_point last_;
  std::optional<Endpoint> peer_;
  bool input_ended_ = false;
  bool no_more_waiting_for_input_ = false;
};

asio::awaitable<int> nc(const NcOptions& options, Surroundings around) {
  Nc run{options, around};
  co_return co_await run.run();
}

int run_nc(const NcOptions& options) {
  (void)options.common.config();
  (void)options.endpoint();
  return run_on_host(options.common, [&](Surroundings around) { return nc(options, around); });
}

}  // namespace

void register_nc(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<NcOptions>();
  CLI::App* command =
      app.add_subcommand("nc", "join standard input and output to a connection: nc HOST PORT, nc -l PORT");
  command->add_option("words", options->words, "address and port, or with -l a port")->type_name("HOST PORT");
  command->add_flag("-l,--listen", options->listen, "wait for a connection (or datagrams) on the port");
  command->add_flag("-u,--udp", options->udp, "UDP instead of TCP");
  command->add_flag("-k,--keep-listening", options->keep_listening, "with -l: take one connection after the other");
  command->add_option("-w,--wait", options->idle_timeout, "end after this many seconds without data (default: never)")
      ->type_name("S")
      ->check(in_range(1U, 86400U));
  options->common.long_running = true;
  options->common.command = "nc";
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_nc(*options); }; });
}

}  // namespace wireside::apps
