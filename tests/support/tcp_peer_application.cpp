// The application's side of TcpPeer: user calls and expectations about what the application sees.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/tcp_peer.hpp"

namespace wireside::testing {

void TcpPeer::listen(std::size_t backlog, ConnectionOptions options) {
  const auto local = tuple().local;
  options.congestion = setup_.congestion;
  options.pacing = setup_.pacing;
  const auto result = layer_->listen(local, backlog, options);
  note("! listen");
  if (!result) return complain(Where::current(), "listen: " + std::string{errno_name(result.error())});
  listener_ = *result;
}

void TcpPeer::accept(Where where) {
  const auto result = layer_->accept(listener_);
  if (!result) return complain(where, "accept: " + std::string{errno_name(result.error())});
  note("! accept");
  handle_ = *result;
  collect();
}

void TcpPeer::connect(ConnectionOptions options, std::size_t first) {
  note("! connect" + (first == 0 ? std::string{} : " with " + std::to_string(first)));
  options.congestion = setup_.congestion;
  options.pacing = setup_.pacing;
  const auto octets = pattern_octets(ours_to_peer, flow().send_offset, first);
  flow().send_offset += first;
  const auto result = layer_->connect(now_, tuple(), options, octets);
  if (!result) return complain(Where::current(), "connect: " + std::string{errno_name(result.error())});
  handle_ = *result;
  collect();
}

void TcpPeer::establish(std::string_view syn_options, ConnectionOptions options, std::uint16_t window) {
  window_ = window;
  establish_after(Duration{0}, syn_options, options);
}

void TcpPeer::establish_after(Duration round_trip, std::string_view syn_options, ConnectionOptions options,
                              std::string_view last) {
  half_open(syn_options, options);
  wait(round_trip);
  in(last);
  accept();
  state(TcpState::Established);
  nothing();
}

void TcpPeer::half_open(std::string_view syn_options, ConnectionOptions options) {
  if (!listener_.is_valid()) listen(16, options);
  in("S 0 " + std::string{syn_options});
  out("S. 0 ack 1");
}

std::size_t TcpPeer::send(std::size_t count, bool all, Where where) {
  Flow& f = flow();
  const auto octets = pattern_octets(ours_to_peer, f.send_offset, count);
  const auto result = layer_->send(now_, handle_, octets);
  if (!result) {
    if (all) complain(where, "send: " + std::string{errno_name(result.error())});
    return 0;
  }
  note("! send " + std::to_string(count) + " (" + std::to_string(*result) + " taken)");
  f.send_offset += *result;
  collect();
  if (all && *result != count) complain(where, "send took only " + std::to_string(*result));
  return *result;
}

std::size_t TcpPeer::read(std::size_t count, Where where) {
  Flow& f = flow();
  std::size_t total = 0;
  while (total < count) {
    std::vector<std::uint8_t> octets(std::min<std::size_t>(count - total, 16384));
    const auto result = layer_->receive(now_, handle_, octets);
    if (!result || *result == 0) break;
    octets.resize(*result);
    if (octets != pattern_octets(peer_to_us, f.read_offset, *result)) {
      complain(where,
               "received octets differ from what the peer sent, near stream offset " + std::to_string(f.read_offset));
      break;
    }
    f.read_offset += *result;
    total += *result;
  }
  note("! read " + std::to_string(total));
  collect();
  return total;
}

void TcpPeer::read_exactly(std::size_t count, Where where) {
  const auto got = read(SIZE_MAX, where);
  if (got != count) complain(where, "expected " + std::to_string(count) + " octets, read " + std::to_string(got));
}

void TcpPeer::eof(Where where) {
  std::uint8_t octet = 0;
  const auto result = layer_->receive(now_, handle_, {&octet, 1});
  collect();
  if (!result) return complain(where, "expected EOF, got " + std::string{errno_name(result.error())});
  if (*result != 0) complain(where, "expected EOF, got data");
}

void TcpPeer::read_fails(Error error, Where where) {
  std::uint8_t octet = 0;
  const auto result = layer_->receive(now_, handle_, {&octet, 1});
  collect();
  if (result) return complain(where, "receive should fail, but gave " + std::to_string(*result) + " octets");
  if (result.error() != error) complain(where, "receive failed with " + std::string{errno_name(result.error())});
}

void TcpPeer::send_fails(Error error, Where where) {
  const std::uint8_t octet = 0;
  const auto result = layer_->send(now_, handle_, {&octet, 1});
  collect();
  if (result) return complain(where, "send should fail");
  if (result.error() != error) complain(where, "send failed with " + std::string{errno_name(result.error())});
}

void TcpPeer::shutdown(Where where) {
  note("! shutdown send");
  const auto result = layer_->shutdown_send(now_, handle_);
  if (!result) complain(where, "shutdown_send: " + std::string{errno_name(result.error())});
  collect();
}

void TcpPeer::shutdown_receive(Where where) {
  note("! shutdown receive");
  const auto result = layer_->shutdown_receive(now_, handle_);
  if (!result) complain(where, "shutdown_receive: " + std::string{errno_name(result.error())});
  collect();
}

void TcpPeer::close() {
  note("! close");
  layer_->close(now_, handle_);
  collect();
}

void TcpPeer::abort() {
  note("! abort");
  layer_->abort(now_, handle_);
  collect();
}

void TcpPeer::options(ConnectionOptions options, Where where) {
  options.congestion = setup_.congestion;
  options.pacing = setup_.pacing;
  const auto result = layer_->set_options(now_, handle_, options);
  if (!result) complain(where, "set_options: " + std::string{errno_name(result.error())});
  collect();
}

ConnectionStatus TcpPeer::status(Where where) {
  // A closed handle is given up, but the connection still lives in the listing.
  if (const auto result = layer_->status(handle_)) return *result;
  for (const auto& entry : layer_->list()) {
    if (entry.tuple == tuple()) return entry;
  }
  complain(where, "no such connection");
  return {};
}

void TcpPeer::state(TcpState expected, Where where) {
  if (broken_) return;
  TcpState got = TcpState::Closed;
  if (const auto result = layer_->status(handle_)) got = result->state;
  for (const auto& entry : layer_->list()) {
    if (entry.tuple == tuple()) got = entry.state;
  }
  if (got != expected) {
    complain(where, "expected state " + std::string{to_string(expected)} + ", is " + std::string{to_string(got)});
  }
}

void TcpPeer::gone(Where where) {
  for (const auto& entry : layer_->list()) {
    if (entry.tuple == tuple() && entry.state != TcpState::Closed) {
      complain(where, "connection still listed in " + std::string{to_string(entry.state)});
    }
  }
}

tcp::TcpEvent TcpPeer::event(EventKind kind, Where where) {
  drain_events();
  const auto it = std::find_if(events_.begin(), events_.end(), [&](const auto& e) { return e.kind == kind; });
  if (it == events_.end()) {
    complain(where, "expected event did not come");
    return {};
  }
  const auto event = *it;
  events_.erase(it);
  return event;
}

std::vector<tcp::TcpEvent> TcpPeer::take_events() {
  drain_events();
  return std::exchange(events_, {});
}

void TcpPeer::no_event(EventKind kind, Where where) {
  drain_events();
  for (const auto& e : events_) {
    if (e.kind == kind) return complain(where, "unexpected event");
  }
}

void TcpPeer::failed(Error error, Where where) {
  const auto e = event(EventKind::Failed, where);
  if (!broken_ && e.error != error) complain(where, "failed with " + std::string{errno_name(e.error)});
}

void TcpPeer::icmp(Error error, bool hard, std::optional<std::int64_t> seq) {
  note("< ICMP " + std::string{errno_name(error)} + (hard ? " (hard)" : " (soft)"));
  std::optional<SeqNum> absolute;
  if (seq) absolute = our_iss() + static_cast<std::uint32_t>(*seq);
  layer_->network_error(now_, tuple(), absolute, error, hard);
  collect();
}

}  // namespace wireside::testing
