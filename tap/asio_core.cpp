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

void SocketCore::start(Direction direction, Operation* operation) {
  Operation*& slot = direction == Direction::Read ? reader_ : writer_;
  if (!is_open()) return operation->complete_with(asio::error::bad_descriptor);
  if (slot != nullptr) return operation->complete_with(asio::error::already_started);
  if (operation->attempt(*this)) return operation->complete();
  slot = operation;
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
  if (event.readable || ended) retry(reader_);
  if (event.writable || event.connected || ended) retry(writer_);
}

void SocketCore::retry(Operation*& slot) {
  if (slot == nullptr || !slot->attempt(*this)) return;
  std::exchange(slot, nullptr)->complete();
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
}

}  // namespace wireside::net::detail
