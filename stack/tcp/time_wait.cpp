// TIME-WAIT as a small record: 2*MSL after the last FIN (MUST-13), a FIFO since the length is fixed.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::DropReason;

namespace {
constexpr Duration reuse_after =
    std::chrono::seconds{1};  // since the peer's last segment: its clock, too, has moved on
}  // namespace

void LayerState::enter_time_wait(Instant now, Connection& c) {
  const TimeWaitHandle handle = time_wait.emplace();
  TimeWait& t = *time_wait.find(handle);
  t.id = c.id;
  t.flow = FlowKey{c.tuple};
  t.slot = handle.index;
  t.connection = c.detached ? ConnectionHandle{} : c.handle;
  t.snd_nxt = c.snd.snd_nxt;
  t.rcv_nxt = c.rcv.rcv_nxt;
  t.rcv_wnd = c.rcv.rcv_wnd();
  t.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(t.rcv_wnd >> c.negotiated.rcv_wscale.shift(), 65535));
  t.use_timestamps = c.negotiated.timestamps;
  t.timestamps = c.timestamps;
  t.ttl = c.options.ttl;
  t.tos = c.options.tos;
  t.expires_at = now + 2 * config.msl;
  // The acknowledgement of the peer's FIN is sent from the record: the connection sends nothing any more.
  const bool owes_ack = c.work.ack_now || c.rcv.unacked_octets > 0;
  release_network_state(c);
  add_flow(c.tuple, {DemuxEntry::Kind::TimeWait, t.slot});
  time_wait_order_.push_back(t);
  if (owes_ack) acknowledge_from(now, t, TxReason::Ack);
  if (time_wait.size() > config.max_time_wait) end_time_wait(now, *time_wait_order_.front(), false);
  if (c.detached) {
    connections.erase(c.handle);
  } else {
    raise(c, TcpEvent::Kind::Closed);
  }
}

void LayerState::acknowledge_from(Instant now, const TimeWait& t, TxReason reason) {
  ControlSegment r;
  r.tuple = t.flow.tuple();
  r.header.source = r.tuple.local.port;
  r.header.destination = r.tuple.remote.port;
  r.header.seq = t.snd_nxt;
  r.header.ack = t.rcv_nxt;
  r.header.flags.ack = true;
  r.header.window = t.window;
  if (t.use_timestamps) r.header.options.timestamps = wire::TcpTimestamps{t.timestamps.now(now), t.timestamps.recent};
  r.ttl = t.ttl;
  r.tos = t.tos;
  r.reason = reason;
  r.connection = t.id;
  send_control(now, r);
}

/// The algorithm of RFC 6191 section 2.
bool LayerState::opens_anew(const IncomingSegment& s, const TimeWait& t) const {
  const auto& ts = s.header.options.timestamps;
  const bool larger_seq = s.header.seq.after(t.rcv_nxt);
  if (!ts || !config.timestamps) return larger_seq;
  if (!t.use_timestamps) return true;  // from now on PAWS protects
  const auto step = static_cast<std::int32_t>(ts->ts_val - t.timestamps.recent);
  return step > 0 || (step == 0 && larger_seq);
}

/// The record that a new connection of ours may take the place of, by the reasoning of RFC 6191: its timestamps are
/// newer than all of the old connection's, so the peer knows its SYN, and PAWS refuses what is left of the old one.
TimeWait* LayerState::find_reusable(Instant now, const FourTuple& tuple) {
  const auto entry = find_flow(tuple);
  if (!entry || entry->kind != DemuxEntry::Kind::TimeWait || !config.timestamps) return nullptr;
  TimeWait* t = &time_wait.known_at(entry->slot);
  return t->use_timestamps && now - t->timestamps.recent_at >= reuse_after ? t : nullptr;
}

/// Ends TIME-WAIT for an active open; its initial sequence number, beyond the old connection's.
SeqNum LayerState::open_over(Instant now, TimeWait& t) {
  const SeqNum iss = later(initial_sequence(now, t.flow.tuple()), t.snd_nxt + 65536);
  sink.emit(now, [&] {
    return observe::StateChanged{t.id, t.flow.tuple(), TcpState::TimeWait, TcpState::SynSent, StateCause::ActiveOpen};
  });
  end_time_wait(now, t, false);
  return iss;
}

void LayerState::time_wait_arrives(Instant now, const IncomingSegment& s, TimeWait& t) {
  const auto& flags = s.header.flags;
  const auto& ts = s.header.options.timestamps;
  const bool newer_timestamp =
      t.use_timestamps && ts && static_cast<std::int32_t>(ts->ts_val - t.timestamps.recent) > 0;
  // RFC 1337: a RST must not end TIME-WAIT early (EV-35).
  if (flags.rst) return sink.drop(now, DropReason::TcpBadReset, t.id);
  if (flags.syn && !flags.ack) {
    // MAY-2 and RFC 6191: a SYN that cannot be an old duplicate opens a new connection.
    ListenerHandle handle;
    Listener* l = find_listener(s.tuple, handle);
    if (l != nullptr && opens_anew(s, t)) {
      // A SYN that will not be taken up must not end TIME-WAIT.
      if (const auto reason = has_no_room(*l)) return sink.drop(now, *reason, t.id);
      const SeqNum iss = later(initial_sequence(now, s.tuple), t.snd_nxt + 65536);
      sink.emit(now, [&] {
        return observe::StateChanged{t.id, t.flow.tuple(), TcpState::TimeWait, TcpState::SynReceived,
                                     StateCause::TimeWaitReused};
      });
      end_time_wait(now, t, false);
      return make_half_open(now, s, handle, *l, iss);
    }
  }
  if (t.use_timestamps && !ts && !flags.syn) {
    return sink.drop(now, DropReason::TcpMissingTimestamp, t.id);  // RFC 7323 section 3.2
  }
  if (t.use_timestamps && ts && static_cast<std::int32_t>(ts->ts_val - t.timestamps.recent) < 0) {
    sink.drop(now, DropReason::TcpPaws, t.id);
    return answer_from(now, t, flags.syn);
  }
  const auto length = static_cast<std::uint32_t>(s.payload.size()) + flags.syn + flags.fin;
  const SeqNum last = s.header.seq + (length == 0 ? 0 : length - 1);
  const bool repeated_fin = flags.fin && last + 1 == t.rcv_nxt;
  const bool acceptable =
      s.header.seq == t.rcv_nxt || s.header.seq.in_window(t.rcv_nxt, t.rcv_wnd) || last.in_window(t.rcv_nxt, t.rcv_wnd);
  if (acceptable && !flags.syn) {
    if (!flags.ack) return sink.drop(now, DropReason::TcpNoAck, t.id);
    // A pure ACK has nothing to tell us, unless it acknowledges what was never sent.
    if (length == 0 && s.header.seq == t.rcv_nxt && s.header.ack.at_or_before(t.snd_nxt)) return;
  }
  if (repeated_fin) {  // EV-26: our ACK was lost; 2*MSL starts again
    t.expires_at = now + 2 * config.msl;
    if (newer_timestamp) t.timestamps.recent = ts->ts_val;
    t.timestamps.recent_at = now;
    time_wait_order_.remove(t);
    time_wait_order_.push_back(t);
  } else {
    sink.drop(now, DropReason::TcpUnacceptable, t.id);
  }
  answer_from(now, t, flags.syn);
}

/// An ACK that tells the peer where we were; rationed as on a connection (RFC 5961 section 10).
void LayerState::answer_from(Instant now, TimeWait& t, bool to_syn) {
  const auto kind = to_syn ? AckRation::Kind::Challenge : AckRation::Kind::Repeat;
  if (!t.ack_ration.take(now, kind)) return sink.drop(now, DropReason::TcpRateLimited, t.id);
  acknowledge_from(now, t, TxReason::TimeWaitAck);
}

void LayerState::end_time_wait(Instant now, TimeWait& t, bool expired) {
  if (expired) {
    sink.emit(now, [&] {
      return observe::StateChanged{t.id, t.flow.tuple(), TcpState::TimeWait, TcpState::Closed,
                                   StateCause::TimeWaitExpired};
    });
  }
  // An application that still holds the handle sees CLOSED; the octets it has not read stay readable.
  if (Connection* c = connections.find(t.connection); c != nullptr) c->state_ = TcpState::Closed;
  remove_flow(t.flow.tuple(), {DemuxEntry::Kind::TimeWait, t.slot});
  time_wait_order_.remove(t);
  time_wait.erase(time_wait.handle_at(t.slot));
}

}  // namespace wireside::tcp
