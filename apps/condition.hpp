// Waiting for what another coroutine of the same thread brings about, as with a condition variable.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <list>

namespace wireside::apps {

class Condition {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Condition(boost::asio::any_io_executor executor) : executor_{std::move(executor)} {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// Everybody who waits looks again, in the next turns of the loop.
  void notify() {
    for (auto& waiter : waiters_) waiter.cancel();
  }

  /// Returns as soon as `holds()` does; false when `until` comes first. Throws operation_aborted when cancelled. The
  /// condition outlives the wait.
  template <class Predicate>
  [[nodiscard]] boost::asio::awaitable<bool> wait(Predicate holds, Clock::time_point until = Clock::time_point::max()) {
    while (!holds()) {
      if (Clock::now() >= until) co_return false;
      const Waiting waiting{waiters_, executor_, until};
      (void)co_await waiting.timer().async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      const auto state = co_await boost::asio::this_coro::cancellation_state;
      if (state.cancelled() != boost::asio::cancellation_type::none) {
        throw boost::system::system_error{boost::asio::error::operation_aborted};
      }
    }
    co_return true;
  }

 private:
  using Timers = std::list<boost::asio::steady_timer>;
  class Waiting {
   public:
    Waiting(Timers& all, const boost::asio::any_io_executor& executor, Clock::time_point until)
        : all_{all}, own_{all.emplace(all.end(), executor, until)} {}
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { all_.erase(own_); }
    [[nodiscard]] boost::asio::steady_timer& timer() const { return *own_; }

   private:
    Timers& all_;
    Timers::iterator own_;
  };

  boost::asio::any_io_executor executor_;
  Timers waiters_;
};

}  // namespace wireside::apps
