// The passive open that keeps nothing (RFC 4987 section 3.6): the SYN-ACK carries a cookie, the ACK brings it back.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

/// Nothing tells our own shift when the cookie comes back, perhaps to another listener: it is the same for all.
WindowScale LayerState::cookie_window_scale(const Negotiated& n) const {
  return n.window_scaling ? our_window_scale({}) : WindowScale{};
}

/// Nothing of the SYN stays here but the time of the answer.
void LayerState::send_cookie(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l) {
  Handshake h;
  begin_handshake(now, s, handle, l, h);
  h.iss = syn_cookies_.make(now, s.tuple, h.irs, h.negotiated.peer_mss);
  // Only a timestamp can bring them back.
  if (!h.negotiated.timestamps) h.negotiated.sack = h.negotiated.window_scaling = h.negotiated.ecn = false;
  h.negotiated.rcv_wscale = cookie_window_scale(h.negotiated);
  h.rcv_wnd = first_window(l.options, h.negotiated);
  ControlSegment r = syn_ack_of(now, h, l, TxReason::SynCookie);
  if (h.negotiated.timestamps) {
    CookieOptions kept;
    kept.sack = h.negotiated.sack;
    kept.ecn = h.negotiated.ecn;
    if (h.negotiated.window_scaling) kept.window_scale = h.negotiated.snd_wscale;
    auto& value = r.header.options.timestamps->ts_val;
    value = SynCookies::stamp(value, kept);
  }
  cookie_sent_at_ = now;
  answered_syns_.note(now, flow_hash(s.tuple));
  ++sink.count.syn_cookies_sent;
  send_control(now, r);
}

/// What the SYN agreed on, as far as the ACK of our SYN-ACK tells.
Negotiated LayerState::negotiated_by_cookie(const IncomingSegment& s, const Listener& l, std::uint16_t mss) const {
  Negotiated n;
  n.peer_mss = mss;
  n.timestamps = config.timestamps && s.header.options.timestamps.has_value();
  if (!n.timestamps) return n;
  const CookieOptions kept = SynCookies::read_stamp(s.header.options.timestamps->ts_ecr);
  n.sack = config.sack && kept.sack;
  n.ecn = l.options.ecn != EcnMode::Off && kept.ecn;
  n.window_scaling = config.window_scaling && kept.window_scale.has_value();
  if (n.window_scaling) {
    n.snd_wscale = *kept.window_scale;
    n.rcv_wscale = cookie_window_scale(n);
  }
  return n;
}

/// The cookie proves that the client is there: the handshake is remembered as any other that waits for data.
void LayerState::defer_from_cookie(Instant now, const Handshake& from, const Listener& l) {
  HalfOpen& h = remember_half_open(now, from);
  h.deferred = h.repeated = true;  // the SYN-ACK was not timed
  half_open_deadlines_.arm(h, now + longest_deferral(l));
}

/// False when the segment brings no cookie of ours. Where none was sent of late there is none to be guessed.
///
/// The cookie proves itself only together with the sequence number behind the SYN, so by the first segment alone. What
/// came before that one, because it was lost or overtaken, would be answered with a RST (as by other stacks), and the
/// connection end before it began. It is passed over instead: the first segment will be sent again.
bool LayerState::cookie_arrives(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l) {
  if (s.header.flags.syn || !cookie_sent_at_ || now - *cookie_sent_at_ > SynCookies::longest_life) return false;
  Handshake h;
  h.irs = s.header.seq - 1;
  h.iss = s.header.ack - 1;
  const auto mss = syn_cookies_.open(now, s.tuple, h.irs, h.iss);
  if (!mss) {
    ++sink.count.syn_cookies_failed;
    if (!answered_syns_.may_have(now, flow_hash(s.tuple))) return false;
    sink.drop(now, observe::DropReason::TcpBadAck);
    return true;
  }
  // The peer will repeat its data; room may have come by then, and the cookie is still good.
  if (const auto reason = has_no_room(l)) {
    sink.drop(now, *reason);
    return true;
  }
  const bool deferred = defers(s, l);
  // The data that the connection waits for will bring the cookie, too.
  if (deferred && half_open.size() >= config.max_syn_queue) return true;
  answered_syns_.forget(flow_hash(s.tuple));
  ++sink.count.syn_cookies_received;
  ++sink.count.tcp_passive_opens;
  h.id = next_id_++;
  h.tuple = s.tuple;
  h.listener = handle;
  h.negotiated = negotiated_by_cookie(s, l, *mss);
  h.snd_wnd = s.header.window;
  h.rcv_wnd = first_window(l.options, h.negotiated);
  h.timestamps.offset = timestamp_offset(s.tuple);
  if (h.negotiated.timestamps) {
    h.timestamps.recent = s.header.options.timestamps->ts_val;
    h.timestamps.recent_at = now;
  }
  sink.emit(now, [&] {
    return observe::StateChanged{h.id, h.tuple, TcpState::Listen, TcpState::SynReceived, StateCause::SynReceived};
  });
  if (deferred) {
    defer_from_cookie(now, h, l);
    return true;
  }
  Connection& c = open_from(now, s, h, std::nullopt, false);
  hand_over(c);
  connection_arrives(now, s, c);
  return true;
}

}  // namespace wireside::tcp
