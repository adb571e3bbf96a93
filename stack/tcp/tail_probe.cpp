// Tail loss probes (RFC 8985 section 7): what is at the end of a flight has nothing behind it that would show its loss,
// so after two round trips something is sent that does.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

constexpr Duration max_ack_delay = std::chrono::milliseconds{200};  // TLP.max_ack_delay
constexpr Duration shortest = std::chrono::milliseconds{2};         // below, batching and scheduling look like losses

}  // namespace

bool LayerState::may_probe_tail(const Connection& c) const {
  const Sender& snd = c.snd;
  return config.tail_loss_probe && c.negotiated.sack && is_synchronized(c.state()) && snd.recovery.open() &&
         !snd.recovery.tlp_end && snd.board.in_flight() > 0 && snd.board.sacked() == 0 && snd.board.lost() == 0 &&
         snd.snd_wnd > 0;
}

Duration LayerState::probe_timeout_after(const Connection& c) {
  const Sender& snd = c.snd;
  Duration pto = std::chrono::seconds{1};
  if (snd.rtt.has_sample()) {
    pto = 2 * snd.rtt.srtt();
    if (snd.flight() <= snd.mss) pto += max_ack_delay;
  }
  return std::max(pto, shortest);
}

void LayerState::schedule_tail_probe(Instant now, Connection& c) {
  if (!may_probe_tail(c)) return cancel_timer(now, c, TimerKind::TailLossProbe);
  // Section 7.2: where the retransmission timer would come first, the probe takes its place.
  const Instant due =
      std::min(std::max(now, c.snd.last_sent_at) + probe_timeout_after(c), c.timers.due(TimerKind::Retransmission));
  set_timer(now, c, TimerKind::TailLossProbe, due);
}

void LayerState::tail_probe_timeout(Instant now, Connection& c) {
  if (!may_probe_tail(c)) return;
  const Instant due = std::min(c.snd.last_sent_at + probe_timeout_after(c), c.timers.due(TimerKind::Retransmission));
  if (due > now) return set_timer(now, c, TimerKind::TailLossProbe, due);  // more was sent meanwhile
  c.work.tail_probe = true;
  restart_retransmission_timer(now, c);  // or it would fire as well
  wants_output(c);
}

/// New octets if there are any that the peer can take, else the last segment again; the congestion window is not asked
/// (section 7.3).
bool LayerState::build_tail_probe(Instant now, Connection& c, OutgoingSegment& out) {
  c.work.tail_probe = false;
  if (!may_probe_tail(c)) return false;
  Sender& snd = c.snd;
  const std::uint32_t unsent = snd.snd_nxt.before(c.data_end()) ? span_octets(snd.snd_nxt, c.data_end()) : 0;
  const SeqNum right_edge = snd.snd_una + snd.snd_wnd;
  const std::uint32_t room = right_edge.after(snd.snd_nxt) ? span_octets(snd.snd_nxt, right_edge) : 0;
  SendPlan plan;
  plan.seq = snd.snd_nxt;
  plan.octets = has_room_for_new_segment(c) ? std::min({unsent, room, snd.mss}) : 0;  // no silly segment
  if (plan.octets == 0) {
    const SeqNum sent_end = earlier(snd.snd_nxt, c.data_end());
    const std::uint32_t outstanding = snd.snd_una.before(sent_end) ? span_octets(snd.snd_una, sent_end) : 0;
    plan.octets = std::min(outstanding, snd.mss);
    plan.seq = sent_end - plan.octets;
    plan.fin = c.fin_sent();
  }
  plan.octets = static_cast<std::uint32_t>(snd.queue.reach(span_octets(c.data_start(), plan.seq), plan.octets));
  plan.fin = plan.fin && plan.seq + plan.octets == c.data_end();
  if (plan.octets == 0 && !plan.fin) return false;
  snd.recovery.tlp_is_retransmission = plan.seq.before(snd.snd_nxt);
  begin_segment(now, c, plan.seq, TxReason::TailLossProbe, out);
  fill(c, plan, out);
  if (!snd.recovery.tlp_is_retransmission) mark_new_data(c, out);
  note_sent(now, c, plan);
  snd.recovery.tlp_end = snd.snd_nxt;
  cancel_timer(now, c, TimerKind::TailLossProbe);
  restart_retransmission_timer(now, c);
  return true;
}

/// Section 7.4: whether the probe repaired a loss, which must be answered like any other.
void LayerState::judge_tail_probe(Instant now, Connection& c, const SegmentFacts& f, const AckNews& news) {
  Sender& snd = c.snd;
  Recovery& r = snd.recovery;
  if (!r.tlp_end || snd.snd_una.before(*r.tlp_end)) return;
  const SeqNum end = *r.tlp_end;
  if (!r.tlp_is_retransmission || (news.dsack && news.dsack->right == end)) {
    r.tlp_end.reset();
  } else if (snd.snd_una.after(end)) {
    r.tlp_end.reset();
    const std::uint32_t cwnd = snd.congestion.cwnd();
    const std::uint32_t ssthresh = snd.congestion.ssthresh();
    snd.congestion.reduce(cwnd, CongestionSignal::Loss, now);
    snd.congestion.set_cwnd(snd.congestion.ssthresh());
    c.ecn.reducing = false;
    window_was_reduced(c);
    report_window(now, c, cwnd, ssthresh, observe::WindowCause::TailLossRepaired);
  } else if (!f.advances && f.length == 0) {
    r.tlp_end.reset();
  }
}

}  // namespace wireside::tcp
