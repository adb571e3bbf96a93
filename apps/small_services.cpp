#include "small_services.hpp"
#include "transfer.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <vector>

namespace wireside::apps {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_connections = 1024;  // over all services; beyond, a connection is closed at once

constexpr std::size_t line_characters = 72;
constexpr std::size_t line_octets = line_characters + 2;
constexpr std::size_t printing_characters = 95;  // ' ' to '~'
constexpr std::size_t pattern_octets = line_octets * printing_characters;

using Serve = asio::awaitable<void> (*)(net::tcp_socket);

asio::awaitable<void> echo(net::tcp_socket socket) {
  SliceList slices;
  while (true) {
    const auto [ec, octets] = co_await socket.async_receive_slices(slices, turn_octets, tuple_token);
    if (ec) break;
    for (const Slice& slice : slices) co_await socket.async_send_slice(slice, asio::use_awaitable);
  }
}

asio::awaitable<void> discard(net::tcp_socket socket) {
  SliceList slices;
  while (true) {
    const auto [ec, octets] = co_await socket.async_receive_slices(slices, turn_octets, tuple_token);
    if (ec) break;
  }
}

/// Whatever is received is thrown away; the end of it does not end the stream (RFC 864).
asio::awaitable<void> chargen(net::tcp_socket socket) {
  std::vector<char> pattern(pattern_octets);
  fill_chargen(0, pattern.data(), pattern.size());
  while (true) {
    while (true) {
      const auto now = socket.runtime().now();
      auto more = socket.runtime().sockets().receive_slice(now, socket.native_handle(), block_octets);
      if (!more || more->empty()) break;
    }
    co_await asio::async_write(socket, asio::buffer(pattern), asio::use_awaitable);
  }
}

asio::awaitable<void> accept_loop(net::tcp_acceptor acceptor, TaskGroup& tasks, Serve serve) {
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(tuple_token);
    if (ec == asio::error::no_buffer_space) {
      asio::steady_timer pause{acceptor.get_executor(), std::chrono::milliseconds{100}};
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    if (ec) co_return;
    if (tasks.size() < max_connections) tasks.spawn(serve(std::move(socket)));
  }
}

/// A datagram from one of these ports is not answered: two such services would keep each other busy for ever.
bool may_loop(const Endpoint& from) {
  return from.port == echo_port || from.port == chargen_port || from.port.is_unspecified();
}

enum class Kind { Echo, Discard, Chargen };

asio::awaitable<void> datagram_loop(net::udp_socket socket, Kind kind) {
  std::vector<std::uint8_t> datagram(65536);
  std::size_t position = 0;
  while (true) {
    Endpoint from;
    const auto [ec, octets] = co_await socket.async_receive_from(asio::buffer(datagram), from, tuple_token);
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor || ec == asio::error::network_down) {
      co_return;
    }
    if (ec || kind == Kind::Discard || may_loop(from)) continue;
    std::size_t answer = octets;
    if (kind == Kind::Chargen) {
      answer = line_octets * (1 + position % 6);  // RFC 864: 0 to 512 octets
      fill_chargen(position * line_octets, reinterpret_cast<char*>(datagram.data()), answer);
      ++position;
    }
    // What cannot be sent is lost, as datagrams are.
    (void)co_await socket.async_send_to(asio::buffer(datagram.data(), answer), from, tuple_token);
  }
}

}  // namespace

void fill_chargen(std::size_t position, char* out, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) {
    const std::size_t line = (position + i) / line_octets;
    const std::size_t column = (position + i) % line_octets;
    if (column < line_characters) {
      out[i] = static_cast<char>(' ' + (line + column) % printing_characters);
    } else {
      out[i] = column == line_characters ? '\r' : '\n';
    }
  }
}

std::expected<void, std::string> start_small_services(Runtime& runtime, TaskGroup& tasks) {
  struct Service {
    const char* name;
    Port port;
    Serve serve;
    Kind kind;
  };
  for (const Service& s :
       {Service{"echo", echo_port, echo, Kind::Echo}, Service{"discard", discard_port, discard, Kind::Discard},
        Service{"chargen", chargen_port, chargen, Kind::Chargen}}) {
    const Endpoint local{Ipv4Address{}, s.port};
    net::tcp_acceptor acceptor{runtime};
    net::udp_socket socket{runtime};
    net::error_code ec = acceptor.listen(local);
    if (!ec) ec = socket.bind(local);
    if (ec) return std::unexpected{fmt::format("{} on port {}: {}", s.name, s.port.value, ec.message())};
    tasks.spawn(accept_loop(std::move(acceptor), tasks, s.serve));
    tasks.spawn(datagram_loop(std::move(socket), s.kind));
  }
  return {};
}

}  // namespace wireside::apps
