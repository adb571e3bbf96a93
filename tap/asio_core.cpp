#include "asio_core.hpp"

namespace wireside::net::detail {

namespace asio = boost::asio;

asio::execution_context::id CoreRegistry::id;

SocketCore::SocketCore(Runtime& runtime, asio::any_io_executor executor, SocketKind kind)
    : runtime_{&runtime},
      lifetime_{runtime.lifetime()},
      registry_{&asio::use_service<CoreRegistry>(runtime.context())},
      executor_{std::move(executor)},
      kind_{kind} {
  registry_->add(*this);
}

SocketCore::SocketCore(const SocketCore& like)
    : SocketListener{},
      ListNode<CoreTag>{},
      runtime_{like.runtime_},
      lifetime_{like.lifetime_},
      registry_{like.registry_},
      executor_{like.executor_},
      kind_{like.kind_} {
  registry_->add(*this);
}

SocketCore::~SocketCore() { (void)close(false); }

Result<void> SocketCore::open() {
  if (lifetime_.expired()) return fail(Error::NetworkDown);
  if (is_open()) return fail(Error::InvalidArgument);
  const auto handle = table().open(kind_);
  if (!handle) return fail(handle.error());
  assign(*handle);
  return {};
}

void SocketCore::assign(SocketHandle handle) {
  handle_ = handle;
  failure_.reset();
  connected_ = false;
  runtime_->watch(handle_, this);
}

Result<void> SocketCore::close(bool abort) {
  const SocketHandle handle = std::exchange(handle_, {});
  Result<void> result{};
  if (handle.is_valid() && !lifetime_.expired()) {
    runtime_->unwatch(handle);
    const Instant now = runtime_->now();
    result = abort ? table().abort(now, handle) : table().close(now, handle);
    kick();
  }
  cancel();
  return result;
}

void SocketCore::cancel() {
  // Both are taken first: completing moves handlers, and a handler's move may run arbitrary code.
  Operation* const reader = std::exchange(reader_, nullptr);
  Operation* const writer = std::exchange(writer_, nullptr);
  if (reader != nullptr) reader->complete_with(asio::error::operation_aborted);
  if (writer != nullptr) writer->complete_with(asio::error::operation_aborted);
}

bool SocketCore::may_start(Direction direction, error_code& ec) const {
  if (!is_open()) {
    ec = asio::error::bad_descriptor;
  } else if ((direction == Direction::Read ? reader_ : writer_) != nullptr) {
    ec = asio::error::already_started;
  }
  return !ec;
}

void SocketCore::wait(Direction direction, Operation* operation) {
  (direction == Direction::Read ? reader_ : writer_) = operation;
}

void SocketCore::wait(LoanWait& loan) {
  loans_.push_back(loan);
  registry_->add(loan);
}

error_code LoanWait::unused_because() const {
  const bool socket_lives = static_cast<const ListNode<LoansOfSocketTag>&>(*this).is_linked();
  const auto failure = socket_lives ? socket_->failure() : std::nullopt;
  return failure ? to_error_code(*failure) : error_code{asio::error::operation_aborted};
}

void SocketCore::cancel_operation(Operation* operation) {
  if (reader_ == operation) {
    reader_ = nullptr;
  } else if (writer_ == operation) {
    writer_ = nullptr;
  } else {
    return;
  }
  operation->complete_with(asio::error::operation_aborted);
}

bool SocketCore::must_wait(Error e, error_code& ec) const {
  if (e == Error::WouldBlock && !failure_) return true;
  ec = to_error_code(e == Error::WouldBlock ? *failure_ : e);
  return false;
}

void SocketCore::on_socket_event(const SocketEvent& event) {
  if (event.failed) failure_ = event.error;
  if (event.connected) connected_ = true;
  const bool ended = event.failed || event.closed;
  Operation* const reader = event.readable || ended ? take_if_finished(reader_) : nullptr;
  Operation* const writer = event.writable || event.connected || ended ? take_if_finished(writer_) : nullptr;
  // Nothing of this object may be touched once a handler has been called: it may be gone.
  if (reader != nullptr) reader->complete(Operation::Call::Dispatched);
  if (writer != nullptr) writer->complete(Operation::Call::Dispatched);
}

Operation* SocketCore::take_if_finished(Operation*& slot) {
  return slot != nullptr && slot->attempt(*this) ? std::exchange(slot, nullptr) : nullptr;
}

void SocketCore::abandon_operations() {
  Operation* const reader = std::exchange(reader_, nullptr);
  Operation* const writer = std::exchange(writer_, nullptr);
  // Either handler may own this socket: nothing of it may be touched once the first is gone.
  if (reader != nullptr) reader->destroy();
  if (writer != nullptr) writer->destroy();
}

void CoreRegistry::shutdown() {
  while (SocketCore* core = cores_.pop_front()) core->abandon_operations();
  while (LoanWait* loan = loans_.pop_front()) loan->abandon();
}

}  // namespace wireside::net::detail
