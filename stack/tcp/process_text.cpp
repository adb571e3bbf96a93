// Seventh and eighth step of RFC 9293 section 3.10.7.4: segment text and FIN.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

// ACKs owed at a time, besides the latest. A sender without SACK counts them (three, then one for each segment that
// left the network); one with SACK needs three at most, as the latest brings all that is known.
constexpr std::size_t max_owed_acks = 64;
constexpr std::size_t max_owed_acks_with_sack = 3;

// Segments that one ACK may stand for, and the super-segment it ends with. Senders grow by what an ACK covers up to a
// limit, and are clocked by ACKs; hosts that join segments as they receive them acknowledge every 64 KB, too.
constexpr std::uint32_t max_segments_per_ack = 64;

// No path in use makes segments smaller than these (RFC 791's 576 octets, less headers and a few options).
constexpr std::uint32_t least_full_segment = 500;

}  // namespace

void LayerState::ack_now(Connection& c, TxReason reason) {
  c.work.ack_now = true;
  c.work.ack_reason = reason;
  wants_output(c);
}

/// Another segment, before the ACK for the one before it has left: that ACK is kept as it is now.
void LayerState::keep_owed_ack(Connection& c, bool of_stretch) {
  auto& owed = c.work.owed_acks;
  const std::size_t most = c.negotiated.sack && !of_stretch ? max_owed_acks_with_sack : max_owed_acks;
  if (!c.work.ack_now || owed.size() >= most) return;
  OwedAck& ack = owed.emplace_back();
  ack.reason = c.work.ack_reason;
  ack.ack = c.rcv.rcv_nxt;
  ack.lasting = of_stretch || c.rcv.duplicate;
  wire::TcpOptions options;
  report_received(c, options);
  ack.sack_count = options.sack_count;
  ack.sack = options.sack;
  c.work.ack_now = false;
}

/// Of several segments in one batch: what the ACK of those before `s` has to say by itself. A duplicate is reported by
/// the ACK of the segment that brought it and by no other (RFC 2883 section 4).
void LayerState::keep_ack_before(const IncomingSegment& s, Connection& c) {
  Receiver& r = c.rcv;
  const bool stretched = r.unacked_octets >= max_segments_per_ack * r.rcv_mss && s.header.seq == r.rcv_nxt;
  if (!c.work.ack_now || (!stretched && !r.duplicate)) return;
  keep_owed_ack(c, stretched);
  if (!c.work.ack_now) r.unacked_octets = 0;
}

/// RFC 2883: octets that came again are what the next ACK reports first.
void LayerState::note_duplicate(Connection& c, SeqNum seq, SeqNum end) const {
  if (!c.negotiated.sack || !config.dsack || !seq.before(end)) return;
  c.rcv.duplicate = wire::SackBlock{seq, end};
}

void LayerState::process_text(Instant now, const IncomingSegment& s, Connection& c) {
  if (s.payload.empty() || !can_receive(c.state())) return;  // EV-28: after the peer's FIN there is no more text
  keep_ack_before(s, c);
  Receiver& r = c.rcv;
  const SeqNum seq = s.header.seq;
  const SeqNum end = seq + static_cast<std::uint32_t>(s.payload.size());
  const SeqNum left = later(seq, r.rcv_nxt);
  const SeqNum right = earlier(end, r.rcv_adv);
  if (!left.before(right)) {  // nothing new, or nothing inside the window
    note_duplicate(c, seq, earlier(end, r.rcv_nxt));
    if (end.after(r.rcv_adv)) sink.drop(now, observe::DropReason::TcpOutsideWindow, c.id);
    return ack_now(c, TxReason::DuplicateSegment);
  }
  if (r.fin_at && end.after(*r.fin_at)) r.fin_at.reset();  // the stream does not end there
  const Slice text = s.payload.sub(span_octets(seq, left), span_octets(left, right));
  if (left.after(r.rcv_nxt)) {
    keep_owed_ack(c);
    if (const auto held = r.reassembly.held(left, right)) note_duplicate(c, held->left, held->right);
    if (!r.reassembly.insert(left, text, config.max_reassembly_slices, pool)) {
      sink.drop(now, observe::DropReason::TcpReassemblyFull, c.id);
    }
    return ack_now(c, TxReason::OutOfOrder);
  }
  const bool had_gap = !r.reassembly.empty();
  note_duplicate(c, seq, left);
  deliver(c, text);
  while (auto next = r.reassembly.pop_contiguous(r.rcv_nxt)) deliver(c, std::move(*next));
  raise(c, TcpEvent::Kind::Readable);
  const bool cut = end.after(r.rcv_adv) || seq.before(left);
  acknowledge_text(now, s, c, static_cast<std::uint32_t>(text.size()), had_gap || cut);
  sample_receiver_rtt(now, s, c);
}

/// The receiver's own round-trip time, for buffer tuning: the peer echoes what we sent last.
void LayerState::sample_receiver_rtt(Instant now, const IncomingSegment& s, Connection& c) {
  if (!c.negotiated.timestamps || !s.header.options.timestamps) return;
  Receiver& r = c.rcv;
  const std::uint32_t ticks = c.timestamps.now(now) - s.header.options.timestamps->ts_ecr;
  const Duration sample = std::chrono::milliseconds{std::max<std::uint32_t>(ticks, 1)};
  if (ticks < 60'000) r.rtt = r.rtt == Duration{0} ? sample : std::min(sample, (r.rtt * 7 + sample) / 8);
}

void LayerState::deliver(Connection& c, Slice data) {
  c.rcv.rcv_nxt += static_cast<std::uint32_t>(data.size());
  if (!c.work.owed_acks.empty()) {
    std::erase_if(c.work.owed_acks, [](const OwedAck& a) { return !a.lasting; });  // the next one says more
  }
  c.rcv.octets_received += data.size();
  if (!c.receive_shut && !c.detached) c.rcv.queue.append(std::move(data), pool);
  forget_read_urgent(c.rcv);
}

/// The peer's segment size is at least that of the largest segment. It may fall as the path does: then full segments,
/// which are not the last of what the peer had to send, come in a smaller size one after the other.
void LayerState::measure_segment(const IncomingSegment& s, Connection& c, std::uint32_t octets) const {
  Receiver& r = c.rcv;
  const bool several = s.gso_size != 0 && s.payload.size() >= 2U * s.gso_size;
  const std::uint32_t segment =
      s.gso_size != 0 ? s.gso_size : std::min<std::uint32_t>(octets, advertised_mss(c.options));
  const std::uint32_t before = std::exchange(r.last_segment, segment);
  const bool full = several || (!s.header.flags.psh && segment == before);
  if (segment >= r.rcv_mss || (full && segment >= least_full_segment)) r.rcv_mss = segment;
}

/// RFC 5681 section 4.2: at least every second full-sized segment at once, gaps and repairs at once, the rest within
/// the delayed-ACK time. A super-segment counts as the segments it stands for.
void LayerState::acknowledge_text(Instant now, const IncomingSegment& s, Connection& c, std::uint32_t octets,
                                  bool filled_gap) {
  Receiver& r = c.rcv;
  measure_segment(s, c, octets);
  r.unacked_octets += octets;
  if (filled_gap) return ack_now(c, TxReason::OutOfOrder);
  adapt_ack_delay(now, c);
  if (r.quick_acks > 0) {
    --r.quick_acks;
    return ack_now(c, TxReason::Ack);
  }
  if (c.options.quick_ack || r.unacked_octets >= 2 * r.rcv_mss) return ack_now(c, TxReason::Ack);
  if (!c.timers.armed(TimerKind::DelayedAck)) set_timer(now, c, TimerKind::DelayedAck, now + r.ack_delay);
}

/// Who sends fast and then pauses waits for our ACK: it is not held back for much longer than a second segment has
/// taken to come of late. Who pauses by itself gets the full delay again.
void LayerState::adapt_ack_delay(Instant now, Connection& c) const {
  Receiver& r = c.rcv;
  const Duration gap = now - r.data_received_at;
  r.data_received_at = now;
  if (r.octets_received <= r.unacked_octets) return;  // the first one
  if (gap >= config.delayed_ack) {
    r.ack_delay = config.delayed_ack;
    return;
  }
  r.ack_delay = std::clamp((3 * r.ack_delay + 4 * gap) / 4, config.delayed_ack_min, config.delayed_ack);
}

/// A FIN in sequence counts. One ahead is remembered, unless text is held behind it or a FIN farther on is known: it
/// may be forged, and the peer repeats the true one until we acknowledge it.
void LayerState::note_fin(Receiver& r, SeqNum at) {
  if (at.before(r.rcv_nxt) || at.after(r.rcv_adv)) return;
  const bool contradicted = r.reassembly.reaches_beyond(at) || (r.fin_at && r.fin_at->after(at));
  if (at == r.rcv_nxt || !contradicted) r.fin_at = at;
}

void LayerState::process_fin(Instant now, const IncomingSegment& s, Connection& c) {
  Receiver& r = c.rcv;
  if (!can_receive(c.state())) return;
  if (s.header.flags.fin) {
    const SeqNum at = s.header.seq + static_cast<std::uint32_t>(s.payload.size());
    note_fin(r, at);
    if (at.after(r.rcv_nxt)) {
      if (s.payload.empty()) keep_owed_ack(c);
      ack_now(c, TxReason::OutOfOrder);
    }
  }
  // EV-29: a FIN acts only when everything before it is here.
  if (!r.fin_at || r.rcv_nxt != *r.fin_at) return;
  r.rcv_nxt += 1;
  r.rcv_adv = later(r.rcv_adv, r.rcv_nxt);
  r.fin_consumed = true;
  r.reassembly.clear();
  c.work.owed_acks.clear();
  ack_now(c, TxReason::Ack);
  raise(c, TcpEvent::Kind::Readable);
  switch (c.state()) {
    case TcpState::Established:
      c.transition(now, StateCause::FinReceived, TcpState::CloseWait, sink);
      break;
    case TcpState::FinWait1:
      c.transition(now, StateCause::FinReceived, TcpState::Closing, sink);
      break;
    case TcpState::FinWait2:
      c.transition(now, StateCause::FinReceived, TcpState::TimeWait, sink);
      enter_time_wait(now, c);
      break;
    default:
      break;
  }
}

}  // namespace wireside::tcp
