// SEGMENT ARRIVES, RFC 9293 section 3.10.7: which connection it is for, then the checks of 3.10.7.4 in their order.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

using observe::DropReason;

constexpr Duration timestamp_validity = std::chrono::hours{24 * 24};  // RFC 7323 section 5.5

}  // namespace

void LayerState::segment_arrives(Instant now, const IncomingSegment& s) {
  if (Connection* c = latest_connection(s.tuple); c != nullptr && take_expected(now, s, *c)) return;
  const auto entry = find_flow(s.tuple);
  if (!entry) {
    ListenerHandle handle;
    Listener* l = find_listener(s.tuple, handle);
    return l == nullptr ? closed_arrives(now, s) : listen_arrives(now, s, handle, *l);
  }
  switch (entry->kind) {
    case DemuxEntry::Kind::HalfOpen:
      return half_open_arrives(now, s, half_open.known_at(entry->slot));
    case DemuxEntry::Kind::TimeWait:
      return time_wait_arrives(now, s, time_wait.known_at(entry->slot));
    case DemuxEntry::Kind::Connection:
      break;
  }
  Connection& c = connections.at(entry->slot);
  if (c.state() == TcpState::SynSent) return syn_sent_arrives(now, s, c);
  const auto& flags = s.header.flags;
  if (c.fast_open_from.is_valid() && flags.syn && !flags.ack && !flags.rst && s.header.seq == c.rcv.irs) {
    c.work.syn = true;  // the client did not get our SYN-ACK
    return wants_output(c);
  }
  latest_ = c.handle;
  if (take_expected(now, s, c)) return;
  const ConnectionHandle handle = c.handle;
  const bool is_polled = c.negotiated.sack;  // after every acknowledgement, and settles then
  connection_arrives(now, s, c);
  if (!is_polled) connections.settle(handle);
}

// --- 3.10.7.4 ---

namespace {

/// Of a simultaneous open (MUST-10).
bool is_crossing_syn_ack(const IncomingSegment& s, const Connection& c) {
  const auto& flags = s.header.flags;
  return c.state() == TcpState::SynReceived && flags.syn && flags.ack && !flags.rst && s.header.seq == c.rcv.irs;
}

}  // namespace

void LayerState::connection_arrives(Instant now, IncomingSegment s, Connection& c) {
  if (check_timestamps(now, s, c) == Step::Drop) return;
  // Simultaneous open: the peer's SYN-ACK repeats the SYN we know and acknowledges ours; what follows the SYN counts.
  const bool crossing = is_crossing_syn_ack(s, c);
  if (crossing) {
    s = behind_syn(std::move(s));
  } else {
    if (check_sequence(now, s, c) == Step::Drop) return;  // first
    if (check_reset(now, s, c) == Step::Drop) return;     // second; third is security, which we do not have
    if (check_syn(now, s, c) == Step::Drop) return;       // fourth
  }
  note_arrival(now, s, c);
  SegmentFacts f = facts_of(s, c);
  if (check_ack(now, s, c, f) == Step::Drop) return;  // fifth
  check_urgent(s, c);                                 // sixth
  if (check_late_data(now, s, c) == Step::Drop) return;
  process_text(now, s, c);  // seventh
  take_ecn_marks(s, c);
  process_fin(now, s, c);  // eighth
}

/// What any acceptable segment tells.
void LayerState::note_arrival(Instant now, const IncomingSegment& s, Connection& c) {
  c.last_heard_at = now;
  c.keep_alive_sent = 0;
  const std::uint64_t segments = s.gso_size == 0 ? 1 : (s.payload.size() + s.gso_size - 1) / s.gso_size;
  c.rcv.segments_received += segments;
  c.rcv.tos = s.tos;
  if (s.header.flags.ack) c.rcv.ack_received_at = now;
  if (!s.payload.empty()) c.rcv.data_segments_received += segments;
  take_user_timeout(now, s, c);
}

SegmentFacts LayerState::facts_of(const IncomingSegment& s, const Connection& c) const {
  const auto& h = s.header;
  SegmentFacts f;
  f.length = static_cast<std::uint32_t>(s.payload.size()) + h.flags.syn + h.flags.fin;
  f.window = std::uint32_t{h.window} << (h.flags.syn ? 0 : c.negotiated.snd_wscale.shift());  // RFC 7323 2.2
  f.advances = h.ack.after(c.snd.snd_una) && h.ack.at_or_before(c.snd.snd_nxt);
  f.acks_our_fin = c.fin_sent() && h.ack == c.data_end() + 1;
  const bool window_open = c.snd.snd_wnd != 0;  // the answer to a zero-window probe says nothing about loss
  const bool sack_news = c.negotiated.sack && h.options.sack_count > 0 && h.options.sack[0].left.after(h.ack);
  f.is_duplicate_ack = f.length == 0 && h.flags.ack && h.ack == c.snd.snd_una && window_open &&
                       !c.everything_acknowledged() && (f.window == c.snd.snd_wnd || sack_news);
  return f;
}

/// RFC 7323 section 5.3, rules R1 to R3.
Step LayerState::check_timestamps(Instant now, const IncomingSegment& s, Connection& c) {
  if (!c.negotiated.timestamps || s.header.flags.rst) return Step::Continue;
  if (!s.header.options.timestamps) {
    // A peer that has begun anew knows of none: it gets the challenge of step four (RFC 5961 section 4).
    if (s.header.flags.syn) return Step::Continue;
    sink.drop(now, DropReason::TcpMissingTimestamp, c.id);  // section 3.2: SHOULD be dropped, never aborts
    return Step::Drop;
  }
  const std::uint32_t ts_val = s.header.options.timestamps->ts_val;
  const bool older = static_cast<std::int32_t>(ts_val - c.timestamps.recent) < 0;
  if (older && now - c.timestamps.recent_at <= timestamp_validity) {
    sink.drop(now, DropReason::TcpPaws, c.id);
    challenge(now, c, s.header.flags);
    return Step::Drop;
  }
  return Step::Continue;
}

/// Rule R3, only once everything else about the segment is known to be right: one that is blindly made would lock the
/// peer out by PAWS otherwise.
void LayerState::take_timestamp(Instant now, const IncomingSegment& s, Connection& c) {
  if (!c.negotiated.timestamps || !s.header.options.timestamps) return;
  const std::uint32_t ts_val = s.header.options.timestamps->ts_val;
  const auto length = static_cast<std::uint32_t>(s.payload.size()) + s.header.flags.syn + s.header.flags.fin;
  const bool spans_last_ack =
      s.header.seq.at_or_before(c.rcv.last_ack_sent) && (s.header.seq + length).at_or_after(c.rcv.last_ack_sent);
  if (spans_last_ack) {
    c.timestamps.recent = ts_val;
    c.timestamps.recent_at = now;
  }
}

/// The four cases of the acceptability test. With a zero window a segment at rcv_nxt still brings its ACK, RST and URG
/// (MUST-66); only its octets are dropped.
Step LayerState::check_sequence(Instant now, IncomingSegment& s, Connection& c) {
  const auto& flags = s.header.flags;
  const auto length = static_cast<std::uint32_t>(s.payload.size()) + flags.syn + flags.fin;
  const std::uint32_t wnd = c.rcv.rcv_wnd();
  const SeqNum seq = s.header.seq;
  bool acceptable = false;
  if (wnd == 0) {
    acceptable = seq == c.rcv.rcv_nxt;
    if (acceptable && length > 0 && !flags.rst) {
      s.payload = Slice{};
      s.header.flags.fin = false;
      sink.drop(now, DropReason::TcpOutsideWindow, c.id);
      ack_now(c, TxReason::UnacceptableSegment);
    }
  } else {
    acceptable = seq.in_window(c.rcv.rcv_nxt, wnd) ||
                 (length > 0 && (seq + (length - 1)).in_window(c.rcv.rcv_nxt, wnd)) ||
                 (length > 0 && c.rcv.rcv_nxt.in_window(seq, length));
  }
  // A pure ACK right behind a full window (the peer has filled what we granted) is the peer's usual sequence number.
  if (!acceptable && length == 0 && !flags.rst && seq == c.rcv.rcv_adv) acceptable = true;
  if (acceptable) return Step::Continue;
  sink.drop(now, DropReason::TcpUnacceptable, c.id);
  const SeqNum text_end = seq + static_cast<std::uint32_t>(s.payload.size());
  if (!flags.rst && !flags.syn && text_end.at_or_before(c.rcv.rcv_nxt)) note_duplicate(c, seq, text_end);
  if (!flags.rst) challenge(now, c, flags);
  return Step::Drop;
}

/// Second: RST by RFC 5961 as RFC 9293 has it: exact match resets, in window is challenged. One that begins before the
/// window is acceptable by its text alone, and means nothing.
Step LayerState::check_reset(Instant now, const IncomingSegment& s, Connection& c) {
  if (!s.header.flags.rst) return Step::Continue;
  if (s.header.seq != c.rcv.rcv_nxt) {
    sink.drop(now, DropReason::TcpBadReset, c.id);
    if (s.header.seq.in_window(c.rcv.rcv_nxt, c.rcv.rcv_wnd())) challenge(now, c, s.header.flags);
    return Step::Drop;
  }
  const bool was_opening = c.state() == TcpState::SynReceived && !c.fast_open_from.is_valid();
  finish(now, c, StateCause::ResetReceived, was_opening ? Error::ConnectionRefused : Error::ConnectionReset);
  return Step::Drop;
}

/// Fourth: a SYN on a synchronized connection is challenged, whatever its sequence number (RFC 5961 section 4).
Step LayerState::check_syn(Instant now, const IncomingSegment& s, Connection& c) {
  if (!s.header.flags.syn) return Step::Continue;
  sink.drop(now, DropReason::TcpSynInWindow, c.id);
  challenge(now, c, s.header.flags);
  return Step::Drop;
}

/// Fifth.
Step LayerState::check_ack(Instant now, const IncomingSegment& s, Connection& c, SegmentFacts& f) {
  if (!s.header.flags.ack) {
    sink.drop(now, DropReason::TcpNoAck, c.id);
    return Step::Drop;
  }
  if (c.state() == TcpState::SynReceived) {
    if (check_syn_received_ack(now, s, c, f) == Step::Drop) return Step::Drop;
    f = facts_of(s, c);
    f.is_duplicate_ack = false;
  }
  // Acknowledges what was never sent, or is older than anything that can still be under way (RFC 5961 section 5).
  if (s.header.ack.after(c.snd.snd_nxt) || s.header.ack.before(c.snd.snd_una - c.snd.max_snd_wnd)) {
    sink.drop(now, DropReason::TcpBadAck, c.id);
    challenge(now, c, s.header.flags);
    return Step::Drop;
  }
  if (s.header.ack.at_or_after(c.snd.snd_una)) accept_ack(now, s, c, f);
  take_timestamp(now, s, c);
  return close_steps_on_ack(now, c, f);
}

Step LayerState::check_syn_received_ack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f) {
  if (!f.advances) {
    sink.drop(now, DropReason::TcpBadAck, c.id);
    reply_reset(now, s, TxReason::ResetBadAck, c.id);
    return Step::Drop;
  }
  const bool syn_was_lost = c.snd.retransmissions > 0;
  const bool fast_open = c.fast_open_from.is_valid();
  if (fast_open) {
    c.snd.snd_una = c.snd.iss + 1;  // what follows the SYN is acknowledged as any data
  } else {
    acknowledge_first_data(c, s.header.ack);
  }
  c.work.syn = false;
  cancel_timer(now, c, TimerKind::Retransmission);
  c.snd.snd_wnd = f.window;
  c.snd.max_snd_wnd = std::max(c.snd.max_snd_wnd, c.snd.snd_wnd);
  c.snd.snd_wl1 = s.header.seq;
  c.snd.snd_wl2 = s.header.ack;
  c.transition(now, StateCause::AckOfSyn, TcpState::Established, sink);
  if (fast_open) {
    fast_open_established(now, c, syn_was_lost);
  } else {
    establish(now, c, syn_was_lost);
    raise(c, TcpEvent::Kind::Connected);
    raise(c, TcpEvent::Kind::Writable);
  }
  if (c.close_pending) begin_close(now, c);
  return Step::Continue;
}

/// Data nobody will read: after close() it is answered with RST, so that the peer learns of the loss (SHLD-3).
Step LayerState::check_late_data(Instant now, const IncomingSegment& s, Connection& c) {
  if (s.payload.empty() || !can_receive(c.state()) || !c.detached) return Step::Continue;
  const SeqNum end = s.header.seq + static_cast<std::uint32_t>(s.payload.size());
  if (end.at_or_before(c.rcv.rcv_nxt)) return Step::Continue;  // only old octets repeated
  send_reset(now, c, TxReason::ResetDataAfterClose);
  finish(now, c, StateCause::AbortCalled, Error::ConnectionAborted);
  return Step::Drop;
}

/// An ACK that tells the peer where we are; rationed so that two confused ends cannot keep each other busy.
void LayerState::challenge(Instant now, Connection& c, const wire::TcpFlags& flags) {
  const bool maybe_forged = flags.syn || flags.rst;
  const auto kind = maybe_forged ? AckRation::Kind::Challenge : AckRation::Kind::Repeat;
  if (!c.ack_ration.take(now, kind)) return sink.drop(now, DropReason::TcpRateLimited, c.id);
  ack_now(c, maybe_forged ? TxReason::ChallengeAck : TxReason::UnacceptableSegment);
}

}  // namespace wireside::tcp
