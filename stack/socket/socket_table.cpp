// Opening, binding and closing sockets; their options and addresses.
#include "socket/socket_table.hpp"

#include <algorithm>
#include <utility>

#include "socket/socket_table_state.hpp"

namespace wireside {
namespace {

udp::Service service_of(SocketKind kind) { return kind == SocketKind::Echo ? udp::Service::Echo : udp::Service::Udp; }

bool overlap(IpAddress a, IpAddress b) { return a.is_unspecified() || b.is_unspecified() || a == b; }

}  // namespace

SocketTable::SocketTable(tcp::TcpLayer& tcp, udp::UdpLayer& udp, const AddressPolicy& addresses, Random& random,
                         BufferPool& pool, const SocketConfig& config)
    : state_{std::make_unique<SocketTableState>(tcp, udp, addresses, random, pool, config)} {}

SocketTable::~SocketTable() = default;

Result<SocketHandle> SocketTable::open(SocketKind kind) {
  if (state_->sockets.size() >= state_->config.max_sockets) return fail(Error::NoBuffers);
  udp::UdpHandle datagram;
  if (kind != SocketKind::Stream) {
    const auto opened = state_->udp.open(service_of(kind));
    if (!opened) return fail(opened.error());
    datagram = *opened;
  }
  const SocketHandle h = state_->sockets.emplace();
  Socket& s = *state_->sockets.find(h);
  s.kind = kind;
  s.stream_options = state_->options.share(state_->config.stream_defaults);
  s.datagram = datagram;
  if (datagram.is_valid()) state_->by_datagram.set(datagram, h);
  return h;
}

/// Sockets may share a port on different addresses, on the same one only as SO_REUSEPORT has it; all must agree.
bool SocketTableState::stream_bind_conflicts(Endpoint local, const tcp::ConnectionOptions& options) const {
  const auto it = bound_streams.find(local.port.value);
  if (it == bound_streams.end()) return false;
  return std::any_of(it->second.begin(), it->second.end(), [&](SocketHandle h) {
    const Socket& other = *sockets.find(h);
    if (!overlap(other.bound.address, local.address)) return false;
    if (options.reuse_port && other.stream_options->reuse_port) return false;
    const bool both_agree = options.reuse_address && other.stream_options->reuse_address;
    return !both_agree || other.bound.address == local.address;
  });
}

Result<Port> SocketTableState::pick_stream_port(IpAddress address) {
  const std::uint32_t count = std::uint32_t{config.ephemeral_last} - config.ephemeral_first + 1U;
  const auto start = static_cast<std::uint32_t>(random.below(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const Port port{static_cast<std::uint16_t>(config.ephemeral_first + (start + i) % count)};
    if (!tcp.port_in_use(port) && !stream_bind_conflicts(Endpoint{address, port}, {})) return port;
  }
  return fail(Error::AddressNotAvailable);
}

Result<void> SocketTableState::bind_stream(SocketHandle h, Socket& s, Endpoint local) {
  if (s.stream != Socket::StreamState::Idle || !s.bound.port.is_unspecified()) return fail(Error::InvalidArgument);
  if (local.port.is_unspecified()) {
    const auto port = pick_stream_port(local.address);
    if (!port) return fail(port.error());
    local.port = *port;
  } else if (stream_bind_conflicts(local, *s.stream_options)) {
    return fail(Error::AddressInUse);
  }
  s.bound = local;
  bound_streams[local.port.value].push_back(h);
  return {};
}

Result<void> SocketTable::bind(SocketHandle h, Endpoint local) {
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (!local.address.is_unspecified() && !state_->addresses.is_local(local.address)) {
    return fail(Error::AddressNotAvailable);
  }
  if (s->kind == SocketKind::Stream) return state_->bind_stream(h, *s, local);
  return state_->udp.bind(s->datagram, local);
}

void SocketTableState::release_binding(SocketHandle h, Socket& s) {
  const auto it = bound_streams.find(s.bound.port.value);
  if (it == bound_streams.end()) return;
  std::erase(it->second, h);
  if (it->second.empty()) bound_streams.erase(it);
  s.bound = Endpoint{};
}

void SocketTableState::drop_connection(Instant now, Socket& s, bool abort) {
  if (!s.connection.is_valid()) return;
  by_connection.clear(s.connection);
  if (abort) {
    tcp.abort(now, s.connection);
  } else {
    tcp.close(now, s.connection);
  }
  s.connection = {};
}

Result<void> SocketTableState::close(Instant now, SocketHandle h, bool abort) {
  Socket* s = sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  drop_connection(now, *s, abort);
  if (s->accept_ahead.is_valid()) tcp.abort(now, s->accept_ahead);
  if (s->listener.is_valid()) {
    by_listener.clear(s->listener);
    tcp.close_listener(now, s->listener);
  }
  if (s->datagram.is_valid()) {
    by_datagram.clear(s->datagram);
    udp.close(s->datagram);
  }
  release_binding(h, *s);
  sockets.erase(h);
  return {};
}

Result<void> SocketTable::close(Instant now, SocketHandle h) { return state_->close(now, h, false); }

Result<void> SocketTable::abort(Instant now, SocketHandle h) { return state_->close(now, h, true); }

std::size_t SocketTable::size() const { return state_->sockets.size(); }

Result<Endpoint> SocketTable::local_endpoint(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return state_->udp.local_endpoint(s->datagram);
  if (s->connection.is_valid()) {
    if (const auto status = state_->tcp.status(s->connection)) return status->tuple.local;
  }
  return s->bound;
}

Result<Endpoint> SocketTable::peer_endpoint(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return state_->udp.peer_endpoint(s->datagram);
  if (s->stream != Socket::StreamState::Connected) return fail(Error::NotConnected);
  const auto status = state_->tcp.status(s->connection);
  if (!status) return fail(Error::NotConnected);
  return status->tuple.remote;
}

std::optional<Error> SocketTable::take_error(SocketHandle h) {
  state_->collect();
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return std::nullopt;
  if (s->kind != SocketKind::Stream) return state_->udp.take_error(s->datagram);
  return std::exchange(s->error, std::nullopt);
}

Result<MessageLimits> SocketTable::message_limits(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) return fail(Error::NotSupported);
  const auto peer = state_->udp.peer_endpoint(s->datagram);
  if (!peer) return fail(peer.error());
  const auto options = state_->udp.options(s->datagram);
  if (!options) return fail(options.error());
  return state_->addresses.message_limits(peer->address, options->ip_options.length);
}

Result<tcp::ConnectionOptions> SocketTable::stream_options(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return fail(Error::NotSupported);
  return *s->stream_options;
}

Result<void> SocketTable::set_stream_options(Instant now, SocketHandle h, const tcp::ConnectionOptions& options) {
  Socket* s = state_->find(now, h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return fail(Error::NotSupported);
  if (options.ttl == 0) return fail(Error::InvalidArgument);
  if (s->connection.is_valid() && s->stream != Socket::StreamState::Failed) {
    if (const auto set = state_->tcp.set_options(now, s->connection, options); !set) return set;
  }
  s->stream_options = state_->options.share(options);
  s->listener_options_changed = s->listener.is_valid();
  return {};
}

Result<ErrorReport> SocketTable::take_error_report(SocketHandle h) {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  auto report = s->kind == SocketKind::Stream ? state_->tcp.take_error_report(s->connection)
                                              : state_->udp.take_error_report(s->datagram);
  if (!report) return fail(Error::WouldBlock);
  return std::move(*report);
}

Result<std::uint16_t> SocketTable::path_mtu(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) return fail(Error::NotSupported);
  const auto peer = state_->udp.peer_endpoint(s->datagram);
  if (!peer) return fail(peer.error());
  return state_->addresses.path_mtu(peer->address);
}

Result<DatagramOptions> SocketTable::datagram_options(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) return fail(Error::NotSupported);
  const auto o = state_->udp.options(s->datagram);
  if (!o) return fail(o.error());
  return DatagramOptions{.ttl = o->ttl,
                         .multicast_ttl = o->multicast_ttl,
                         .tos = o->tos,
                         .broadcast = s->broadcast,
                         .mtu_discovery = o->mtu_discovery,
                         .report_errors = o->report_errors,
                         .receive_buffer = o->receive_buffer,
                         .echo_sequence = o->echo_sequence,
                         .reuse_port = o->reuse_port,
                         .ip_options = o->ip_options};
}

Result<void> SocketTable::set_datagram_options(SocketHandle h, const DatagramOptions& options) {
  Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind == SocketKind::Stream) return fail(Error::NotSupported);
  const udp::UdpOptions o{.ttl = options.ttl,
                          .multicast_ttl = options.multicast_ttl,
                          .tos = options.tos,
                          .mtu_discovery = options.mtu_discovery,
                          .report_errors = options.report_errors,
                          .receive_buffer = options.receive_buffer,
                          .echo_sequence = options.echo_sequence,
                          .reuse_port = options.reuse_port,
                          .ip_options = options.ip_options};
  if (const auto set = state_->udp.set_options(s->datagram, o); !set) return set;
  s->broadcast = options.broadcast;
  return {};
}

Result<tcp::ConnectionStatus> SocketTable::status(SocketHandle h) const {
  const Socket* s = state_->sockets.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->kind != SocketKind::Stream) return fail(Error::NotSupported);
  if (s->stream == Socket::StreamState::Listening) {
    tcp::ConnectionStatus status;
    status.state = TcpState::Listen;
    status.tuple.local = s->bound;
    return status;
  }
  if (!s->connection.is_valid()) return fail(Error::NotConnected);
  auto status = state_->tcp.status(s->connection);
  if (!status && status.error() == Error::BadHandle) return fail(Error::NotConnected);
  return status;
}

}  // namespace wireside
