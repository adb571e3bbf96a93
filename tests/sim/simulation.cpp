#include "sim/simulation.hpp"

#include <algorithm>
#include <deque>
#include <optional>

namespace wireside::testing {

namespace {

constexpr std::uint16_t first_port = 7000;
constexpr std::uint64_t most_events = 3'000'000;
constexpr Duration most_virtual_time = std::chrono::hours{4};
constexpr unsigned most_connect_attempts = 50;

struct Pair {
  const ConnectionPlan* plan = nullptr;
  SocketHandle listener;
  Application client, server;
  unsigned attempts = 0;
  Instant next_attempt;
};

class World {
 public:
  World(const Scenario& scenario, const std::string& pcap_path);
  RunResult run();

 private:
  [[nodiscard]] bool may_be_reset(const ConnectionPlan& plan) const;
  void open_pair(const ConnectionPlan& plan, std::uint16_t index);
  void connect(Pair& pair, std::uint16_t index);
  bool pump_events(unsigned side);
  void accept(Pair& pair);
  bool act(Pair& pair, std::uint16_t index);
  bool act();
  void send_frames(unsigned side);
  [[nodiscard]] bool never_sent(unsigned side);
  void check_frame(unsigned side, const FrameOut& frame);
  void check_new_data(unsigned side, const FrameOut& frame, const SeenSegment& segment);
  void check_connections(unsigned side);
  void settle();
  void step();
  [[nodiscard]] Instant next_instant();
  [[nodiscard]] bool finished() const;
  void check_end();
  void mix(std::uint64_t value) { result_.hash = (result_.hash ^ value) * 0x100000001b3ULL; }
  void problem(const std::string& text) {
    if (result_.problem.empty()) result_.problem = text;
  }
  Stack& stack(unsigned side) { return *stacks_[side]; }

  Scenario scenario_;
  Instant now_ = Instant::from_ns(0);
  TestRandom random_;
  std::array<std::unique_ptr<Stack>, 2> stacks_;
  VirtualLink link_;
  std::deque<Pair> pairs_;
  SegmentChecker checker_;
  std::unique_ptr<PcapFile> pcap_;
  RunResult result_;
};

World::World(const Scenario& scenario, const std::string& pcap_path)
    : scenario_{scenario},
      random_{TestRandom{scenario.seed ^ 0x5eed}.next()},
      link_{scenario.link[0], scenario.link[1], TestRandom{scenario.seed ^ 0x11}.next()} {
  for (unsigned side = 0; side < 2; ++side) {
    stacks_[side] = std::make_unique<Stack>(scenario_.config[side], make_seed(scenario.seed * 2 + side));
  }
  if (!pcap_path.empty()) pcap_ = std::make_unique<PcapFile>(pcap_path);
  std::uint16_t index = 0;
  for (const auto& plan : scenario_.connections) open_pair(plan, index++);
}

/// Somebody leaves, or keeps fewer connections in TIME-WAIT than there may be: a FIN whose ACK was lost gets a RST
/// then.
bool World::may_be_reset(const ConnectionPlan& plan) const {
  return plan.someone_leaves() || std::ranges::any_of(scenario_.config, [&](const Config& c) {
           return c.tcp.max_time_wait < scenario_.connections.size();
         });
}

void World::open_pair(const ConnectionPlan& plan, std::uint16_t index) {
  Stack& client = stack(plan.client);
  Stack& server = stack(1 - plan.client);
  const StreamSalt salt = 2 * index + 10;
  pairs_.push_back(Pair{&plan,
                        {},
                        Application{client, plan.client_plan, salt, salt + 1, random_.next()},
                        Application{server, plan.server_plan, salt + 1, salt, random_.next()},
                        0,
                        now_ + plan.starts_at});
  if (may_be_reset(plan)) {
    pairs_.back().client.expect_reset();
    pairs_.back().server.expect_reset();
  }
  auto& sockets = server.sockets();
  const auto listener = sockets.open(SocketKind::Stream);
  const Endpoint local{IpAddress{}, Port{static_cast<std::uint16_t>(first_port + index)}};
  if (!listener || !sockets.set_stream_options(now_, *listener, plan.server_plan.options) ||
      !sockets.bind(*listener, local) || !sockets.listen(*listener, 4)) {
    return problem("cannot listen");
  }
  pairs_.back().listener = *listener;
}

void World::connect(Pair& pair, std::uint16_t index) {
  auto& sockets = stack(pair.plan->client).sockets();
  const auto socket = sockets.open(SocketKind::Stream);
  if (!socket || !sockets.set_stream_options(now_, *socket, pair.plan->client_plan.options)) {
    return problem("cannot open a socket");
  }
  const Endpoint peer{scenario_.config[1 - pair.plan->client].ip.addresses.front().address,
                      Port{static_cast<std::uint16_t>(first_port + index)}};
  const auto early = pair.client.take_early_data();
  const auto result = sockets.connect(now_, *socket, peer, early);
  if (result || result.error() != Error::InProgress)
    return problem("connect does not begin: " + std::string{result ? "ok" : errno_name(result.error())});
  pair.client.start(now_, *socket, false);
  pair.next_attempt = Instant::max();
  ++pair.attempts;
}

void World::accept(Pair& pair) {
  auto& sockets = stack(1 - pair.plan->client).sockets();
  const auto accepted = sockets.accept(pair.listener);
  if (!accepted) return;
  if (!pair.server.started()) return pair.server.start(now_, accepted->socket, true);
  // A SYN with data that the network repeats may open a connection again (RFC 7413 section 2.1); so may, when its
  // connection was left, a segment that proves a cookie.
  const bool cookies = scenario_.config[1 - pair.plan->client].tcp.syn_cookies != tcp::SynCookieUse::Never &&
                       scenario_.config[1 - pair.plan->client].tcp.max_syn_queue == 1;
  const bool again = pair.plan->server_plan.options.fast_open_queue > 0 || (cookies && pair.server.finished());
  if (!again) problem("a second connection was accepted");
  std::ignore = sockets.abort(now_, accepted->socket);
}

bool World::pump_events(unsigned side) {
  bool any = false;
  while (const auto event = stack(side).poll_event()) {
    any = true;
    for (Pair& pair : pairs_) {
      const unsigned server = 1 - pair.plan->client;
      if (side == server && event->socket == pair.listener) {
        accept(pair);
      } else if (side == server && pair.server.started() && event->socket == pair.server.socket()) {
        pair.server.on_event(now_, *event);
      } else if (side == pair.plan->client && pair.client.started() && event->socket == pair.client.socket()) {
        pair.client.on_event(now_, *event);
      }
    }
  }
  return any;
}

bool World::act(Pair& pair, std::uint16_t index) {
  bool any = false;
  if (now_ >= pair.next_attempt) {
    connect(pair, index);
    any = true;
  }
  // The neighbour could not be resolved through the loss: an application would try again.
  if (pair.client.error() == Error::HostUnreachable && !pair.server.started() &&
      pair.attempts < most_connect_attempts) {
    std::ignore = stack(pair.plan->client).sockets().close(now_, pair.client.socket());
    pair.client = Application{stack(pair.plan->client), pair.plan->client_plan, static_cast<StreamSalt>(2 * index + 10),
                              static_cast<StreamSalt>(2 * index + 11), random_.next()};
    if (may_be_reset(*pair.plan)) pair.client.expect_reset();
    pair.next_attempt = now_ + 5s;
  }
  for (Application* a : {&pair.client, &pair.server}) {
    any |= a->act(now_);
    if (!a->problem().empty()) problem(a->problem() + " (" + a->describe() + ")");
    if (!a->error() || a->expects(*a->error())) continue;
    if (pair.server.started() || *a->error() != Error::HostUnreachable) problem("connection failed: " + a->describe());
  }
  if (pair.client.received() > pair.server.sent() || pair.server.received() > pair.client.sent()) {
    problem("more was delivered than was sent");
  }
  return any;
}

bool World::act() {
  bool any = false;
  std::uint16_t index = 0;
  for (Pair& pair : pairs_) any |= act(pair, index++);
  return any;
}

/// The checker sees frames. Segments that waited in vain for the neighbour's address became none.
bool World::never_sent(unsigned side) {
  return stack(side).statistics().dropped(observe::DropReason::NeighbourUnreachable) > 0;
}

void World::check_frame(unsigned side, const FrameOut& frame) {
  ++result_.frames;
  mix(static_cast<std::uint64_t>(now_.ns()) * 2 + side);
  for (const std::uint8_t octet : frame.header.view()) mix(octet);
  for (const Slice& slice : frame.payload) {
    for (const std::uint8_t octet : slice.view()) mix(octet);
  }
  if (pcap_) pcap_->write(now_, flatten(frame).octets);
  const bool whole = frame.gso_size != 0;
  if (!whole && frame.size() > scenario_.config[side].link.mtu + std::size_t{14}) problem("frame exceeds the MTU");
  std::optional<SeenSegment> segment;
  const auto wrong = checker_.check(frame.header.view(), frame.size(), &segment);
  const bool gap = wrong.find("leaves a gap in what was sent") != std::string::npos;
  if (!wrong.empty() && !(gap && never_sent(side))) problem(wrong);
  if (segment && segment->carries_new_data) check_new_data(side, frame, *segment);
}

/// Flight never exceeds the peer's window, nor the octets in the network cwnd, except by limited transmit (RFC 3042),
/// tail loss probes (RFC 8985 section 7.3) and zero-window probes.
void World::check_new_data(unsigned side, const FrameOut& frame, const SeenSegment& segment) {
  if (frame.reason == observe::TxReason::ZeroWindowProbe) return;
  const bool beyond_cwnd = frame.reason == observe::TxReason::TailLossProbe;
  for (const auto& c : stack(side).connections()) {
    if (c.tuple != segment.tuple || c.state == TcpState::TimeWait) continue;
    if (c.flight > c.snd_wnd)
      problem("flight " + std::to_string(c.flight) + " exceeds snd_wnd " + std::to_string(c.snd_wnd));
    if (!beyond_cwnd && c.pipe > c.cwnd + 2 * c.mss) {
      problem("pipe " + std::to_string(c.pipe) + " exceeds cwnd " + std::to_string(c.cwnd));
    }
  }
}

void World::check_connections(unsigned side) {
  const auto due = stack(side).next_deadline();
  for (const auto& c : stack(side).connections()) {
    if (c.state == TcpState::TimeWait || c.state == TcpState::SynReceived || c.state == TcpState::Closed) continue;
    if (c.snd_una != c.snd_nxt && !due) problem("unacknowledged data, but no deadline");
    if (c.snd_una.after(c.snd_nxt)) problem("snd_una is beyond snd_nxt");
    if (c.flight == 0 && c.send_queued > 0 && !due) problem("data waits to be sent, but no deadline");
  }
  if (due && *due <= now_) problem("a deadline is still due after it was handled");
}

void World::send_frames(unsigned side) {
  FrameOut frame;
  for (unsigned i = 0; stack(side).poll_frame(now_, frame); ++i) {
    check_frame(side, frame);
    link_.send(now_, side, frame);
    frame.clear();
    if (i > 100'000) return problem("poll_frame does not end");
  }
}

/// Events, application calls and output until nothing moves at this instant.
void World::settle() {
  for (unsigned i = 0; i < 100'000 && result_.problem.empty(); ++i) {
    bool any = pump_events(0);
    any |= pump_events(1);
    any |= act();
    if (!any) break;
  }
  for (unsigned side = 0; side < 2; ++side) send_frames(side);
  for (unsigned side = 0; side < 2; ++side) check_connections(side);
}

Instant World::next_instant() {
  Instant next = link_.next_arrival();
  for (unsigned side = 0; side < 2; ++side) next = std::min(next, stack(side).next_deadline().value_or(Instant::max()));
  for (const Pair& pair : pairs_) {
    next = std::min({next, pair.client.next_action(), pair.server.next_action(), pair.next_attempt});
  }
  return next;
}

/// Time moves on: timers that are due, or a batch of frames.
void World::step() {
  ++result_.events;
  const Instant next = next_instant();
  if (next == Instant::max()) return problem("nothing is pending, but the work is not done");
  now_ = std::max(now_, next);
  for (unsigned side = 0; side < 2; ++side) {
    if (stack(side).next_deadline().value_or(Instant::max()) <= now_) stack(side).handle_timeouts(now_);
  }
  unsigned to = 0;
  WireFrame frame;
  for (auto batch = random_.between(1, scenario_.largest_batch); batch > 0 && link_.receive(now_, to, frame); --batch) {
    stack(to).handle_frame(
        now_,
        Packet{.data = stack(to).buffers().copy(frame.octets), .checksum = frame.checksum, .gso_size = frame.gso_size});
  }
  settle();
}

bool World::finished() const {
  for (const Pair& pair : pairs_) {
    const bool nobody_came = pair.client.finished() && !pair.server.started() && pair.plan->someone_leaves();
    if (!pair.client.finished() || !(pair.server.finished() || nobody_came)) return false;
  }
  return stacks_[0]->connections().empty() && stacks_[1]->connections().empty();
}

void World::check_end() {
  for (const Pair& pair : pairs_) {
    const auto& plan = *pair.plan;
    const bool left = pair.client.left() || pair.server.left();
    if (!left &&
        (pair.server.received() != plan.client_plan.octets || pair.client.received() != plan.server_plan.octets)) {
      problem("not all was delivered");
    }
    result_.octets += pair.client.received() + pair.server.received();
    std::ignore = stack(1 - plan.client).sockets().close(now_, pair.listener);
  }
  link_.clear();
  for (unsigned side = 0; side < 2; ++side) {
    send_frames(side);
    if (stack(side).sockets().size() != 0) problem("sockets are left over");
    if (stack(side).buffers().buffers_in_use() != 0) {
      problem("buffers are left over: " + std::to_string(stack(side).buffers().buffers_in_use()));
    }
    result_.lost += link_.counters(side).lost;
  }
}

RunResult World::run() {
  settle();
  while (result_.problem.empty() && !finished()) {
    step();
    if (result_.events > most_events) problem("too many events");
    if (now_ > Instant::from_ns(0) + most_virtual_time) problem("takes too long");
  }
  result_.virtual_time = now_ - Instant::from_ns(0);
  if (result_.problem.empty()) check_end();
  if (!result_.problem.empty()) {
    for (const Pair& pair : pairs_) {
      result_.problem += "\n  client " + pair.client.describe() + "\n  server " + pair.server.describe();
    }
    for (unsigned side = 0; side < 2; ++side) {
      for (const auto& c : stack(side).connections()) {
        result_.problem += "\n  side " + std::to_string(side) + " " + c.tuple.local.to_string() + " " +
                           std::string{to_string(c.state)} + " flight " + std::to_string(c.flight) + " cwnd " +
                           std::to_string(c.cwnd) + " snd_wnd " + std::to_string(c.snd_wnd) + " rcv_wnd " +
                           std::to_string(c.rcv_wnd) + " unsent+unacked " + std::to_string(c.send_queued) + " unread " +
                           std::to_string(c.receive_queued) + " out of order " + std::to_string(c.out_of_order) +
                           " mss " + std::to_string(c.mss) + " pipe " + std::to_string(c.pipe) + " lost " +
                           std::to_string(c.lost) + " sacked " + std::to_string(c.sacked) + " timer " +
                           (c.timer ? std::string{to_string(*c.timer)} : std::string{"none"});
      }
    }
    for (unsigned side = 0; side < 2; ++side) {
      result_.problem += "\n  side " + std::to_string(side) +
                         (scenario_.config[side].tcp.max_syn_queue == 1 ? " (cookies)" : "") + " dropped:";
      for (const auto& d : list_drops(stack(side).statistics())) {
        if (d.value > 0) result_.problem += " " + d.name + " " + std::to_string(d.value) + ";";
      }
      const LinkCounters& c = link_.counters(side);
      result_.problem += "\n  its link: sent " + std::to_string(c.sent) + ", lost " + std::to_string(c.lost) +
                         ", queue full " + std::to_string(c.queue_full) + ", corrupted " + std::to_string(c.corrupted) +
                         ", delivered " + std::to_string(c.delivered);
    }
    result_.problem += "\n  at virtual time " + std::to_string(static_cast<double>(now_.ns()) / 1e9) + " s";
  }
  return result_;
}

}  // namespace

RunResult run_simulation(const Scenario& scenario, const std::string& pcap_path) {
  World world{scenario, pcap_path};
  return world.run();
}

}  // namespace wireside::testing
