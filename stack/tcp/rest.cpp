// What a connection keeps at rest. Whatever may decide about a segment, or is told by status calls, is kept exactly:
// nobody can see whether a connection has rested.
#include "tcp/connection_table.hpp"

namespace wireside::tcp {
namespace {

bool sender_may_rest(const Sender& s) {
  return s.snd_una == s.snd_nxt && s.queue.octets() == 0 && s.board.empty() && !s.small_end.after(s.snd_una) &&
         s.recovery.open() && s.recovery.dup_acks == 0 && !s.recovery.prefer_new_data && s.probes == 0 &&
         s.retransmissions == 0 && !s.timing && !s.snd_up && !s.path.probing && !s.path.resend_end &&
         s.congestion.algorithm() != CongestionAlgorithm::Custom;
}

bool receiver_may_rest(const Receiver& r) {
  return r.queue.octets() == 0 && r.reassembly.empty() && !r.duplicate && !r.rcv_up;
}

bool owes_nothing(const OutputWork& w) {
  return !w.syn && !w.retransmit && !w.probe && !w.tail_probe && !w.keep_alive && !w.ack_now &&
         !w.user_timeout_option && w.owed_acks.empty();
}

/// Of most connections there is nothing of this to tell.
template <class Codec>
void describe_mishaps(Codec& k, Connection& c) {
  Sender& s = c.snd;
  bool any = s.retransmitted_segments != 0 || s.octets_retransmitted != 0 || s.duplicates_reported != 0 ||
             s.unanswered != 0 || c.ecn.ce_received != 0 || c.ecn.ece_received != 0 || c.keep_alive_sent != 0 ||
             c.peer_user_timeout != Duration{0} || c.soft_error || c.work.sws_override;
  k.flags(any);
  if (!any) return;
  for (auto* const count : {&s.retransmitted_segments, &s.octets_retransmitted, &s.duplicates_reported,
                            &c.ecn.ce_received, &c.ecn.ece_received}) {
    k.number(*count);
  }
  k.number(s.unanswered);
  if (s.unanswered != 0) k.instant(s.unanswered_since, c.last_heard_at);
  k.number(c.keep_alive_sent);
  k.duration(c.peer_user_timeout);
  bool warned = c.soft_error.has_value();
  Error warning = c.soft_error.value_or(Error::WouldBlock);
  k.flags(warned, c.work.sws_override);
  k.choice(warning);
  c.soft_error = warned ? std::optional{warning} : std::nullopt;
}

template <class Codec>
void describe_path(Codec& k, PathSearch& p, Instant near) {
  bool searched = p.searching || p.full_size_tried || p.carries != 0 || p.fails_at != 0 || p.probe_at != Instant{};
  k.number(p.agreed);
  k.number(p.option_octets);
  k.number(p.generation);
  k.flags(searched, p.searching, p.full_size_tried);
  if (!searched) return;
  k.number(p.carries);
  k.number(p.fails_at);
  k.instant(p.probe_at, near);
}

template <class Codec>
void describe_block(Codec& k, std::optional<wire::SackBlock>& block, SeqNum near) {
  bool there = block.has_value();
  k.flags(there);
  if (!there) return block.reset();
  wire::SackBlock b = block.value_or(wire::SackBlock{});
  k.sequence(b.left, near);
  k.sequence(b.right, near);
  block = b;
}

/// A phase has ended; what it was begun with matters for as long as it may turn out to have been needless.
template <class Codec>
void describe_recovery(Codec& k, Recovery& r, SeqNum snd_una) {
  k.sequence(r.recover, snd_una);
  k.maybe_sequence(r.tlp_end, snd_una);
  k.flags(r.undoable, r.lowered_again, r.tlp_is_retransmission, r.partial_ack_seen);
  if (!r.undoable) return;
  k.number(r.prior_cwnd);
  std::uint32_t below_infinity = ~r.prior_ssthresh;
  k.number(below_infinity);
  r.prior_ssthresh = ~below_infinity;
  k.sequence(r.undo_marker, snd_una);
  describe_block(k, r.repeated, snd_una);
  Duration unproven{r.unproven};
  k.duration(unproven);
  r.unproven = unproven.count();
  bool repeated = r.first_retransmit_time.has_value();
  k.flags(repeated);
  std::uint32_t time = r.first_retransmit_time.value_or(0);
  k.number(time);
  r.first_retransmit_time = repeated ? std::optional{time} : std::nullopt;
}

/// `near`: when the peer was heard last.
template <class Codec>
void describe_sender(Codec& k, Sender& s, SeqNum rcv_nxt, Instant near) {
  k.sequence(s.iss, SeqNum{});
  k.sequence(s.snd_una, s.iss);
  s.snd_nxt = s.small_end = s.snd_una;
  k.sequence(s.snd_wl1, rcv_nxt);
  k.sequence(s.snd_wl2, s.snd_una);
  for (auto* const value : {&s.snd_wnd, &s.max_snd_wnd, &s.mss}) k.number(*value);
  describe_path(k, s.path, near);
  s.rack.at_rest(k, near, s.snd_una);
  s.rate.at_rest(k);
  describe_recovery(k, s.recovery, s.snd_una);
  s.congestion.at_rest(k, near, s.recovery.undoable);
  s.rtt.at_rest(k);
  s.pacer.at_rest(k, near);
  k.flags(s.cwnd_limited, s.blocked_writer);
  k.instant(s.progress_at, near);
  k.instant(s.last_sent_at, near);
  k.instant(s.data_sent_at, near);
  for (auto* const count : {&s.octets_sent, &s.segments_sent, &s.data_segments_sent}) {
    k.number(*count);
  }
  k.number(s.buffer_limit);
}

template <class Codec>
void describe_receiver(Codec& k, Receiver& r, Instant near) {
  k.sequence(r.irs, SeqNum{});
  k.sequence(r.rcv_nxt, r.irs);
  k.sequence(r.rcv_adv, r.rcv_nxt);
  k.sequence(r.last_ack_sent, r.rcv_nxt);
  k.maybe_sequence(r.fin_at, r.rcv_nxt);
  k.flags(r.told_zero, r.fin_consumed);
  for (auto* const value : {&r.limit, &r.tune_taken}) k.number(*value);
  for (auto* const value : {&r.rcv_mss, &r.last_segment, &r.unacked_octets}) k.number(*value);
  for (auto* const count : {&r.octets_received, &r.segments_received, &r.data_segments_received}) k.number(*count);
  for (auto* const at : {&r.tune_started, &r.data_received_at, &r.ack_received_at}) k.instant(*at, near);
  k.duration(r.rtt);
  k.duration(r.ack_delay);
  k.number(r.quick_acks);
  k.number(r.tos);
}

template <class Codec>
void describe_agreement(Codec& k, Negotiated& n) {
  k.number(n.peer_mss);
  k.flags(n.window_scaling, n.timestamps, n.sack, n.ecn);
  k.shift(n.snd_wscale);
  k.shift(n.rcv_wscale);
}

template <class Codec>
void describe(Codec& k, Connection& c) {
  k.instant(c.last_heard_at, Instant{});
  const Instant near = c.last_heard_at;
  k.number(c.id);
  describe_agreement(k, c.negotiated);
  k.number(c.timestamps.offset);
  k.number(c.timestamps.recent);
  k.instant(c.timestamps.recent_at, near);
  describe_receiver(k, c.rcv, near);
  describe_sender(k, c.snd, c.rcv.rcv_nxt, near);
  k.flags(c.ecn.echo, c.ecn.owes_cwr, c.receive_shut);
  k.sequence(c.ecn.reduced_at, c.snd.snd_una);
  c.ack_ration.at_rest(k);
  describe_mishaps(k, c);
}

}  // namespace

bool may_rest(const Connection& c) {
  if (static_cast<const ListNode<OutputListTag>&>(c).is_linked()) return false;
  const bool quiet = c.state() == TcpState::Established || c.state() == TcpState::CloseWait;
  if (!quiet || !sender_may_rest(c.snd) || !receiver_may_rest(c.rcv) || !owes_nothing(c.work)) return false;
  if (c.pending_events != 0 || c.detached || c.close_pending || c.ecn.reducing || c.error) return false;
  if (c.listener.is_valid() || c.fast_open_from.is_valid() || !c.demultiplexed || !c.reports.empty()) return false;
  return c.record->due() == Instant::max() || c.timers.none_but(TimerKind::KeepAlive);
}

Connection& ConnectionTable::emplace(std::uint32_t id, const FourTuple& tuple, const ConnectionOptions& options) {
  const ConnectionHandle h = records_.emplace();
  ConnectionRecord& r = *records_.find(h);
  r.flow = FlowKey{tuple};
  r.slot = h.index;
  r.awake = std::make_unique<Connection>(id, tuple, options, bounds_);
  r.awake->handle = h;
  r.awake->record = &r;
  ++awake_;
  return *r.awake;
}

void ConnectionTable::erase(ConnectionHandle h) {
  ConnectionRecord* r = records_.find(h);
  if (r == nullptr) return;
  if (r->awake) {
    stir(*r->awake);
    --awake_;
  }
  records_.erase(h);
}

// Flat, or the codec's place in its octets would be read from memory and written there for each value.
[[gnu::flatten]] RestOctets ConnectionTable::packed(Connection& c) {
  RestCodec<RestWriter> writer;
  writer.choice(c.state_);
  describe(writer, c);
  return writer.finish();
}

[[gnu::flatten]] void ConnectionTable::unpack(const ConnectionRecord& r, Connection& c) {
  RestCodec<RestReader> reader{r.rest.get()};
  reader.choice(c.state_);
  describe(reader, c);
}

void ConnectionTable::put_to_rest(Connection& c) {
  stir(c);
  if (!may_rest(c)) return;  // something has happened to it that is not over yet
  ConnectionRecord& r = *c.record;
  r.options = c.shared_options ? std::move(c.shared_options) : options_.share(c.options);
  r.rest = packed(c);
  r.awake.reset();
  --awake_;
}

std::unique_ptr<Connection> ConnectionTable::unpacked(ConnectionHandle h, const ConnectionRecord& r) const {
  auto c = std::make_unique<Connection>(0, r.flow.tuple(), *r.options, bounds_);
  unpack(r, *c);
  c->handle = h;
  c->demultiplexed = true;
  if (r.due() != Instant::max()) c->timers.set(TimerKind::KeepAlive, r.due());
  return c;
}

Connection& ConnectionTable::wake(ConnectionRecord& r) {
  r.awake = unpacked(records_.handle_at(r.slot), r);
  r.awake->record = &r;
  r.awake->shared_options = std::move(r.options);
  r.rest.reset();
  ++awake_;
  lie_down(*r.awake);
  return *r.awake;
}

}  // namespace wireside::tcp
