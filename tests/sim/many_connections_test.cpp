// Very many connections at a time: each one works, the memory of each is small, and all of it returns.
// WIRESIDE_SIM_CONNECTIONS=N sets how many (default 5,000; 1,000,000 takes a minute and a gigabyte).
#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "support/stack_pair.hpp"

namespace wireside::testing {
namespace {

using namespace std::chrono_literals;

class ManyConnections : public ::testing::Test {
 protected:
  static std::size_t wanted() {
    const char* text = std::getenv("WIRESIDE_SIM_CONNECTIONS");
    return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : 5000;
  }
  static std::size_t heap() { return mallinfo2().uordblks + mallinfo2().hblkhd; }
  static double real_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  void converse();

  StackPair pair_;
};

/// Every client says its number, and the server sends back what it hears.
void ManyConnections::converse() {
  std::uint8_t octets[64];
  for (std::size_t i = 0; i < pair_.callers.size(); ++i) {
    const std::string text = "connection " + std::to_string(i);
    ASSERT_TRUE(pair_.client.sockets().send(pair_.now, pair_.callers[i],
                                            {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
    if (i % 100 == 99) pair_.exchange();
  }
  pair_.exchange();
  for (const auto socket : pair_.accepted) {
    const auto got = pair_.server.sockets().receive(pair_.now, socket, octets);
    ASSERT_TRUE(got);
    ASSERT_TRUE(pair_.server.sockets().send(pair_.now, socket, {octets, *got}));
  }
  pair_.exchange();
  for (std::size_t i = 0; i < pair_.callers.size(); ++i) {
    const auto got = pair_.client.sockets().receive(pair_.now, pair_.callers[i], octets);
    ASSERT_TRUE(got);
    ASSERT_EQ((std::string{reinterpret_cast<const char*>(octets), *got}), "connection " + std::to_string(i));
  }
  pair_.live(1s);
}

TEST_F(ManyConnections, EachWorksAndTheMemoryOfAllReturns) {
  const std::size_t count = wanted();
  pair_.meet();
  const std::size_t before = heap();
  double started = real_seconds();
  pair_.open(count);
  if (HasFatalFailure()) return;
  ASSERT_EQ(pair_.accepted.size(), count);
  pair_.live(1s);
  std::cout << count << " connections opened in " << real_seconds() - started << " s, " << pair_.frames << " frames, "
            << (heap() - before) / (2 * count) << " octets of memory for each end of an idle one\n";
  for (int round = 0; round < 2; ++round) {
    pair_.frames = 0;
    started = real_seconds();
    converse();
    if (HasFatalFailure()) return;
    std::cout << "a question and an answer on each: "
              << (real_seconds() - started) * 1e9 / static_cast<double>(pair_.frames) << " ns for each of "
              << pair_.frames << " frames\n";
  }
  EXPECT_EQ(pair_.client.buffers().octets_in_use(), 0U);
  EXPECT_EQ(pair_.server.buffers().octets_in_use(), 0U);
  // An idle stack makes no wake-up, however many connections it has.
  EXPECT_FALSE(pair_.server.next_deadline() && *pair_.server.next_deadline() < pair_.now + 1s);
  for (std::size_t i = 0; i < count; ++i) {
    (void)pair_.client.sockets().close(pair_.now, pair_.callers[i]);
    (void)pair_.server.sockets().close(pair_.now, pair_.accepted[i]);
  }
  for (const auto listener : pair_.listeners) (void)pair_.server.sockets().close(pair_.now, listener);
  pair_.live(5min);  // TIME-WAIT
  pair_.take_events();
  for (const Stack* stack : {&pair_.client, &pair_.server}) {
    const auto left = stack->connections();
    EXPECT_EQ(left.size(), 0U) << "the first is " << to_string(left.front().state) << " " << left.front().id;
  }
}

}  // namespace
}  // namespace wireside::testing
