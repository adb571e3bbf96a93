// An echo server in an Asio program: run it on a TAP of one's own, such as
//   sudo ip tuntap add dev tap0 mode tap user $(id -un) && sudo ip addr add 10.9.0.1/24 dev tap0
//   sudo ip link set tap0 up
// The part between the two marks stands in README.md.
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <random>

#include "asio_sockets.hpp"

namespace asio = boost::asio;
using namespace wireside;

// README begin
asio::awaitable<void> echo(net::tcp_socket socket) {
  std::array<char, 4096> octets;
  while (true) {  // the stream's end arrives as an exception, which ends the coroutine and closes the socket
    const std::size_t n = co_await socket.async_read_some(asio::buffer(octets), asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(octets, n), asio::use_awaitable);
  }
}

asio::awaitable<void> serve(Runtime& runtime) {
  net::tcp_acceptor acceptor{runtime};
  if (acceptor.listen({Ipv4Address{}, Port{7}})) co_return;
  while (true) {
    net::tcp_socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}
// README end

int main(int argc, char** argv) {
  TapOptions options;
  if (argc > 1) options.name = argv[1];
  auto device = TapDevice::open(options);
  if (!device) return std::fprintf(stderr, "%s\n", device.error().to_string().c_str()), 1;
  Config config;
  config.ip.addresses = {*Ipv4Prefix::parse("10.9.0.2/24")};
  asio::io_context context;
  Runtime runtime{context, std::move(*device), config, make_seed(std::random_device{}())};
  runtime.start();
  asio::co_spawn(context, serve(runtime), asio::detached);
  context.run();
}
