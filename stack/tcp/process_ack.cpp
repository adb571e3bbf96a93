// Fifth step of RFC 9293 section 3.10.7.4 in synchronized states: what an acceptable ACK does to the sender
// (RFC 5681, RFC 6298, RFC 6582).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::WindowCause;

void LayerState::accept_ack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f) {
  if (f.advances) {
    forward_progress = true;
    const std::uint32_t acked = span_octets(c.snd.snd_una, s.header.ack);
    const std::uint32_t flight = c.snd.flight();
    const std::uint32_t cwnd = c.snd.congestion.cwnd();
    take_rtt_sample(now, s, c);
    c.snd.queue.drop_front(std::min<std::size_t>(acked, c.snd.queue.octets()));  // a FIN is not in the queue
    c.snd.snd_una = s.header.ack;
    if (c.snd.rexmit_nxt.before(c.snd.snd_una)) c.snd.rexmit_nxt = c.snd.snd_una;
    // Marks left behind follow, or they would seem to lie ahead after 2^31 octets.
    if (c.snd.small_end.before(c.snd.snd_una)) c.snd.small_end = c.snd.snd_una;
    if (!c.snd.in_recovery) c.snd.recover = later(c.snd.recover, c.snd.snd_una - 1);
    c.snd.retransmissions = 0;
    judge_probe(now, c, false);
    c.snd.progress_at = now;
    c.soft_error.reset();
    // Growth is earned by using the window: an application-limited sender learns nothing about the path.
    if (flight + c.snd.mss > cwnd || (c.snd.congestion.in_slow_start() && 2 * flight >= cwnd))
      c.snd.cwnd_limited = true;
    restart_retransmission_timer(now, c);
    congestion_on_ack(now, c, acked);
    const std::size_t room = c.send_room();
    if (c.snd.blocked_writer && room > 0 && room >= c.options.send_buffer / 3) {
      c.snd.blocked_writer = false;
      raise(c, TcpEvent::Kind::Writable);
    }
  } else if (f.is_duplicate_ack) {
    count_duplicate_ack(now, s, c);
  }
  update_send_window(now, s, c, f);
  if (c.has_unsent()) wants_output(c);
}

/// A timed segment gives a precise sample; after a retransmission only timestamps can (MUST-18, TS-08).
void LayerState::take_rtt_sample(Instant now, const IncomingSegment& s, Connection& c) {
  Duration sample{};
  if (c.snd.timing && s.header.ack.at_or_after(c.snd.timed_end)) {
    c.snd.timing = false;
    sample = now - c.snd.timed_at;
  } else if (!c.snd.timing && c.negotiated.timestamps && s.header.options.timestamps) {
    const std::uint32_t ticks = c.timestamps.now(now) - s.header.options.timestamps->ts_ecr;
    if (ticks > 600'000) return;  // ten minutes: not an echo of ours
    sample = std::chrono::milliseconds{ticks};
  } else {
    return;
  }
  c.snd.rtt.sample(sample);
  sink.emit(now, [&] {
    return observe::RttSampled{c.id, sample, c.snd.rtt.srtt(), c.snd.rtt.rttvar(), c.snd.rtt.rto()};
  });
}

void LayerState::report_window(Instant now, const Connection& c, std::uint32_t cwnd, std::uint32_t ssthresh,
                               WindowCause cause) const {
  const auto& cc = c.snd.congestion;
  if (cc.cwnd() == cwnd && cc.ssthresh() == ssthresh) return;
  sink.emit(now, [&] { return observe::WindowChanged{c.id, cwnd, cc.cwnd(), ssthresh, cc.ssthresh(), cause}; });
}

void LayerState::congestion_on_ack(Instant now, Connection& c, std::uint32_t acked) {
  auto& cc = c.snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  c.snd.dup_acks = 0;
  if (!c.snd.in_recovery) {
    if (!c.snd.cwnd_limited) return;
    const auto cause = cc.in_slow_start() ? WindowCause::SlowStart : WindowCause::CongestionAvoidance;
    cc.on_ack(acked);
    c.snd.cwnd_limited = false;
    return report_window(now, c, cwnd, ssthresh, cause);
  }
  if (c.snd.snd_una.at_or_after(c.snd.recover)) {
    cc.on_recovery_exit(c.snd.flight());
    c.snd.in_recovery = false;
    return report_window(now, c, cwnd, ssthresh, WindowCause::RecoveryExit);
  }
  // Partial ACK (RFC 6582 section 3.2 step 3): the next hole is known, no need to wait for duplicates.
  cc.on_partial_ack(acked);
  c.snd.partial_ack_seen = true;
  c.work.retransmit = true;
  c.work.retransmit_reason = TxReason::PartialAckRetransmit;
  wants_output(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::PartialAck);
}

void LayerState::count_duplicate_ack(Instant now, const IncomingSegment& s, Connection& c) {
  auto& cc = c.snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  if (c.snd.dup_acks++ == 0) c.snd.flight_at_first_dup_ack = c.snd.flight();
  if (c.snd.in_recovery) {
    cc.on_duplicate_ack();
    wants_output(c);
    return report_window(now, c, cwnd, ssthresh, WindowCause::RecoveryInflation);
  }
  // The third duplicate starts recovery, but not for the window a timeout has already repeated (RFC 6582 section 4).
  if (c.snd.dup_acks != 3 || !s.header.ack.after(c.snd.recover)) return;
  judge_probe(now, c, true);
  cc.on_fast_retransmit(c.snd.flight_at_first_dup_ack);
  c.snd.recover = c.snd.snd_nxt;
  c.snd.in_recovery = true;
  c.snd.partial_ack_seen = false;
  c.work.retransmit = true;
  c.work.retransmit_reason = TxReason::FastRetransmit;
  wants_output(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::FastRetransmit);
}

/// EV-23: an old segment can neither shrink nor grow the window.
void LayerState::update_send_window(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f) {
  Sender& snd = c.snd;
  const bool current =
      snd.snd_wl1.before(s.header.seq) || (snd.snd_wl1 == s.header.seq && snd.snd_wl2.at_or_before(s.header.ack));
  if (current) {
    snd.snd_wnd = f.window;
    snd.max_snd_wnd = std::max(snd.max_snd_wnd, f.window);
    snd.snd_wl1 = s.header.seq;
    snd.snd_wl2 = s.header.ack;
  }
  if (snd.snd_wnd == 0) {
    snd.progress_at = now;  // MUST-37: an answered probe keeps the connection up, with window 0 for ever
    return;
  }
  if (snd.probes > 0) snd.progress_at = now;  // the closed time does not count against the data
  snd.probes = 0;
  cancel_timer(now, c, TimerKind::ZeroWindowProbe);
  c.work.probe = false;
  // Octets sent as probes have had no timer of their own.
  if (!c.everything_acknowledged() && !c.timers.armed(TimerKind::Retransmission)) restart_retransmission_timer(now, c);
}

/// RFC 6298 rules (5.2) and (5.3). Of the partial ACKs only the first restarts it (RFC 6582 section 4).
void LayerState::restart_retransmission_timer(Instant now, Connection& c) {
  if (c.everything_acknowledged()) return cancel_timer(now, c, TimerKind::Retransmission);
  const bool further_partial_ack = c.snd.in_recovery && c.snd.partial_ack_seen && c.snd.snd_una.before(c.snd.recover);
  if (further_partial_ack && c.timers.armed(TimerKind::Retransmission)) return;
  set_timer(now, c, TimerKind::Retransmission, std::min(now + c.snd.rtt.rto(), c.snd.progress_at + give_up_after(c)));
}

/// What the acknowledgement of our FIN ends.
Step LayerState::close_steps_on_ack(Instant now, Connection& c, const SegmentFacts& f) {
  if (!f.acks_our_fin) return Step::Continue;
  switch (c.state()) {
    case TcpState::FinWait1:
      c.transition(now, StateCause::AckOfFin, TcpState::FinWait2, sink);
      if (c.detached) set_timer(now, c, TimerKind::FinWait2, now + config.fin_wait_2_timeout);
      return Step::Continue;
    case TcpState::Closing:
      c.transition(now, StateCause::AckOfFin, TcpState::TimeWait, sink);
      enter_time_wait(now, c);
      return Step::Drop;
    case TcpState::LastAck:
      finish(now, c, StateCause::AckOfFin, std::nullopt);
      return Step::Drop;
    default:
      return Step::Continue;
  }
}

}  // namespace wireside::tcp
