// One pending asynchronous operation: its handler, its try-again step, and the memory both live in.
#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <memory>
#include <tuple>
#include <utility>

#include "asio_error.hpp"

namespace wireside::net::detail {

class SocketCore;

/// An operation waits in a SocketCore until attempt() says that it is finished; then exactly one of complete() and
/// destroy() is called, and both free it.
class Operation {
 public:
  /// How a handler is called.
  enum class Call : std::uint8_t {
    Posted,      ///< never inside the caller
    Dispatched,  ///< at once where its executor allows that: it may do anything, even end the Runtime
  };
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  /// Tries to finish; false = would block, try again at the next readiness event.
  [[nodiscard]] virtual bool attempt(SocketCore& core) = 0;
  /// Calls the handler with the outcome.
  virtual void complete(Call call) = 0;
  /// Drops the handler without calling it (the execution context is shutting down).
  virtual void destroy() = 0;
  /// Ends with an error instead of an outcome.
  void complete_with(error_code ec) {
    error_ = ec;
    complete(Call::Posted);
  }

 protected:
  Operation() = default;
  ~Operation() = default;
  error_code error_;
};

/// The handler with its results, ready to be handed to the handler's executor; keeps the handler's allocator.
template <class Handler, class... Results>
struct Completion {
  Handler handler;
  std::tuple<error_code, Results...> results;
  void operator()() { std::apply(std::move(handler), std::move(results)); }
};

template <class Handler, class... Results>
Completion(Handler, std::tuple<error_code, Results...>) -> Completion<Handler, Results...>;

/// Action: `bool operator()(SocketCore&, error_code&)` (true = finished) and `take()`, a tuple of further results.
template <class Handler, class Action, class Executor>
class OperationOf final : public Operation {
  using HandlerExecutor = boost::asio::associated_executor_t<Handler, Executor>;
  using BaseAllocator = boost::asio::associated_allocator_t<Handler, boost::asio::recycling_allocator<void>>;
  using Allocator = typename std::allocator_traits<BaseAllocator>::template rebind_alloc<OperationOf>;

 public:
  static OperationOf* create(Handler handler, Action action, const Executor& executor) {
    Allocator allocator{allocator_of(handler)};
    OperationOf* memory = std::allocator_traits<Allocator>::allocate(allocator, 1);
    return new (memory) OperationOf(std::move(handler), std::move(action), executor);
  }

  [[nodiscard]] auto cancellation_slot() const { return boost::asio::get_associated_cancellation_slot(handler_); }
  bool attempt(SocketCore& core) override { return action_(core, error_); }

  void complete(Call call) override {
    clear_slot();
    Completion completion{std::move(handler_), std::tuple_cat(std::tuple{error_}, action_.take())};
    const auto work = std::move(work_);
    release(allocator_of(completion.handler));
    const auto executor = work.get_executor();
    if (call == Call::Posted) {
      boost::asio::post(executor, std::move(completion));
    } else {
      boost::asio::dispatch(executor, std::move(completion));
    }
  }

  void destroy() override {
    clear_slot();
    Handler doomed{std::move(handler_)};
    release(allocator_of(doomed));
  }

 private:
  OperationOf(Handler&& handler, Action&& action, const Executor& executor)
      : handler_{std::move(handler)},
        action_{std::move(action)},
        work_{boost::asio::get_associated_executor(handler_, executor)} {}
  ~OperationOf() = default;

  static Allocator allocator_of(const Handler& handler) {
    return Allocator{boost::asio::get_associated_allocator(handler, boost::asio::recycling_allocator<void>{})};
  }
  void clear_slot() {
    auto slot = cancellation_slot();
    if (slot.is_connected()) slot.clear();
  }
  void release(Allocator allocator) {
    this->~OperationOf();
    std::allocator_traits<Allocator>::deallocate(allocator, this, 1);
  }

  Handler handler_;
  Action action_;
  boost::asio::executor_work_guard<HandlerExecutor> work_;
};

}  // namespace wireside::net::detail

// Not its executor: the completion is handed to that already, and Asio would go through it a second time.
template <class Handler, class... Results, class Default>
struct boost::asio::associated_allocator<wireside::net::detail::Completion<Handler, Results...>, Default> {
  using type = boost::asio::associated_allocator_t<Handler, Default>;
  static type get(const wireside::net::detail::Completion<Handler, Results...>& c,
                  const Default& d = Default()) noexcept {
    return boost::asio::get_associated_allocator(c.handler, d);
  }
};
