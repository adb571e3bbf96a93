// Which octets may be sent now: send window, congestion window, Nagle and silly-window avoidance
// (RFC 9293 sections 3.7.4 and 3.8.6.2.1).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {
constexpr Duration sws_override_after = std::chrono::milliseconds{200};  // 3.8.6.2.1 (4): 0.1 to 1 s
}

std::optional<SendPlan> LayerState::plan_data(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (!c.has_unsent()) {
    cancel_timer(now, c, TimerKind::Pacing);
    snd.unanswered = 0;
    snd.rate.app_limited(snd.board.in_flight());
    return std::nullopt;
  }
  restart_after_idle(now, c);
  const SendRoom room = room_to_send(c);
  SendPlan plan;
  plan.seq = room.seq;
  plan.octets = plan_probe(now, c, room.unsent, room.usable);
  plan.path_probe = plan.octets > 0;
  if (!plan.path_probe) plan.octets = nagle_and_sws(now, c, room);
  plan.fin = owes_fin(c.state()) && plan.octets == room.unsent && plan.seq + plan.octets == c.data_end() &&
             room.usable > plan.octets;
  if (room.unsent > room.usable && room.cwnd_is_less) snd.cwnd_limited = true;
  if (plan.octets > 0) {
    const std::uint32_t start = span_octets(c.data_start(), plan.seq);
    const auto reach = static_cast<std::uint32_t>(snd.queue.reach(start, plan.octets));
    if (reach < plan.octets) {  // too many small pieces for one frame
      plan.octets = reach > snd.mss ? reach - reach % snd.mss : reach;
      plan.fin = plan.path_probe = false;
    }
  }
  if (plan.octets > 0 || plan.fin) return limit_burst(now, c, plan) ? std::optional{plan} : std::nullopt;
  snd.unanswered = 0;
  arm_for_zero_window(now, c);
  return std::nullopt;
}

/// CC-08: after a pause of more than one RTO nothing is known of the path any more.
void LayerState::restart_after_idle(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (!c.everything_acknowledged() || now - snd.last_sent_at <= snd.rtt.rto()) return;
  const std::uint32_t before = snd.congestion.cwnd();
  snd.congestion.on_idle_restart(now - snd.last_sent_at);
  snd.last_sent_at = now;  // counted once, however long what is planned now takes to leave
  report_window(now, c, before, snd.congestion.ssthresh(), observe::WindowCause::IdleRestart);
}

/// Whether the peer's window takes a segment that was never sent: a full one, or all there is.
bool LayerState::has_room_for_new_segment(const Connection& c) {
  const Sender& snd = c.snd;
  if (!snd.snd_nxt.before(c.data_end())) return false;
  const SeqNum right_edge = snd.snd_una + snd.snd_wnd;
  const std::uint32_t wanted = std::min(snd.mss, span_octets(snd.snd_nxt, c.data_end()));
  return right_edge.at_or_after(snd.snd_nxt + wanted);
}

/// What is lost goes first, then what was never sent; how much, the two windows say.
LayerState::SendRoom LayerState::room_to_send(const Connection& c) {
  const Sender& snd = c.snd;
  const bool new_first = snd.recovery.prefer_new_data && has_room_for_new_segment(c);  // else RFC 5682 2.1 step 2b
  // Without SACK only the next ACK tells, and nothing may be sent again before it.
  const bool awaits_ack = snd.recovery.prefer_new_data && !c.negotiated.sack && snd.snd_nxt.after(snd.recovery.recover);
  const auto lost = new_first || awaits_ack ? std::nullopt : snd.board.first_lost();
  SendRoom room;
  room.seq = lost ? lost->left : snd.snd_nxt;
  room.repeated = lost ? span_octets(lost->left, lost->right) : 0;
  const bool up_to_new = !lost || lost->right == snd.snd_nxt;
  const SeqNum end = up_to_new ? c.data_end() : earlier(lost->right, c.data_end());
  room.unsent = room.seq.before(end) ? span_octets(room.seq, end) : 0;
  // Limited transmit (RFC 3042): the first two duplicates each release one segment, cwnd as it is. With SACK what was
  // reported has left the pipe, which comes to the same.
  const unsigned dup_acks = snd.recovery.dup_acks;
  const bool limited_transmit = !c.negotiated.sack && !snd.recovery.fast() && dup_acks < Rack::dup_thresh && !lost;
  const std::uint32_t cwnd = snd.congestion.cwnd() + (limited_transmit ? dup_acks * snd.mss : 0);
  const std::uint32_t pipe = snd.board.in_flight();
  const SeqNum right_edge = snd.snd_una + snd.snd_wnd;
  const std::uint32_t by_cwnd = cwnd > pipe ? cwnd - pipe : 0;
  const std::uint32_t by_peer = right_edge.after(room.seq) ? span_octets(room.seq, right_edge) : 0;  // MUST-34
  room.usable = std::min(by_cwnd, by_peer);
  room.cwnd_is_less = by_cwnd < by_peer;
  return room;
}

/// How many of the unsent octets go now, 0 for none.
std::uint32_t LayerState::nagle_and_sws(Instant now, Connection& c, const SendRoom& room) {
  Sender& snd = c.snd;
  // The pointer to urgent data is each segment's own: no super-segment.
  const bool urgent = snd.snd_up && snd.snd_up->after(room.seq);
  const auto most = urgent ? snd.mss : static_cast<std::uint32_t>(max_super_segment - max_super_segment % snd.mss);
  const std::uint32_t octets = std::min({room.unsent, room.usable, std::max(most, snd.mss)});
  const std::uint32_t whole = octets - octets % snd.mss;
  if (octets == 0) return 0;
  if (room.repeated > 0) {  // repeated octets are neither Nagle's nor silly, but a silly segment's rest is not theirs
    if (octets == room.unsent) return octets;
    if (room.cwnd_is_less && c.negotiated.sack) return whole;  // PRR's small change adds up to a segment
    return whole > 0 ? octets : std::min(octets, room.repeated);
  }
  if (octets == room.unsent) {
    // Minshall's form of Nagle: a small segment waits only while another small one is unacknowledged.
    const bool small_outstanding = snd.small_end.after(snd.snd_una);
    const bool at_ease = !c.options.cork && (c.options.no_delay || !small_outstanding);
    const bool urged = c.work.sws_override || snd.recovery.prefer_new_data;  // RFC 5682 section 2.1 step 2b
    if (octets == whole || at_ease || owes_fin(c.state()) || urged) return octets;
    // Corked with nothing in flight: no ACK will come to release it.
    const bool must_wait = c.options.cork && !c.timers.armed(TimerKind::SenderSws);
    if (must_wait) set_timer(now, c, TimerKind::SenderSws, now + sws_override_after);
    return whole;
  }
  if (whole > 0) return whole;
  // The window is smaller than a segment: worth it when it is half of all the peer ever offered, or after a while.
  const bool limited_by_peer = snd.snd_wnd <= snd.congestion.cwnd();
  const bool worth_it = limited_by_peer && octets >= snd.max_snd_wnd / 2;
  if (c.everything_acknowledged() && (worth_it || c.work.sws_override)) return octets;
  if (c.everything_acknowledged() && !c.timers.armed(TimerKind::SenderSws)) {
    set_timer(now, c, TimerKind::SenderSws, now + sws_override_after);
  }
  return 0;
}

/// Nothing may go and nothing is in flight: something must still be pending, or the connection hangs (MUST-36).
void LayerState::arm_for_zero_window(Instant now, Connection& c) {
  const auto armed = [&](TimerKind k) { return c.timers.armed(k); };
  if (armed(TimerKind::Retransmission) || armed(TimerKind::ZeroWindowProbe) || armed(TimerKind::SenderSws)) return;
  c.snd.progress_at = now;  // a new wait begins, whatever came before
  set_timer(now, c, TimerKind::ZeroWindowProbe, now + std::min(c.snd.rtt.rto(), give_up_after(c)));  // SHLD-29
}

}  // namespace wireside::tcp
