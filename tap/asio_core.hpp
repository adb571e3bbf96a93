// What every Asio socket object holds: its handle in the socket table and the operations that wait on it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution_context.hpp>
#include <memory>
#include <optional>

#include "asio_operation.hpp"
#include "base/intrusive_list.hpp"
#include "runtime.hpp"

namespace wireside::net::detail {

struct CoreTag;

class CoreRegistry;
class SocketCore;

struct LoansOfSocketTag;
struct LoansTag;

/// An operation whose octets are on loan: nothing but their return ends it. It outlives its socket.
class LoanWait : public LoanListener, public ListNode<LoansOfSocketTag>, public ListNode<LoansTag> {
 public:
  /// The execution context goes: the handler is dropped.
  virtual void abandon() = 0;

 protected:
  explicit LoanWait(SocketCore& socket) : socket_{&socket} {}
  ~LoanWait() = default;
  /// Why the octets were not used up: what the socket failed with, or operation_aborted where it was closed.
  [[nodiscard]] error_code unused_because() const;

 private:
  SocketCore* socket_;  // gone when this is in no list of its
};

/// One socket: at most one reading and one writing operation at a time (connect counts as writing, accept as reading).
/// Lives at a fixed address, because the runtime and cancellation slots point at it.
class SocketCore final : public SocketListener, public ListNode<CoreTag> {
 public:
  enum class Direction : std::uint8_t { Read, Write };

  SocketCore(Runtime& runtime, boost::asio::any_io_executor executor, SocketKind kind);
  /// A closed socket of the same runtime, executor and kind. The runtime may be gone already.
  explicit SocketCore(const SocketCore& like);
  SocketCore& operator=(const SocketCore&) = delete;
  ~SocketCore() override;

  [[nodiscard]] Runtime& runtime() { return *runtime_; }
  [[nodiscard]] SocketTable& table() { return runtime_->sockets(); }
  [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }
  [[nodiscard]] SocketHandle handle() const { return handle_; }
  [[nodiscard]] bool is_open() const { return handle_.is_valid() && !lifetime_.expired(); }

  [[nodiscard]] Result<void> open();
  /// Takes over a socket made by accept.
  void assign(SocketHandle handle);
  /// Orderly close in the background (or abort); waiting operations end with operation_aborted.
  Result<void> close(bool abort);
  /// Waiting operations end with operation_aborted; the socket stays as it is.
  void cancel();

  /// False, and the error, where no operation may begin: the socket is closed, or another one waits.
  [[nodiscard]] bool may_start(Direction direction, error_code& ec) const;
  /// Keeps an operation that cannot finish now until an event lets it.
  void wait(Direction direction, Operation* operation);
  /// Ends the operation, if it is still waiting, with operation_aborted.
  void cancel_operation(Operation* operation);

  /// After a socket call: lets the runtime send what the call made.
  void kick() { runtime_->schedule_output(); }
  /// True when `e` means "wait"; otherwise sets `ec`. A socket that has failed never waits.
  [[nodiscard]] bool must_wait(Error e, error_code& ec) const;
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::optional<Error> failure() const { return failure_; }
  /// Keeps an operation until its loan comes back.
  void wait(LoanWait& loan);

  void on_socket_event(const SocketEvent& event) override;
  void on_runtime_end() override { (void)close(false); }

 private:
  friend class CoreRegistry;
  [[nodiscard]] Operation* take_if_finished(Operation*& slot);
  void abandon_operations();

  Runtime* runtime_;
  std::weak_ptr<const void> lifetime_;
  CoreRegistry* registry_;
  boost::asio::any_io_executor executor_;
  SocketKind kind_;
  SocketHandle handle_;
  Operation* reader_ = nullptr;
  Operation* writer_ = nullptr;
  IntrusiveList<LoanWait, LoansOfSocketTag> loans_;
  std::optional<Error> failure_;
  bool connected_ = false;
};

/// Knows every SocketCore of an execution context, to drop waiting handlers when the context goes: a handler may own
/// the very socket it waits on, and nothing else would ever break that circle.
class CoreRegistry final : public boost::asio::execution_context::service {
 public:
  static boost::asio::execution_context::id id;
  using key_type = CoreRegistry;
  explicit CoreRegistry(boost::asio::execution_context& context) : service{context} {}
  void add(SocketCore& core) { cores_.push_back(core); }
  void add(LoanWait& loan) { loans_.push_back(loan); }

 private:
  void shutdown() override;
  IntrusiveList<SocketCore, CoreTag> cores_;
  IntrusiveList<LoanWait, LoansTag> loans_;
};

/// An operation that waits has moved no octets, so even total cancellation can be granted.
template <class Op>
void cancel_by_slot(SocketCore& core, Op& operation) {
  auto slot = operation.cancellation_slot();
  if (!slot.is_connected()) return;
  slot.assign([core = &core, operation = &operation](boost::asio::cancellation_type type) {
    using enum boost::asio::cancellation_type;
    if ((type & (terminal | partial | total)) != none) core->cancel_operation(operation);
  });
}

/// The body of every initiating function: posts the handler of what finishes at once, and keeps the rest.
template <class Handler, class Action, class Executor>
void initiate(SocketCore* core, SocketCore::Direction direction, Handler&& handler, Action action,
              const Executor& executor) {
  error_code ec;
  if (!core->may_start(direction, ec) || action(*core, ec)) {
    Completion completion{std::forward<Handler>(handler), std::tuple_cat(std::tuple{ec}, action.take())};
    const auto target = boost::asio::get_associated_executor(completion.handler, executor);
    return boost::asio::post(target, std::move(completion));
  }
  using Op = OperationOf<std::decay_t<Handler>, Action, Executor>;
  Op* op = Op::create(std::forward<Handler>(handler), executor, std::move(action));
  cancel_by_slot(*core, *op);
  core->wait(direction, op);
}

}  // namespace wireside::net::detail
