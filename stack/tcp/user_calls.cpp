// RFC 9293 sections 3.10.1 to 3.10.6: OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {
constexpr std::size_t max_unscaled_window = 65535;  // what a SYN can offer (RFC 7323 section 2.2)
constexpr std::size_t min_borrowed = 512;           // octets below which referencing costs more than copying
}  // namespace

// --- 3.10.1 OPEN ---

Result<ConnectionHandle> LayerState::connect(Instant now, FourTuple tuple, const ConnectionOptions& options,
                                             ByteView first) {
  const std::size_t room =
      options.send_buffer != 0 ? options.send_buffer : std::min(config.send_buffer_initial, config.send_buffer_max);
  if (first.size() > std::min(room, max_send_buffer)) return fail(Error::MessageTooLong);
  if (connections.size() >= config.max_connections) return fail(Error::NoBuffers);
  if (tuple.local.port.is_unspecified()) {
    const auto port = ephemeral_port(now, tuple);
    if (!port) return fail(port.error());
    tuple.local.port = *port;
  }
  TimeWait* const before = find_reusable(now, tuple);
  if (before == nullptr && find_flow(tuple)) return fail(Error::AddressInUse);
  const SeqNum iss = before != nullptr ? open_over(now, *before) : initial_sequence(now, tuple);
  Connection& c = *new_connection(tuple, options, next_id_++);
  adopt(c);
  c.snd.iss = iss;
  c.snd.snd_una = c.snd.snd_nxt = c.snd.iss;
  c.timestamps.offset = timestamp_offset(tuple);
  c.snd.progress_at = now;
  if (config.window_scaling) c.negotiated.rcv_wscale = our_window_scale(options);
  c.rcv.limit = initial_limit(options, c.negotiated);
  if (!first.empty()) c.snd.queue.append_copy(first, pool);
  c.transition(now, StateCause::ActiveOpen, TcpState::SynSent, sink);
  c.work.syn = true;
  wants_output(c);
  return c.handle;
}

Result<ListenerHandle> LayerState::listen(Endpoint local, std::size_t backlog, const ConnectionOptions& options) {
  if (local.port.is_unspecified()) return fail(Error::InvalidArgument);
  if (local.address.is_unspecified()) local.address = Ipv4Address{};
  if (const auto it = listening.find(local); it != listening.end()) {
    const bool all_share = std::all_of(it->second.begin(), it->second.end(),
                                       [&](ListenerHandle h) { return listeners.find(h)->options.reuse_port; });
    if (!options.reuse_port || !all_share) return fail(Error::AddressInUse);
  }
  const auto handle = listeners.emplace();
  Listener& l = *listeners.find(handle);
  l.local = local;
  l.backlog = std::max<std::size_t>(backlog, 1);
  l.options = options;
  listening[local].push_back(handle);
  return handle;
}

Result<ConnectionHandle> LayerState::accept(ListenerHandle h) {
  Listener* l = listeners.find(h);
  if (l == nullptr) return fail(Error::BadHandle);
  if (l->accept_queue.empty()) return fail(Error::WouldBlock);
  const ConnectionHandle handle = l->accept_queue.front();
  l->accept_queue.pop_front();
  Connection& c = *connections.find(handle);
  c.listener = {};
  if (c.rcv.queue.octets() > 0 || c.rcv.fin_consumed) raise(c, TcpEvent::Kind::Readable);
  if (c.rcv.urgent_ahead() > 0) raise(c, TcpEvent::Kind::Urgent);
  if (!c.reports.empty()) raise(c, TcpEvent::Kind::Reported);
  connections.settle(c);
  return handle;
}

void LayerState::close_listener(Instant now, ListenerHandle h) {
  Listener* l = listeners.find(h);
  if (l == nullptr) return;
  std::vector<HalfOpenHandle> half;
  half_open.for_each([&](HalfOpenHandle handle, const HalfOpen& record) {
    if (record.listener == h.index) half.push_back(handle);
  });
  for (const auto handle : half) {
    HalfOpen& record = *half_open.find(handle);
    ControlSegment r = control_from(now, record, TxReason::ResetListenerClosed);
    r.header.flags.rst = true;
    send_control(now, r);
    drop_half_open(record);
  }
  const auto waiting = std::move(l->accept_queue);
  const auto sharing = listening.find(l->local);
  std::erase(sharing->second, h);
  if (sharing->second.empty()) listening.erase(sharing);
  listeners.erase(h);
  for (const auto handle : waiting) {
    Connection& c = *connections.find(handle);
    c.listener = {};
    abort(now, handle);
  }
}

// --- 3.10.2 SEND ---

Result<Connection*> LayerState::sendable(ConnectionHandle h) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return fail(Error::BadHandle);
  if (c->error) return fail(*c->error);
  switch (c->state()) {
    case TcpState::Established:
    case TcpState::CloseWait:
      break;
    case TcpState::SynSent:
      return fail(Error::WouldBlock);
    case TcpState::SynReceived:
      if (!c->may_send()) return fail(c->close_pending ? Error::BrokenPipe : Error::WouldBlock);
      break;
    case TcpState::Closed:
      return fail(c->rcv.fin_consumed ? Error::BrokenPipe : Error::NotConnected);
    default:
      return fail(Error::BrokenPipe);
  }
  if (c->send_room() == 0) {
    c->snd.blocked_writer = true;
    return fail(Error::WouldBlock);
  }
  return c;
}

Result<std::size_t> LayerState::send(Instant, ConnectionHandle h, ByteView data) {
  const auto found = sendable(h);
  if (!found) return fail(found.error());
  Connection& c = **found;
  const std::size_t n = std::min(data.size(), c.send_room());
  c.snd.queue.append_copy(data.first(n), pool);
  if (c.send_room() == 0) c.snd.blocked_writer = true;
  if (n > 0) wants_output(c);
  return n;
}

/// The octets taken are urgent, and so is everything before them (section 3.8.5); any length will do (MUST-31).
Result<std::size_t> LayerState::send_urgent(Instant now, ConnectionHandle h, ByteView data) {
  const auto sent = send(now, h, data);
  if (!sent || *sent == 0) return sent;
  Connection& c = *connections.find(h);
  c.snd.snd_up = c.data_end();
  return sent;
}

Result<void> LayerState::send_slice(Instant, ConnectionHandle h, Slice data) {
  const auto found = sendable(h);
  if (!found) return fail(found.error());
  Connection& c = **found;
  if (data.size() > max_send_buffer) return fail(Error::MessageTooLong);
  // A frame holds few slices: small pieces are gathered, or they would make small segments (SHLD-28).
  if (data.size() < min_borrowed) {
    c.snd.queue.append_copy(data.view(), pool);
  } else {
    c.snd.queue.append_slice(std::move(data), pool);
  }
  if (c.send_room() == 0) c.snd.blocked_writer = true;
  wants_output(c);
  return {};
}

// --- 3.10.3 RECEIVE ---

Result<Connection*> LayerState::receivable(ConnectionHandle h) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return fail(Error::BadHandle);
  if (c->rcv.queue.octets() > 0 || c->rcv.fin_consumed || c->receive_shut) return c;
  if (c->error) return fail(*c->error);
  switch (c->state()) {
    case TcpState::Closed:
    case TcpState::Listen:
      return fail(Error::NotConnected);
    default:
      return fail(Error::WouldBlock);
  }
}

Result<std::size_t> LayerState::receive(Instant now, ConnectionHandle h, MutableByteView out) {
  const auto found = receivable(h);
  if (!found) return fail(found.error());
  const std::size_t n = (*found)->rcv.queue.take(out);
  after_receive(now, **found, n);
  connections.settle(**found);
  return n;
}

Result<Slice> LayerState::receive_slice(Instant now, ConnectionHandle h, std::size_t max) {
  const auto found = receivable(h);
  if (!found) return fail(found.error());
  Slice slice = (*found)->rcv.queue.take_slice(max);
  after_receive(now, **found, slice.size());
  connections.settle(**found);
  return slice;
}

/// Window updates by the receiver's silly-window rule (MUST-39): when the peer may be stuck, as soon as the edge can
/// move by min(half the buffer, one MSS); otherwise only in large steps, since data will bring ACKs anyway.
void LayerState::after_receive(Instant now, Connection& c, std::size_t taken) {
  if (taken == 0) return;
  forget_read_urgent(c.rcv);
  tune_receive_buffer(now, c, taken);
  if (!can_receive(c.state())) return;
  const std::size_t held = c.rcv.queue.octets();
  const std::size_t window = c.rcv.limit > held ? c.rcv.limit - held : 0;
  const std::size_t advertised = c.rcv.told_zero ? 0 : c.rcv.rcv_wnd();
  if (window <= advertised) return;
  const std::size_t mss = std::max<std::size_t>(c.rcv.rcv_mss, c.snd.mss);
  const std::size_t step = advertised < 2 * mss ? std::min(mss, c.rcv.limit / 2) : std::max(2 * mss, c.rcv.limit / 4);
  if (window - advertised < step) return;
  // The SYN offered no more than 64 KB. A peer that has used little of that is not stuck: the next ACK opens the rest.
  if (c.rcv.octets_received < max_unscaled_window / 2 && advertised >= max_unscaled_window / 2) return;
  ack_now(c, TxReason::WindowUpdate);
}

// --- 3.10.4 CLOSE ---

Result<void> LayerState::shutdown_send(Instant now, ConnectionHandle h) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return fail(Error::BadHandle);
  if (c->error) return fail(*c->error);
  switch (c->state()) {
    case TcpState::Closed:
    case TcpState::Listen:
    case TcpState::SynSent:
      return fail(Error::NotConnected);
    case TcpState::SynReceived:
      c->close_pending = true;
      return {};
    case TcpState::Established:
    case TcpState::CloseWait:
      begin_close(now, *c);
      return {};
    default:
      return {};  // already shut down: nothing left to do
  }
}

void LayerState::begin_close(Instant now, Connection& c) {
  const bool peer_closed = c.state() == TcpState::CloseWait;
  c.transition(now, StateCause::CloseCalled, peer_closed ? TcpState::LastAck : TcpState::FinWait1, sink);
  wants_output(c);
}

Result<void> LayerState::shutdown_receive(Instant now, ConnectionHandle h) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return fail(Error::BadHandle);
  if (c->state() == TcpState::Closed || c->state() == TcpState::SynSent) return fail(Error::NotConnected);
  c->receive_shut = true;
  const std::size_t dropped = c->rcv.queue.octets();
  c->rcv.queue.clear();
  after_receive(now, *c, dropped);
  return {};
}

void LayerState::close(Instant now, ConnectionHandle h) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return;
  const bool unread = c->rcv.queue.octets() > 0;
  const bool abortive = c->options.linger && *c->options.linger == Duration{0};
  const bool tells_peer = is_synchronized(c->state()) || c->state() == TcpState::SynReceived;
  if (tells_peer && c->state() != TcpState::TimeWait && (unread || abortive)) {
    if (!abortive) {  // SHLD-3: the peer must learn that its data was lost
      send_reset(now, *c, TxReason::ResetUnreadData);
      c->detached = true;
      finish(now, *c, StateCause::AbortCalled, Error::ConnectionAborted);
      return;
    }
    abort(now, h);
    return;
  }
  c->detached = true;
  c->pending_events = 0;
  static_cast<ListNode<EventListTag>&>(*c).unlink();
  switch (c->state()) {
    case TcpState::Closed:
    case TcpState::Listen:
    case TcpState::TimeWait:  // its own record lives on
      erase(*c);
      break;
    case TcpState::SynSent:
      finish(now, *c, StateCause::CloseCalled, std::nullopt);
      break;
    case TcpState::SynReceived:
      c->close_pending = true;
      break;
    case TcpState::Established:
    case TcpState::CloseWait:
      begin_close(now, *c);
      break;
    case TcpState::FinWait2:
      set_timer(now, *c, TimerKind::FinWait2, now + config.fin_wait_2_timeout);
      break;
    default:
      break;
  }
  if (Connection* left = connections.find(h); left != nullptr) linger(now, *left);
}

/// The application has gone; what it gave has a bounded time to get through (SO_LINGER).
void LayerState::linger(Instant now, Connection& c) {
  const bool waits = c.state() == TcpState::SynReceived || owes_fin(c.state());
  if (!c.options.linger || !waits) return;
  set_timer(now, c, TimerKind::Linger, now + *c.options.linger);
}

/// The peer must learn that the stream has no proper end, whatever it has said itself.
void LayerState::linger_timeout(Instant now, Connection& c) {
  send_reset(now, c, TxReason::ResetLinger);
  finish(now, c, StateCause::LingerTimeout, Error::TimedOut);
}

// --- 3.10.5 ABORT ---

void LayerState::abort(Instant now, ConnectionHandle h) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return;
  c->detached = true;
  if (c->state() == TcpState::Closed || c->state() == TcpState::TimeWait) {
    erase(*c);
    return;
  }
  // The peer of a CLOSING or LAST-ACK connection has closed, too: nothing to tell it.
  const bool tells_peer =
      c->state() != TcpState::SynSent && c->state() != TcpState::Closing && c->state() != TcpState::LastAck;
  if (tells_peer) send_reset(now, *c, TxReason::ResetAborted);
  finish(now, *c, StateCause::AbortCalled, Error::ConnectionAborted);
}

// --- 3.10.6 STATUS ---

ConnectionStatus LayerState::status_of(const Connection& c) const {
  constexpr std::uint32_t ip_tcp_headers = 40;
  const PathSearch& path = c.snd.path;
  ConnectionStatus s = c.status();
  s.user_timeout = give_up_after(c);
  s.advertised_mss = advertised_mss(c.options);
  s.pacing_rate = pacing_rate(c);
  s.path_mtu = path_mtu != nullptr ? path_mtu->mtu(c.tuple.remote.address) : link_mss + ip_tcp_headers;
  if (path.searching) s.path_mtu = std::min(s.path_mtu, path.carries + path.option_octets + ip_tcp_headers);
  return s;
}

// --- options and errors from below ---

Result<void> LayerState::set_options(Instant now, ConnectionHandle h, const ConnectionOptions& wanted) {
  Connection* c = connections.find(h);
  if (c == nullptr || c->detached) return fail(Error::BadHandle);
  const ConnectionOptions options = within_bounds(wanted);
  const Duration keep_alive_before = keep_alive_after(*c);
  const bool keep_alive_set =
      c->options.keep_alive != options.keep_alive || c->options.keep_alive_interval != options.keep_alive_interval;
  const bool uncorked = c->options.cork && !options.cork;
  const bool user_timeout_told = options.user_timeout_option && options.user_timeout != c->options.user_timeout;
  if (c->options.max_pacing_rate != options.max_pacing_rate || c->options.pacing != options.pacing) c->snd.pacer = {};
  c->options = options;
  c->shared_options = {};
  c->snd.congestion.select(options.congestion, config.custom_congestion);
  if (options.receive_buffer != 0) c->rcv.limit = initial_limit(options, c->negotiated);
  const Instant give_up = c->snd.progress_at + give_up_after(*c);
  for (const auto kind : {TimerKind::Retransmission, TimerKind::ZeroWindowProbe}) {
    if (c->timers.armed(kind) && give_up < c->timers.due(kind)) set_timer(now, *c, kind, std::max(now, give_up));
  }
  if (is_synchronized(c->state()) && c->state() != TcpState::TimeWait) {
    if (keep_alive_set || keep_alive_after(*c) != keep_alive_before) arm_keep_alive(now, *c);
    if (uncorked && c->unsent() > 0) c->work.sws_override = true;
    if (user_timeout_told) tell_user_timeout(*c);
    wants_output(*c);  // no_delay may release what Nagle held
  }
  return {};
}

void LayerState::keep_report(Connection& c, const ErrorReport& report) {
  if (!c.options.report_errors || c.reports.size() >= max_error_reports) return;
  c.reports.push_back(report);
  copy_small_quote(c.reports.back(), pool);
  raise(c, TcpEvent::Kind::Reported);
}

void LayerState::network_error(Instant now, const ErrorReport& report, std::optional<SeqNum> seq, bool hard) {
  const auto entry = find_flow(report.tuple);
  if (!entry || entry->kind == DemuxEntry::Kind::TimeWait) return;
  if (entry->kind == DemuxEntry::Kind::HalfOpen) return;  // its own timer decides
  Connection& c = connections.at(entry->slot);
  // RFC 5927 section 4.1: only what quotes octets in flight can be true.
  if (seq && !(seq->at_or_after(c.snd.snd_una) && seq->before(later(c.snd.snd_nxt, c.snd.snd_una + 1)))) {
    return sink.drop(now, observe::DropReason::IcmpNotCredible);
  }
  c.soft_error = report.error;
  keep_report(c, report);
  const bool opening = c.state() == TcpState::SynSent || c.state() == TcpState::SynReceived;
  if (hard && opening) finish(now, c, StateCause::IcmpHardError, report.error);  // synchronized states go on (RFC 5461)
}

void LayerState::fail_address(Instant now, IpAddress address, Error error) {
  std::vector<ConnectionHandle> lost;
  connections.for_each([&](ConnectionHandle h, const FlowKey& flow) {
    if (flow.tuple().local.address == address) lost.push_back(h);
  });
  for (const auto h : lost) {
    Connection* c = connections.find(h);
    if (c != nullptr && c->state() != TcpState::Closed) finish(now, *c, StateCause::AddressLost, error);
  }
  half_open.for_each([&](HalfOpenHandle, HalfOpen& h) {
    if (h.flow.tuple().local.address == address) drop_half_open(h);
  });
  time_wait.for_each([&](TimeWaitHandle, TimeWait& t) {
    if (t.flow.tuple().local.address == address) end_time_wait(now, t, false);
  });
}

void LayerState::fail_all(Instant now, Error error) {
  std::vector<ConnectionHandle> all;
  connections.for_each([&](ConnectionHandle h, const FlowKey&) { all.push_back(h); });
  for (const auto h : all) {
    Connection* c = connections.find(h);
    if (c != nullptr && c->state() != TcpState::Closed) finish(now, *c, StateCause::InterfaceGone, error);
  }
  half_open.for_each([&](HalfOpenHandle, HalfOpen& h) { drop_half_open(h); });
  time_wait.for_each([&](TimeWaitHandle, TimeWait& t) { end_time_wait(now, t, false); });
  control_.clear();
}

}  // namespace wireside::tcp
