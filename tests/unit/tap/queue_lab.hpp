// The stacks of several queues at 10.0.0.2 and one peer at 10.0.0.1, under a virtual clock and without a device: a test
// decides on which queue each frame comes in.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "queue_config.hpp"
#include "queue_steering.hpp"
#include "stack.hpp"
#include "wire/ethernet.hpp"

namespace wireside::test {

class QueueLab {
 public:
  static constexpr Ipv4Address ours{10, 0, 0, 2};
  static constexpr Ipv4Address theirs{10, 0, 0, 1};

  explicit QueueLab(std::size_t queues, std::uint64_t seed = 1)
      : owner{queues, static_cast<std::uint32_t>(seed * 2654435761U)}, peer{config_of_peer(), make_seed(seed)} {
    Config config;
    config.link.mac = MacAddress{{2, 0, 0, 0, 0, 2}};
    config.ip.addresses = {{ours, 24}};
    std::vector<Mailbox*> all;
    for (std::size_t i = 0; i < queues; ++i) all.push_back(boxes.emplace_back(std::make_unique<Mailbox>()).get());
    for (std::size_t i = 0; i < queues; ++i) {
      stacks.push_back(std::make_unique<Stack>(config_of_queue(config, owner, i), make_seed(seed + 1 + i)));
      if (i != 0) stacks[i]->use_network_settings(now, stacks[0]->network_settings());
      steering.push_back(std::make_unique<QueueSteering>(
          i, owner, all, [this](std::size_t) { ++wakes; }, config.ip.reassembly.timeout));
    }
  }
  ~QueueLab() { steering.clear(); }  // keeps buffers of the stacks
  QueueLab(const QueueLab&) = delete;
  QueueLab& operator=(const QueueLab&) = delete;

  /// Frames go to and fro until nothing is left to send.
  void run() {
    for (int round = 0; round < 1000; ++round) {
      bool quiet = deliver_to_queues();
      for (auto& stack : stacks) quiet = deliver_to_peer(*stack) && quiet;
      if (quiet) return;
    }
  }
  void wait(Duration time) {
    const Instant end = now + time;
    for (int turns = 0; turns < 10000 && next_deadline() <= end; ++turns) {
      now = std::max(now, next_deadline());
      for_each_stack([&](Stack& s) {
        if (s.next_deadline().value_or(Instant::max()) <= now) s.handle_timeouts(now);
      });
      run();
    }
    now = end;
  }
  /// A frame comes in on a queue, and each mailbox is emptied.
  void in(std::size_t queue, ByteView frame) {
    const Packet packet{.data = stacks[queue]->buffers().copy(frame)};
    if (!steering[queue]->takes(now, packet)) stacks[queue]->handle_frame(now, packet);
    empty_mailboxes();
  }

  // --- applications: one listener in each stack, and connections that the peer opens ---

  void listen_everywhere(std::uint16_t port) {
    for (auto& stack : stacks) {
      const SocketHandle h = *stack->sockets().open(SocketKind::Stream);
      (void)stack->sockets().bind(h, {Ipv4Address{}, Port{port}});
      (void)stack->sockets().listen(h, 1024);
      listeners.push_back(h);
    }
  }
  SocketHandle connect_from_peer(std::uint16_t port) {
    const SocketHandle h = *peer.sockets().open(SocketKind::Stream);
    (void)peer.sockets().connect(now, h, {ours, Port{port}});
    return h;
  }
  /// What came is sent back, on every connection of every queue.
  void echo_everywhere() {
    for (std::size_t i = 0; i < stacks.size(); ++i) {
      SocketTable& table = stacks[i]->sockets();
      while (const auto accepted = table.accept(listeners[i])) connections.push_back({i, accepted->socket});
      for (const auto& [queue, socket] : connections) {
        if (queue == i) echo(*stacks[i], socket);
      }
    }
  }
  static std::string read(Stack& stack, Instant now, SocketHandle h) {
    std::string out;
    std::array<std::uint8_t, 4096> buffer;
    while (const auto n = stack.sockets().receive(now, h, buffer)) {
      if (*n == 0) break;
      out.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
    return out;
  }
  static ByteView view(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }
  static std::vector<std::uint8_t> flat(const FrameOut& frame) {
    std::vector<std::uint8_t> out(frame.size());
    std::ranges::copy(frame.header.view(), out.begin());
    frame.payload.copy_to(0, MutableByteView{out}.subspan(frame.header.size()));
    return out;
  }
  [[nodiscard]] SteeringCounters counted() const {
    SteeringCounters all;
    for (const auto& s : steering) {
      all.handed_over += s->counters().handed_over;
      all.taken_over += s->counters().taken_over;
      all.lost += s->counters().lost;
      all.fragments_lost += s->counters().fragments_lost;
    }
    return all;
  }
  template <class F>
  void for_each_stack(F f) {
    f(peer);
    for (auto& stack : stacks) f(*stack);
  }

  struct Connection {
    std::size_t queue;
    SocketHandle socket;
  };

  Instant now = Instant::from_ns(1'000'000'000);
  FlowOwner owner;
  Stack peer;
  std::vector<std::unique_ptr<Stack>> stacks;
  std::vector<std::unique_ptr<Mailbox>> boxes;
  std::vector<std::unique_ptr<QueueSteering>> steering;
  /// On which queue the n-th frame comes in that the peer sends.
  std::function<std::size_t(std::size_t n, ByteView frame)> arrives = [this](std::size_t n, ByteView) {
    return n % stacks.size();
  };
  std::vector<SocketHandle> listeners;
  std::vector<Connection> connections;
  std::vector<std::vector<std::uint8_t>> seen_by_peer;  ///< frames of the last run() and wait()
  std::size_t wakes = 0;

 private:
  static Config config_of_peer() {
    Config config;
    config.ip.addresses = {{theirs, 24}};
    return config;
  }
  Instant next_deadline() {
    Instant next = Instant::max();
    for_each_stack([&](Stack& s) { next = std::min(next, s.next_deadline().value_or(Instant::max())); });
    return next;
  }
  void echo(Stack& stack, SocketHandle socket) const {
    const std::string text = read(stack, now, socket);
    if (!text.empty()) (void)stack.sockets().send(now, socket, view(text));
  }
  bool deliver_to_queues() {
    FrameOut frame;
    bool quiet = true;
    while (peer.poll_frame(now, frame)) {
      quiet = false;
      const auto octets = flat(frame);
      in(arrives(frames_in_++, octets), octets);
    }
    return quiet;
  }
  bool deliver_to_peer(Stack& stack) {
    FrameOut frame;
    bool quiet = true;
    while (stack.poll_frame(now, frame)) {
      quiet = false;
      seen_by_peer.push_back(flat(frame));
      peer.handle_frame(now, Packet{.data = peer.buffers().copy(seen_by_peer.back())});
    }
    return quiet;
  }
  void empty_mailboxes() {
    for (bool found = true; found;) {
      found = false;
      for (std::size_t i = 0; i < stacks.size(); ++i) {
        std::vector<Packet> mail;
        const auto before = steering[i]->counters().handed_over;
        steering[i]->take_mail(now, stacks[i]->buffers(), mail);
        found = found || !mail.empty() || steering[i]->counters().handed_over != before;
        for (Packet& packet : mail) stacks[i]->handle_frame(now, std::move(packet));
      }
    }
  }
  std::size_t frames_in_ = 0;
};

}  // namespace wireside::test
