// Explicit congestion notification (RFC 3168 section 6.1): what marks and echoes do to a connection. The window is led
// down to ssthresh by PRR, as after a loss, so that acknowledgements go on clocking out data; at one or two segments
// there is nothing to lead down, and it falls at once.
#include "tcp/ecn.hpp"

#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::WindowCause;

/// The peer's first answer to our SYN, or its own SYN that crossed ours.
void LayerState::agree_on_ecn(const IncomingSegment& s, Connection& c) {
  c.negotiated.ecn = c.ecn.asked && (s.header.flags.ack ? is_ecn_setup_syn_ack(s) : is_ecn_setup_syn(s));
}

/// Section 6.1.1.1: what is lost may have been lost for the two flags, so only the first SYN has them.
void LayerState::ask_for_ecn(Connection& c, wire::TcpFlags& flags) {
  c.ecn.asked = c.options.ecn == EcnMode::Ask && c.snd.retransmissions == 0;
  flags.ece = flags.cwr = c.ecn.asked;
}

/// Section 6.1.3: marks count on octets inside the window only. A change of what we echo is told at once, and so is the
/// receipt of CWR, as the sender's window may be down to one segment.
void LayerState::take_ecn_marks(const IncomingSegment& s, Connection& c) {
  if (!c.negotiated.ecn || s.payload.empty()) return;
  Ecn& ecn = c.ecn;
  const bool before = ecn.echo;
  if (s.header.flags.cwr) ecn.echo = false;
  if (ecn_of(s.tos) == EcnCodepoint::Ce) {
    ecn.echo = true;
    ecn.ce_received += s.gso_size == 0 ? 1 : (s.payload.size() + s.gso_size - 1) / s.gso_size;
  }
  const bool news = ecn.echo != before || s.header.flags.cwr;
  if (news) ack_now(c, c.work.ack_now ? c.work.ack_reason : TxReason::Ack);
}

/// Section 6.1.2: ECE is answered like a loss, but nothing is sent again; once per window of data, whatever else told
/// of congestion meanwhile.
void LayerState::take_ecn_echo(Instant now, const IncomingSegment& s, Connection& c, AckNews& news) {
  if (!c.negotiated.ecn || !s.header.flags.ece || s.header.flags.syn) return;
  Sender& snd = c.snd;
  news.congestion_echoed = true;
  ++c.ecn.ece_received;
  if (!snd.recovery.open() || !snd.snd_una.after(c.ecn.reduced_at)) return;
  Congestion& cc = snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  const std::uint32_t flight = snd.flight_before_acks();
  cc.reduce(std::min(flight, cwnd), c.options.abe ? CongestionSignal::AlternativeEcn : CongestionSignal::Ecn, now);
  snd.recovery.undoable = false;  // this reduction is for something real
  c.ecn.reducing = false;
  if (cwnd <= snd.mss) {
    snd.pacer.hold_until(now + snd.rtt.rto());  // cwnd cannot be smaller: the rate can
  } else if (cwnd <= 2 * snd.mss) {
    cc.set_cwnd(snd.mss);
  } else {
    c.ecn.reducing = true;
    snd.recovery.prr.start(flight, cc.ssthresh());
  }
  window_was_reduced(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::EcnEcho);
}

void LayerState::lead_window_down(Instant now, Connection& c, const SegmentFacts& f, const AckNews& news) {
  if (!c.ecn.reducing) return;
  Sender& snd = c.snd;
  Congestion& cc = snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  if (snd.snd_una.after(c.ecn.reduced_at) || c.everything_acknowledged()) {
    c.ecn.reducing = false;
    cc.set_cwnd(cc.ssthresh());
  } else {
    cc.set_cwnd(snd.recovery.prr.on_ack(news.delivered, snd.board.in_flight(), f.advances, snd.mss));
  }
  report_window(now, c, cwnd, cc.ssthresh(), WindowCause::ProportionalReduction);
}

/// A loss from the window of data that an ECE has already reduced the congestion window for takes nothing more, unless
/// that was ABE's smaller decrease.
void LayerState::reduce_for_loss(Instant now, Connection& c, std::uint32_t flight) {
  if (c.ecn.reducing && !c.options.abe) {
    c.snd.recovery.undoable = false;
  } else {
    c.snd.congestion.reduce(flight, CongestionSignal::Loss, now);
  }
  window_was_reduced(c);
  c.ecn.reducing = false;
}

/// Whatever the reason (section 6.1.2), the peer hears of it.
void LayerState::window_was_reduced(Connection& c) {
  c.ecn.owes_cwr = c.negotiated.ecn;
  c.ecn.reduced_at = c.snd.snd_nxt;
}

/// Only what carries octets for the first time is ECN-capable (sections 6.1.4 to 6.1.6); the first of it after a
/// reduction says so.
void LayerState::mark_new_data(Connection& c, OutgoingSegment& out) {
  if (!c.negotiated.ecn || out.payload.empty()) return;
  out.tos = with_ecn(out.tos, EcnCodepoint::Ect0);
  out.header.flags.cwr = std::exchange(c.ecn.owes_cwr, false);
}

}  // namespace wireside::tcp
