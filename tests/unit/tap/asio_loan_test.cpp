// Octets that stay the application's from the call until the peer has acknowledged them.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "asio_lab.hpp"

namespace wireside::test {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets numbered(std::size_t count, std::uint8_t first) {
  Octets octets(count);
  for (std::size_t i = 0; i < count; ++i) octets[i] = static_cast<std::uint8_t>(first + i % 251);
  return octets;
}

struct Outcome {
  net::error_code ec;
  std::size_t octets = 0;
  bool operator==(const Outcome&) const = default;
};

/// Lends to the near socket.
struct Lending : Connected {
  auto into(std::optional<Outcome>& outcome) {
    return [&outcome](net::error_code ec, std::size_t n) { outcome = Outcome{ec, n}; };
  }
  /// What the far socket gets.
  Octets read(std::size_t count) {
    Octets got;
    Octets room(65536);
    for (int tries = 0; got.size() < count && tries < 1000; ++tries) {
      net::error_code ec;
      const std::size_t n = far->read_some(asio::buffer(room), ec);
      got.insert(got.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
      turn(1ms);
    }
    return got;
  }
};

TAP_TEST(AsioLoans, CompleteInOrderWhenThePeerHasAcknowledged) {
  Lending c;
  const Octets first = numbered(100'000, 0), second = numbered(50'000, 7);
  std::vector<int> order;
  const auto note = [&](int which, std::size_t size) {
    return [&order, which, size](net::error_code ec, std::size_t n) {
      EXPECT_FALSE(ec) << ec.message();
      EXPECT_EQ(n, size);
      order.push_back(which);
    };
  };
  c.near->async_send_lent(asio::buffer(first), note(1, first.size()));
  c.near->async_send_lent(asio::buffer(second), note(2, second.size()));
  EXPECT_TRUE(order.empty()) << "a handler never runs inside the call that starts the operation";
  Octets expected = first;
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(c.read(expected.size()), expected);
  c.turn(50ms);
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TAP_TEST(AsioLoans, WaitsWhileThePeerTakesNothing) {
  Lending c;
  const Octets much = numbered(8'000'000, 3);
  std::optional<Outcome> outcome;
  c.near->async_send_lent(asio::buffer(much), c.into(outcome));
  c.turn(50ms);
  EXPECT_FALSE(outcome) << "the peer's window holds less";
  EXPECT_EQ(c.read(much.size()), much);
  c.turn(50ms);
  EXPECT_EQ(outcome, (Outcome{{}, much.size()}));
}

TAP_TEST(AsioLoans, FewOctetsAreCopied) {
  Lending c;
  Octets few = numbered(100, 1);
  std::optional<Outcome> outcome;
  c.near->async_send_lent(asio::buffer(few), c.into(outcome));
  c.context.restart();
  c.context.poll();
  EXPECT_EQ(outcome, (Outcome{{}, 100}));
  std::fill(few.begin(), few.end(), std::uint8_t{0});
  EXPECT_EQ(c.read(100), numbered(100, 1));
  outcome.reset();
  c.near->async_send_lent(asio::const_buffer{}, c.into(outcome));
  c.turn(10ms);
  EXPECT_EQ(outcome, (Outcome{{}, 0}));
}

TAP_TEST(AsioLoans, WaitingForRoomIsTheWritingOperationAndCanBeCancelled) {
  Lending c;
  const Octets much = numbered(8'000'000, 3);
  std::optional<Outcome> under_way, waiting, refused;
  c.near->async_send_lent(asio::buffer(much), c.into(under_way));
  c.turn(20ms);
  asio::cancellation_signal signal;
  c.near->async_send_lent(asio::buffer(much), asio::bind_cancellation_slot(signal.slot(), c.into(waiting)));
  c.near->async_send_lent(asio::buffer(much), c.into(refused));
  c.turn(20ms);
  EXPECT_EQ(refused, (Outcome{asio::error::already_started, 0}));
  EXPECT_FALSE(waiting);
  signal.emit(asio::cancellation_type::total);
  c.turn(20ms);
  EXPECT_EQ(waiting, (Outcome{asio::error::operation_aborted, 0}));
  c.near->cancel();  // what is under way is not the socket's to call back
  c.turn(20ms);
  EXPECT_FALSE(under_way);
  EXPECT_EQ(c.read(much.size()), much);
  c.turn(50ms);
  EXPECT_EQ(under_way, (Outcome{{}, much.size()}));
}

TAP_TEST(AsioLoans, WhatWaitedForRoomIsSentLater) {
  Lending c;
  const Octets much = numbered(4'000'000, 3), more = numbered(10'000, 9);
  std::optional<Outcome> first, second;
  c.near->async_send_lent(asio::buffer(much), c.into(first));
  c.near->async_send_lent(asio::buffer(more), c.into(second));
  Octets expected = much;
  expected.insert(expected.end(), more.begin(), more.end());
  EXPECT_EQ(c.read(expected.size()), expected);
  c.turn(50ms);
  EXPECT_EQ(first, (Outcome{{}, much.size()}));
  EXPECT_EQ(second, (Outcome{{}, more.size()}));
}

TAP_TEST(AsioLoans, AClosedSocketGoesOnSending) {
  Lending c;
  const Octets much = numbered(4'000'000, 3);
  std::optional<Outcome> outcome;
  c.near->async_send_lent(asio::buffer(much), c.into(outcome));
  c.turn(20ms);
  c.near.reset();
  c.turn(20ms);
  EXPECT_FALSE(outcome);
  EXPECT_EQ(c.read(much.size()), much);
  c.turn(50ms);
  EXPECT_EQ(outcome, (Outcome{{}, much.size()}));
}

TAP_TEST(AsioLoans, AnAbortGivesThemBackWithAnError) {
  Lending c;
  const Octets much = numbered(4'000'000, 3);
  std::optional<Outcome> outcome;
  c.near->async_send_lent(asio::buffer(much), c.into(outcome));
  c.turn(20ms);
  c.near->abort();
  EXPECT_FALSE(outcome);
  c.turn(20ms);
  EXPECT_EQ(outcome, (Outcome{asio::error::operation_aborted, 0}));
}

TAP_TEST(AsioLoans, APeersResetSaysSo) {
  Lending c;
  const Octets much = numbered(4'000'000, 3);
  std::optional<Outcome> outcome, later;
  c.near->async_send_lent(asio::buffer(much), c.into(outcome));
  c.turn(20ms);
  c.far->abort();
  c.turn(20ms);
  EXPECT_EQ(outcome, (Outcome{asio::error::connection_reset, 0}));
  c.near->async_send_lent(asio::buffer(much), c.into(later));
  c.turn(20ms);
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->ec);
}

TAP_TEST(AsioLoans, ARuntimeThatGoesGivesThemBack) {
  Lending c;
  const Octets much = numbered(4'000'000, 3);
  std::optional<Outcome> outcome, waiting;
  c.near->async_send_lent(asio::buffer(much), c.into(outcome));
  c.turn(20ms);
  c.near->async_send_lent(asio::buffer(much), c.into(waiting));
  c.runtime.reset();
  EXPECT_FALSE(outcome || waiting);
  c.context.restart();
  c.context.run();  // returns: nothing waits any more
  EXPECT_EQ(outcome, (Outcome{asio::error::operation_aborted, 0}));
  EXPECT_EQ(waiting, (Outcome{asio::error::operation_aborted, 0}));
}

TAP_TEST(AsioLoans, AContextThatGoesDropsHandlersUncalled) {
  bool called = false;
  const auto alive = std::make_shared<int>();
  const Octets much = numbered(4'000'000, 3);
  {
    Lending c;
    c.near->async_send_lent(asio::buffer(much), [&called, alive](net::error_code, std::size_t) { called = true; });
    c.turn(20ms);
    EXPECT_EQ(alive.use_count(), 2);
    c.near.reset();
    c.far.reset();
  }
  EXPECT_FALSE(called);
  EXPECT_EQ(alive.use_count(), 1);
}

TAP_TEST(AsioLoans, AHandlerMayEndTheRuntimeOrThrow) {
  Lending c;
  const Octets some = numbered(10'000, 3);
  c.near->async_send_lent(asio::buffer(some), [](net::error_code, std::size_t) { throw std::runtime_error{"mine"}; });
  EXPECT_THROW(c.turn(50ms), std::runtime_error);
  bool ended = false;
  c.near->async_send_lent(asio::buffer(some), [&](net::error_code, std::size_t) {
    c.runtime.reset();
    ended = true;
  });
  c.turn(50ms);
  EXPECT_TRUE(ended);
}

TAP_TEST(AsioLoans, ACoroutineSendsTheSameBufferAgainAndAgain) {
  Lending c;
  int rounds = 0;
  const auto sender = [&]() -> asio::awaitable<void> {
    Octets buffer(20'000);
    for (; rounds < 50; ++rounds) {
      std::fill(buffer.begin(), buffer.end(), static_cast<std::uint8_t>(rounds));
      co_await c.near->async_send_lent(asio::buffer(buffer), asio::use_awaitable);
    }
  };
  asio::co_spawn(c.context, sender(), asio::detached);
  const Octets got = c.read(50 * 20'000);
  ASSERT_EQ(got.size(), 1'000'000U);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], i / 20'000);
  EXPECT_EQ(rounds, 50);
}

}  // namespace
}  // namespace wireside::test
