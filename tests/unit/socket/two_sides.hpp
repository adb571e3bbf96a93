// Two socket tables whose TCP and UDP layers are joined directly: what one sends, the other gets at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.hpp"
#include "socket/socket_table.hpp"
#include "tcp/tcp_layer.hpp"
#include "udp/udp_layer.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside::testing {

inline Slice flatten(BufferPool& pool, const SliceList& list) {
  Slice all = pool.allocate_slice(list.octets());
  list.copy_to(0, {all.mutable_data(), all.size()});
  return all;
}

/// One host with the address 10.0.0.`last` on 10.0.0.0/24 and no route elsewhere.
class Side : public AddressPolicy {
 public:
  Side(std::uint8_t last, const tcp::TcpConfig& config)
      : address{10, 0, 0, last},
        random{make_seed(last)},
        tcp{config, random, pool, sink},
        udp{udp::UdpConfig{}, random, pool, sink},
        sockets{tcp, udp, *this, random, pool, SocketConfig{.stream_defaults = config.defaults}} {
    tcp.set_limits(1460, 64000);
  }

  [[nodiscard]] Result<IpAddress> source_for(IpAddress to) const override {
    if (!Ipv4Prefix{address, 24}.contains(to.v4()) && !is_broadcast(to)) return fail(Error::NetworkUnreachable);
    return IpAddress{address};
  }
  [[nodiscard]] bool is_local(IpAddress a) const override { return a == IpAddress{address}; }
  [[nodiscard]] bool is_broadcast(IpAddress a) const override {
    return a.v4().is_limited_broadcast() || a.v4() == Ipv4Address{10, 0, 0, 255};
  }

  [[nodiscard]] std::uint16_t path_mtu(IpAddress) const override { return known_path_mtu; }
  [[nodiscard]] std::uint16_t link_mtu(IpAddress) const override { return 1500; }
  [[nodiscard]] MessageLimits message_limits(IpAddress, std::size_t ip_options) const override {
    return {.mms_s = static_cast<std::uint16_t>(known_path_mtu - 20U - ip_options), .mms_r = 65515};
  }

  [[nodiscard]] Endpoint at(std::uint16_t port) const { return {address, Port{port}}; }

  /// All events of one socket that wait, merged; those of others are thrown away.
  SocketEvent events_of(SocketHandle h) {
    SocketEvent all{.socket = h};
    while (const auto e = sockets.poll_event()) {
      if (e->socket != h) continue;
      all.readable |= e->readable;
      all.writable |= e->writable;
      all.connected |= e->connected;
      all.failed |= e->failed;
      all.closed |= e->closed;
      if (e->failed) all.error = e->error;
    }
    return all;
  }

  std::uint16_t known_path_mtu = 1500;
  Ipv4Address address;
  Random random;
  BufferPool pool;
  observe::Sink sink;
  tcp::TcpLayer tcp;
  udp::UdpLayer udp;
  SocketTable sockets;
};

class TwoSides {
 public:
  explicit TwoSides(const tcp::TcpConfig& config = {}) : a{1, config}, b{2, config} {}

  /// Carries everything across until both are quiet; the clock advances a millisecond per round.
  void pump() {
    for (int round = 0; round < 200; ++round) {
      const bool there = carry(a, b);
      const bool back = carry(b, a);
      if (!there && !back) return;
      now += 1ms;
    }
  }
  /// Lets time pass, firing what falls due.
  void wait(Duration d) {
    const Instant end = now + d;
    for (int i = 0; i < 10000; ++i) {
      pump();
      const Instant due = std::min(a.tcp.next_deadline(), b.tcp.next_deadline());
      if (due > end) break;
      now = std::max(now, due);
      a.tcp.handle_timeouts(now);
      b.tcp.handle_timeouts(now);
    }
    now = std::max(now, end);
  }

  /// A connection from `a` to a listener on `b`: {a's socket, b's accepted socket}.
  struct Pair {
    SocketHandle client, server;
  };
  Pair connected(std::uint16_t port = 80) {
    const auto listener = *b.sockets.open(SocketKind::Stream);
    std::ignore = b.sockets.bind(listener, {{}, Port{port}});
    std::ignore = b.sockets.listen(listener, 5);
    const auto client = *a.sockets.open(SocketKind::Stream);
    std::ignore = a.sockets.connect(now, client, b.at(port));
    pump();
    const auto accepted = b.sockets.accept(listener);
    std::ignore = b.sockets.close(now, listener);
    return {client, accepted ? accepted->socket : SocketHandle{}};
  }

  Instant now = Instant::from_ns(1'000'000'000);
  Side a;
  Side b;
  bool cut = false;  ///< the cable: when cut, everything is lost

 private:
  bool carry(Side& from, Side& to) {
    bool moved = false;
    tcp::OutgoingSegment out;
    while (from.tcp.poll_segment(now, out)) {
      moved = true;
      if (cut || out.tuple.remote.address != IpAddress{to.address}) continue;
      to.tcp.segment_arrives(now, {.tuple = {out.tuple.remote, out.tuple.local},
                                   .header = out.header,
                                   .payload = flatten(to.pool, out.payload),
                                   .ttl = out.ttl,
                                   .tos = out.tos,
                                   .gso_size = out.gso_size});
      out.payload.clear();
    }
    udp::OutgoingDatagram datagram;
    while (from.udp.poll_datagram(datagram)) {
      moved = true;
      if (!cut) carry_datagram(datagram, from, to);
    }
    return moved;
  }

  void carry_datagram(const udp::OutgoingDatagram& d, Side& from, Side& to) {
    if (d.service == udp::Service::Echo) {  // the other side answers
      std::ignore = from.udp.echo_reply_arrives(now, {.source = d.tuple.remote.address,
                                                      .destination = d.tuple.local.address,
                                                      .identifier = d.tuple.local.port.value,
                                                      .sequence = d.sequence,
                                                      .octets = d.payload,
                                                      .ttl = d.ttl,
                                                      .tos = d.tos});
      return;
    }
    const std::size_t n = wire::udp_header_length + d.payload.size();
    Slice octets = to.pool.allocate_slice(n);
    wire::emit_udp(
        {.source = d.tuple.local.port, .destination = d.tuple.remote.port, .length = static_cast<std::uint16_t>(n)},
        {octets.mutable_data(), n});
    if (!d.payload.empty())
      std::memcpy(octets.mutable_data() + wire::udp_header_length, d.payload.data(), d.payload.size());
    const auto delivery = to.udp.datagram_arrives(now, {.source = d.tuple.local.address,
                                                        .destination = d.tuple.remote.address,
                                                        .octets = octets,
                                                        .checksum = ChecksumState::Validated,
                                                        .ttl = d.ttl,
                                                        .tos = d.tos});
    if (delivery == udp::Delivery::NoSocket) {
      from.udp.network_error(udp::Service::Udp, d.tuple, Error::ConnectionRefused);
    }
  }
};

inline ByteView octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace wireside::testing
