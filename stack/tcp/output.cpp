// What a connection sends when it is polled: SYN, retransmission, probe, data, keep-alive, and acknowledgements last.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

bool LayerState::poll_segment(Instant now, OutgoingSegment& out) {
  out.payload.clear();
  out.gso_size = 0;
  if (!control_.empty()) {
    const ControlSegment& r = control_.front();
    out.tuple = r.tuple;
    out.header = r.header;
    out.ttl = r.ttl;
    out.tos = without_ecn(r.tos);
    out.reason = r.reason;
    out.connection = r.connection;
    control_.pop_front();
    return true;
  }
  while (Connection* c = output_.front()) {
    if (build_segment(now, *c, out)) {
      output_.push_back(*c);  // the others first, then this one again
      return true;
    }
    static_cast<ListNode<OutputListTag>&>(*c).unlink();
    connections.settle(*c);
  }
  return false;
}

bool LayerState::build_segment(Instant now, Connection& c, OutgoingSegment& out) {
  if (c.work.syn) return build_syn(now, c, out);
  if (c.fast_open_from.is_valid() && build_data(now, c, out)) return true;  // behind our SYN-ACK
  if (!is_synchronized(c.state())) return c.work.ack_now && c.state() != TcpState::SynSent && build_ack(now, c, out);
  if (path_mtu != nullptr && path_mtu->generation() != c.snd.path.generation) adopt_path(c);
  if (c.work.retransmit && build_retransmission(now, c, out)) return true;
  if (c.work.probe && build_probe(now, c, out)) return true;
  if (c.work.tail_probe && build_tail_probe(now, c, out)) return true;
  if (build_data(now, c, out)) return true;
  if (c.work.keep_alive) return build_keep_alive(now, c, out);
  if (!c.work.owed_acks.empty()) return build_owed_ack(now, c, out);
  if (c.work.ack_now) return build_ack(now, c, out);
  return false;
}

/// Fields every segment of a connection has. Everything but the first SYN acknowledges.
void LayerState::begin_segment(Instant now, Connection& c, SeqNum seq, TxReason reason, OutgoingSegment& out) {
  ++c.snd.segments_sent;
  out.tuple = c.tuple;
  out.ttl = c.options.ttl;
  out.tos = without_ecn(c.options.tos);
  out.reason = reason;
  out.connection = c.id;
  out.header = wire::TcpHeader{};
  out.header.source = c.tuple.local.port;
  out.header.destination = c.tuple.remote.port;
  out.header.seq = seq;
  if (c.state() == TcpState::SynSent) return;
  out.header.ack = c.rcv.rcv_nxt;
  out.header.flags.ack = true;
  out.header.flags.ece = c.ecn.echo;
  if (c.negotiated.timestamps) {
    out.header.options.timestamps = wire::TcpTimestamps{c.timestamps.now(now), c.timestamps.recent};
  }
}

/// Advertises the largest edge the buffer allows, in steps that avoid silly windows (MUST-39), and never moves it left:
/// where the scale would round it down it is rounded up, unless a peer exploits that with tiny segments.
void LayerState::advertise_window(Connection& c, OutgoingSegment& out) {
  Receiver& r = c.rcv;
  const std::size_t held = r.queue.octets();
  const std::uint32_t space = grantable(c);
  SeqNum edge = r.rcv_adv;
  if ((r.rcv_nxt + space).after(edge)) {
    const std::uint32_t gain = span_octets(edge, r.rcv_nxt + space);
    if (gain >= std::min<std::size_t>(r.limit / 2, r.rcv_mss)) edge = r.rcv_nxt + space;
  }
  const SeqNum from = out.header.ack;  // of an owed ACK this is not RCV.NXT
  const unsigned shift = c.negotiated.rcv_wscale.shift();
  std::uint32_t field = span_octets(from, edge) >> shift;
  const bool would_retract = (field << shift) < span_octets(from, r.rcv_adv);
  if (would_retract && held <= r.limit + (std::size_t{16} << shift)) ++field;
  // A buffer smaller than one unit of the scale would say 0 for ever.
  if (field == 0 && edge.after(from) && (held == 0 || held < r.limit / 2)) field = 1;
  r.told_zero = field == 0;
  field = std::min<std::uint32_t>(field, 65535);
  r.rcv_adv = later(r.rcv_adv, from + (field << shift));
  out.header.window = static_cast<std::uint16_t>(field);
}

/// An acknowledgement is on its way: nothing is owed any more.
void LayerState::acknowledgement_left(Instant now, Connection& c) {
  c.rcv.last_ack_sent = c.rcv.rcv_nxt;
  c.rcv.unacked_octets = 0;
  c.work.ack_now = false;
  cancel_timer(now, c, TimerKind::DelayedAck);
}

namespace {

/// The ACK will carry a later number than the one it was made with. Blocks that this number has passed are no news, and
/// the first of them would be taken for octets that came twice (RFC 2883 section 4) when it is not.
void acknowledge_up_to(OwedAck& a, SeqNum rcv_nxt) {
  const auto& first = a.sack[0];
  const bool duplicate =
      a.sack_count > 0 &&
      (first.right.at_or_before(a.ack) ||
       (a.sack_count > 1 && a.sack[1].left.at_or_before(first.left) && first.right.at_or_before(a.sack[1].right)));
  std::uint8_t kept = duplicate ? 1 : 0;
  for (std::uint8_t i = kept; i < a.sack_count; ++i) {
    if (!a.sack[i].left.before(rcv_nxt)) a.sack[kept++] = a.sack[i];
  }
  a.sack_count = kept;
  a.ack = rcv_nxt;
}

}  // namespace

/// An acknowledgement went out with data. To the peer that is no duplicate ACK, and it brings no SACK blocks: with a
/// hole in what we received, or octets that came twice, a segment of its own is still owed (RFC 5681 section 4.2,
/// RFC 2018 section 4, RFC 2883 section 4).
void LayerState::acknowledgement_rode_along(Instant now, Connection& c) {
  const bool still_owed = c.work.ack_now && (!c.rcv.reassembly.empty() || c.rcv.duplicate);
  std::erase_if(c.work.owed_acks, [&](OwedAck& a) {
    if (a.ack == c.rcv.rcv_nxt) return false;
    acknowledge_up_to(a, c.rcv.rcv_nxt);
    return a.sack_count == 0;
  });
  if (c.rcv.octets_received > 0) c.rcv.quick_acks = 0;  // a conversation: answers carry our ACKs
  acknowledgement_left(now, c);
  c.work.ack_now = still_owed;
}

bool LayerState::build_syn(Instant now, Connection& c, OutgoingSegment& out) {
  const bool answers = c.state() == TcpState::SynReceived;
  const bool again = c.snd.retransmissions > 0 || (c.fast_open_from.is_valid() && c.snd.snd_nxt != c.snd.iss);
  const auto reason = answers ? (again ? TxReason::SynAckRetransmit : TxReason::SynAck)
                              : (again ? TxReason::SynRetransmit : TxReason::Syn);
  begin_segment(now, c, c.snd.iss, reason, out);
  auto& h = out.header;
  h.flags.syn = true;
  if (answers) {
    h.flags.ece = c.negotiated.ecn;
  } else {
    ask_for_ecn(c, h.flags);
  }
  h.window = static_cast<std::uint16_t>(std::min<std::size_t>(answers ? c.rcv.rcv_wnd() : c.rcv.limit, 65535));
  if (!answers) c.rcv.syn_window = std::max(c.rcv.syn_window, h.window);
  h.options.mss = advertised_mss(c.options);
  if (answers ? c.negotiated.window_scaling : config.window_scaling) {
    h.options.window_scale = c.negotiated.rcv_wscale.shift();
  }
  h.options.sack_permitted = answers ? c.negotiated.sack : config.sack;
  if (!answers) add_user_timeout(c, h.options);
  if (!answers && config.timestamps) h.options.timestamps = wire::TcpTimestamps{c.timestamps.now(now), 0};
  if (!answers) offer_fast_open(now, c, out);
  c.work.syn = false;
  if (c.snd.snd_nxt == c.snd.iss) {
    c.snd.snd_nxt = c.snd.iss + 1 + c.syn_octets;
    c.snd.timing = true;
    c.snd.timed_end = c.snd.snd_nxt;
    c.snd.timed_at = now;
  } else {
    c.snd.timing = false;
  }
  if (answers) acknowledgement_left(now, c);
  const Instant give_up = c.snd.progress_at + give_up_after(c);
  set_timer(now, c, TimerKind::Retransmission, std::min(now + c.snd.rtt.rto(), give_up));
  return true;
}

/// One segment from snd_una on, for fast retransmit and partial ACKs without SACK.
bool LayerState::build_retransmission(Instant now, Connection& c, OutgoingSegment& out) {
  c.work.retransmit = false;
  if (c.everything_acknowledged()) return false;
  const SeqNum sent_end = earlier(c.snd.snd_nxt, c.data_end());
  SendPlan plan;
  plan.seq = c.snd.snd_una;
  plan.octets = plan.seq.before(sent_end) ? std::min(span_octets(plan.seq, sent_end), c.snd.mss) : 0;
  if (plan.octets > 0) plan.octets = static_cast<std::uint32_t>(c.snd.queue.reach(0, plan.octets));
  plan.fin = c.fin_sent() && plan.seq + plan.octets == c.data_end();
  begin_segment(now, c, plan.seq, c.work.retransmit_reason, out);
  fill(c, plan, out);
  const SeqNum end = plan.seq + plan.octets + (plan.fin ? 1U : 0U);
  c.snd.board.sent(plan.seq, end, now, c.snd.rate.sent(now, false));
  note_repeated(now, c, plan.seq, end);
  c.snd.last_sent_at = now;
  acknowledgement_rode_along(now, c);
  if (!c.timers.armed(TimerKind::Retransmission)) restart_retransmission_timer(now, c);
  return true;
}

/// One octet (or the FIN) beyond a closed window (MUST-36). It counts as lost at once, so that it goes out again with
/// what follows when the window opens.
bool LayerState::build_probe(Instant now, Connection& c, OutgoingSegment& out) {
  c.work.probe = false;
  SendPlan plan;
  plan.seq = c.snd.snd_una;
  plan.octets = c.snd.queue.octets() > 0 ? 1 : 0;
  plan.fin = plan.octets == 0 && owes_fin(c.state());
  if (plan.octets == 0 && !plan.fin) return false;
  begin_segment(now, c, plan.seq, TxReason::ZeroWindowProbe, out);
  fill(c, plan, out);
  c.snd.board.sent(plan.seq, plan.seq + 1, now, c.snd.rate.sent(now, c.snd.board.empty()));
  c.snd.board.mark_all_lost();
  if (c.everything_acknowledged()) c.snd.snd_nxt = plan.seq + 1;
  c.snd.timing = false;
  c.snd.last_sent_at = now;
  acknowledgement_rode_along(now, c);
  return true;
}

/// Outside of loss recovery only what the path or the peer's window could not take is sent again.
TxReason LayerState::repetition_reason(const Connection& c, SeqNum seq) {
  const Sender& snd = c.snd;
  if (snd.recovery.fast()) return TxReason::FastRetransmit;
  if (!snd.recovery.open()) return TxReason::RtoRetransmit;
  const bool too_large = snd.path.resend_end && seq.before(*snd.path.resend_end);
  return too_large ? TxReason::PathMtuRetransmit : TxReason::WindowRetransmit;
}

bool LayerState::build_data(Instant now, Connection& c, OutgoingSegment& out) {
  const auto plan = plan_data(now, c);
  if (!plan) return false;
  const bool repeats = plan->seq.before(c.snd.snd_nxt);
  const auto again = repetition_reason(c, plan->seq);
  const auto reason = repeats ? again : plan->octets == 0 ? TxReason::Fin : TxReason::Data;
  begin_segment(now, c, plan->seq, reason, out);
  fill(c, *plan, out);
  if (!repeats) mark_new_data(c, out);
  note_sent(now, c, *plan);
  return true;
}

/// SEQ = SND.NXT - 1 and no octets (SHLD-12): the peer must answer with an ACK.
bool LayerState::build_keep_alive(Instant now, Connection& c, OutgoingSegment& out) {
  c.work.keep_alive = false;
  begin_segment(now, c, c.snd.snd_nxt - 1, TxReason::KeepAlive, out);
  advertise_window(c, out);
  acknowledgement_left(now, c);
  return true;
}

/// Where octets were sent beyond the peer's window (probes, a shrunk window), SND.NXT would be unacceptable to it: an
/// ACK there would be answered with an ACK, which we would answer, and so on; a RST would be dropped.
SeqNum LayerState::acceptable_seq(const Connection& c) {
  if (!is_synchronized(c.state())) return c.snd.snd_nxt;
  return earlier(c.snd.snd_nxt, c.snd.snd_una + c.snd.snd_wnd);
}

bool LayerState::build_ack(Instant now, Connection& c, OutgoingSegment& out) {
  begin_segment(now, c, acceptable_seq(c), c.work.ack_reason, out);
  advertise_window(c, out);
  report_received(c, out.header.options);
  if (c.work.user_timeout_option) add_user_timeout(c, out.header.options);
  c.work.user_timeout_option = false;
  acknowledgement_left(now, c);
  return true;
}

/// SACK blocks: what came twice first (RFC 2883 section 4), then what is held beyond the gap.
void LayerState::report_received(Connection& c, wire::TcpOptions& options) {
  if (!c.negotiated.sack) return;
  std::size_t room = max_sack_blocks(c);
  std::array<wire::SackBlock, 4> held{};
  if (c.rcv.duplicate) {
    options.sack[options.sack_count++] = *c.rcv.duplicate;
    c.rcv.duplicate.reset();
    --room;
  }
  if (c.rcv.reassembly.empty()) return;
  const std::uint8_t count = c.rcv.reassembly.sack_blocks(held, room);
  for (std::uint8_t i = 0; i < count; ++i) options.sack[options.sack_count++] = held[i];
}

bool LayerState::build_owed_ack(Instant now, Connection& c, OutgoingSegment& out) {
  auto& owed = c.work.owed_acks;
  begin_segment(now, c, acceptable_seq(c), owed.front().reason, out);
  out.header.ack = owed.front().ack;
  c.rcv.last_ack_sent = later(c.rcv.last_ack_sent, out.header.ack);
  advertise_window(c, out);
  out.header.options.sack = owed.front().sack;
  out.header.options.sack_count = owed.front().sack_count;
  owed.erase(owed.begin());
  return true;
}

/// Payload and flags of a planned segment.
void LayerState::fill(Connection& c, const SendPlan& plan, OutgoingSegment& out) {
  c.snd.queue.collect(span_octets(c.data_start(), plan.seq), plan.octets, out.payload);
  out.gso_size = plan.octets > c.snd.mss && !plan.path_probe ? static_cast<std::uint16_t>(c.snd.mss) : std::uint16_t{0};
  out.header.flags.fin = plan.fin;
  point_to_urgent(c, plan.seq, out);
  if (plan.octets > 0) {
    const std::uint32_t segments = out.gso_size == 0 ? 1 : (plan.octets + out.gso_size - 1) / out.gso_size;
    c.snd.data_segments_sent += segments;
    c.snd.segments_sent += segments - 1;
  }
  // MUST-61: PSH on the last segment of what is queued.
  out.header.flags.psh = plan.octets > 0 && plan.seq + plan.octets == c.data_end();
  advertise_window(c, out);
}

void LayerState::note_sent(Instant now, Connection& c, const SendPlan& plan) {
  Sender& snd = c.snd;
  const SeqNum end = plan.seq + plan.octets + (plan.fin ? 1U : 0U);
  const bool repeated = plan.seq.before(snd.snd_nxt);
  if (repeated) {
    note_repeated(now, c, plan.seq, earlier(end, snd.snd_nxt));
  } else if (!snd.timing) {
    snd.timing = true;
    snd.timed_end = end;
    snd.timed_at = now;
  }
  if (c.everything_acknowledged()) snd.progress_at = now;
  snd.pacer.sent(now, pacing_rate(c), plan.octets);
  snd.unanswered -= std::min(snd.unanswered, plan.octets);
  if (plan.path_probe) probe_sent(c, plan.seq, plan.octets);
  // Sent again, a segment says nothing of later small ones that are in flight (Minshall's test).
  const SeqNum text_end = plan.seq + plan.octets;
  if (plan.octets % snd.mss != 0 && !plan.path_probe && text_end.after(snd.snd_nxt)) snd.small_end = text_end;
  snd.board.sent(plan.seq, end, now, snd.rate.sent(now, snd.board.empty()));
  if (snd.recovery.fast() || c.ecn.reducing) snd.recovery.prr.sent(span_octets(plan.seq, end));
  if (end.after(snd.snd_nxt)) {
    snd.octets_sent += span_octets(snd.snd_nxt, end) - (plan.fin ? 1U : 0U);
    snd.snd_nxt = end;
  }
  snd.last_sent_at = now;
  if (plan.octets > 0) snd.data_sent_at = now;
  if (c.options.notsent_lowat != 0) offer_send_room(c);
  c.work.sws_override = false;
  cancel_timer(now, c, TimerKind::SenderSws);
  // What is sent again has a whole RTO to be acknowledged (RFC 6298 section 5).
  const bool oldest_again = repeated && plan.seq == snd.snd_una;
  if (oldest_again || !c.timers.armed(TimerKind::Retransmission)) restart_retransmission_timer(now, c);
  // A second segment in flight makes the wait shorter; what follows only makes it begin later.
  const bool few = snd.flight() <= span_octets(plan.seq, end) + snd.mss;
  if (few || !c.timers.armed(TimerKind::TailLossProbe)) schedule_tail_probe(now, c);
  acknowledgement_rode_along(now, c);
}

}  // namespace wireside::tcp
