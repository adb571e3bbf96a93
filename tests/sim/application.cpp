#include "sim/application.hpp"

#include <algorithm>

namespace wireside::testing {

void Application::start(Instant now, SocketHandle socket, bool connected) {
  socket_ = socket;
  started_ = true;
  connected_ = connected;
  next_write_ = now;
  next_read_ = now + plan_.reads_from;
}

void Application::fail_with(const std::string& what, Error error) {
  problem_ = what + ": " + std::string{errno_name(error)};
}

void Application::on_event(Instant now, const SocketEvent& event) {
  if (event.failed) {
    error_ = event.error;
    return;
  }
  if (event.connected) {
    connected_ = true;
    next_read_ = now + plan_.reads_from;
  }
  if (event.readable) can_read_ = true;
  if (event.writable) can_write_ = true;
}

bool Application::act(Instant now) {
  if (!started_ || !connected_ || closed_ || error_ || !problem_.empty()) return false;
  bool acted = false;
  if (can_write_ && now >= next_write_ && sent_ < plan_.octets && may_write()) acted |= write(now);
  if (can_read_ && now >= next_read_ && !eof_) acted |= read(now);
  return finish(now) || acted;
}

Instant Application::pause(Instant now, double probability) {
  return random_.chance(probability) ? now + random_.duration_below(plan_.longest_pause) : now;
}

bool Application::write(Instant now) {
  auto& sockets = stack_->sockets();
  const auto count = std::min<std::uint64_t>(plan_.octets - sent_, random_.between(1, plan_.largest_write));
  const auto octets = pattern_octets(sends_, sent_, count);
  std::size_t taken = count;
  Error error{};
  if (plan_.uses_slices) {
    const auto result = sockets.send_slice(now, socket_, stack_->buffers().copy(octets));
    if (!result) error = result.error(), taken = 0;
  } else {
    const auto result = sockets.send(now, socket_, octets);
    if (!result) error = result.error(), taken = 0;
    if (result) taken = *result;
  }
  if (taken == 0) {
    can_write_ = false;
    if (error != Error::WouldBlock) fail_with("send", error);
    return false;
  }
  sent_ += taken;
  next_write_ = pause(now, plan_.write_pause);
  return true;
}

void Application::verify(ByteView octets) {
  for (const std::uint8_t octet : octets) {
    if (octet != pattern_octet(receives_, received_)) {
      problem_ = "delivered octet " + std::to_string(received_) + " is not what the peer sent";
      return;
    }
    ++received_;
  }
}

bool Application::read(Instant now) {
  auto& sockets = stack_->sockets();
  const auto most = random_.between(1, plan_.largest_read);
  Error error{};
  bool ok = false;
  std::size_t count = 0;
  if (plan_.uses_slices) {
    const auto slice = sockets.receive_slice(now, socket_, most);
    ok = slice.has_value();
    if (ok) verify(slice->view());
    if (ok) count = slice->size();
    if (!ok) error = slice.error();
  } else {
    std::vector<std::uint8_t> octets(most);
    const auto result = sockets.receive(now, socket_, octets);
    ok = result.has_value();
    if (ok) count = *result;
    if (ok) verify(ByteView{octets}.first(count));
    if (!ok) error = result.error();
  }
  if (!ok) {
    can_read_ = false;
    if (error != Error::WouldBlock) fail_with("receive", error);
    return false;
  }
  eof_ = count == 0;
  next_read_ = pause(now, plan_.read_pause);
  return true;
}

/// Half-close when all is sent, close when the peer has ended too.
bool Application::finish(Instant now) {
  if (sent_ < plan_.octets || !problem_.empty()) return false;
  if (eof_) {  // close() sends the FIN itself where shutdown() has not
    closed_ = true;
    if (const auto r = stack_->sockets().close(now, socket_); !r) fail_with("close", r.error());
    return true;
  }
  if (shut_ || plan_.shuts_after_eof) return false;
  shut_ = true;
  if (const auto r = stack_->sockets().shutdown(now, socket_, Shutdown::Send); !r) fail_with("shutdown", r.error());
  return true;
}

Instant Application::next_action() const {
  if (!started_ || !connected_ || closed_ || error_ || !problem_.empty()) return Instant::max();
  Instant next = Instant::max();
  if (can_write_ && sent_ < plan_.octets && may_write()) next = std::min(next, next_write_);
  if (can_read_ && !eof_) next = std::min(next, next_read_);
  return next;
}

std::string Application::describe() const {
  return "sent " + std::to_string(sent_) + "/" + std::to_string(plan_.octets) + ", received " +
         std::to_string(received_) + (connected_ ? "" : ", not connected") + (shut_ ? ", shut" : "") +
         (eof_ ? ", eof" : "") + (closed_ ? ", closed" : "") +
         (error_ ? ", error " + std::string{errno_name(*error_)} : "") + (can_write_ ? "" : ", cannot write") +
         (can_read_ ? "" : ", cannot read");
}

}  // namespace wireside::testing
