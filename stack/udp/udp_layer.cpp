#include "udp/udp_layer.hpp"

#include <algorithm>
#include <utility>

#include "wire/ipv4.hpp"

namespace wireside::udp {
namespace {

bool overlap(IpAddress a, IpAddress b) { return a.is_unspecified() || b.is_unspecified() || a == b; }

/// Source routes are for others to misuse (RFC 7126 section 4.3). What we could not enter ourselves into is malformed.
Result<void> check_ip_options(wire::Ipv4Options options) {
  const wire::Ipv4OptionSummary summary = wire::summarise_ipv4_options(options.view());
  if (summary.malformed) return fail(Error::InvalidArgument);
  if (summary.source_route) return fail(Error::NotSupported);
  if (wire::record_hop(options.view(), {}).problem_at) return fail(Error::InvalidArgument);
  return {};
}

}  // namespace

UdpLayer::UdpLayer(const UdpConfig& config, Random& random, BufferPool& pool, observe::Sink& sink)
    : config_{config}, random_{random}, pool_{pool}, sink_{sink} {}

std::uint32_t UdpLayer::key(Service service, Port port) {
  return (static_cast<std::uint32_t>(service) << 16) | port.value;
}

/// Whether nobody else may have the endpoint now; `share`: unless all who overlap with it agree to.
bool UdpLayer::is_taken(Service service, Endpoint local, bool share) const {
  const auto it = bound_.find(key(service, local.port));
  if (it == bound_.end()) return false;
  return std::any_of(it->second.begin(), it->second.end(), [&](UdpHandle h) {
    const Socket& other = *sockets_.find(h);
    return overlap(other.local.address, local.address) && !(share && other.options.reuse_port);
  });
}

Result<Port> UdpLayer::pick_port(Service service, IpAddress address) {
  // RFC 6056 algorithm 1: a random start, then upwards until a free one is found.
  const std::uint32_t count = std::uint32_t{config_.ephemeral_last} - config_.ephemeral_first + 1U;
  const auto start = static_cast<std::uint32_t>(random_.below(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    const Port port{static_cast<std::uint16_t>(config_.ephemeral_first + (start + i) % count)};
    if (!is_taken(service, Endpoint{address, port}, false)) return port;
  }
  return fail(Error::AddressNotAvailable);
}

Result<UdpHandle> UdpLayer::open(Service service) {
  if (sockets_.size() >= config_.max_sockets) return fail(Error::NoBuffers);
  const UdpHandle h = sockets_.emplace();
  sockets_.find(h)->service = service;
  sockets_.find(h)->options = config_.defaults;
  return h;
}

Result<void> UdpLayer::bind(UdpHandle h, Endpoint local) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (!s->local.port.is_unspecified()) return fail(Error::InvalidArgument);
  if (local.port.is_unspecified()) {
    const auto port = pick_port(s->service, local.address);
    if (!port) return fail(port.error());
    local.port = *port;
  } else if (is_taken(s->service, local, s->options.reuse_port)) {
    return fail(Error::AddressInUse);
  }
  if (s->options.reuse_port && !sharing_) sharing_ = KeyedHash{random_.sip_key()};
  s->local = local;
  bound_[key(s->service, local.port)].push_back(h);
  return {};
}

Result<void> UdpLayer::connect(UdpHandle h, IpAddress source, Endpoint peer) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->local.port.is_unspecified()) {
    if (const auto bound = bind(h, Endpoint{}); !bound) return bound;
  }
  if (s->local.address.is_unspecified() || s->address_from_connect) {
    s->local.address = source;
    s->address_from_connect = true;
  }
  s->peer = peer;
  return {};
}

void UdpLayer::disconnect(UdpHandle h) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return;
  s->peer.reset();
  if (s->address_from_connect) s->local.address = IpAddress{};
  s->address_from_connect = false;
}

bool UdpLayer::has_room(const Socket& s, std::size_t octets) const {
  const std::size_t cost = std::max(octets, min_octets_per_datagram);
  return s.outgoing_octets == 0 || s.outgoing_octets + cost <= config_.send_buffer;
}

Result<void> UdpLayer::send(UdpHandle h, IpAddress source, Endpoint peer, Slice payload) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->error) return fail(*std::exchange(s->error, std::nullopt));
  if (s->send_shut) return fail(Error::BrokenPipe);
  if (payload.size() + s->options.ip_options.length > max_payload) return fail(Error::MessageTooLong);
  if (!has_room(*s, payload.size())) {
    s->wants_room = true;
    return fail(Error::WouldBlock);
  }
  const std::size_t cost = std::max(payload.size(), min_octets_per_datagram);
  if (outgoing_octets_ + cost > config_.max_outgoing_octets) return fail(Error::NoBuffers);
  if (s->local.port.is_unspecified()) {
    if (const auto bound = bind(h, Endpoint{}); !bound) return bound;
  }
  const UdpOptions& o = s->options;
  OutgoingDatagram datagram{.service = s->service,
                            .tuple = {.local = {source, s->local.port}, .remote = peer},
                            .payload = std::move(payload),
                            .ttl = peer.address.is_multicast() ? o.multicast_ttl : o.ttl,
                            .tos = o.tos,
                            .mtu_discovery = o.mtu_discovery,
                            .sequence = o.echo_sequence,
                            .ip_options = o.ip_options};
  s->last_peer = peer;
  if (s->service == Service::Echo) ++s->options.echo_sequence;
  s->outgoing_octets += cost;
  outgoing_octets_ += cost;
  outgoing_.push_back(Queued{h, std::move(datagram)});
  return {};
}

bool UdpLayer::poll_datagram(OutgoingDatagram& out) {
  if (outgoing_.empty()) return false;
  Queued next = std::move(outgoing_.front());
  outgoing_.pop_front();
  out = std::move(next.datagram);
  const std::size_t cost = std::max(out.payload.size(), min_octets_per_datagram);
  outgoing_octets_ -= cost;
  if (Socket* s = sockets_.find(next.socket); s != nullptr) {
    s->outgoing_octets -= cost;
    if (s->wants_room && s->outgoing_octets <= config_.send_buffer / 2) {
      s->wants_room = false;
      note(next.socket, *s, false, true);
    }
  }
  return true;
}

Result<Datagram> UdpLayer::receive(UdpHandle h) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (s->error) return fail(*std::exchange(s->error, std::nullopt));
  if (s->received.empty()) return fail(s->receive_shut ? Error::BrokenPipe : Error::WouldBlock);
  Datagram datagram = std::move(s->received.front());
  s->received.pop_front();
  s->received_octets -= datagram.payload.size();
  return datagram;
}

void UdpLayer::shutdown_receive(UdpHandle h) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return;
  s->receive_shut = true;
  note(h, *s, true, false);
}

void UdpLayer::shutdown_send(UdpHandle h) {
  if (Socket* s = sockets_.find(h); s != nullptr) s->send_shut = true;
}

void UdpLayer::close(UdpHandle h) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return;
  if (const auto it = bound_.find(key(s->service, s->local.port)); it != bound_.end()) {
    std::erase(it->second, h);
    if (it->second.empty()) bound_.erase(it);
  }
  sockets_.erase(h);
}

Result<UdpOptions> UdpLayer::options(UdpHandle h) const {
  const Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  return s->options;
}

Result<void> UdpLayer::set_options(UdpHandle h, const UdpOptions& options) {
  Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (options.ttl == 0 || options.multicast_ttl == 0) return fail(Error::InvalidArgument);
  wire::Ipv4Options filled = options.ip_options;
  if (filled.length > wire::Ipv4Options::max_octets) return fail(Error::InvalidArgument);
  while (filled.length % 4 != 0) filled.octets[filled.length++] = 0;  // "end of options"
  if (const auto good = check_ip_options(filled); !good) return good;
  s->options = options;
  s->options.ip_options = filled;
  return {};
}

Result<Endpoint> UdpLayer::local_endpoint(UdpHandle h) const {
  const Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  return s->local;
}

Result<Endpoint> UdpLayer::peer_endpoint(UdpHandle h) const {
  const Socket* s = sockets_.find(h);
  if (s == nullptr) return fail(Error::BadHandle);
  if (!s->peer) return fail(Error::NotConnected);
  return *s->peer;
}

std::optional<Error> UdpLayer::take_error(UdpHandle h) {
  Socket* s = sockets_.find(h);
  return s == nullptr ? std::nullopt : std::exchange(s->error, std::nullopt);
}

std::optional<ErrorReport> UdpLayer::take_error_report(UdpHandle h) {
  Socket* s = sockets_.find(h);
  if (s == nullptr || s->reports.empty()) return std::nullopt;
  ErrorReport report = std::move(s->reports.front());
  s->reports.pop_front();
  return report;
}

bool UdpLayer::is_readable(UdpHandle h) const {
  const Socket* s = sockets_.find(h);
  return s != nullptr && (!s->received.empty() || s->error || s->receive_shut);
}

bool UdpLayer::is_writable(UdpHandle h) const {
  const Socket* s = sockets_.find(h);
  return s != nullptr && (s->error || s->send_shut || has_room(*s, 1));
}

std::vector<SocketStatus> UdpLayer::list() const {
  std::vector<SocketStatus> all;
  sockets_.for_each([&](UdpHandle, const Socket& s) {
    if (s.local.port.is_unspecified()) return;
    all.push_back({.service = s.service,
                   .local = s.local,
                   .peer = s.peer,
                   .receive_queued = s.received_octets,
                   .send_queued = s.outgoing_octets,
                   .receive_buffer = s.options.receive_buffer});
  });
  return all;
}

std::optional<UdpEvent> UdpLayer::poll_event() {
  while (!events_.empty()) {
    const UdpHandle h = events_.front();
    events_.pop_front();
    Socket* s = sockets_.find(h);
    if (s == nullptr) continue;
    s->event_queued = false;
    return std::exchange(s->pending, UdpEvent{});
  }
  return std::nullopt;
}

void UdpLayer::note(UdpHandle h, Socket& s, bool readable, bool writable) {
  s.pending.socket = h;
  s.pending.readable |= readable;
  s.pending.writable |= writable;
  if (std::exchange(s.event_queued, true)) return;
  events_.push_back(h);
}

void UdpLayer::fail_address(IpAddress address, Error error) {
  sockets_.for_each([&](UdpHandle h, Socket& s) {
    if (s.local.address != address) return;
    s.error = error;
    note(h, s, true, true);
  });
}

void UdpLayer::fail_all(Error error) {
  outgoing_.clear();
  outgoing_octets_ = 0;
  sockets_.for_each([&](UdpHandle h, Socket& s) {
    s.outgoing_octets = 0;
    s.wants_room = false;
    s.error = error;
    note(h, s, true, true);
  });
}

}  // namespace wireside::udp
