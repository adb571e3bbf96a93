// wireside with all services of services.hpp on one TAP: bulk through the Asio sockets with an ordinary buffer and with
// lent ones, HTTP through Beast, and the rest on the socket table (table_services.hpp). Ends at a signal.
//
// usage: wireside_server TAP ADDRESS/LENGTH [--frames]
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <random>
#include <string_view>
#include <vector>

#include "asio_sockets.hpp"
#include "table_services.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using namespace wireside;

namespace {

constexpr auto tuple_token = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t lent_octets = 64 * 1024;
constexpr std::size_t receive_at_most = 1 << 20;

asio::awaitable<void> discard(net::tcp_socket socket) {
  std::vector<char> buffer(bench::buffer_octets);
  while (true) {
    const auto [ec, n] = co_await socket.async_read_some(asio::buffer(buffer), tuple_token);
    if (ec) co_return;
  }
}

asio::awaitable<void> source(net::tcp_socket socket) {
  std::vector<char> buffer(bench::buffer_octets, 'x');
  while (true) {
    const auto [ec, n] = co_await asio::async_write(socket, asio::buffer(buffer), tuple_token);
    if (ec) co_return;
  }
}

asio::awaitable<void> lend_discard(net::tcp_socket socket) {
  SliceList slices;
  while (true) {
    const auto [ec, n] = co_await socket.async_receive_slices(slices, receive_at_most, tuple_token);
    if (ec) co_return;
    slices.clear();
  }
}

asio::awaitable<void> lend_source(net::tcp_socket socket) {
  const Slice lent = socket.runtime().stack().buffers().copy(std::vector<std::uint8_t>(lent_octets, 'x'));
  while (true) {
    const auto [ec, n] = co_await socket.async_send_slice(lent, tuple_token);
    if (ec) co_return;
  }
}

asio::awaitable<void> beast_http(net::tcp_socket socket) {
  beast::flat_buffer buffer;
  while (true) {
    http::request<http::empty_body> request;
    const auto [read_error, n] = co_await http::async_read(socket, buffer, request, tuple_token);
    if (read_error) co_return;
    http::response<http::string_body> answer{http::status::ok, request.version()};
    answer.set(http::field::content_type, "text/plain");
    answer.body() = bench::page;
    answer.keep_alive(request.keep_alive());
    answer.prepare_payload();
    const auto [write_error, m] = co_await http::async_write(socket, answer, tuple_token);
    if (write_error || !answer.keep_alive()) co_return;
  }
}

using Serve = asio::awaitable<void> (*)(net::tcp_socket);

asio::awaitable<void> accept_loop(net::tcp_acceptor acceptor, Serve serve) {
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(tuple_token);
    if (ec) co_return;
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

bool listen(Runtime& runtime, std::uint16_t port, Serve serve) {
  net::tcp_acceptor acceptor{runtime};
  tcp::ConnectionOptions options;
  options.no_delay = true;
  if (acceptor.listen({Ipv4Address{}, Port{port}}, 1024, options)) return false;
  asio::co_spawn(runtime.context(), accept_loop(std::move(acceptor), serve), asio::detached);
  return true;
}

int run(int argc, char** argv) {
  const auto prefix = argc > 2 ? Ipv4Prefix::parse(argv[2]) : std::nullopt;
  if (!prefix) {
    std::fprintf(stderr, "usage: wireside_server TAP ADDRESS/LENGTH [--frames]\n");
    return 2;
  }
  TapOptions tap;
  tap.name = argv[1];
  tap.offload = argc < 4 || std::string_view{argv[3]} != "--frames";
  auto device = TapDevice::open(tap);
  if (!device) {
    std::fprintf(stderr, "wireside_server: %s\n", device.error().to_string().c_str());
    return 1;
  }
  Config config;
  config.ip.addresses = {*prefix};
  asio::io_context context{1};
  Runtime runtime{context, std::move(*device), config, make_seed(std::random_device{}())};
  bench::TableServices table{runtime};
  runtime.start();
  if (!table.start() || !listen(runtime, bench::port_of(bench::Service::Discard), discard) ||
      !listen(runtime, bench::port_of(bench::Service::Source), source) ||
      !listen(runtime, bench::port_of(bench::Service::LendDiscard), lend_discard) ||
      !listen(runtime, bench::port_of(bench::Service::LendSource), lend_source) ||
      !listen(runtime, bench::beast_port, beast_http)) {
    std::fprintf(stderr, "wireside_server: a port is taken\n");
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  context.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
