// What arrives for UDP and echo sockets: checks, demultiplexing, queueing, errors.
#include <algorithm>
#include <utility>

#include "base/checksum.hpp"
#include "udp/udp_layer.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside::udp {

using observe::DropReason;

bool UdpLayer::checksum_ok(const UdpArrival& arrival, ByteView datagram, std::uint16_t field) const {
  if (field == 0) return true;  // the sender computed none (RFC 768)
  if (arrival.checksum != ChecksumState::Unverified) return true;
  ChecksumAccumulator acc;
  wire::add_pseudo_header(acc, arrival.source.v4(), arrival.destination.v4(),
                          static_cast<std::uint8_t>(wire::IpProtocol::Udp),
                          static_cast<std::uint32_t>(datagram.size()));
  acc.add(datagram);
  return acc.checksum() == 0;
}

Delivery UdpLayer::datagram_arrives(Instant now, const UdpArrival& arrival) {
  const auto header = wire::parse_udp(arrival.octets.view());
  if (!header) {
    sink_.drop(now, DropReason::UdpMalformed);
    return Delivery::Dropped;
  }
  // What IP carries beyond the UDP length is not part of the datagram.
  const ByteView datagram = arrival.octets.view().first(header->length);
  if (!checksum_ok(arrival, datagram, header->checksum)) {
    sink_.drop(now, DropReason::UdpBadChecksum);
    return Delivery::Dropped;
  }
  const Endpoint from{arrival.source, header->source};
  const UdpHandle h = find(Service::Udp, {{arrival.destination, header->destination}, from});
  if (!h.is_valid()) {
    sink_.drop(now, DropReason::UdpNoSocket);
    return Delivery::NoSocket;
  }
  return enqueue(
      now, h,
      Datagram{.payload = arrival.octets.sub(wire::udp_header_length, header->length - wire::udp_header_length),
               .from = from,
               .to = arrival.destination,
               .ttl = arrival.ttl,
               .tos = arrival.tos,
               .ip_options = arrival.ip_options});
}

Delivery UdpLayer::echo_reply_arrives(Instant now, const EchoArrival& arrival) {
  const Port identifier{arrival.identifier};
  const Endpoint from{arrival.source, identifier};
  const UdpHandle h = find(Service::Echo, {{arrival.destination, identifier}, from});
  if (!h.is_valid()) {
    sink_.drop(now, DropReason::IcmpSuppressed);
    return Delivery::NoSocket;
  }
  return enqueue(now, h,
                 Datagram{.payload = arrival.octets,
                          .from = from,
                          .to = arrival.destination,
                          .ttl = arrival.ttl,
                          .tos = arrival.tos,
                          .sequence = arrival.sequence,
                          .ip_options = arrival.ip_options});
}

/// How closely a socket's addresses fit a flow; -1 = it is not the socket's.
int UdpLayer::fitness(const Socket& s, Service service, const FourTuple& flow) {
  int score = 0;
  if (!s.local.address.is_unspecified()) {
    if (s.local.address != flow.local.address) return -1;
    score += 1;
  }
  if (s.peer) {
    const bool matches = service == Service::Echo ? s.peer->address == flow.remote.address : *s.peer == flow.remote;
    if (!matches) return -1;
    score += 2;
  }
  return score;
}

/// The socket that fits best; where several do alike, they share their endpoint.
UdpHandle UdpLayer::find(Service service, const FourTuple& flow) const {
  const auto it = bound_.find(key(service, flow.local.port));
  if (it == bound_.end()) return {};
  UdpHandle best;
  int best_score = -1;
  std::size_t alike = 0;
  for (const UdpHandle h : it->second) {
    const int score = fitness(*sockets_.find(h), service, flow);
    if (score > best_score) {
      best = h;
      best_score = score;
      alike = 1;
    } else if (score >= 0 && score == best_score) {
      ++alike;
    }
  }
  if (alike <= 1 || !sharing_) return best;
  std::size_t skip = sharing_->choose(flow, alike);
  for (const UdpHandle h : it->second) {
    if (fitness(*sockets_.find(h), service, flow) == best_score && skip-- == 0) return h;
  }
  return best;
}

/// Of several that share an endpoint, the one that sent to this peer, as far as that is known.
UdpHandle UdpLayer::find_sender(Service service, const FourTuple& flow) const {
  const UdpHandle found = find(service, flow);
  const Socket* s = sockets_.find(found);
  if (s == nullptr || !s->options.reuse_port || s->last_peer == flow.remote) return found;
  const int best_score = fitness(*s, service, flow);
  for (const UdpHandle h : bound_.find(key(service, flow.local.port))->second) {
    const Socket& other = *sockets_.find(h);
    if (other.last_peer == flow.remote && fitness(other, service, flow) == best_score) return h;
  }
  return found;
}

Delivery UdpLayer::enqueue(Instant now, UdpHandle h, Datagram datagram) {
  Socket& s = *sockets_.find(h);
  const std::size_t n = datagram.payload.size();
  const std::size_t limit = s.options.receive_buffer;
  const bool full =
      s.received_octets + n > limit || s.received.size() >= std::max<std::size_t>(1, limit / min_octets_per_datagram);
  if (full || s.receive_shut) {
    sink_.drop(now, DropReason::UdpReceiveQueueFull);
    return Delivery::Dropped;
  }
  // A small datagram must not keep a large receive block alive.
  const BufferRef& block = datagram.payload.buffer();
  if (block && block->capacity() > 2 * n + 256) datagram.payload = pool_.copy(datagram.payload.view());
  s.received_octets += n;
  if (s.service == Service::Udp) ++sink_.count.udp_in;
  s.received.push_back(std::move(datagram));
  note(h, s, true, false);
  return Delivery::Delivered;
}

void UdpLayer::network_error(Service service, const FourTuple& tuple, Error error) {
  ErrorReport report;
  report.error = error;
  report.local = true;
  report.reporter = tuple.local.address;
  report.tuple = tuple;
  network_error(service, report);
}

void UdpLayer::network_error(Service service, const ErrorReport& report) {
  const UdpHandle h = find_sender(service, report.tuple);
  Socket* s = sockets_.find(h);
  if (s == nullptr) return;
  const bool concerned = s->peer || service == Service::Echo || s->options.report_errors;
  if (!concerned) return;
  s->error = report.error;
  if (s->options.report_errors && s->reports.size() < max_error_reports) {
    s->reports.push_back(report);
    copy_small_quote(s->reports.back(), pool_);
  }
  note(h, *s, true, true);
}

bool UdpLayer::sent_to(Service service, const FourTuple& tuple) const {
  const Socket* s = sockets_.find(find_sender(service, tuple));
  if (s == nullptr) return false;
  const std::optional<Endpoint>& peer = s->peer ? s->peer : s->last_peer;
  if (!peer) return false;
  return service == Service::Echo ? peer->address == tuple.remote.address : *peer == tuple.remote;
}

}  // namespace wireside::udp
