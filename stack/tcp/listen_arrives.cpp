// RFC 9293 sections 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN), and SYN-RECEIVED of a passive open.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

// The option has 15 bits for a number of seconds or minutes (RFC 5482 section 3).
constexpr std::uint16_t minutes_bit = 0x8000;

std::uint16_t packed_timeout(Duration told) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(told).count();
  return static_cast<std::uint16_t>(seconds < minutes_bit ? seconds : minutes_bit | (seconds / 60));
}
Duration unpacked_timeout(std::uint16_t packed) {
  const std::chrono::seconds told{packed & (minutes_bit - 1U)};
  return (packed & minutes_bit) != 0 ? 60 * told : told;
}

}  // namespace

// --- 3.10.7.1 ---

void LayerState::closed_arrives(Instant now, const IncomingSegment& s) {
  sink.drop(now, observe::DropReason::TcpNoConnection);
  if (s.header.flags.rst) return;
  reply_reset(now, s, TxReason::ResetNoConnection, 0);
}

// --- 3.10.7.2 ---

void LayerState::listen_arrives(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l) {
  // First, check for a RST: nothing we sent can have caused it.
  if (s.header.flags.rst) return sink.drop(now, observe::DropReason::TcpBadReset);
  // Second, check for an ACK: any is bad here, except one that brings back a SYN cookie.
  if (s.header.flags.ack) {
    if (cookie_arrives(now, s, handle, l)) return;
    sink.drop(now, observe::DropReason::TcpBadAck);
    return reply_reset(now, s, TxReason::ResetBadAck, 0);
  }
  // Third, check for a SYN. A FIN with it is ignored: it cannot be judged before the handshake (EV-31).
  if (s.header.flags.syn) return make_half_open(now, s, handle, l, std::nullopt);
  // Fourth, other data or control: cannot be anything reasonable.
  sink.drop(now, observe::DropReason::TcpNoAck);
}

/// A flow that was answered with a cookie gets it again, even if there is room now: another sequence number would make
/// its ACK of the first answer wrong, and that would end in a RST.
bool LayerState::had_cookie(Instant now, const IncomingSegment& s) const {
  return config.syn_cookies != SynCookieUse::Never && answered_syns_.may_have(now, flow_hash(s.tuple));
}

void LayerState::make_half_open(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l,
                                std::optional<SeqNum> iss) {
  // Silence lets the client try again; a RST would end its attempt (RFC 4987 section 3).
  if (const auto reason = has_no_room(l)) return sink.drop(now, *reason);
  const bool again = !iss && had_cookie(now, s);
  if (!iss && !again && open_fast(now, s, handle, l)) return;
  const bool full = half_open.size() >= config.max_syn_queue;
  const bool cookie =
      again || config.syn_cookies == SynCookieUse::Always || (full && config.syn_cookies != SynCookieUse::Never);
  if (cookie && !iss) return send_cookie(now, s, handle, l);
  if (HalfOpen* oldest = half_open_order_.front(); full && oldest != nullptr) {
    sink.drop(now, observe::DropReason::TcpSynQueueFull);
    ++sink.count.tcp_attempt_fails;
    drop_half_open(*oldest);  // a flood must not lock newcomers out (RFC 4987 section 3.4)
  }
  Handshake shake;
  shake.id = next_id_++;
  begin_handshake(now, s, handle, l, shake);
  shake.iss = iss.value_or(initial_sequence(now, s.tuple));
  HalfOpen& h = remember_half_open(now, shake);
  ++sink.count.tcp_passive_opens;
  sink.emit(now, [&] {
    return observe::StateChanged{h.id, s.tuple, TcpState::Listen, TcpState::SynReceived, StateCause::SynReceived};
  });
  send_syn_ack(now, h, TxReason::SynAck);
}

HalfOpen& LayerState::remember_half_open(Instant now, const Handshake& handshake) {
  const HalfOpenHandle record = half_open.emplace();
  HalfOpen& h = *half_open.find(record);
  h.flow = FlowKey{handshake.tuple};
  h.id = handshake.id;
  h.slot = record.index;
  h.created_at = now;
  h.listener = handshake.listener.index;
  h.ts_recent = handshake.timestamps.recent;
  h.iss = handshake.iss;
  h.irs = handshake.irs;
  h.snd_wnd = static_cast<std::uint16_t>(handshake.snd_wnd);  // a SYN's is never scaled
  h.rcv_wnd = handshake.rcv_wnd;
  const Negotiated& n = handshake.negotiated;
  h.peer_mss = n.peer_mss;
  h.window_scaling = n.window_scaling;
  h.timestamps = n.timestamps;
  h.sack = n.sack;
  h.ecn = n.ecn;
  h.snd_wscale = n.snd_wscale;
  h.rcv_wscale = n.rcv_wscale;
  h.give_fast_open_cookie = handshake.give_fast_open_cookie;
  h.peer_user_timeout = packed_timeout(handshake.peer_user_timeout);
  add_flow(handshake.tuple, {DemuxEntry::Kind::HalfOpen, h.slot});
  half_open_order_.push_back(h);
  return h;
}

/// What was packed, and what follows from it: the SYN's timestamp came when the record was made.
Handshake LayerState::handshake_of(const HalfOpen& h) const {
  Handshake s;
  s.id = h.id;
  s.tuple = h.flow.tuple();
  s.listener = listeners.handle_at(h.listener);
  s.negotiated = {.peer_mss = h.peer_mss,
                  .window_scaling = h.window_scaling,
                  .timestamps = h.timestamps,
                  .sack = h.sack,
                  .ecn = h.ecn,
                  .snd_wscale = h.snd_wscale,
                  .rcv_wscale = h.rcv_wscale};
  s.timestamps = {
      .offset = timestamp_offset(s.tuple), .recent = h.ts_recent, .recent_at = h.timestamps ? h.created_at : Instant{}};
  s.iss = h.iss;
  s.irs = h.irs;
  s.snd_wnd = h.snd_wnd;
  s.rcv_wnd = h.rcv_wnd;
  s.give_fast_open_cookie = h.give_fast_open_cookie;
  s.peer_user_timeout = unpacked_timeout(h.peer_user_timeout);
  return s;
}

/// RFC 6298 rule (5.5) for each SYN-ACK that was sent again.
Duration LayerState::rto_of(const HalfOpen& h) const {
  Duration rto = config.rto_initial;
  for (unsigned i = 0; i < h.retransmissions && (i == 0 || rto < config.rto_max); ++i) {
    rto = std::min(rto * 2, config.rto_max);
  }
  return rto;
}

/// All of a handshake that the SYN says.
void LayerState::begin_handshake(Instant now, const IncomingSegment& s, ListenerHandle handle, const Listener& l,
                                 Handshake& h) const {
  h.tuple = s.tuple;
  h.listener = handle;
  h.irs = s.header.seq;
  h.snd_wnd = s.header.window;
  h.timestamps.offset = timestamp_offset(s.tuple);
  h.negotiated.rcv_wscale = our_window_scale(l.options);
  negotiate(s, h.negotiated);
  h.negotiated.ecn = l.options.ecn != EcnMode::Off && is_ecn_setup_syn(s);
  if (h.negotiated.timestamps) {
    h.timestamps.recent = s.header.options.timestamps->ts_val;
    h.timestamps.recent_at = now;
  }
  h.rcv_wnd = first_window(l.options, h.negotiated);
  h.give_fast_open_cookie = wants_fast_open_cookie(s, l);
  h.peer_user_timeout = told_user_timeout(s, l.options);
}

/// What a SYN-ACK offers: never scaled (RFC 7323 section 2.2).
std::uint16_t LayerState::first_window(const ConnectionOptions& o, const Negotiated& n) const {
  return static_cast<std::uint16_t>(std::min<std::size_t>(initial_limit(o, n), 65535));
}

ControlSegment LayerState::syn_ack_of(Instant now, const Handshake& h, const Listener& l, TxReason reason) const {
  ControlSegment r;
  r.tuple = h.tuple;
  r.header.source = h.tuple.local.port;
  r.header.destination = h.tuple.remote.port;
  r.header.seq = h.iss;
  r.header.ack = h.irs + 1;
  r.header.flags.syn = r.header.flags.ack = true;
  r.header.flags.ece = h.negotiated.ecn;
  r.header.window = h.rcv_wnd;
  r.header.options.mss = advertised_mss(l.options);
  if (h.negotiated.window_scaling) r.header.options.window_scale = h.negotiated.rcv_wscale.shift();
  r.header.options.sack_permitted = h.negotiated.sack;
  if (h.negotiated.timestamps) {
    r.header.options.timestamps = wire::TcpTimestamps{h.timestamps.now(now), h.timestamps.recent};
  }
  if (h.give_fast_open_cookie) {
    r.header.options.fast_open = fast_open_keys_.make(h.tuple.remote.address, h.tuple.local.address);
  }
  r.ttl = l.options.ttl;
  r.tos = l.options.tos;
  r.reason = reason;
  r.connection = h.id;
  return r;
}

void LayerState::send_syn_ack(Instant now, HalfOpen& h, TxReason reason) {
  send_control(now, syn_ack_of(now, handshake_of(h), listeners.known_at(h.listener), reason));
  half_open_deadlines_.arm(h, std::min(now + rto_of(h), h.created_at + half_open_life()));
}

void LayerState::drop_half_open(HalfOpen& h) {
  remove_flow(h.flow.tuple(), {DemuxEntry::Kind::HalfOpen, h.slot});
  half_open_deadlines_.remove(h);
  half_open_order_.remove(h);
  half_open.erase(half_open.handle_at(h.slot));
}

// --- 3.10.7.4 for SYN-RECEIVED of a passive open ---

void LayerState::half_open_arrives(Instant now, const IncomingSegment& s, HalfOpen& h) {
  if (half_open_checks(now, s, h) == Step::Drop) return;
  Listener* l = listeners.at(h.listener);
  // Fifth, check the ACK field.
  if (!s.header.flags.ack) return sink.drop(now, observe::DropReason::TcpNoAck, h.id);
  if (s.header.ack != h.iss + 1) {
    sink.drop(now, observe::DropReason::TcpBadAck, h.id);
    return reply_reset(now, s, TxReason::ResetBadAck, h.id);
  }
  // The peer will repeat its data; room may have come by then.
  if (const auto reason = has_no_room(*l)) return sink.drop(now, *reason, h.id);
  // The first SYN-ACK left when the record was made.
  if (h.rtt < Duration{0} && h.retransmissions == 0 && !h.repeated) h.rtt = now - h.created_at;
  if (waits_for_data(now, s, h, *l)) return;
  const auto rtt = h.rtt < Duration{0} ? std::nullopt : std::optional{h.rtt};
  Connection& c = open_from(now, s, handshake_of(h), rtt, h.retransmissions > 0);
  drop_half_open(h);
  hand_over(c);
  connection_arrives(now, s, c);
}

Duration LayerState::longest_deferral(const Listener& l) const {
  return std::min(l.options.defer_accept, half_open_life() / 2);
}

bool LayerState::defers(const IncomingSegment& s, const Listener& l) const {
  return longest_deferral(l) > Duration{0} && s.payload.empty() && !s.header.flags.fin;
}

/// A listener with defer_accept wants no connection without data; a FIN is as good. The client has done its part: until
/// the time is over it is not asked again.
bool LayerState::waits_for_data(Instant now, const IncomingSegment& s, HalfOpen& h, const Listener& l) {
  if (h.defer_over || !defers(s, l)) return false;
  const Instant until = h.created_at + longest_deferral(l);
  if (now >= until) return false;
  h.deferred = true;
  half_open_deadlines_.arm(h, until);
  return true;
}

/// Steps one to four: sequence number with timestamps, RST, (security), SYN.
Step LayerState::half_open_checks(Instant now, const IncomingSegment& s, HalfOpen& h) {
  const auto& flags = s.header.flags;
  if (flags.syn && !flags.ack && !flags.rst && s.header.seq == h.irs) {
    h.repeated = true;
    h.ecn = h.ecn && is_ecn_setup_syn(s);  // the client has fallen back
    h.deferred = false;
    send_syn_ack(now, h, TxReason::SynAckRetransmit);  // the client did not get our SYN-ACK
    return Step::Drop;
  }
  const auto acknowledge = [&] {
    const bool maybe_forged = flags.syn || flags.rst;
    if (h.ack_ration.take(now, maybe_forged ? AckRation::Kind::Challenge : AckRation::Kind::Repeat)) {
      send_control(now, control_from(now, h, maybe_forged ? TxReason::ChallengeAck : TxReason::UnacceptableSegment));
    } else {
      sink.drop(now, observe::DropReason::TcpRateLimited, h.id);
    }
    return Step::Drop;
  };
  if (h.timestamps && !s.header.options.timestamps && !flags.rst && !flags.syn) {  // RFC 7323 section 3.2
    sink.drop(now, observe::DropReason::TcpMissingTimestamp, h.id);
    return Step::Drop;
  }
  const bool old_timestamp = h.timestamps && s.header.options.timestamps && !flags.rst &&
                             static_cast<std::int32_t>(s.header.options.timestamps->ts_val - h.ts_recent) < 0;
  if (old_timestamp) {
    sink.drop(now, observe::DropReason::TcpPaws, h.id);
    return acknowledge();
  }
  const SeqNum rcv_nxt = h.irs + 1;
  const auto length = static_cast<std::uint32_t>(s.payload.size()) + flags.syn + flags.fin;
  const bool acceptable = s.header.seq.in_window(rcv_nxt, h.rcv_wnd) ||
                          (length > 0 && (s.header.seq + (length - 1)).in_window(rcv_nxt, h.rcv_wnd));
  if (!acceptable) {
    sink.drop(now, observe::DropReason::TcpUnacceptable, h.id);
    return flags.rst ? Step::Drop : acknowledge();
  }
  if (flags.rst) {
    if (s.header.seq != rcv_nxt) {
      sink.drop(now, observe::DropReason::TcpBadReset, h.id);
      return s.header.seq.in_window(rcv_nxt, h.rcv_wnd) ? acknowledge() : Step::Drop;
    }
    return back_to_listen(now, h, StateCause::ResetReceived);
  }
  if (flags.syn) {  // the client has begun anew; its next SYN finds the listener
    sink.drop(now, observe::DropReason::TcpSynInWindow, h.id);
    return back_to_listen(now, h, StateCause::SynReceived);
  }
  return Step::Continue;
}

/// The application is not told.
Step LayerState::back_to_listen(Instant now, HalfOpen& h, StateCause cause) {
  sink.emit(now, [&] {
    return observe::StateChanged{h.id, h.flow.tuple(), TcpState::SynReceived, TcpState::Listen, cause};
  });
  ++sink.count.tcp_attempt_fails;
  drop_half_open(h);
  return Step::Drop;
}

/// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
ControlSegment LayerState::control_from(Instant now, const HalfOpen& h, TxReason reason) const {
  ControlSegment r;
  r.tuple = h.flow.tuple();
  r.header.source = r.tuple.local.port;
  r.header.destination = r.tuple.remote.port;
  r.header.seq = h.iss + 1;
  r.header.ack = h.irs + 1;
  r.header.flags.ack = true;
  r.header.window = static_cast<std::uint16_t>(h.rcv_wnd >> h.rcv_wscale.shift());
  if (h.timestamps) {
    r.header.options.timestamps = wire::TcpTimestamps{handshake_of(h).timestamps.now(now), h.ts_recent};
  }
  if (const Listener* l = listeners.at(h.listener); l != nullptr) {
    r.ttl = l->options.ttl;
    r.tos = l->options.tos;
  }
  r.reason = reason;
  r.connection = h.id;
  return r;
}

/// A connection in SYN-RECEIVED, as far as the SYN says what it is.
Connection& LayerState::connection_of(const Handshake& h) {
  Connection& c = *new_connection(h.tuple, listeners.find(h.listener)->options, h.id);
  c.negotiated = h.negotiated;
  c.timestamps = h.timestamps;
  c.snd.iss = h.iss;
  c.rcv.irs = h.irs;
  c.rcv.rcv_nxt = c.rcv.last_ack_sent = h.irs + 1;
  c.rcv.rcv_adv = c.rcv.rcv_nxt + h.rcv_wnd;
  c.listener = h.listener;
  c.peer_user_timeout = h.peer_user_timeout;
  c.state_ = TcpState::SynReceived;  // continues the handshake's state; from here on the table says what may follow
  return c;
}

/// Our SYN is acknowledged: the handshake becomes a connection. `rtt` is nullopt where the SYN-ACK was not timed.
Connection& LayerState::open_from(Instant now, const IncomingSegment& s, const Handshake& h,
                                  std::optional<Duration> rtt, bool syn_was_lost) {
  Connection& c = connection_of(h);
  c.snd.snd_una = c.snd.snd_nxt = h.iss + 1;
  c.snd.snd_wnd = std::uint32_t{s.header.window} << h.negotiated.snd_wscale.shift();
  c.snd.max_snd_wnd = std::max(c.snd.snd_wnd, h.snd_wnd);
  c.snd.snd_wl1 = s.header.seq;
  c.snd.snd_wl2 = s.header.ack;
  if (rtt) {
    c.snd.rtt.sample(*rtt);
    c.snd.rack.min_rtt().sample(now, *rtt);
  }
  c.transition(now, StateCause::AckOfSyn, TcpState::Established, sink);
  establish(now, c, syn_was_lost);
  return c;
}

/// The connection waits to be accepted.
void LayerState::hand_over(Connection& c) {
  adopt(c);
  Listener& l = *listeners.find(c.listener);
  l.accept_queue.push_back(c.handle);
  if (l.event_queued) return;
  l.event_queued = true;
  listener_events_.push_back(c.listener);
}

}  // namespace wireside::tcp
