// Two connected Asio sockets of one stack, which talks to its own address.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "asio_sockets.hpp"
#include "tap_lab.hpp"

namespace wireside::test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Two connected sockets.
struct Connected {
  asio::io_context context;
  std::optional<Runtime> runtime;
  std::optional<net::tcp_socket> near, far;
  std::array<char, 16> octets{};

  Connected() {
    auto device = TapDevice::open(options_for("wsa0"));
    EXPECT_TRUE(device) << device.error().to_string();
    Config config;
    config.ip.addresses = {*Ipv4Prefix::parse("10.9.0.2/24")};
    runtime.emplace(context, std::move(*device), config, make_seed(1));
    runtime->start();
    net::tcp_acceptor acceptor{*runtime};
    const Endpoint door = *Endpoint::parse("10.9.0.2:80");
    EXPECT_FALSE(acceptor.listen(door));
    near.emplace(*runtime);
    net::error_code connected = asio::error::would_block;
    near->async_connect(door, [&](net::error_code ec) { connected = ec; });
    acceptor.async_accept([&](net::error_code ec, net::tcp_socket socket) {
      EXPECT_FALSE(ec);
      far.emplace(std::move(socket));
    });
    turn();
    EXPECT_FALSE(connected) << connected.message();
    EXPECT_TRUE(far);
  }
  void turn(std::chrono::milliseconds time = 100ms) {
    context.restart();
    context.run_for(time);
  }
  void say(net::tcp_socket& from) {
    net::error_code ec;
    EXPECT_EQ(from.write_some(asio::buffer("x", 1), ec), 1U);
    EXPECT_FALSE(ec);
    turn();
  }
};

}  // namespace wireside::test
