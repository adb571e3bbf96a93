// Two whole stacks with a perfect network between them and a virtual clock, and many connections from one to the other.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "stack.hpp"

namespace wireside::testing {

class StackPair {
 public:
  static constexpr std::uint16_t first_port = 8000;
  static constexpr std::size_t per_port = 10'000;  // fewer than there are ephemeral ports

  explicit StackPair(const tcp::TcpConfig& tcp = {})
      : client{host("10.0.0.1/24", tcp), make_seed(1)}, server{host("10.0.0.2/24", tcp), make_seed(2)} {}

  /// Until neither has anything to say.
  void exchange() {
    for (bool more = true; more;) {
      const bool there = carry(client, server);
      more = carry(server, client) || there;
    }
  }
  void live(Duration time) {
    const Instant end = now + time;
    for (exchange(); now < end; exchange()) {
      now = std::min({end, client.next_deadline().value_or(end), server.next_deadline().value_or(end)});
      client.handle_timeouts(now);
      server.handle_timeouts(now);
    }
  }
  void take_events() {
    while (client.poll_event()) continue;
    while (server.poll_event()) continue;
  }
  /// The neighbours get to know each other.
  void meet() {
    const auto first = client.sockets().open(SocketKind::Stream).value();
    (void)client.sockets().connect(now, first, *Endpoint::parse("10.0.0.2:7"));
    exchange();  // refused
    (void)client.sockets().close(now, first);
    take_events();
  }
  /// Opens so many more connections and accepts them.
  void open(std::size_t more) {
    SocketTable& there = server.sockets();
    const std::size_t first = callers.size();
    const std::size_t count = first + more;
    while (listeners.size() * per_port < count) {
      const Endpoint local = endpoint(listeners.size() * per_port);
      listeners.push_back(there.open(SocketKind::Stream).value());
      ASSERT_TRUE(there.bind(listeners.back(), local));
      ASSERT_TRUE(there.listen(listeners.back(), 1024));
    }
    for (std::size_t i = first; i < count; ++i) {
      callers.push_back(client.sockets().open(SocketKind::Stream).value());
      const auto connected = client.sockets().connect(now, callers.back(), endpoint(i));
      ASSERT_TRUE(connected || connected.error() == Error::InProgress);
      if (i % 100 != 99 && i + 1 != count) continue;
      exchange();
      for (const auto listener : listeners) {
        while (const auto a = there.accept(listener)) accepted.push_back(a->socket);
      }
      take_events();
    }
  }

  Instant now = Instant::from_ns(0);
  Stack client, server;
  std::vector<SocketHandle> listeners, callers, accepted;
  std::uint64_t frames = 0;

 private:
  static Config host(const char* address, const tcp::TcpConfig& tcp) {
    Config config;
    config.ip.addresses = {*Ipv4Prefix::parse(address)};
    config.tcp = tcp;
    return config;
  }
  static Endpoint endpoint(std::size_t connection) {
    return {Ipv4Address{10, 0, 0, 2}, Port{static_cast<std::uint16_t>(first_port + connection / per_port)}};
  }
  bool carry(Stack& from, Stack& to) {
    constexpr int batch = 64;  // as one read of a device
    bool any = false;
    FrameOut frame;
    for (int i = 0; i < batch && from.poll_frame(now, frame); ++i) {
      std::vector<std::uint8_t> octets{frame.header.view().begin(), frame.header.view().end()};
      for (const Slice& piece : frame.payload) octets.insert(octets.end(), piece.view().begin(), piece.view().end());
      to.handle_frame(now, Packet{.data = to.buffers().copy(octets)});
      ++frames;
      any = true;
    }
    return any;
  }
};

}  // namespace wireside::testing
