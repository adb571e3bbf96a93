// Very many connections at a time: each one works, the memory of each is small, and all of it returns.
// WIRESIDE_SIM_CONNECTIONS=N sets how many (default 5,000; 100,000 takes seconds and half a gigabyte).
#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "stack.hpp"

namespace wireside::testing {
namespace {

using namespace std::chrono_literals;

class ManyConnections : public ::testing::Test {
 protected:
  static constexpr std::uint16_t first_port = 8000;
  static constexpr std::size_t per_port = 10'000;  // fewer than there are ephemeral ports

  static Config host(const char* address) {
    Config config;
    config.ip.addresses = {*Ipv4Prefix::parse(address)};
    return config;
  }
  static std::size_t wanted() {
    const char* text = std::getenv("WIRESIDE_SIM_CONNECTIONS");
    return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : 5000;
  }
  static std::size_t heap() { return mallinfo2().uordblks; }
  static double real_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  bool carry(Stack& from, Stack& to) {
    constexpr int batch = 64;  // as one read of a device
    bool any = false;
    FrameOut frame;
    for (int i = 0; i < batch && from.poll_frame(now_, frame); ++i) {
      std::vector<std::uint8_t> octets{frame.header.view().begin(), frame.header.view().end()};
      for (const Slice& piece : frame.payload) octets.insert(octets.end(), piece.view().begin(), piece.view().end());
      to.handle_frame(now_, Packet{.data = to.buffers().copy(octets)});
      ++frames_;
      any = true;
    }
    return any;
  }
  void exchange() {
    for (bool more = true; more;) {
      const bool there = carry(client_, server_);
      more = carry(server_, client_) || there;
    }
  }
  void live(Duration time) {
    const Instant end = now_ + time;
    for (exchange(); now_ < end; exchange()) {
      now_ = std::min({end, client_.next_deadline().value_or(end), server_.next_deadline().value_or(end)});
      client_.handle_timeouts(now_);
      server_.handle_timeouts(now_);
    }
  }
  void open(std::size_t count);
  void converse();

  Instant now_ = Instant::from_ns(0);
  Stack client_{host("10.0.0.1/24"), make_seed(1)};
  Stack server_{host("10.0.0.2/24"), make_seed(2)};
  std::vector<SocketHandle> listeners_, callers_, accepted_;
  std::uint64_t frames_ = 0;
};

void ManyConnections::open(std::size_t count) {
  SocketTable& there = server_.sockets();
  for (std::size_t i = 0; i < (count + per_port - 1) / per_port; ++i) {
    listeners_.push_back(there.open(SocketKind::Stream).value());
    const auto port = static_cast<std::uint16_t>(first_port + i);
    ASSERT_TRUE(there.bind(listeners_.back(), *Endpoint::parse("10.0.0.2:" + std::to_string(port))));
    ASSERT_TRUE(there.listen(listeners_.back(), 1024));
  }
  for (std::size_t i = 0; i < count; ++i) {
    callers_.push_back(client_.sockets().open(SocketKind::Stream).value());
    const auto port = static_cast<std::uint16_t>(first_port + i / per_port);
    const auto connected =
        client_.sockets().connect(now_, callers_.back(), *Endpoint::parse("10.0.0.2:" + std::to_string(port)));
    ASSERT_TRUE(connected || connected.error() == Error::InProgress);
    if (i % 100 != 99 && i + 1 != count) continue;
    exchange();
    for (const auto listener : listeners_) {
      while (const auto a = there.accept(listener)) accepted_.push_back(a->socket);
    }
    while (client_.poll_event()) continue;
    while (server_.poll_event()) continue;
  }
}

/// Every client says its number, and the server sends back what it hears.
void ManyConnections::converse() {
  std::uint8_t octets[64];
  for (std::size_t i = 0; i < callers_.size(); ++i) {
    const std::string text = "connection " + std::to_string(i);
    ASSERT_TRUE(
        client_.sockets().send(now_, callers_[i], {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
    if (i % 100 == 99) exchange();
  }
  exchange();
  for (const auto socket : accepted_) {
    const auto got = server_.sockets().receive(now_, socket, octets);
    ASSERT_TRUE(got);
    ASSERT_TRUE(server_.sockets().send(now_, socket, {octets, *got}));
  }
  exchange();
  for (std::size_t i = 0; i < callers_.size(); ++i) {
    const auto got = client_.sockets().receive(now_, callers_[i], octets);
    ASSERT_TRUE(got);
    ASSERT_EQ((std::string{reinterpret_cast<const char*>(octets), *got}), "connection " + std::to_string(i));
  }
  live(1s);
}

TEST_F(ManyConnections, EachWorksAndTheMemoryOfAllReturns) {
  const std::size_t count = wanted();
  const auto first = client_.sockets().open(SocketKind::Stream).value();
  (void)client_.sockets().connect(now_, first, *Endpoint::parse("10.0.0.2:7"));
  exchange();  // refused; the neighbours know each other now
  (void)client_.sockets().close(now_, first);
  while (client_.poll_event()) continue;
  const std::size_t before = heap();
  double started = real_seconds();
  open(count);
  if (HasFatalFailure()) return;
  ASSERT_EQ(accepted_.size(), count);
  live(1s);
  std::cout << count << " connections opened in " << real_seconds() - started << " s, " << frames_ << " frames, "
            << (heap() - before) / (2 * count) << " octets of memory for each end of an idle one\n";
  for (int round = 0; round < 2; ++round) {
    frames_ = 0;
    started = real_seconds();
    converse();
    if (HasFatalFailure()) return;
    std::cout << "a question and an answer on each: " << (real_seconds() - started) * 1e9 / static_cast<double>(frames_)
              << " ns for each of " << frames_ << " frames\n";
  }
  EXPECT_EQ(client_.buffers().octets_in_use(), 0U);
  EXPECT_EQ(server_.buffers().octets_in_use(), 0U);
  // An idle stack makes no wake-up, however many connections it has.
  EXPECT_FALSE(server_.next_deadline() && *server_.next_deadline() < now_ + 1s);
  for (std::size_t i = 0; i < count; ++i) {
    (void)client_.sockets().close(now_, callers_[i]);
    (void)server_.sockets().close(now_, accepted_[i]);
  }
  for (const auto listener : listeners_) (void)server_.sockets().close(now_, listener);
  live(5min);  // TIME-WAIT
  while (client_.poll_event()) continue;
  while (server_.poll_event()) continue;
  for (const Stack* stack : {&client_, &server_}) {
    const auto left = stack->connections();
    EXPECT_EQ(left.size(), 0U) << "the first is " << to_string(left.front().state) << " " << left.front().id;
  }
}

}  // namespace
}  // namespace wireside::testing
