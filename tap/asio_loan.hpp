// Sending octets that stay the application's, from the call until the peer has acknowledged them.
#pragma once

#include <tuple>
#include <utility>

#include "asio_core.hpp"

namespace wireside::net::detail {

/// Waits as a socket's writer until the stack takes the octets, and then for their return.
template <class Handler, class Executor>
class LoanOperation final : public HandlerOperation<LoanOperation<Handler, Executor>, Handler, Executor>,
                            public LoanWait {
  using Base = HandlerOperation<LoanOperation, Handler, Executor>;

 public:
  LoanOperation(Handler&& handler, const Executor& executor, SocketCore& socket, ByteView octets)
      : Base{std::move(handler), executor}, LoanWait{socket}, octets_{octets} {}

  bool attempt(SocketCore& socket) override {
    const auto taken = socket.runtime().send_lent(socket.handle(), octets_, *this);
    if (!taken) return !socket.must_wait(taken.error(), this->error_);
    lent_ = true;
    socket.wait(*this);
    socket.kick();
    return true;
  }
  /// As a writer it is done; where the octets were lent, its handler is called when they come back.
  void complete(Operation::Call call) override {
    if (lent_ && !back_) return this->clear_slot();
    Base::complete(call);
  }
  void on_loan_returned(bool used) override {
    back_ = true;
    if (!used) this->error_ = unused_because();
    // Where all is ending, nothing is called from inside.
    Base::complete(used ? Operation::Call::Dispatched : Operation::Call::Posted);
  }
  void abandon() override { this->destroy(); }
  auto take() { return std::tuple{this->error_ ? std::size_t{0} : octets_.size()}; }

 private:
  ByteView octets_;
  bool lent_ = false;
  bool back_ = false;
};

template <class Handler, class Executor>
void initiate_loan(SocketCore* socket, Handler&& handler, ByteView octets, const Executor& executor) {
  error_code ec;
  using Op = LoanOperation<std::decay_t<Handler>, Executor>;
  Op* const op = Op::create(std::forward<Handler>(handler), executor, *socket, octets);
  if (!socket->may_start(SocketCore::Direction::Write, ec)) return op->complete_with(ec);
  if (octets.empty() || op->attempt(*socket)) return op->complete(Operation::Call::Posted);
  cancel_by_slot(*socket, *op);
  socket->wait(SocketCore::Direction::Write, op);
}

}  // namespace wireside::net::detail
