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

bool Application::expects(Error error) const {
  // A server that leaves while it has only the data of a SYN refuses, as its client sees it.
  const bool refused = error == Error::ConnectionRefused && plan_.sends_early && !connected_;
  return reset_expected_ && (error == Error::ConnectionReset || error == Error::BrokenPipe || refused);
}

void Application::fail_with(const std::string& what, Error error) {
  if (expects(error)) {
    error_ = error;
    return;
  }
  problem_ = what + ": " + std::string{errno_name(error)};
}

std::vector<std::uint8_t> Application::take_early_data() {
  if (!plan_.sends_early || !may_write()) return {};
  const std::uint64_t room = plan_.options.send_buffer == 0 ? 500'000 : plan_.options.send_buffer;
  const auto count = std::min({plan_.octets, random_.between(1, plan_.largest_write), room});
  sent_ = count;
  return pattern_octets(sends_, 0, count);
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
  if (!started_ || closed_ || !problem_.empty()) return false;
  if (error_ && reset_expected_) {  // the connection is over, the socket still to be read and to be given up
    while (connected_ && !eof_ && read(now)) continue;
    closed_ = true;
    std::ignore = stack_->sockets().close(now, socket_);
    return true;
  }
  if (!connected_ || error_) return false;
  if (leave(now)) return true;
  bool acted = false;
  if (can_write_ && now >= next_write_ && sent_ < plan_.octets && may_write()) acted |= write(now);
  if (can_read_ && now >= next_read_ && !eof_) acted |= read(now);
  return finish(now) || acted;
}

Instant Application::pause(Instant now, double probability) {
  return random_.chance(probability) ? now + random_.duration_below(plan_.longest_pause) : now;
}

bool Application::leave(Instant now) {
  if (!plan_.leaves_after || std::max(sent_, received_) < *plan_.leaves_after) return false;
  closed_ = left_ = true;
  auto& sockets = stack_->sockets();
  if (const auto r = plan_.leaves_by_abort ? sockets.abort(now, socket_) : sockets.close(now, socket_); !r) {
    fail_with("leave", r.error());
  }
  return true;
}

/// As an application that cannot make up its mind.
void Application::change_options(Instant now) {
  auto& sockets = stack_->sockets();
  auto o = sockets.stream_options(socket_).value_or(plan_.options);
  switch (random_.below(6)) {
    case 0:
      o.no_delay = !o.no_delay;
      break;
    case 1:
      o.cork = !o.cork;
      break;
    case 2:
      o.quick_ack = !o.quick_ack;
      break;
    case 3:
      o.notsent_lowat = random_.chance(0.5) ? random_.between(500, 50'000) : 0;
      break;
    case 4:
      o.pacing = static_cast<tcp::Pacing>(random_.below(3));
      break;
    default:
      o.send_buffer = random_.between(1000, 300'000);
      break;
  }
  if (const auto r = sockets.set_stream_options(now, socket_, o); !r) fail_with("set_stream_options", r.error());
}

Result<std::size_t> Application::put(Instant now, std::span<const std::uint8_t> octets) {
  auto& sockets = stack_->sockets();
  if (random_.chance(plan_.urgent_write)) return sockets.send_urgent(now, socket_, octets);
  if (!plan_.uses_slices) return sockets.send(now, socket_, octets);
  const auto result = sockets.send_slice(now, socket_, stack_->buffers().copy(octets));
  if (!result) return std::unexpected{result.error()};
  return octets.size();
}

bool Application::write(Instant now) {
  if (random_.chance(plan_.option_change)) change_options(now);
  const auto count = std::min<std::uint64_t>(plan_.octets - sent_, random_.between(1, plan_.largest_write));
  const auto taken = put(now, pattern_octets(sends_, sent_, count));
  if (!taken) {
    can_write_ = false;
    if (taken.error() != Error::WouldBlock) fail_with("send", taken.error());
    return false;
  }
  sent_ += *taken;
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
  if (!started_ || !connected_ || closed_ || error_ || !problem_.empty()) return Instant::max();  // an event leads on
  Instant next = Instant::max();
  if (can_write_ && sent_ < plan_.octets && may_write()) next = std::min(next, next_write_);
  if (can_read_ && !eof_) next = std::min(next, next_read_);
  return next;
}

std::string Application::describe() const {
  return "sent " + std::to_string(sent_) + "/" + std::to_string(plan_.octets) + ", received " +
         std::to_string(received_) + (connected_ ? "" : ", not connected") + (shut_ ? ", shut" : "") +
         (eof_ ? ", eof" : "") +
         (left_     ? ", left"
          : closed_ ? ", closed"
                    : "") +
         (error_ ? ", error " + std::string{errno_name(*error_)} : "") + (can_write_ ? "" : ", cannot write") +
         (can_read_ ? "" : ", cannot read");
}

}  // namespace wireside::testing
