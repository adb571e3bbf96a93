// An idle connection is ESTABLISHED, with nothing queued and nothing in flight. It costs 512 octets at most: its state,
// timers, place in the demultiplexing table, handle, entry of the socket table, and the slot of the runtime's
// listeners.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "memory/counted_memory.hpp"
#include "support/stack_pair.hpp"

namespace wireside::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most = 512;
/// The runtime's: a generation and a pointer, in a vector that may be twice as large as what it holds.
constexpr std::size_t watch_slot = 2 * 2 * sizeof(void*);

class IdleConnections : public ::testing::Test {
 protected:
  /// WIRESIDE_MEMORY_CONNECTIONS=N; below a thousand or so, what the stacks keep ready for any number counts too much.
  static std::size_t wanted() {
    const char* text = std::getenv("WIRESIDE_MEMORY_CONNECTIONS");
    return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : 10'000;
  }
  void SetUp() override {
    pair_.meet();
    pair_.callers.reserve(wanted());
    pair_.accepted.reserve(wanted());
    before_ = octets_allocated();
  }
  /// For each end of a connection.
  std::size_t each() const { return (octets_allocated() - before_) / (2 * pair_.callers.size()) + watch_slot; }
  void tell(const char* what) const {
    std::cout << each() << " octets for each end of " << pair_.callers.size() << " connections that " << what << "\n";
    RecordProperty("octets", static_cast<int>(each()));
  }
  /// Both ends of each connection send so many octets to the other.
  void talk(std::size_t octets) {
    std::vector<std::uint8_t> data(octets, 0x5a);
    for (std::size_t i = 0; i < pair_.callers.size(); ++i) {
      say(pair_.client, pair_.callers[i], data);
      pair_.exchange();
      hear(octets);
      if (HasFatalFailure()) return;
    }
    pair_.take_events();
    pair_.live(1s);
  }

  StackPair pair_;
  std::size_t before_ = 0;

 private:
  void say(Stack& from, SocketHandle socket, ByteView data) {
    ASSERT_TRUE(from.sockets().send(pair_.now, socket, data));
  }
  /// Whoever has octets to take sends them back, the client not.
  void hear(std::size_t octets) {
    std::vector<std::uint8_t> taken(octets);
    for (std::size_t back = 0; back < octets; pair_.exchange()) {
      for (Stack* const stack : {&pair_.server, &pair_.client}) {
        while (const auto event = stack->poll_event()) {
          if (!event->readable) continue;
          while (const auto n = stack->sockets().receive(pair_.now, event->socket, taken)) {
            if (*n == 0) break;
            if (stack == &pair_.client) back += *n;
            if (stack == &pair_.server) say(*stack, event->socket, {taken.data(), *n});
          }
        }
      }
    }
  }
};

TEST_F(IdleConnections, AfterTheHandshake) {
  pair_.open(wanted());
  pair_.live(2min);
  tell("have carried nothing");
  EXPECT_LE(each(), most);
}

TEST_F(IdleConnections, WithKeepAlive) {
  pair_.open(wanted());
  for (std::size_t i = 0; i < pair_.callers.size(); ++i) {
    for (auto* const stack : {&pair_.client, &pair_.server}) {
      const SocketHandle socket = stack == &pair_.client ? pair_.callers[i] : pair_.accepted[i];
      auto options = stack->sockets().stream_options(socket).value();
      options.keep_alive = true;
      ASSERT_TRUE(stack->sockets().set_stream_options(pair_.now, socket, options));
    }
  }
  pair_.live(2min);
  tell("are kept alive");
  EXPECT_LE(each(), most);
}

TEST_F(IdleConnections, AfterAQuestionAndAnAnswer) {
  pair_.open(wanted());
  talk(1000);
  tell("have carried 1,000 octets each way");
  EXPECT_LE(each(), most);
}

// The congestion windows have grown, HyStart++ has taken its samples, buffers were tuned.
TEST_F(IdleConnections, AfterManyOctets) {
  pair_.open(wanted());
  talk(200'000);
  tell("have carried 200,000 octets each way");
  EXPECT_LE(each(), most);
}

// As a program does that asks one socket after the other, whether there is something to do.
TEST_F(IdleConnections, WhenTheyAreAskedHowTheyAre) {
  pair_.open(wanted());
  talk(1000);
  std::size_t writable = 0;
  for (const SocketHandle socket : pair_.accepted) {
    SocketTable& table = pair_.server.sockets();
    writable += table.is_writable(socket) && !table.is_readable(socket) && table.status(socket).has_value();
  }
  EXPECT_EQ(writable, pair_.accepted.size());
  tell("were asked how they are");
  EXPECT_LE(each(), most);
}

}  // namespace
}  // namespace wireside::testing
