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

/// An operation with its handler, and the memory both live in. Derived: `take()`, a tuple of results beside the error.
template <class Derived, class Handler, class Executor>
class HandlerOperation : public Operation {
  using HandlerExecutor = boost::asio::associated_executor_t<Handler, Executor>;
  using BaseAllocator = boost::asio::associated_allocator_t<Handler, boost::asio::recycling_allocator<void>>;

 public:
  template <class... More>
  static Derived* create(Handler handler, const Executor& executor, More&&... more) {
    auto allocator = allocator_of(handler);
    Derived* memory = std::allocator_traits<decltype(allocator)>::allocate(allocator, 1);
    return new (memory) Derived(std::move(handler), executor, std::forward<More>(more)...);
  }

  [[nodiscard]] auto cancellation_slot() const { return boost::asio::get_associated_cancellation_slot(handler_); }

  void complete(Call call) override {
    clear_slot();
    Completion completion{std::move(handler_), std::tuple_cat(std::tuple{error_}, derived().take())};
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

 protected:
  HandlerOperation(Handler&& handler, const Executor& executor)
      : handler_{std::move(handler)}, work_{boost::asio::get_associated_executor(handler_, executor)} {}
  ~HandlerOperation() = default;

  void clear_slot() {
    auto slot = cancellation_slot();
    if (slot.is_connected()) slot.clear();
  }

 private:
  Derived& derived() { return static_cast<Derived&>(*this); }
  static auto allocator_of(const Handler& handler) {
    using Allocator = typename std::allocator_traits<BaseAllocator>::template rebind_alloc<Derived>;
    return Allocator{boost::asio::get_associated_allocator(handler, boost::asio::recycling_allocator<void>{})};
  }
  template <class Allocator>
  void release(Allocator allocator) {
    Derived* const memory = &derived();
    memory->~Derived();
    std::allocator_traits<Allocator>::deallocate(allocator, memory, 1);
  }

  Handler handler_;
  boost::asio::executor_work_guard<HandlerExecutor> work_;
};

/// Action: `bool operator()(SocketCore&, error_code&)` (true = finished) and `take()`, a tuple of further results.
template <class Handler, class Action, class Executor>
class OperationOf final : public HandlerOperation<OperationOf<Handler, Action, Executor>, Handler, Executor> {
  using Base = HandlerOperation<OperationOf, Handler, Executor>;

 public:
  OperationOf(Handler&& handler, const Executor& executor, Action&& action)
      : Base{std::move(handler), executor}, action_{std::move(action)} {}
  bool attempt(SocketCore& core) override { return action_(core, this->error_); }
  auto take() { return action_.take(); }

 private:
  Action action_;
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
