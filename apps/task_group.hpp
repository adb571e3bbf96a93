// Coroutines that belong together: counted, cancelled together, waited for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <list>
#include <memory>
#include <utility>

namespace wireside::apps {

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor) : executor_{std::move(executor)} {}

  /// Starts the coroutine; an exception ends it quietly (cancellation is one).
  void spawn(boost::asio::awaitable<void> task) {
    auto signals = signals_;
    const auto signal = signals->emplace(signals->end());
    boost::asio::co_spawn(
        executor_, std::move(task),
        boost::asio::bind_cancellation_slot(signal->slot(), [signals, signal](const std::exception_ptr&) {
          signals->erase(signal);  // operations post their handlers, so no emit() is on the stack here
        }));
  }
  /// Every task's pending operation ends with operation_aborted.
  void cancel() {
    for (auto& signal : *signals_) signal.emit(boost::asio::cancellation_type::terminal);
  }
  [[nodiscard]] std::size_t size() const { return signals_->size(); }

 private:
  using Signals = std::list<boost::asio::cancellation_signal>;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<Signals> signals_ = std::make_shared<Signals>();
};

}  // namespace wireside::apps
