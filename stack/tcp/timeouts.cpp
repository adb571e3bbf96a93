// RFC 9293 section 3.10.8 and the timers of RFC 6298, 3.8.4 (keep-alive) and 3.8.6.1 (zero-window probes).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

Instant LayerState::next_deadline() {
  Instant due = std::min(deadlines_.next(), half_open_deadlines_.next());
  if (const TimeWait* t = time_wait_order_.front(); t != nullptr) due = std::min(due, t->expires_at);
  return due;
}

void LayerState::handle_timeouts(Instant now) {
  for (Instant due = deadlines_.next(); due <= now; due = deadlines_.next()) {
    DeadlineNode* const node = deadlines_.pop_due(now);
    if (node == nullptr) break;
    connection_timeouts(now, connections.owner_of(*node, due));
  }
  while (HalfOpen* h = half_open_deadlines_.pop_due(now)) half_open_timeout(now, *h);
  for (TimeWait* t = time_wait_order_.front(); t != nullptr && t->expires_at <= now; t = time_wait_order_.front()) {
    end_time_wait(now, *t, true);
  }
}

void LayerState::connection_timeouts(Instant now, Connection& connection) {
  const ConnectionHandle handle = connection.handle;
  for (const auto kind : {TimerKind::DelayedAck, TimerKind::Reordering, TimerKind::TailLossProbe,
                          TimerKind::Retransmission, TimerKind::ZeroWindowProbe, TimerKind::SenderSws,
                          TimerKind::Pacing, TimerKind::KeepAlive, TimerKind::Linger, TimerKind::FinWait2}) {
    Connection* c = connections.find(handle);  // an earlier timer may have ended it
    if (c == nullptr || c->timers.due(kind) > now) continue;
    c->timers.set(kind, Instant::max());
    sink.emit(now, [&] { return observe::TimerChanged{c->id, kind, observe::TimerChanged::What::Fired, {}}; });
    switch (kind) {
      case TimerKind::DelayedAck:
        ack_now(*c, TxReason::DelayedAck);
        break;
      case TimerKind::Reordering:
        reordering_timeout(now, *c);
        break;
      case TimerKind::TailLossProbe:
        tail_probe_timeout(now, *c);
        break;
      case TimerKind::Retransmission:
        retransmission_timeout(now, *c);
        break;
      case TimerKind::ZeroWindowProbe:
        probe_timeout(now, *c);
        break;
      case TimerKind::SenderSws:
        c->work.sws_override = true;
        wants_output(*c);
        break;
      case TimerKind::Pacing:
        wants_output(*c);
        break;
      case TimerKind::KeepAlive:
        keep_alive_timeout(now, *c);
        break;
      case TimerKind::Linger:
        linger_timeout(now, *c);
        break;
      default:
        finish(now, *c, StateCause::FinWait2Timeout, std::nullopt);
        break;
    }
  }
  if (Connection* c = connections.find(handle); c != nullptr) {
    rearm(*c);
    if (sink.tells_steps()) [[unlikely]]
      (void)report(now, observe::StepCause::TimerFired, handle);
    connections.settle(*c);
  }
}

void LayerState::retransmission_timeout(Instant now, Connection& c) {
  Sender& snd = c.snd;
  const bool opening = !is_synchronized(c.state());
  if (now - snd.progress_at >= give_up_after(c)) {
    const bool user = c.options.user_timeout > Duration{0};
    const auto cause = opening ? StateCause::SynTimeout
                       : user  ? StateCause::UserTimeout
                               : StateCause::RetransmissionTimeout;
    return finish(now, c, cause, Error::TimedOut);
  }
  if (!opening && c.everything_acknowledged()) return;
  if (!opening && snd.snd_wnd == 0) {  // MUST-35: a window shrunk to zero is probed, not retransmitted into
    snd.board.forget_sacks();  // or nothing would be left to probe with, should the peer have reported all of it
    snd.board.mark_all_lost();
    snd.recovery.f_rto = snd.recovery.prefer_new_data = false;
    return probe_timeout(now, c);
  }
  const Duration rto_before = snd.rtt.rto();
  const bool first = snd.retransmissions++ == 0;
  if (snd.retransmissions >= config.r1_retransmissions) advise_against_path(c);
  snd.rtt.back_off();
  judge_probe(now, c, true);
  if (!opening) suspect_black_hole(now, c);
  snd.timing = false;
  sink.emit(now, [&] { return observe::RtoChanged{c.id, rto_before, snd.rtt.rto()}; });
  wants_output(c);
  if (opening) {
    if (first && c.fast_open_asked) fast_open_cache_.failed(now, c.tuple);
    c.work.syn = true;  // build_syn sets the timer
    return;
  }
  begin_loss_recovery(now, c, first);
  c.work.retransmit = false;
  set_timer(now, c, TimerKind::Retransmission, std::min(now + snd.rtt.rto(), snd.progress_at + give_up_after(c)));
}

/// From R1 on (MUST-20): IP hears that this way does not work, the application sees a soft error (SHLD-9) that the next
/// acknowledgement takes back, and is told of it where it asked for reports (MUST-47, "excessive retransmissions").
void LayerState::advise_against_path(Connection& c) {
  if (c.snd.retransmissions == config.r1_retransmissions) {
    ErrorReport report;
    report.error = Error::TimedOut;
    report.local = true;
    report.reporter = c.tuple.local.address;
    report.tuple = c.tuple;
    keep_report(c, report);
  }
  if (!c.soft_error) c.soft_error = Error::TimedOut;
  constexpr std::size_t most = 64;  // more cannot be of use between two calls of the owner
  if (negative_advice.size() < most) negative_advice.push_back(c.tuple.remote.address);
}

/// Probes go on for as long as the peer answers them (MUST-37), at growing intervals (SHLD-30), or until the
/// application's own user timeout.
void LayerState::probe_timeout(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (now - snd.progress_at >= give_up_after(c)) {
    const bool user = c.options.user_timeout > Duration{0};
    return finish(now, c, user ? StateCause::UserTimeout : StateCause::RetransmissionTimeout, Error::TimedOut);
  }
  if (!c.has_unsent()) return;
  ++snd.probes;
  c.work.probe = true;
  wants_output(c);
  const unsigned doublings = std::min(snd.probes, 16U);
  const Duration interval = std::min<Duration>(snd.rtt.rto() * (std::int64_t{1} << doublings), config.rto_max);
  set_timer(now, c, TimerKind::ZeroWindowProbe, std::min(now + interval, snd.progress_at + give_up_after(c)));
}

/// RFC 5482 section 4.2: keep-alive ends no connection that the user timeout would let live.
Duration LayerState::keep_alive_after(const Connection& c) const {
  if (!c.options.user_timeout_option) return c.options.keep_alive_idle;
  return std::max<Duration>(c.options.keep_alive_idle, give_up_after(c) + std::chrono::milliseconds{1});
}

void LayerState::arm_keep_alive(Instant now, Connection& c) {
  if (!c.options.keep_alive) return cancel_timer(now, c, TimerKind::KeepAlive);
  set_timer(now, c, TimerKind::KeepAlive, std::max(now, c.last_heard_at + keep_alive_after(c)));
}

/// MUST-26: only when nothing is outstanding and nothing was heard; MUST-29: one lost probe proves nothing.
void LayerState::keep_alive_timeout(Instant now, Connection& c) {
  if (!c.options.keep_alive) return;
  const Instant next = c.last_heard_at + keep_alive_after(c);
  if (now < next || !c.everything_acknowledged()) {
    return set_timer(now, c, TimerKind::KeepAlive, next > now ? next : now + c.options.keep_alive_interval);
  }
  if (c.keep_alive_sent >= c.options.keep_alive_probes) {
    send_reset(now, c, TxReason::ResetTimeout);
    return finish(now, c, StateCause::KeepAliveTimeout, Error::TimedOut);
  }
  ++c.keep_alive_sent;
  c.work.keep_alive = true;
  wants_output(c);
  set_timer(now, c, TimerKind::KeepAlive, now + c.options.keep_alive_interval);
}

void LayerState::half_open_timeout(Instant now, HalfOpen& h) {
  if (now - h.created_at >= half_open_life()) {
    sink.emit(now, [&] {
      return observe::StateChanged{h.id, h.flow.tuple(), TcpState::SynReceived, TcpState::Closed,
                                   StateCause::SynTimeout};
    });
    ++sink.count.tcp_attempt_fails;
    return drop_half_open(h);
  }
  if (h.deferred) {  // no data came in time: the answer to our SYN-ACK brings the connection without it
    h.deferred = false;
    h.defer_over = true;
    return send_syn_ack(now, h, TxReason::SynAckRetransmit);
  }
  if (h.retransmissions < UINT8_MAX) ++h.retransmissions;
  send_syn_ack(now, h, TxReason::SynAckRetransmit);
}

}  // namespace wireside::tcp
