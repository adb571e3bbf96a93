// Sending, receiving, shutting down, and the level-triggered view.
#include <algorithm>
#include <cstring>

#include "socket/socket_table_state.hpp"

namespace wireside {

using StreamState = Socket::StreamState;

std::optional<Error> SocketTableState::stream_not_ready(const Socket& s) const {
  if (s.connection.is_valid()) return std::nullopt;
  return Error::NotConnected;
}

Error SocketTableState::reported(Socket& s, Error e) {
  if (s.error == e) s.error.reset();
  return e == Error::BadHandle ? Error::NotConnected : e;  // TCP forgot the connection; the socket still exists
}

bool SocketTableState::fits_path(const Socket& s, std::size_t octets, IpAddress destination) const {
  const auto options = udp.options(s.datagram);
  if (!options) return true;
  const std::size_t headers = 28U + options->ip_options.length;  // IPv4 and UDP, or IPv4 and ICMP
  if (options->mtu_discovery == PathMtuDiscovery::Do) return octets + headers <= addresses.path_mtu(destination);
  return options->mtu_discovery != PathMtuDiscovery::Probe || octets + headers <= addresses.link_mtu(destination);
}

Result<void> SocketTableState::send_datagram(Socket& s, Slice data, Endpoint peer) {
  if (peer.address.is_unspecified()) return fail(Error::InvalidArgument);
  if (s.kind == SocketKind::Datagram && peer.port.is_unspecified()) return fail(Error::InvalidArgument);
  if (addresses.is_broadcast(peer.address) && !s.broadcast) return fail(Error::PermissionDenied);
  const auto local = udp.local_endpoint(s.datagram);
  if (!local) return fail(local.error());
  if (!fits_path(s, data.size(), peer.address)) return fail(Error::MessageTooLong);
  IpAddress source = local->address;
  if (source.is_unspecified()) {
    const auto chosen = addresses.source_for(peer.address);
    if (!chosen) return fail(chosen.error());
    source = *chosen;
  }
  return udp.send(s.datagram, source, peer, std::move(data));
}

Result<std::size_t> SocketTable::send(Instant now, SocketHandle h, ByteView data) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) {
    const auto peer = state_->udp.peer_endpoint(s->datagram);
    if (!peer) return fail(peer.error());
    return send_to(now, h, data, *peer);
  }
  if (const auto e = state_->stream_not_ready(*s)) return fail(*e);
  auto sent = state_->tcp.send(now, s->connection, data);
  if (!sent) return fail(state_->reported(*s, sent.error()));
  return sent;
}

Result<std::size_t> SocketTable::send_urgent(Instant now, SocketHandle h, ByteView data) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return fail(Error::NotSupported);
  if (const auto e = state_->stream_not_ready(*s)) return fail(*e);
  auto sent = state_->tcp.send_urgent(now, s->connection, data);
  if (!sent) return fail(state_->reported(*s, sent.error()));
  return sent;
}

Result<void> SocketTable::send_slice(Instant now, SocketHandle h, Slice data) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) {
    const auto peer = state_->udp.peer_endpoint(s->datagram);
    if (!peer) return fail(peer.error());
    return state_->send_datagram(*s, std::move(data), *peer);
  }
  if (const auto e = state_->stream_not_ready(*s)) return fail(*e);
  const auto sent = state_->tcp.send_slice(now, s->connection, std::move(data));
  if (!sent) return fail(state_->reported(*s, sent.error()));
  return sent;
}

Result<std::size_t> SocketTable::send_to(Instant, SocketHandle h, ByteView data, Endpoint peer) {
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) return fail(Error::NotSupported);
  if (data.size() > UINT16_MAX) return fail(Error::MessageTooLong);
  if (const auto sent = state_->send_datagram(*s, state_->pool.copy(data), peer); !sent) return fail(sent.error());
  return data.size();
}

Result<std::size_t> SocketTable::receive(Instant now, SocketHandle h, MutableByteView out) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) {
    const auto got = receive_from(h, out);
    if (!got) return fail(got.error());
    return got->octets;
  }
  if (const auto e = state_->stream_not_ready(*s)) return fail(*e);
  if (s->receive_shut) return std::size_t{0};
  auto got = state_->tcp.receive(now, s->connection, out);
  if (!got) return fail(state_->reported(*s, got.error()));
  return got;
}

Result<Slice> SocketTable::receive_slice(Instant now, SocketHandle h, std::size_t max) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) {
    auto datagram = state_->udp.receive(s->datagram);
    if (!datagram && datagram.error() == Error::BrokenPipe) return Slice{};
    if (!datagram) return fail(datagram.error());
    return datagram->payload.sub(0, max);
  }
  if (const auto e = state_->stream_not_ready(*s)) return fail(*e);
  if (s->receive_shut) return Slice{};
  auto got = state_->tcp.receive_slice(now, s->connection, max);
  if (!got) return fail(state_->reported(*s, got.error()));
  return got;
}

Result<ReceivedDatagram> SocketTable::receive_from(SocketHandle h, MutableByteView out) {
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) return fail(Error::NotSupported);
  const auto datagram = state_->udp.receive(s->datagram);
  if (!datagram && datagram.error() == Error::BrokenPipe) return ReceivedDatagram{};  // shut down: nothing, as at EOF
  if (!datagram) return fail(datagram.error());
  const std::size_t n = std::min(out.size(), datagram->payload.size());
  if (n > 0) std::memcpy(out.data(), datagram->payload.data(), n);
  return ReceivedDatagram{.octets = n,
                          .full_length = datagram->payload.size(),
                          .from = datagram->from,
                          .to = datagram->to,
                          .ttl = datagram->ttl,
                          .tos = datagram->tos,
                          .echo_sequence = datagram->sequence,
                          .ip_options = datagram->ip_options};
}

Result<void> SocketTable::shutdown(Instant now, SocketHandle h, Shutdown how) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) {
    if (!state_->udp.peer_endpoint(s->datagram)) return fail(Error::NotConnected);
    if (how != Shutdown::Receive) state_->udp.shutdown_send(s->datagram);
    if (how != Shutdown::Send) state_->udp.shutdown_receive(s->datagram);
    return {};
  }
  if (const auto e = state_->stream_not_ready(*s)) return fail(*e);
  if (how != Shutdown::Send) {
    const auto shut = state_->tcp.shutdown_receive(now, s->connection);
    if (!shut) return fail(state_->reported(*s, shut.error()));
    s->receive_shut = true;
    state_->note(h, *s).readable = true;  // a reader that waits gets its EOF
  }
  if (how != Shutdown::Receive) {
    const auto shut = state_->tcp.shutdown_send(now, s->connection);
    if (!shut) return fail(state_->reported(*s, shut.error()));
  }
  return {};
}

bool SocketTable::is_readable(SocketHandle h) const {
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return false;
  if (s->kind != SocketKind::Stream) return state_->udp.is_readable(s->datagram);
  if (s->stream == StreamState::Listening) {
    if (!s->accept_ahead.is_valid())
      s->accept_ahead = state_->tcp.accept(s->listener).value_or(tcp::ConnectionHandle{});
    return s->accept_ahead.is_valid();
  }
  if (!s->connection.is_valid()) return s->error.has_value();
  return s->receive_shut || s->error || state_->tcp.is_readable(s->connection);
}

bool SocketTable::is_writable(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return false;
  if (s->kind != SocketKind::Stream) return state_->udp.is_writable(s->datagram);
  return s->error || (s->connection.is_valid() && state_->tcp.is_writable(s->connection));
}

}  // namespace wireside
