// What observers are shown of a connection after each thing that happens to it.
#include "observe/connection_view.hpp"

#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

using observe::ConnectionView;
using observe::RecoveryPhase;
using observe::SeqRanges;

RecoveryPhase phase_of(const Connection& c) {
  const Recovery& r = c.snd.recovery;
  if (r.fast()) return RecoveryPhase::FastRecovery;
  if (!r.open()) return RecoveryPhase::Loss;
  if (c.ecn.reducing) return RecoveryPhase::WindowReduced;
  return r.dup_acks > 0 && !c.negotiated.sack ? RecoveryPhase::LimitedTransmit : RecoveryPhase::Open;
}

/// Neighbouring ranges in the same state make one run.
SeqRanges runs_in(const Scoreboard& board, SentRange::State state) {
  SeqRanges out;
  const SentRange* first = nullptr;
  const SentRange* last = nullptr;
  for (const SentRange& r : board) {
    if (r.state == state) {
      if (first == nullptr) first = &r;
      last = &r;
    } else if (first != nullptr) {
      out.add(first->start, last->end);
      first = nullptr;
    }
  }
  if (first != nullptr) out.add(first->start, last->end);
  return out;
}

void view_agreement(const Negotiated& n, ConnectionView& v) {
  v.peer_mss = n.peer_mss;
  v.window_scaling = n.window_scaling;
  v.timestamps = n.timestamps;
  v.sack = n.sack;
  v.ecn = n.ecn;
  v.snd_wscale = n.snd_wscale.shift();
  v.rcv_wscale = n.rcv_wscale.shift();
}

void view_sender(const Connection& c, ConnectionView& v) {
  const Sender& snd = c.snd;
  v.iss = snd.iss;
  v.snd_una = snd.snd_una;
  v.snd_nxt = snd.snd_nxt;
  v.recover = snd.recovery.recover;
  v.snd_wnd = snd.snd_wnd;
  v.max_snd_wnd = snd.max_snd_wnd;
  v.mss = snd.mss;
  v.cwnd = snd.congestion.cwnd();
  v.ssthresh = snd.congestion.ssthresh();
  v.pipe = snd.board.in_flight();
  v.sacked = snd.board.sacked();
  v.lost = snd.board.lost();
  if (v.sacked > 0) v.peer_holds = runs_in(snd.board, SentRange::State::Sacked);
  if (v.lost > 0) v.missing = runs_in(snd.board, SentRange::State::Lost);
  v.send_queued = snd.queue.octets();
  v.unsent = c.unsent();
  v.send_limit = c.send_limit();
  v.octets_sent = snd.octets_sent;
  v.retransmitted = snd.retransmitted_segments;
  v.dup_acks = snd.recovery.dup_acks;
  v.retransmissions = snd.retransmissions;
  v.probes = snd.probes;
  v.keep_alives = c.keep_alive_sent;
  v.srtt = snd.rtt.srtt();
  v.rttvar = snd.rtt.rttvar();
  v.rto = snd.rtt.rto();
  if (const Duration least = snd.rack.min_rtt().value(); least != Duration::max()) v.min_rtt = least;
}

void view_receiver(const Connection& c, ConnectionView& v) {
  const Receiver& rcv = c.rcv;
  v.irs = rcv.irs;
  v.rcv_nxt = rcv.rcv_nxt;
  v.rcv_wnd = rcv.rcv_wnd();
  v.rcv_mss = rcv.rcv_mss;
  v.held = rcv.reassembly.ranges();
  v.out_of_order = rcv.reassembly.octets();
  v.receive_queued = rcv.queue.octets();
  v.receive_limit = rcv.limit;
  v.octets_received = rcv.octets_received;
  v.unacknowledged = rcv.unacked_octets;
}

ConnectionView view_of(const Connection& c) {
  ConnectionView v;
  v.connection = c.id;
  v.tuple = c.tuple;
  v.state = c.state();
  v.recovery = phase_of(c);
  view_sender(c, v);
  view_receiver(c, v);
  view_agreement(c.negotiated, v);
  for (std::size_t k = 0; k < v.timers.size(); ++k) v.timers[k] = c.timers.due(static_cast<TimerKind>(k));
  return v;
}

ConnectionView view_of(const TimeWait& t) {
  ConnectionView v;
  v.connection = t.id;
  v.tuple = t.flow.tuple();
  v.state = TcpState::TimeWait;
  v.record = ConnectionView::Record::TimeWait;
  v.snd_una = v.snd_nxt = t.snd_nxt;
  v.rcv_nxt = t.rcv_nxt;
  v.rcv_wnd = t.rcv_wnd;
  v.timestamps = t.use_timestamps;
  v.timers[static_cast<std::size_t>(TimerKind::TimeWait)] = t.expires_at;
  return v;
}

ConnectionView view_of(const Handshake& h, const HalfOpen& record, Duration rto) {
  ConnectionView v;
  v.connection = h.id;
  v.tuple = h.tuple;
  v.state = TcpState::SynReceived;
  v.record = ConnectionView::Record::HalfOpen;
  v.iss = v.snd_una = h.iss;
  v.snd_nxt = h.iss + 1;
  v.snd_wnd = h.snd_wnd;
  v.irs = h.irs;
  v.rcv_nxt = h.irs + 1;
  v.rcv_wnd = h.rcv_wnd;
  v.retransmissions = record.retransmissions;
  v.rto = rto;
  view_agreement(h.negotiated, v);
  v.timers[static_cast<std::size_t>(TimerKind::Retransmission)] = record.due();
  return v;
}

}  // namespace

void LayerState::report(Instant now, observe::StepCause cause, const FourTuple& tuple) const {
  const auto entry = find_flow(tuple);
  if (!entry) return;
  const auto tell = [&](const ConnectionView& v) {
    sink.emit(now, [&] { return observe::ConnectionChanged{cause, &v}; });
  };
  switch (entry->kind) {
    case DemuxEntry::Kind::HalfOpen: {
      const HalfOpen& h = half_open.known_at(entry->slot);
      return tell(view_of(handshake_of(h), h, rto_of(h)));
    }
    case DemuxEntry::Kind::TimeWait:
      return tell(view_of(time_wait.known_at(entry->slot)));
    case DemuxEntry::Kind::Connection:
      return connections.look_at(entry->slot, [&](const Connection& c) { tell(view_of(c)); });
  }
}

/// Nothing is told of a connection that only its handle is left of: it is CLOSED, or its record in TIME-WAIT stands
/// for it.
bool LayerState::report(Instant now, observe::StepCause cause, ConnectionHandle h) const {
  std::optional<FourTuple> tuple;
  (void)connections.look_at(h, [&](const Connection& c) {
    if (c.state() != TcpState::Closed) tuple = c.tuple;
  });
  if (tuple) report(now, cause, *tuple);
  return tuple.has_value();
}

void LayerState::report_loss(Instant now, const Connection& c, observe::LossSign sign, std::uint32_t octets) const {
  sink.emit(now, [&] {
    const Sender& snd = c.snd;
    const auto lost = snd.board.first_lost();
    observe::LossFound found;
    found.connection = c.id;
    found.sign = sign;
    found.octets = octets;
    found.first = lost ? observe::SeqRange{lost->left, lost->right}
                       : observe::SeqRange{snd.snd_una, earlier(snd.snd_una + snd.mss, snd.snd_nxt)};
    found.sacked = snd.board.sacked();
    found.dup_acks = snd.recovery.dup_acks;
    if (sign == observe::LossSign::Time) {
      found.rtt = snd.rack.rtt();
      found.reordering = reordering_window(c);
    }
    return found;
  });
}

}  // namespace wireside::tcp
