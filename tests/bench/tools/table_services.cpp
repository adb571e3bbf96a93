#include "table_services.hpp"

namespace bench {

using namespace wireside;

namespace {
ByteView octets_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
}  // namespace

bool TableServices::start() {
  auto datagrams = runtime_.sockets().open(SocketKind::Datagram);
  if (!datagrams || !runtime_.sockets().bind(*datagrams, {Ipv4Address{}, Port{udp_echo_port}})) return false;
  own(*datagrams, Kind::Datagrams);
  return listen(port_of(Service::Http), Kind::HttpListener) && listen(port_of(Service::Echo), Kind::EchoListener);
}

bool TableServices::listen(std::uint16_t port, Kind kind) {
  SocketTable& table = runtime_.sockets();
  const auto socket = table.open(SocketKind::Stream);
  if (!socket || !table.bind(*socket, {Ipv4Address{}, Port{port}}) || !table.listen(*socket, 4096)) return false;
  tcp::ConnectionOptions options;
  options.no_delay = true;
  if (!table.set_stream_options(runtime_.now(), *socket, options)) return false;
  own(*socket, kind);
  return true;
}

void TableServices::own(SocketHandle socket, Kind kind) {
  if (socket.index >= kinds_.size()) kinds_.resize(socket.index * 2 + 16);
  kinds_[socket.index] = kind;
  runtime_.watch(socket, this);
}

void TableServices::close(Instant now, SocketHandle socket) {
  runtime_.unwatch(socket);
  kinds_[socket.index] = Kind::None;
  (void)runtime_.sockets().close(now, socket);
}

void TableServices::on_socket_event(const SocketEvent& event) {
  const Instant now = runtime_.now();
  const Kind kind = kinds_[event.socket.index];
  if (event.failed) {
    if (kind == Kind::Http || kind == Kind::Echo) close(now, event.socket);
    return;
  }
  if (!event.readable && !event.closed) return;
  switch (kind) {
    case Kind::None:
      break;
    case Kind::HttpListener:
      accept_all(now, event.socket, Kind::Http);
      break;
    case Kind::EchoListener:
      accept_all(now, event.socket, Kind::Echo);
      break;
    case Kind::Http:
    case Kind::Echo:
      read_all(now, event.socket, kind);
      break;
    case Kind::Datagrams:
      echo_datagrams(now, event.socket);
      break;
  }
  runtime_.schedule_output();
}

void TableServices::accept_all(Instant now, SocketHandle listener, Kind kind) {
  while (const auto accepted = runtime_.sockets().accept(listener)) {
    own(accepted->socket, kind);
    read_all(now, accepted->socket, kind);
  }
}

void TableServices::read_all(Instant now, SocketHandle socket, Kind kind) {
  SocketTable& table = runtime_.sockets();
  while (true) {
    const auto n = table.receive(now, socket, buffer_);
    if (!n && n.error() == Error::WouldBlock) return;
    if (!n || *n == 0) return close(now, socket);
    if (kind == Kind::Echo) {
      const auto sent = table.send(now, socket, ByteView{buffer_}.first(*n));
      if (!sent || *sent != *n) return close(now, socket);
      continue;
    }
    const Requests requests = find_requests({reinterpret_cast<const char*>(buffer_.data()), *n});
    for (std::size_t i = 0; i < requests.count; ++i) (void)table.send(now, socket, octets_of(http_answer));
    if (requests.close) return close(now, socket);
  }
}

void TableServices::echo_datagrams(Instant now, SocketHandle socket) {
  SocketTable& table = runtime_.sockets();
  while (const auto datagram = table.receive_from(socket, buffer_)) {
    (void)table.send_to(now, socket, ByteView{buffer_}.first(datagram->octets), datagram->from);
  }
}

}  // namespace bench
