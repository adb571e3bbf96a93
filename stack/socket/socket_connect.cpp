// Passive and active opening: listen, accept, connect.
#include <utility>

#include "socket/socket_table_state.hpp"

namespace wireside {

using StreamState = Socket::StreamState;

Result<void> SocketTable::listen(SocketHandle h, std::size_t backlog) {
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return fail(Error::NotSupported);
  if (s->stream != StreamState::Idle) return fail(Error::InvalidArgument);
  if (s->bound.port.is_unspecified()) {
    if (const auto bound = state_->bind_stream(h, *s, Endpoint{}); !bound) return bound;
  }
  const auto listener = state_->tcp.listen(s->bound, backlog == 0 ? 1 : backlog, *s->stream_options);
  if (!listener) return fail(listener.error());
  s->listener = *listener;
  s->stream = StreamState::Listening;
  state_->by_listener.set(*listener, h);
  return {};
}

Result<tcp::ConnectionHandle> SocketTableState::next_accepted(Socket& s) {
  if (s.accept_ahead.is_valid()) return std::exchange(s.accept_ahead, {});
  return tcp.accept(s.listener);
}

Result<Accepted> SocketTable::accept(SocketHandle h) {
  Socket* listening = state_->sockets.find(h);
  if (listening == nullptr) return fail(Error::BadHandle);
  if (listening->stream != StreamState::Listening) {
    return fail(listening->kind == SocketKind::Stream ? Error::InvalidArgument : Error::NotSupported);
  }
  if (state_->sockets.size() >= state_->config.max_sockets) return fail(Error::NoBuffers);
  const auto connection = state_->next_accepted(*listening);
  if (!connection) return fail(connection.error());

  const SocketHandle accepted = state_->sockets.emplace();
  Socket& s = *state_->sockets.find(accepted);
  s.stream = StreamState::Connected;
  s.connection = *connection;
  s.stream_options = listening->stream_options;
  state_->by_connection.set(*connection, accepted);
  Endpoint peer;
  if (const auto status = state_->tcp.status(*connection)) {
    peer = status->tuple.remote;
    s.bound.address = status->tuple.local.address;
  }
  // Options set on the listener after listen() are not TCP's to inherit. A failure here only means that the
  // connection already ended, which the first call on the socket tells.
  if (listening->listener_options_changed) {
    std::ignore = state_->tcp.set_options(state_->latest, *connection, *s.stream_options);
  }
  // What arrived before the socket existed had nobody to be reported to.
  if (state_->tcp.is_readable(*connection)) state_->note(accepted, s).readable = true;
  return Accepted{accepted, peer};
}

Result<void> SocketTableState::check_stream_peer(Endpoint peer) const {
  const IpAddress a = peer.address;
  const bool refused =
      peer.port.is_unspecified() || a.is_unspecified() || a.is_multicast() || addresses.is_broadcast(a);
  if (refused) return fail(Error::InvalidArgument);
  return {};
}

Result<void> SocketTableState::connect_stream(Instant now, SocketHandle h, Socket& s, Endpoint peer, ByteView first) {
  switch (s.stream) {
    case StreamState::Listening:
      return fail(Error::InvalidArgument);
    case StreamState::Connecting:
      return fail(Error::Already);
    case StreamState::Connected:
      return fail(Error::AlreadyConnected);
    case StreamState::Idle:
    case StreamState::Failed:
      break;
  }
  if (const auto valid = check_stream_peer(peer); !valid) return valid;
  FourTuple tuple{.local = s.bound, .remote = peer};
  if (tuple.local.address.is_unspecified()) {  // MUST-44: chosen before the first SYN, and kept (MUST-45)
    const auto source = addresses.source_for(peer.address);
    if (!source) return fail(source.error());
    tuple.local.address = *source;
  }
  drop_connection(now, s, true);  // what a failed attempt left behind
  const auto connection = tcp.connect(now, tuple, *s.stream_options, first);
  if (!connection) return fail(connection.error());
  s.connection = *connection;
  s.stream = StreamState::Connecting;
  s.error.reset();
  by_connection.set(*connection, h);
  return fail(Error::InProgress);
}

Result<void> SocketTableState::connect_datagram(Socket& s, Endpoint peer) {
  if (peer.address.is_unspecified()) {
    udp.disconnect(s.datagram);
    return {};
  }
  if (s.kind == SocketKind::Datagram && peer.port.is_unspecified()) return fail(Error::InvalidArgument);
  if (addresses.is_broadcast(peer.address) && !s.broadcast) return fail(Error::PermissionDenied);
  const auto source = addresses.source_for(peer.address);
  if (!source) return fail(source.error());
  return udp.connect(s.datagram, *source, peer);
}

Result<void> SocketTable::connect(Instant now, SocketHandle h, Endpoint peer, ByteView first) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) {
    state_->collect();  // an attempt may have ended without the owner having seen it
    return state_->connect_stream(now, h, *s, peer, first);
  }
  if (!first.empty()) return fail(Error::NotSupported);
  return state_->connect_datagram(*s, peer);
}

}  // namespace wireside
