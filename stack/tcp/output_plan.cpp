// Which octets may be sent now: send window, congestion window, Nagle and silly-window avoidance
// (RFC 9293 sections 3.7.4 and 3.8.6.2.1).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {
constexpr Duration sws_override_after = std::chrono::milliseconds{200};  // 3.8.6.2.1 (4): 0.1 to 1 s
}

std::optional<SendPlan> LayerState::plan_data(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (!c.has_unsent()) return std::nullopt;
  auto& cc = snd.congestion;
  if (c.everything_acknowledged() && now - snd.last_sent_at > snd.rtt.rto()) {  // CC-08
    const std::uint32_t before = cc.cwnd();
    cc.on_idle_restart();
    report_window(now, c, before, cc.ssthresh(), observe::WindowCause::IdleRestart);
  }
  // Limited transmit (RFC 3042): the first two duplicates each release one segment, cwnd as it is.
  const std::uint32_t extra = !snd.in_recovery && snd.dup_acks < 3 && !snd.rewinding() ? snd.dup_acks * snd.mss : 0;
  const std::uint32_t window = std::min(snd.snd_wnd, cc.cwnd() + extra);
  const SeqNum next = snd.rexmit_nxt;
  const std::uint32_t used = span_octets(snd.snd_una, next);
  const std::uint32_t usable = window > used ? window - used : 0;  // MUST-34: negative counts as none
  const std::uint32_t unsent = next.before(c.data_end()) ? span_octets(next, c.data_end()) : 0;

  SendPlan plan;
  plan.seq = next;
  plan.octets = plan_probe(now, c, unsent, usable);
  plan.path_probe = plan.octets > 0;
  if (!plan.path_probe) plan.octets = nagle_and_sws(now, c, unsent, usable);
  plan.fin = owes_fin(c.state()) && plan.octets == unsent && usable > plan.octets;
  if (unsent > usable && window < snd.snd_wnd) snd.cwnd_limited = true;
  if (plan.octets > 0) {
    const std::uint32_t start = span_octets(c.data_start(), next);
    const auto reach = static_cast<std::uint32_t>(snd.queue.reach(start, plan.octets));
    if (reach < plan.octets) {  // too many small pieces for one frame
      plan.octets = reach > snd.mss ? reach - reach % snd.mss : reach;
      plan.fin = plan.path_probe = false;
    }
  }
  if (plan.octets > 0 || plan.fin) return plan;
  arm_for_zero_window(now, c);
  return std::nullopt;
}

/// How many of `unsent` octets go now, 0 for none.
std::uint32_t LayerState::nagle_and_sws(Instant now, Connection& c, std::uint32_t unsent, std::uint32_t usable) {
  Sender& snd = c.snd;
  const auto most = static_cast<std::uint32_t>(max_super_segment - max_super_segment % snd.mss);
  const std::uint32_t octets = std::min({unsent, usable, std::max(most, snd.mss)});
  const std::uint32_t whole = octets - octets % snd.mss;
  if (octets == 0) return 0;
  if (snd.rewinding()) {  // repeated octets are neither Nagle's nor silly, but a silly segment's rest is not theirs
    const std::uint32_t repeated = span_octets(snd.rexmit_nxt, snd.snd_nxt);
    return whole > 0 || octets == unsent ? octets : std::min(octets, repeated);
  }
  if (octets == unsent) {
    // Minshall's form of Nagle: a small segment waits only while another small one is unacknowledged.
    const bool small_outstanding = snd.small_end.after(snd.snd_una);
    const bool may_be_small = c.options.no_delay || owes_fin(c.state()) || !small_outstanding || c.work.sws_override;
    return octets == whole || may_be_small ? octets : whole;
  }
  if (whole > 0) return whole;
  // The window is smaller than a segment: worth it when it is half of all the peer ever offered, or after a while.
  const bool limited_by_peer = snd.snd_wnd <= snd.congestion.cwnd();
  if (limited_by_peer && c.everything_acknowledged() && (octets >= snd.max_snd_wnd / 2 || c.work.sws_override)) {
    return octets;
  }
  if (c.everything_acknowledged() && !c.timers.armed(TimerKind::SenderSws)) {
    set_timer(now, c, TimerKind::SenderSws, now + sws_override_after);
  }
  return 0;
}

/// Nothing may go and nothing is in flight: something must still be pending, or the connection hangs (MUST-36).
void LayerState::arm_for_zero_window(Instant now, Connection& c) {
  const auto armed = [&](TimerKind k) { return c.timers.armed(k); };
  if (armed(TimerKind::Retransmission) || armed(TimerKind::ZeroWindowProbe) || armed(TimerKind::SenderSws)) return;
  c.snd.progress_at = now;                                               // a new wait begins, whatever came before
  set_timer(now, c, TimerKind::ZeroWindowProbe, now + c.snd.rtt.rto());  // SHLD-29
}

}  // namespace wireside::tcp
