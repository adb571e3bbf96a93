#include "tcp/layer_state.hpp"

#include <bit>

namespace wireside::tcp {
namespace {

constexpr std::size_t max_control_segments = 1024;
constexpr std::uint32_t enough_ports = 256;  // tried for a free one, when one in TIME-WAIT is known
constexpr std::uint16_t min_mss = 48;        // room for data behind 40 octets of options; tiny offers only cost us work
constexpr Duration longest_wait = std::chrono::hours{24 * 365};
constexpr Duration shortest_interval = std::chrono::milliseconds{1};

}  // namespace

LayerState::LayerState(const TcpConfig& c, Random& r, BufferPool& p, observe::Sink& s)
    : config{c},
      random{r},
      pool{p},
      sink{s},
      connections{{config.rto_initial, config.rto_min, config.rto_max}},
      flow_hash{r.sip_key()},
      listening{16, KeyedHash{r.sip_key()}},
      isn_key_{r.sip_key()},
      timestamp_key_{r.sip_key()},
      syn_cookies_{r.sip_key()},
      fast_open_keys_{r.sip_key()},
      fast_open_cache_{c.fast_open_cache, KeyedHash{r.sip_key()}} {
  for (Duration* const d : {&config.msl, &config.r2_timeout, &config.syn_timeout, &config.fin_wait_2_timeout}) {
    *d = std::min(*d, longest_wait);
  }
  config.delayed_ack_min = std::min(config.delayed_ack_min, config.delayed_ack);
  connections.set_most_awake(config.max_awake_idle);
}

ConnectionOptions LayerState::within_bounds(ConnectionOptions o) {
  o.keep_alive_idle = std::clamp(o.keep_alive_idle, shortest_interval, longest_wait);
  o.keep_alive_interval = std::clamp(o.keep_alive_interval, shortest_interval, longest_wait);
  o.user_timeout = std::min(o.user_timeout, longest_wait);
  if (o.linger) o.linger = std::min(*o.linger, longest_wait);
  return o;
}

Connection* LayerState::new_connection(const FourTuple& tuple, const ConnectionOptions& options, std::uint32_t id) {
  Connection& c = connections.emplace(id, tuple, within_bounds(options));
  c.snd.buffer_limit = std::min(config.send_buffer_initial, config.send_buffer_max);
  return &c;
}

const FlowKey& LayerState::flow_of(DemuxEntry entry) const {
  if (entry.kind == DemuxEntry::Kind::HalfOpen) return half_open.known_at(entry.slot).flow;
  if (entry.kind == DemuxEntry::Kind::TimeWait) return time_wait.known_at(entry.slot).flow;
  return connections.flow_at(entry.slot);
}

std::optional<DemuxEntry> LayerState::find_flow(const FourTuple& tuple) const {
  const FlowKey flow{tuple};
  const auto number = demux.find(static_cast<std::uint32_t>(flow_hash(tuple)),
                                 [&](std::uint32_t n) { return flow_of(DemuxEntry::of(n)) == flow; });
  return number ? std::optional{DemuxEntry::of(*number)} : std::nullopt;
}

void LayerState::add_flow(const FourTuple& tuple, DemuxEntry entry) {
  demux.insert(static_cast<std::uint32_t>(flow_hash(tuple)), entry.number());
}

void LayerState::remove_flow(const FourTuple& tuple, DemuxEntry entry) {
  demux.erase(static_cast<std::uint32_t>(flow_hash(tuple)), entry.number());
}

void LayerState::adopt(Connection& c) {
  add_flow(c.tuple, {DemuxEntry::Kind::Connection, c.handle.index});
  c.demultiplexed = true;
}

void LayerState::release_network_state(Connection& c) {
  if (c.demultiplexed) remove_flow(c.tuple, {DemuxEntry::Kind::Connection, c.handle.index});
  c.demultiplexed = false;
  c.snd.queue.clear();
  c.rcv.reassembly.clear();
  c.timers = TimerTable{};
  deadlines_.remove(*c.record);
  c.work = OutputWork{};
  static_cast<ListNode<OutputListTag>&>(c).unlink();
}

void LayerState::erase(Connection& c) {
  release_network_state(c);
  connections.erase(c.handle);
}

/// The connection is CLOSED. The application's handle, if it still has one, keeps the received octets and the error.
void LayerState::finish(Instant now, Connection& c, StateCause cause, std::optional<Error> error) {
  end_fast_open(now, c, cause == StateCause::ResetReceived);
  const bool both_closed = c.state() == TcpState::Closing || c.state() == TcpState::LastAck;
  if (c.state() != TcpState::Closed) c.transition(now, cause, TcpState::Closed, sink);
  release_network_state(c);
  if (error) {
    c.error = *error == Error::TimedOut && c.soft_error ? c.soft_error : error;
    // In CLOSING and LAST-ACK a RST flushes nothing (3.10.7.4): the peer's stream was whole.
    if (!both_closed) c.rcv.queue.clear();
  }
  if (c.listener.is_valid()) {  // nobody has accepted it yet
    if (Listener* l = listeners.find(c.listener)) std::erase(l->accept_queue, c.handle);
    c.detached = true;
  }
  if (c.detached) {
    erase(c);
    return;
  }
  raise(c, error ? TcpEvent::Kind::Failed : TcpEvent::Kind::Closed);
}

void LayerState::raise(Connection& c, TcpEvent::Kind kind) {
  if (c.detached || c.listener.is_valid()) return;  // nobody to tell (yet)
  c.pending_events = static_cast<std::uint8_t>(c.pending_events | (1U << static_cast<unsigned>(kind)));
  if (!static_cast<ListNode<EventListTag>&>(c).is_linked()) events_.push_back(c);
}

std::optional<TcpEvent> LayerState::poll_event() {
  while (!listener_events_.empty()) {
    const ListenerHandle h = listener_events_.front();
    listener_events_.pop_front();
    Listener* l = listeners.find(h);
    if (l == nullptr) continue;
    l->event_queued = false;
    if (l->accept_queue.empty()) continue;
    return TcpEvent{.kind = TcpEvent::Kind::AcceptReady, .connection = {}, .listener = h};
  }
  Connection* c = events_.front();
  if (c == nullptr) return std::nullopt;
  const auto bit = static_cast<unsigned>(std::countr_zero(c->pending_events));
  c->pending_events = static_cast<std::uint8_t>(c->pending_events & (c->pending_events - 1));
  const TcpEvent event{.kind = static_cast<TcpEvent::Kind>(bit),
                       .connection = c->handle,
                       .listener = {},
                       .error = c->error.value_or(Error::WouldBlock)};
  if (c->pending_events == 0) {
    static_cast<ListNode<EventListTag>&>(*c).unlink();
    connections.settle(*c);
  }
  return event;
}

void LayerState::set_timer(Instant now, Connection& c, TimerKind kind, Instant due) {
  // Most timers only move later, and most are not the next one: that changes nothing in the queue.
  const Instant next = c.record->due();
  const bool was_next = c.timers.due(kind) == next;
  c.timers.set(kind, due);
  if (was_next || due < next) rearm(c);
  sink.emit(now, [&] { return observe::TimerChanged{c.id, kind, observe::TimerChanged::What::Set, due - now}; });
}

void LayerState::disarm_timer(Instant now, Connection& c, TimerKind kind) {
  const bool was_next = c.timers.due(kind) <= c.record->due();
  c.timers.set(kind, Instant::max());
  if (was_next) rearm(c);
  sink.emit(now, [&] { return observe::TimerChanged{c.id, kind, observe::TimerChanged::What::Cancelled, {}}; });
}

void LayerState::send_control(Instant now, ControlSegment segment) {
  if (control_.size() >= max_control_segments) {
    return sink.drop(now, observe::DropReason::TcpControlQueueFull, segment.connection);
  }
  control_.push_back(std::move(segment));
}

/// RST for a connection that ends on our side: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>, inside the peer's window.
void LayerState::send_reset(Instant now, const Connection& c, TxReason reason) {
  ControlSegment r;
  r.tuple = c.tuple;
  r.header.source = c.tuple.local.port;
  r.header.destination = c.tuple.remote.port;
  r.header.seq = acceptable_seq(c);
  r.header.ack = c.rcv.rcv_nxt;
  r.header.flags.rst = r.header.flags.ack = true;
  if (c.negotiated.timestamps) {
    r.header.options.timestamps = wire::TcpTimestamps{c.timestamps.now(now), c.timestamps.recent};
  }
  r.ttl = c.options.ttl;
  r.tos = c.options.tos;
  r.reason = reason;
  r.connection = c.id;
  send_control(now, r);
}

/// RST in answer to a segment (section 3.10.7.1): its sequence number comes from the segment's ACK where it has one.
void LayerState::reply_reset(Instant now, const IncomingSegment& s, TxReason reason, std::uint32_t id) {
  ControlSegment r;
  r.tuple = s.tuple;
  r.header.source = s.tuple.local.port;
  r.header.destination = s.tuple.remote.port;
  r.header.flags.rst = true;
  if (s.header.flags.ack) {
    r.header.seq = s.header.ack;
  } else {
    const auto length = static_cast<std::uint32_t>(s.payload.size()) + s.header.flags.syn + s.header.flags.fin;
    r.header.ack = s.header.seq + length;
    r.header.flags.ack = true;
  }
  r.ttl = config.defaults.ttl;
  r.reason = reason;
  r.connection = id;
  send_control(now, r);
}

/// RFC 6528: a 4 us clock plus a keyed hash of the four-tuple (MUST-8, MUST-9, SHLD-1).
SeqNum LayerState::initial_sequence(Instant now, const FourTuple& tuple) const {
  const auto clock = static_cast<std::uint32_t>(now.ns() / 4000);
  return SeqNum{clock + static_cast<std::uint32_t>(siphash24(isn_key_, octets_of(tuple)))};
}

/// RFC 7323 section 5.4: a random offset per four-tuple.
std::uint32_t LayerState::timestamp_offset(const FourTuple& tuple) const {
  return static_cast<std::uint32_t>(siphash24(timestamp_key_, octets_of(tuple)));
}

/// RFC 6056 algorithm 1: a random start, then the next free port for this peer. Where TIME-WAIT holds many, one of
/// those that may be opened over is taken before all others have been asked.
Result<Port> LayerState::ephemeral_port(Instant now, const FourTuple& tuple) {
  const std::uint32_t first = config.ephemeral_first;
  const std::uint32_t count = config.ephemeral_last - first + 1U;
  const auto start = static_cast<std::uint32_t>(random.below(count));
  FourTuple candidate = tuple;
  std::optional<Port> reusable;
  for (std::uint32_t i = 0; i < count && (i < enough_ports || !reusable); ++i) {
    candidate.local.port.value = static_cast<std::uint16_t>(first + (start + i) % count);
    ListenerHandle unused;
    if (find_listener(candidate, unused) != nullptr) continue;
    if (!find_flow(candidate)) return candidate.local.port;
    if (!reusable && find_reusable(now, candidate) != nullptr) reusable = candidate.local.port;
  }
  if (reusable) return *reusable;
  return fail(Error::AddressNotAvailable);
}

std::uint16_t LayerState::advertised_mss(const ConnectionOptions& o) const {
  return o.max_segment == 0 ? link_mss : std::min(link_mss, std::max(o.max_segment, min_mss));
}

/// The shift that lets the largest buffer we may grow to be advertised (RFC 7323 section 2.3).
WindowScale LayerState::our_window_scale(const ConnectionOptions& o) const {
  const std::size_t largest = o.receive_buffer != 0 ? o.receive_buffer : config.receive_buffer_max;
  std::uint8_t shift = 0;
  while (shift < WindowScale::max_shift && (std::size_t{65535} << shift) < largest) ++shift;
  return WindowScale{shift};
}

/// No more than the agreed shift can tell.
std::size_t LayerState::initial_limit(const ConnectionOptions& o, const Negotiated& n) const {
  const std::size_t tuned = std::min(config.receive_buffer_initial, config.receive_buffer_max);
  const std::size_t wanted = o.receive_buffer != 0 ? o.receive_buffer : tuned;
  return std::min(wanted, std::size_t{65535} << n.rcv_wscale.shift());
}

/// Everything that starts when the handshake is over, whoever opened.
void LayerState::establish(Instant now, Connection& c, bool syn_was_lost) {
  const std::uint32_t peer_mss = std::max(c.negotiated.peer_mss, min_mss);
  const std::uint32_t option_octets = c.negotiated.timestamps ? 12 : 0;
  c.snd.mss = std::min<std::uint32_t>(peer_mss, advertised_mss(c.options)) - option_octets;  // MUST-16
  begin_path(c, option_octets);
  c.snd.congestion.set_abc_limit(config.abc_limit);
  c.snd.congestion.select(c.options.congestion, config.custom_congestion);
  c.snd.congestion.start(c.snd.mss, syn_was_lost);
  if (syn_was_lost) c.snd.rtt.restart_after_syn_loss();
  c.snd.recovery.recover = c.snd.snd_una - 1;
  c.snd.small_end = c.snd.snd_una;
  c.ecn.reduced_at = c.snd.snd_una - 1;
  c.snd.progress_at = c.last_heard_at = c.rcv.tune_started = now;
  c.snd.last_sent_at = now;
  c.snd.retransmissions = 0;
  c.soft_error.reset();
  c.rcv.limit = initial_limit(c.options, c.negotiated);
  c.rcv.rcv_mss = std::min<std::uint32_t>(536, advertised_mss(c.options) - option_octets);
  c.rcv.quick_acks = config.quick_acks;
  c.rcv.ack_delay = config.delayed_ack;
  if (c.options.user_timeout_option) tell_user_timeout(c);
  arm_keep_alive(now, c);
  report_window(now, c, 0, 0, observe::WindowCause::Initial);
}

std::optional<observe::DropReason> LayerState::has_no_room(const Listener& l) const {
  if (l.accept_queue.size() >= l.backlog) return observe::DropReason::TcpListenBacklogFull;
  if (connections.size() >= config.max_connections) return observe::DropReason::TcpConnectionLimit;
  return std::nullopt;
}

/// The most specific listener wins: bound address first, then the wildcard.
Listener* LayerState::find_listener(const FourTuple& tuple, ListenerHandle& handle) {
  auto it = listening.find(tuple.local);
  if (it == listening.end()) it = listening.find(Endpoint{Ipv4Address{}, tuple.local.port});
  if (it == listening.end()) return nullptr;
  const auto& sharing = it->second;
  handle = sharing[flow_hash.choose(tuple, sharing.size())];
  return listeners.find(handle);
}

}  // namespace wireside::tcp
