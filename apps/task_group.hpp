// Coroutines that belong together: counted, cancelled together, waited for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <list>
#include <memory>
#include <utility>

#include "condition.hpp"

namespace wireside::apps {

/// What the tasks refer to must live until they have ended: cancel() and join() before it goes.
class TaskGroup {
 public:
  using Clock = Condition::Clock;

  explicit TaskGroup(const boost::asio::any_io_executor& executor)
      : executor_{executor}, state_{std::make_shared<State>(executor)} {}

  /// Starts the coroutine; an exception ends it quietly (cancellation is one).
  void spawn(boost::asio::awaitable<void> task) {
    const auto signal = state_->signals.emplace(state_->signals.end());
    boost::asio::co_spawn(
        executor_, std::move(task),
        boost::asio::bind_cancellation_slot(signal->slot(), [state = state_, signal](const std::exception_ptr&) {
          state->signals.erase(signal);  // operations post their handlers, so no emit() is on the stack here
          if (state->signals.empty()) state->empty.notify();
        }));
  }
  /// Every task's pending operation ends with operation_aborted.
  void cancel() {
    for (auto& signal : state_->signals) signal.emit(boost::asio::cancellation_type::terminal);
  }
  /// Waits until all tasks have ended, those too that are started meanwhile; false when `until` comes first. Throws
  /// operation_aborted when the one who waits is cancelled.
  [[nodiscard]] boost::asio::awaitable<bool> join(Clock::time_point until = Clock::time_point::max()) {
    const auto state = state_;
    co_return co_await state->empty.wait([&] { return state->signals.empty(); }, until);
  }
  [[nodiscard]] std::size_t size() const { return state_->signals.size(); }

 private:
  struct State {
    explicit State(const boost::asio::any_io_executor& executor) : empty{executor} {}
    std::list<boost::asio::cancellation_signal> signals;
    Condition empty;
  };
  boost::asio::any_io_executor executor_;
  std::shared_ptr<State> state_;
};

}  // namespace wireside::apps
