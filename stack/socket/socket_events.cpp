// Readiness edges: the layers' events, translated to sockets and merged while nobody has taken them.
#include <utility>

#include "socket/socket_table_state.hpp"

namespace wireside {

using StreamState = Socket::StreamState;

SocketEvent& SocketTableState::note(SocketHandle h, Socket& s) {
  if (!std::exchange(s.event_queued, true)) {
    s.pending = SocketEvent{.socket = h};
    events.push_back(h);
  }
  return s.pending;
}

void SocketTableState::on_tcp_event(const tcp::TcpEvent& event) {
  using Kind = tcp::TcpEvent::Kind;
  const SocketHandle h =
      event.kind == Kind::AcceptReady ? by_listener.find(event.listener) : by_connection.find(event.connection);
  Socket* s = sockets.find(h);
  if (s == nullptr) return;  // closed by the application; the connection finishes in the background
  SocketEvent& e = note(h, *s);
  switch (event.kind) {
    case Kind::Connected:
      s->stream = StreamState::Connected;
      e.connected = e.writable = true;
      break;
    case Kind::AcceptReady:
    case Kind::Readable:
      e.readable = true;
      break;
    case Kind::Writable:
      e.writable = true;
      break;
    case Kind::Failed:
      // An attempt that failed may be repeated on the same socket; a connection that broke stays connected in name.
      if (s->stream == StreamState::Connecting) s->stream = StreamState::Failed;
      s->error = event.error;
      e.failed = e.readable = e.writable = true;
      e.error = event.error;
      break;
    case Kind::Closed:
      e.closed = true;
      break;
    case Kind::Urgent:
      e.urgent = true;
      break;
    case Kind::Reported:
      e.reported = true;
      break;
  }
}

void SocketTableState::on_udp_event(const udp::UdpEvent& event) {
  const SocketHandle h = by_datagram.find(event.socket);
  Socket* s = sockets.find(h);
  if (s == nullptr) return;
  SocketEvent& e = note(h, *s);
  e.readable |= event.readable;
  e.writable |= event.writable;
}

void SocketTableState::collect() {
  while (tcp.has_event()) {
    if (const auto event = tcp.poll_event()) on_tcp_event(*event);
  }
  while (udp.has_event()) {
    if (const auto event = udp.poll_event()) on_udp_event(*event);
  }
}

std::optional<SocketEvent> SocketTable::poll_event() {
  state_->collect();
  while (!state_->events.empty()) {
    const SocketHandle h = state_->events.front();
    state_->events.pop_front();
    Socket* s = state_->sockets.find(h);
    if (s == nullptr) continue;  // closed meanwhile
    s->event_queued = false;
    return s->pending;
  }
  return std::nullopt;
}

}  // namespace wireside
