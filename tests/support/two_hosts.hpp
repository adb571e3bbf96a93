// Two whole stacks at the ends of a wire with a virtual clock: `ours` at 10.0.0.2, which is watched, and `peer` at
// 10.0.0.1. The wire takes some time each way, and loses what it is told to lose.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stack.hpp"

namespace wireside::testing {

class TwoHosts {
 public:
  using Frame = std::vector<std::uint8_t>;
  enum class Way : std::uint8_t { Out, In };

  struct Setup {
    Config ours, peer;
    Duration one_way = std::chrono::milliseconds{5};
  };
  static Setup plain() {
    Setup s;
    s.ours.ip.addresses = {{Ipv4Address{10, 0, 0, 2}, 24}};
    s.peer.ip.addresses = {{Ipv4Address{10, 0, 0, 1}, 24}};
    for (Config* c : {&s.ours, &s.peer}) {
      c->link.conflict.check_before_use = false;
      c->tcp.quick_acks = 0;
      c->tcp.defaults.congestion = tcp::CongestionAlgorithm::NewReno;
      c->tcp.defaults.pacing = tcp::Pacing::Off;
    }
    return s;
  }

  explicit TwoHosts(observe::Observer& observer) : TwoHosts{observer, plain()} {}
  TwoHosts(observe::Observer& observer, const Setup& setup)
      : one_way_{setup.one_way}, ours{setup.ours, make_seed(1)}, peer{setup.peer, make_seed(2)} {
    ours.attach(&observer);
    wait(std::chrono::milliseconds{100});
  }

  /// Asked of each frame when it is sent: true loses it.
  std::function<bool(Way, const Frame&)> loses;

  /// `ours` listens, `peer` connects.
  void establish(std::uint16_t port = 80) {
    const auto door = Endpoint{Ipv4Address{10, 0, 0, 2}, Port{port}};
    listener = ours.sockets().open(SocketKind::Stream).value();
    (void)ours.sockets().bind(listener, door);
    (void)ours.sockets().listen(listener, 4);
    remote = peer.sockets().open(SocketKind::Stream).value();
    (void)peer.sockets().connect(now, remote, door);
    wait(std::chrono::milliseconds{200});
    if (const auto accepted = ours.sockets().accept(listener)) local = accepted->socket;
  }
  void send(std::size_t octets) { (void)ours.sockets().send(now, local, Frame(octets, 'x')); }
  void peer_sends(std::size_t octets) { (void)peer.sockets().send(now, remote, Frame(octets, 'y')); }
  std::size_t read(std::size_t most = SIZE_MAX) { return take(ours, local, most); }
  std::size_t peer_reads(std::size_t most = SIZE_MAX) { return take(peer, remote, most); }

  void wait(Duration d) {
    const Instant end = now + d;
    while (true) {
      pull();
      Instant next = end;
      if (!under_way_.empty()) next = std::min(next, under_way_.begin()->first);
      for (Stack* s : {&ours, &peer}) next = std::min(next, s->next_deadline().value_or(end));
      now = std::max(now, next);
      arrive();
      ours.handle_timeouts(now);
      peer.handle_timeouts(now);
      if (now >= end) return pull();
    }
  }

  Instant now = Instant::from_ns(1'000'000'000);

 private:
  struct Travelling {
    Way way;
    Frame frame;
  };
  std::size_t take(Stack& s, SocketHandle h, std::size_t most) {
    std::size_t taken = 0;
    Frame buffer(4096);
    while (taken < most) {
      const auto n = s.sockets().receive(now, h, std::span{buffer}.first(std::min(buffer.size(), most - taken)));
      if (!n || *n == 0) break;
      taken += *n;
    }
    return taken;
  }
  void pull() {
    FrameOut out;
    for (const Way way : {Way::Out, Way::In}) {
      Stack& from = way == Way::Out ? ours : peer;
      while (from.poll_frame(now, out)) {
        Frame f{out.header.view().begin(), out.header.view().end()};
        for (const Slice& piece : out.payload) f.insert(f.end(), piece.view().begin(), piece.view().end());
        if (!loses || !loses(way, f)) under_way_.emplace(now + one_way_, Travelling{way, std::move(f)});
      }
    }
  }
  void arrive() {
    while (!under_way_.empty() && under_way_.begin()->first <= now) {
      const Travelling t = std::move(under_way_.begin()->second);
      under_way_.erase(under_way_.begin());
      Stack& to = t.way == Way::Out ? peer : ours;
      to.handle_frame(now, Packet{.data = to.buffers().copy(t.frame)});
    }
  }

  Duration one_way_;
  std::multimap<Instant, Travelling> under_way_;

 public:
  Stack ours, peer;
  SocketHandle listener, local, remote;
};

}  // namespace wireside::testing
