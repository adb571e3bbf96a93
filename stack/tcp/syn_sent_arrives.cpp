// RFC 9293 section 3.10.7.3: SYN-SENT.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

/// What the peer's SYN offers, met with what we offer (RFC 7323 sections 2.2 and 3.2, RFC 2018 section 2). The shift of
/// ours is in `n` already: that of our SYN, whatever buffer the options ask for by now.
void LayerState::negotiate(const IncomingSegment& s, Negotiated& n) const {
  const auto& offered = s.header.options;
  if (offered.mss) n.peer_mss = *offered.mss;
  n.window_scaling = config.window_scaling && offered.window_scale.has_value();
  n.snd_wscale = n.window_scaling ? WindowScale{*offered.window_scale} : WindowScale{};
  if (!n.window_scaling) n.rcv_wscale = WindowScale{};
  n.timestamps = config.timestamps && offered.timestamps.has_value();
  n.sack = config.sack && offered.sack_permitted;
}

void LayerState::take_syn(Instant now, const IncomingSegment& s, Connection& c) {
  negotiate(s, c.negotiated);
  agree_on_ecn(s, c);
  take_user_timeout(now, s, c);
  c.rcv.irs = s.header.seq;
  c.rcv.rcv_nxt = c.rcv.last_ack_sent = s.header.seq + 1;
  c.rcv.limit = initial_limit(c.options, c.negotiated);
  c.rcv.rcv_adv = c.rcv.rcv_nxt + c.rcv.syn_window;
  if (c.negotiated.timestamps) {
    c.timestamps.recent = s.header.options.timestamps->ts_val;
    c.timestamps.recent_at = now;
  }
  c.snd.snd_wnd = c.snd.max_snd_wnd = s.header.window;  // not scaled in a SYN
  c.snd.snd_wl1 = s.header.seq;
  c.snd.snd_wl2 = s.header.ack;
}

void LayerState::syn_sent_arrives(Instant now, const IncomingSegment& s, Connection& c) {
  const auto& flags = s.header.flags;
  // First, check the ACK bit.
  const bool ack_acceptable = flags.ack && s.header.ack.after(c.snd.iss) && s.header.ack.at_or_before(c.snd.snd_nxt);
  if (flags.ack && !ack_acceptable) {
    sink.drop(now, observe::DropReason::TcpBadAck, c.id);
    if (!flags.rst) reply_reset(now, s, TxReason::ResetBadAck, c.id);
    return;
  }
  // Second, check the RST bit.
  if (flags.rst) {
    if (!ack_acceptable) return sink.drop(now, observe::DropReason::TcpBadReset, c.id);
    return finish(now, c, StateCause::ResetReceived, Error::ConnectionRefused);
  }
  // Third, security: none. Fourth, check the SYN bit.
  if (!flags.syn) return sink.drop(now, observe::DropReason::TcpNoConnection, c.id);
  take_syn(now, s, c);
  const bool syn_was_lost = c.snd.retransmissions > 0;
  c.work.syn = false;
  if (!ack_acceptable) {  // simultaneous open (MUST-10): our SYN again, with the ACK of theirs
    c.transition(now, StateCause::SynReceived, TcpState::SynReceived, sink);
    c.work.syn = true;
    return wants_output(c);
  }
  acknowledge_first_data(c, s.header.ack);
  learn_fast_open(s, c);
  cancel_timer(now, c, TimerKind::Retransmission);
  if (c.snd.timing) {
    c.snd.timing = false;
    c.snd.rack.min_rtt().sample(now, now - c.snd.timed_at);
    take_sample(now, c, now - c.snd.timed_at);
  }
  c.transition(now, StateCause::SynAckReceived, TcpState::Established, sink);
  establish(now, c, syn_was_lost);
  ack_now(c, TxReason::Ack);
  raise(c, TcpEvent::Kind::Connected);
  raise(c, TcpEvent::Kind::Writable);
  // What came with the SYN is dealt with as in ESTABLISHED, from step six on.
  if (s.payload.empty() && !flags.fin && !flags.urg) return;
  IncomingSegment rest = behind_syn(s);
  rest.header.flags.syn = false;
  check_urgent(rest, c);
  process_text(now, rest, c);
  process_fin(now, rest, c);
}

}  // namespace wireside::tcp
