#include "tcp/tcp_layer.hpp"

#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

using observe::StepCause;

/// Tells the observer, at its end, what a call about a connection has made of it.
class Step {
 public:
  Step(const LayerState& state, Instant now, StepCause cause, ConnectionHandle h)
      : state_{state}, now_{now}, cause_{cause}, handle_{h} {}
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  ~Step() {
    if (!state_.report(now_, cause_, handle_)) state_.sink.handled(now_);
  }

 private:
  const LayerState& state_;
  Instant now_;
  StepCause cause_;
  ConnectionHandle handle_;
};

// Apart, so that the way without an observer needs no more than a test and a jump.
template <class F>
[[gnu::noinline, gnu::cold]] auto observed(LayerState& state, Instant now, ConnectionHandle h, const F& call) {
  const Step step{state, now, StepCause::UserCall, h};
  return call(state);
}

[[gnu::noinline, gnu::cold]] void arrives_observed(LayerState& state, Instant now, const IncomingSegment& segment) {
  state.segment_arrives(now, segment);
  state.report(now, StepCause::SegmentArrived, segment.tuple);
}

[[gnu::noinline, gnu::cold]] bool poll_observed(LayerState& state, Instant now, OutgoingSegment& out) {
  const bool made = state.poll_segment(now, out);
  if (made) {
    state.report(now, StepCause::SegmentSent, out.tuple);
  } else {
    state.sink.handled(now);
  }
  return made;
}

}  // namespace

TcpLayer::TcpLayer(const TcpConfig& config, Random& random, BufferPool& pool, observe::Sink& sink)
    : state_{std::make_unique<LayerState>(config, random, pool, sink)} {}
TcpLayer::~TcpLayer() = default;

void TcpLayer::set_limits(std::uint16_t mss, std::size_t max_super_segment) {
  state_->link_mss = mss;
  // IPv4 total length is 16 bits: headers with options take up to 80 of it.
  state_->max_super_segment = std::min<std::size_t>(std::max<std::size_t>(max_super_segment, mss), 65535 - 80);
}

Result<ConnectionHandle> TcpLayer::connect(Instant now, FourTuple tuple, const ConnectionOptions& options,
                                           ByteView first) {
  const auto opened = state_->connect(now, tuple, options, first);
  if (state_->sink.tells_steps() && opened) (void)state_->report(now, StepCause::UserCall, *opened);
  return opened;
}
Result<ListenerHandle> TcpLayer::listen(Endpoint local, std::size_t backlog, const ConnectionOptions& options) {
  return state_->listen(local, backlog, options);
}
Result<ConnectionHandle> TcpLayer::accept(ListenerHandle listener) { return state_->accept(listener); }
void TcpLayer::close_listener(Instant now, ListenerHandle listener) {
  state_->close_listener(now, listener);
  state_->sink.handled(now);
}
Result<std::size_t> TcpLayer::send(Instant now, ConnectionHandle h, ByteView data) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.send(now, h, data); });
  return state_->send(now, h, data);
}
Result<std::size_t> TcpLayer::send_urgent(Instant now, ConnectionHandle h, ByteView data) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.send_urgent(now, h, data); });
  return state_->send_urgent(now, h, data);
}
Result<void> TcpLayer::send_slice(Instant now, ConnectionHandle h, Slice data) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [&](LayerState& s) { return s.send_slice(now, h, std::move(data)); });
  return state_->send_slice(now, h, std::move(data));
}
Result<std::size_t> TcpLayer::receive(Instant now, ConnectionHandle h, MutableByteView out) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.receive(now, h, out); });
  return state_->receive(now, h, out);
}
Result<Slice> TcpLayer::receive_slice(Instant now, ConnectionHandle h, std::size_t max) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.receive_slice(now, h, max); });
  return state_->receive_slice(now, h, max);
}
Result<void> TcpLayer::shutdown_send(Instant now, ConnectionHandle h) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.shutdown_send(now, h); });
  return state_->shutdown_send(now, h);
}
Result<void> TcpLayer::shutdown_receive(Instant now, ConnectionHandle h) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.shutdown_receive(now, h); });
  return state_->shutdown_receive(now, h);
}
void TcpLayer::close(Instant now, ConnectionHandle h) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.close(now, h); });
  return state_->close(now, h);
}
void TcpLayer::abort(Instant now, ConnectionHandle h) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [=](LayerState& s) { return s.abort(now, h); });
  return state_->abort(now, h);
}
Result<void> TcpLayer::set_options(Instant now, ConnectionHandle h, const ConnectionOptions& options) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return observed(*state_, now, h, [&](LayerState& s) { return s.set_options(now, h, options); });
  return state_->set_options(now, h, options);
}

Result<ConnectionOptions> TcpLayer::options(ConnectionHandle h) const {
  Result<ConnectionOptions> out = fail(Error::BadHandle);
  state_->connections.look_at(h, [&](const Connection& c) { out = c.options; });
  return out;
}

Result<ConnectionStatus> TcpLayer::status(ConnectionHandle h) const {
  Result<ConnectionStatus> out = fail(Error::BadHandle);
  state_->connections.look_at(h, [&](const Connection& c) { out = state_->status_of(c); });
  return out;
}

bool TcpLayer::is_writable(ConnectionHandle h) const {
  bool writable = false;
  state_->connections.look_at(h, [&](const Connection& c) {
    writable = c.error.has_value() || c.state() == TcpState::Closed || (c.may_send() && c.send_room() > 0);
  });
  return writable;
}

bool TcpLayer::is_readable(ConnectionHandle h) const {
  bool readable = false;
  state_->connections.look_at(h, [&](const Connection& c) {
    const bool ended = c.error.has_value() || c.state() == TcpState::Closed;
    readable = ended || c.rcv.queue.octets() > 0 || c.rcv.fin_consumed;
  });
  return readable;
}

std::vector<ConnectionStatus> TcpLayer::list() const {
  std::vector<ConnectionStatus> out;
  state_->connections.look_at_each([&](const Connection& c) {
    if (c.state() != TcpState::TimeWait) out.push_back(state_->status_of(c));
  });
  const auto add = [&](std::uint32_t id, const FourTuple& tuple, TcpState state) -> ConnectionStatus& {
    ConnectionStatus& s = out.emplace_back();
    s.id = id;
    s.tuple = tuple;
    s.state = state;
    return s;
  };
  state_->half_open.for_each([&](HalfOpenHandle, const HalfOpen& h) {
    auto& s = add(h.id, h.flow.tuple(), TcpState::SynReceived);
    s.iss = h.iss;
    s.irs = h.irs;
  });
  state_->time_wait.for_each([&](TimeWaitHandle, const TimeWait& t) {
    auto& s = add(t.id, t.flow.tuple(), TcpState::TimeWait);
    s.snd_nxt = t.snd_nxt;
    s.rcv_nxt = t.rcv_nxt;
    s.timer = observe::TimerKind::TimeWait;
    s.timer_due = t.expires_at;
  });
  return out;
}

std::vector<ListenerStatus> TcpLayer::list_listeners() const {
  std::vector<ListenerStatus> out;
  state_->listeners.for_each([&](ListenerHandle, const Listener& l) {
    out.push_back({.local = l.local, .waiting = l.accept_queue.size(), .backlog = l.backlog});
  });
  return out;
}

bool TcpLayer::port_in_use(Port port) const {
  for (const auto& [endpoint, handle] : state_->listening) {
    if (endpoint.port == port) return true;
  }
  return false;
}

void TcpLayer::segment_arrives(Instant now, const IncomingSegment& segment) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return arrives_observed(*state_, now, segment);
  state_->segment_arrives(now, segment);
}
bool TcpLayer::take_forward_progress() { return std::exchange(state_->forward_progress, false); }
std::optional<IpAddress> TcpLayer::take_negative_advice() {
  if (state_->negative_advice.empty()) return std::nullopt;
  const IpAddress peer = state_->negative_advice.back();
  state_->negative_advice.pop_back();
  return peer;
}
bool TcpLayer::has_negative_advice() const { return !state_->negative_advice.empty(); }
void TcpLayer::network_error(Instant now, const FourTuple& tuple, std::optional<SeqNum> seq, Error error, bool hard) {
  ErrorReport report;
  report.error = error;
  report.local = true;
  report.reporter = tuple.local.address;
  report.tuple = tuple;
  network_error(now, report, seq, hard);
}
void TcpLayer::network_error(Instant now, const ErrorReport& report, std::optional<SeqNum> seq, bool hard) {
  state_->network_error(now, report, seq, hard);
  if (state_->sink.tells_steps()) state_->report(now, StepCause::NetworkReport, report.tuple);
}
std::optional<ErrorReport> TcpLayer::take_error_report(ConnectionHandle h) {
  Connection* c = state_->connections.find(h);
  if (c == nullptr || c->reports.empty()) return std::nullopt;
  ErrorReport oldest = std::move(c->reports.front());
  c->reports.erase(c->reports.begin());
  state_->connections.settle(*c);
  return oldest;
}
void TcpLayer::set_path_mtu(const PathMtu* paths) { state_->path_mtu = paths; }
bool TcpLayer::is_in_flight(const FourTuple& tuple, SeqNum seq) const {
  return state_->find_in_flight(tuple, seq) != nullptr;
}
void TcpLayer::path_mtu_changed(Instant now, const FourTuple& tuple) {
  state_->path_mtu_changed(now, tuple);
  if (state_->sink.tells_steps()) state_->report(now, StepCause::NetworkReport, tuple);
}
bool TcpLayer::poll_segment(Instant now, OutgoingSegment& out) {
  if (state_->sink.tells_steps()) [[unlikely]]
    return poll_observed(*state_, now, out);
  return state_->poll_segment(now, out);
}
Instant TcpLayer::next_deadline() { return state_->next_deadline(); }
void TcpLayer::handle_timeouts(Instant now) { state_->handle_timeouts(now); }
std::optional<TcpEvent> TcpLayer::poll_event() { return state_->poll_event(); }
bool TcpLayer::has_event() const { return state_->has_event(); }
void TcpLayer::fail_address(Instant now, IpAddress address, Error error) {
  state_->fail_address(now, address, error);
  state_->sink.handled(now);
}
void TcpLayer::fail_all(Instant now, Error error) {
  state_->fail_all(now, error);
  state_->sink.handled(now);
}

}  // namespace wireside::tcp
