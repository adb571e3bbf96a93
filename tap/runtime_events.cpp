// What the application hears from the loop: readiness of its sockets, loans that are over, news of addresses and DHCP.
#include <boost/asio/post.hpp>
#include <cstdint>
#include <exception>

#include "runtime_impl.hpp"

namespace wireside {
namespace {
constexpr std::size_t events_per_turn = 1024;
}  // namespace

/// What the application throws leaves the event loop by a handler of its own, and the turn goes on.
template <class Tell>
void Runtime::Impl::call_application(Tell tell) {
  asio::io_context& context = context_;
  try {
    tell();
  } catch (...) {
    asio::post(context, [thrown = std::current_exception()] { std::rethrow_exception(thrown); });
  }
}

/// What follows every exchange with the stack. False if a handler of the application has ended this object.
bool Runtime::Impl::settle() {
  if (!tell_owner() || !dispatch_events() || !return_loans()) return false;
  arm_timer();
  return true;
}

/// News that concern no socket. False if a handler of the application has ended this object.
bool Runtime::Impl::tell_owner() {
  const std::weak_ptr<char> alive{alive_};
  // Copies: a handler may take itself off.
  while (const auto news = stack_.poll_address_event()) {
    const auto handler = on_address_event_;
    if (handler) call_application([&] { handler(*news); });
    if (alive.expired()) return false;
  }
  while (const auto change = stack_.poll_dhcp_change()) {
    const auto handler = on_dhcp_change_;
    if (handler) call_application([&] { handler(*change); });
    if (alive.expired()) return false;
  }
  return true;
}

/// False if a handler of the application has ended this object.
bool Runtime::Impl::dispatch_events() {
  const std::weak_ptr<char> alive{alive_};
  for (std::size_t n = 0; n < events_per_turn; ++n) {
    const auto event = stack_.poll_event();
    if (!event) return true;
    tell_listener(*event);
    if (alive.expired()) return false;
  }
  schedule_output();
  return true;
}

/// False if a handler of the application has ended this object.
bool Runtime::Impl::return_loans() {
  const std::weak_ptr<char> alive{alive_};
  while (const auto loan = stack_.buffers().poll_returned()) {
    auto* const lender = reinterpret_cast<LoanListener*>(static_cast<std::uintptr_t>(loan->ticket));
    lender->unlink();
    call_application([&] { lender->on_loan_returned(loan->used); });
    if (alive.expired()) return false;
  }
  return true;
}

Result<void> Runtime::Impl::send_lent(SocketHandle socket, ByteView octets, LoanListener& listener) {
  if (octets.size() > UINT32_MAX) return fail(Error::MessageTooLong);
  Slice loan = stack_.buffers().lend(octets, reinterpret_cast<std::uintptr_t>(&listener));
  const auto sent = stack_.sockets().send_slice(now(), socket, loan);
  if (sent) {
    loans_.push_back(listener);
  } else {
    BufferPool::take_back(std::move(loan));
  }
  return sent;
}

void Runtime::Impl::tell_listener(const SocketEvent& event) {
  const SocketHandle h = event.socket;
  if (h.index >= watches_.size()) return;
  const Watch& w = watches_[h.index];
  if (w.listener == nullptr || w.generation != h.generation) return;
  call_application([&] { w.listener->on_socket_event(event); });
}

void Runtime::Impl::report_fatal() {
  if (!gone_ || !on_fatal_) return;
  asio::post(context_, [handler = std::exchange(on_fatal_, nullptr), message = fatal_message_] { handler(message); });
}

void Runtime::Impl::watch(SocketHandle socket, SocketListener* listener) {
  if (!socket.is_valid()) return;
  if (socket.index >= watches_.size()) watches_.resize(std::max<std::size_t>(socket.index + 1, watches_.size() * 2));
  watches_[socket.index] = {socket.generation, listener};
}

void Runtime::Impl::unwatch(SocketHandle socket) {
  if (socket.index >= watches_.size()) return;
  Watch& w = watches_[socket.index];
  if (w.generation == socket.generation) w.listener = nullptr;
}

void Runtime::Impl::tell_listeners_of_the_end() {
  for (std::size_t i = 0; i < watches_.size(); ++i) {  // a listener may unwatch others
    if (SocketListener* listener = std::exchange(watches_[i].listener, nullptr)) listener->on_runtime_end();
  }
}

}  // namespace wireside
