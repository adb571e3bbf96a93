// What TCP does beside arithmetic: finding connections, timers, reassembly, the scoreboard.
#include <chrono>
#include <memory>

#include "base/deadline_queue.hpp"
#include "base/random.hpp"
#include "micro.hpp"
#include "observe/event.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/scoreboard.hpp"
#include "tcp/tcp_layer.hpp"

namespace wireside::micro {
namespace {

Instant at(std::int64_t us) { return Instant::from_ns(us * 1000); }

FourTuple tuple_of(std::uint32_t number) {
  return {{Ipv4Address{0x0a000002U}, Port{80}},
          {Ipv4Address{0x0a010000U + number / 50000}, Port{static_cast<std::uint16_t>(1024 + number % 50000)}}};
}

std::function<void(benchmark::State&)> find_among(std::uint32_t connections) {
  return [connections](benchmark::State& state) {
    Random random{make_seed(1)};
    BufferPool pool;
    observe::Sink sink;
    tcp::TcpLayer layer{{}, random, pool, sink};
    for (std::uint32_t i = 0; i < connections; ++i) (void)layer.connect(at(0), tuple_of(i), {});
    std::uint32_t next = 0;
    for (auto _ : state) {
      benchmark::DoNotOptimize(layer.is_in_flight(tuple_of(next), SeqNum{1}));
      next = (next + 7919) % connections;
    }
  };
}

const Add find_one{"find a connection of 1", find_among(1)};
const Add find_1000{"find a connection of 1,000", find_among(1000)};
const Add find_100000{"find a connection of 100,000", find_among(100000)};

/// A listener, and so many connections to it that have nothing to do.
class IdleConnections {
 public:
  explicit IdleConnections(std::uint32_t count) {
    listener_ = layer_.listen(tuple_of(0).local, count, {}).value();
    for (std::uint32_t i = 0; i < count; ++i) {
      auto s = segment(i);
      s.header.flags.syn = true;
      layer_.segment_arrives(at(0), s);
      answer(at(0));
      s.header.seq = SeqNum{1};
      s.header.flags.syn = false;
      s.header.flags.ack = true;
      s.header.ack = out_.header.seq + 1;
      layer_.segment_arrives(at(0), s);
      acknowledged_.push_back(s.header.ack);
      while (layer_.poll_event()) continue;
    }
    while (layer_.accept(listener_)) continue;
  }
  /// A segment that only wants to be acknowledged, as the peer's keep-alive sends it.
  void probe(Instant now, std::uint32_t number) {
    auto s = segment(number);
    s.header.flags.ack = true;
    s.header.ack = acknowledged_[number];
    layer_.segment_arrives(now, s);
    answer(now);
  }

 private:
  [[nodiscard]] static tcp::IncomingSegment segment(std::uint32_t number) {
    tcp::IncomingSegment s;
    s.tuple = tuple_of(number);
    s.header.source = s.tuple.remote.port;
    s.header.destination = s.tuple.local.port;
    s.header.window = 65535;
    return s;
  }
  void answer(Instant now) {
    while (layer_.poll_segment(now, out_)) benchmark::DoNotOptimize(out_);
  }

  Random random_{make_seed(1)};
  BufferPool pool_;
  observe::Sink sink_;
  tcp::TcpLayer layer_{{}, random_, pool_, sink_};
  tcp::ListenerHandle listener_;
  tcp::OutgoingSegment out_;
  std::vector<SeqNum> acknowledged_;
};

std::function<void(benchmark::State&)> probe_among(std::uint32_t connections) {
  return [connections](benchmark::State& state) {
    IdleConnections idle{connections};
    std::uint32_t next = 0;
    std::int64_t now = 0;
    for (auto _ : state) {
      idle.probe(at(now += 1'000'000), next);
      next = (next + 7919) % connections;
    }
  };
}

const Add probe_100{"keep-alive to one of 100 idle connections", probe_among(100)};
const Add probe_10000{"keep-alive to one of 10,000 idle connections, at rest", probe_among(10000)};

struct Timers {
  explicit Timers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      nodes.push_back(std::make_unique<DeadlineNode>());
      queue.arm(*nodes.back(), at(1000 + static_cast<std::int64_t>(i * 7919 % count)));
    }
  }
  DeadlineQueue queue;
  std::vector<std::unique_ptr<DeadlineNode>> nodes;
};

const Add rearm{"timer of 100,000 armed anew, later", [](benchmark::State& state) {
                  Timers timers{100000};
                  std::size_t i = 0;
                  std::int64_t when = 1'000'000;
                  for (auto _ : state) {
                    timers.queue.arm(*timers.nodes[i], at(++when));
                    i = (i + 7919) % timers.nodes.size();
                  }
                }};

const Add expire{"timer of 100,000 expires and is armed anew", [](benchmark::State& state) {
                   Timers timers{100000};
                   for (auto _ : state) {
                     const Instant due = timers.queue.next();
                     DeadlineNode* node = timers.queue.pop_due(due);
                     timers.queue.arm(*node, due + std::chrono::milliseconds{100});
                   }
                 }};

const Add gaps{"reassembly: 16 segments, every other first", [](benchmark::State& state) {
                 BufferPool pool;
                 constexpr std::uint32_t length = 1460, count = 16;
                 const Slice data = pool.allocate_slice(length);
                 std::uint32_t base = 0;
                 tcp::Reassembly held;
                 for (auto _ : state) {
                   for (const std::uint32_t first : {1U, 0U}) {
                     for (std::uint32_t i = first; i < count; i += 2) {
                       benchmark::DoNotOptimize(held.insert(SeqNum{base + i * length}, data, 1024, pool));
                     }
                   }
                   while (held.pop_contiguous(SeqNum{base})) base += length;
                 }
               }};

const Add orderly{"scoreboard: a segment sent and acknowledged, 64 on the way", [](benchmark::State& state) {
                    tcp::Scoreboard board;
                    constexpr std::uint32_t length = 1460, window = 64 * length;
                    std::uint32_t sent = 0;
                    for (auto _ : state) {
                      board.sent(SeqNum{sent}, SeqNum{sent + length}, at(sent), {});
                      sent += length;
                      if (sent <= window) continue;
                      board.acknowledge(SeqNum{sent - window},
                                        [](const tcp::SentRange& r) { benchmark::DoNotOptimize(r); });
                    }
                  }};

const Add holes{"scoreboard: 64 segments, every other reported, then all acknowledged", [](benchmark::State& state) {
                  tcp::Scoreboard board;
                  constexpr std::uint32_t length = 1460, count = 64;
                  std::uint32_t base = 0;
                  const auto delivered = [](const tcp::SentRange& r) { benchmark::DoNotOptimize(r); };
                  for (auto _ : state) {
                    for (std::uint32_t i = 0; i < count; ++i) {
                      board.sent(SeqNum{base + i * length}, SeqNum{base + (i + 1) * length}, at(i), {});
                    }
                    for (std::uint32_t i = 1; i < count; i += 2) {
                      board.sack({SeqNum{base + i * length}, SeqNum{base + (i + 1) * length}}, delivered);
                    }
                    base += count * length;
                    board.acknowledge(SeqNum{base}, delivered);
                  }
                }};

}  // namespace
}  // namespace wireside::micro
