// Loss detection and recovery with SACK: RACK (RFC 8985) or, as a fallback, the rules of RFC 6675; the window by PRR
// (RFC 6937bis); mistaken reductions are taken back (RFC 3522 and 4015, RFC 5682, RFC 3708).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::WindowCause;
using Phase = Recovery::Phase;

namespace {

/// A report of octets that came twice proves a repetition needless, if it is of octets that were repeated. The network
/// makes duplicates, too: after a report of any others none of them can be told apart (RFC 3708 section 3).
void count_duplicate(Recovery& r, const wire::SackBlock& twice) {
  const bool repeated =
      r.repeated && twice.left.at_or_after(r.repeated->left) && twice.right.at_or_before(r.repeated->right);
  if (repeated) {
    r.unproven -= span_octets(twice.left, twice.right);
  } else {
    r.undoable = false;
  }
}

/// RFC 5681 section 4.3: losses in two successive windows of data, or of a retransmission, are two indications of
/// congestion. A window here is what was sent since the last reduction, so there is one reduction per round trip at
/// most, however many of its segments are lost (RFC 8985 section 9.3).
bool is_further_congestion(const Recovery& r, const NewlyLost& lost) {
  if (r.open()) return lost.octets > 0;
  return (lost.repeated_at && *lost.repeated_at >= r.began_at) || (lost.sent_once && lost.sent_once->after(r.recover));
}

}  // namespace

/// What an ACK that is not older than SND.UNA says of losses; the scoreboard has taken it in.
void LayerState::recover_by_sack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f,
                                 const AckNews& news) {
  Sender& snd = c.snd;
  Recovery& r = snd.recovery;
  r.prefer_new_data = false;
  snd.rack.adapt_to_duplicates(snd.snd_una, snd.snd_nxt, news.dsack.has_value());
  judge_tail_probe(now, c, f, news);
  if (news.dsack && r.undoable) count_duplicate(r, *news.dsack);
  const bool may_grow = r.phase != Phase::Fast;  // the ACK that ends fast recovery has set the window
  if (is_mistaken(s, c, f, news)) {
    undo(now, c);
  } else if (!r.open() && snd.snd_una.at_or_after(r.recover)) {
    // All of it arrived and nothing was sent again: what was taken for lost had only been overtaken.
    if (r.undoable && !r.first_retransmit_time) {
      undo(now, c);
    } else {
      end_recovery(now, c);
    }
  } else if (r.phase == Phase::Loss && r.f_rto) {
    continue_f_rto(c, f, news);
  }
  const NewlyLost lost = detect_losses(now, c);
  std::uint32_t delivered = news.delivered;
  if (is_further_congestion(r, lost)) {
    delivered += snd.unanswered - news.acked;  // earlier ACKs of the same batch
    begin_fast_recovery(now, c, delivered);
  }
  if (r.fast()) {
    reduce_in_proportion(now, c, delivered, f.advances && lost.octets == 0);
  } else if (f.advances && may_grow) {
    grow_window(now, c, news);
  }
  schedule_tail_probe(now, c);
  if (snd.board.lost() > 0 || news.delivered > 0) wants_output(c);
}

void LayerState::grow_window(Instant now, Connection& c, const AckNews& news) {
  Sender& snd = c.snd;
  if (c.ecn.reducing || news.congestion_echoed || news.false_echo) return;
  if (!snd.cwnd_limited) {
    // What the pacer holds back uses the window, too.
    const bool paced = c.timers.armed(TimerKind::Pacing);
    return paced ? void() : snd.congestion.on_limited(now);
  }
  const std::uint32_t cwnd = snd.congestion.cwnd();
  const std::uint32_t ssthresh = snd.congestion.ssthresh();
  const auto cause = snd.congestion.in_slow_start() ? WindowCause::SlowStart : WindowCause::CongestionAvoidance;
  // After a timeout an ACK may cover much that was reported before: that must not become a burst (RFC 3465
  // section 2.3).
  const std::uint32_t octets = snd.recovery.phase == Phase::Loss && c.negotiated.sack ? news.delivered : news.acked;
  const bool looks_at_rates = snd.congestion.algorithm() == CongestionAlgorithm::Custom;
  snd.congestion.on_ack({now, octets, news.rtt, snd.rtt.srtt(), snd.snd_una, snd.snd_nxt,
                         looks_at_rates ? path_sample(now, c, news) : DeliverySample{}, pacing_rate(c) > 0,
                         snd.recovery.phase == Phase::Loss});
  snd.cwnd_limited = false;
  report_window(now, c, cwnd, ssthresh, cause);
}

/// Marks what is lost by now and arms the timer for what may be later.
NewlyLost LayerState::detect_losses(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (snd.board.sacked() == 0 && snd.recovery.open()) {
    cancel_timer(now, c, TimerKind::Reordering);
    return {};
  }
  const NewlyLost lost = config.loss_detection == LossDetection::Rack ? detect_by_time(now, c) : detect_by_count(c);
  if (lost.octets > 0 && lost_only_probe(c)) {
    end_probe(now, c, true);
    wants_output(c);
    return {};
  }
  if (lost.octets > 0 && snd.path.probing) judge_probe(now, c, true);
  const bool by_time = config.loss_detection == LossDetection::Rack;
  if (lost.octets > 0)
    report_loss(now, c, by_time ? observe::LossSign::Time : observe::LossSign::SackCount, lost.octets);
  return lost;
}

Duration LayerState::reordering_window(const Connection& c) {
  const Sender& snd = c.snd;
  const bool impatient = !snd.recovery.open() || snd.board.sacked() > (Rack::dup_thresh - 1) * snd.mss ||
                         snd.board.reported_runs() >= Rack::dup_thresh;
  return snd.rack.reordering_window(snd.rtt.srtt(), impatient);
}

NewlyLost LayerState::detect_by_time(Instant now, Connection& c) {
  Sender& snd = c.snd;
  NewlyLost lost;
  const auto wait = snd.rack.detect_loss(now, snd.board, reordering_window(c), lost);
  if (wait) {
    set_timer(now, c, TimerKind::Reordering, now + *wait);
  } else {
    cancel_timer(now, c, TimerKind::Reordering);
  }
  return lost;
}

/// IsLost of RFC 6675 section 4: enough was reported above it. What was sent again is not judged.
NewlyLost LayerState::detect_by_count(Connection& c) {
  const SeqNum below = c.snd.board.reported_enough_above(Rack::dup_thresh, (Rack::dup_thresh - 1) * c.snd.mss);
  return c.snd.board.mark_lost_if(
      [&](const SentRange& range) { return !range.retransmitted && range.end.at_or_before(below); });
}

void LayerState::remember_window(Connection& c) {
  Recovery& r = c.snd.recovery;
  r.undoable = true;
  r.lowered_again = false;
  r.prior_cwnd = c.snd.congestion.cwnd();
  r.prior_ssthresh = c.snd.congestion.ssthresh();
  r.undo_marker = c.snd.snd_una;
  r.unproven = 0;
  r.repeated.reset();
  r.first_retransmit_time.reset();
}

/// Also within a recovery, after a further sign of congestion: then the window that did not fit the path was ssthresh,
/// to which PRR leads, whatever is in flight at the moment.
void LayerState::begin_fast_recovery(Instant now, Connection& c, std::uint32_t delivered) {
  Sender& snd = c.snd;
  Recovery& r = snd.recovery;
  Congestion& cc = snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  if (r.fast()) cc.set_cwnd(ssthresh);
  if (r.open()) {
    remember_window(c);
  } else {
    r.lowered_again = true;
    r.f_rto = r.prefer_new_data = false;
  }
  r.phase = Phase::Fast;
  r.began_at = now;
  r.recover = snd.snd_nxt;
  r.tlp_end.reset();
  reduce_for_loss(now, c, std::min(snd.flight_before_acks(), cc.cwnd()));
  r.prr.start(snd.flight() - snd.board.sacked() + delivered, cc.ssthresh());
  report_window(now, c, cwnd, ssthresh, WindowCause::FastRetransmit);
}

void LayerState::reduce_in_proportion(Instant now, Connection& c, std::uint32_t delivered, bool safe) {
  Sender& snd = c.snd;
  const std::uint32_t cwnd = snd.congestion.cwnd();
  snd.congestion.set_cwnd(snd.recovery.prr.on_ack(delivered, snd.board.in_flight(), safe, snd.mss));
  report_window(now, c, cwnd, snd.congestion.ssthresh(), WindowCause::ProportionalReduction);
}

void LayerState::end_recovery(Instant now, Connection& c) {
  Sender& snd = c.snd;
  const std::uint32_t cwnd = snd.congestion.cwnd();
  if (snd.recovery.fast()) snd.congestion.set_cwnd(snd.congestion.ssthresh());
  snd.recovery.phase = Phase::Open;
  snd.recovery.f_rto = false;
  snd.rack.recovery_ended();
  report_window(now, c, cwnd, snd.congestion.ssthresh(), WindowCause::RecoveryExit);
}

/// Whether what was sent again had arrived: by Eifel detection (an ACK of it echoes a time before it was sent again),
/// by F-RTO (octets never sent again arrive after the timeout), or by DSACK (every repeated octet came twice).
bool LayerState::is_mistaken(const IncomingSegment& s, const Connection& c, const SegmentFacts& f,
                             const AckNews& news) const {
  const Recovery& r = c.snd.recovery;
  if (!r.undoable) return false;
  if (news.dsack && r.first_retransmit_time && r.unproven <= 0) return true;
  if (r.open() || r.lowered_again) return false;  // what was sent again last may have been so rightly
  if (r.phase == Phase::Loss && r.f_rto && f_rto_finds_originals(c, f, news)) return true;
  return f.advances && r.first_retransmit_time && c.negotiated.timestamps && s.header.options.timestamps &&
         is_older(s.header.options.timestamps->ts_ecr, *r.first_retransmit_time);
}

/// RFC 5682 section 2.1 step 3b, and section 3.1 with SACK: whether octets arrived that were never sent again. Without
/// SACK an ACK may cover what had come long before behind a gap, so the proof is one that advances although all that
/// was sent again had been acknowledged before it.
bool LayerState::f_rto_finds_originals(const Connection& c, const SegmentFacts& f, const AckNews& news) {
  if (c.negotiated.sack) return news.original_delivered;
  const auto& repeated = c.snd.recovery.repeated;
  return f.advances && (!repeated || repeated->right.at_or_before(c.snd.snd_una - news.acked));
}

void LayerState::undo(Instant now, Connection& c) {
  Sender& snd = c.snd;
  Recovery& r = snd.recovery;
  const std::uint32_t cwnd = snd.congestion.cwnd();
  const std::uint32_t ssthresh = snd.congestion.ssthresh();
  // What duplicate ACKs added without SACK was never the path's.
  if (r.fast() && !c.negotiated.sack) snd.congestion.set_cwnd(std::min(cwnd, r.prior_cwnd));
  snd.congestion.undo(r.prior_cwnd, r.prior_ssthresh);
  snd.board.unmark_lost();
  if (!r.open()) snd.rack.recovery_ended();
  r.phase = Phase::Open;
  r.undoable = r.f_rto = r.prefer_new_data = false;
  if (!c.negotiated.sack) {
    r.recover = snd.snd_una - 1;  // RFC 5682 section 2.1 step 3b: a loss from now on is a new one
    c.work.retransmit = false;
  }
  c.ecn.owes_cwr = false;  // an ECE that waits for its answer has had none
  report_window(now, c, cwnd, ssthresh, WindowCause::Undo);
}

/// RFC 5682 section 3.1 with SACK: after the first ACK that advances, new octets are sent instead of repeated ones;
/// what the next ACK covers tells whether the timeout was spurious.
void LayerState::continue_f_rto(Connection& c, const SegmentFacts& f, const AckNews& news) {
  Sender& snd = c.snd;
  Recovery& r = snd.recovery;
  const bool new_data_sent = snd.snd_nxt.after(r.recover);
  if (!new_data_sent && f.advances && snd.snd_nxt.before(c.data_end())) {
    r.prefer_new_data = true;
  } else if (new_data_sent ? news.sacked > 0 || f.is_duplicate_ack || f.advances : f.advances) {
    r.f_rto = false;
  }
}

/// RFC 8985 section 6.3 and RFC 5681 section 3.1. `flight` is what was outstanding.
void LayerState::begin_loss_recovery(Instant now, Connection& c, bool first_timeout) {
  Sender& snd = c.snd;
  Recovery& r = snd.recovery;
  Congestion& cc = snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  const bool fresh = r.phase != Phase::Loss;
  if (fresh) remember_window(c);
  if (first_timeout) cc.reduce(std::min(snd.flight(), std::max(cwnd, snd.mss)), CongestionSignal::Timeout, now);
  c.ecn.reducing = false;
  window_was_reduced(c);
  const bool reneged = !snd.board.empty() && snd.board.begin()->state == SentRange::State::Sacked;
  if (reneged) snd.board.forget_sacks();
  if (c.negotiated.sack && config.loss_detection == LossDetection::Rack && !reneged) {
    const Duration reo_wnd = snd.rack.reordering_window(snd.rtt.srtt(), true);
    snd.rack.mark_losses_on_timeout(now, snd.board, snd.mss, reo_wnd);
  } else {
    snd.board.mark_all_lost();  // everything in flight counts as lost
  }
  report_loss(now, c, observe::LossSign::Timeout, snd.board.lost());
  cc.set_cwnd(snd.board.in_flight() + snd.mss);
  r.phase = Phase::Loss;
  r.began_at = now;
  r.f_rto = fresh && !reneged && !snd.path.probing;
  r.prefer_new_data = false;
  r.recover = snd.snd_nxt;
  r.f_rto_from.reset();
  r.dup_acks = 0;
  r.tlp_end.reset();
  cancel_timer(now, c, TimerKind::Reordering);
  cancel_timer(now, c, TimerKind::TailLossProbe);
  report_window(now, c, cwnd, ssthresh, WindowCause::Timeout);
}

/// The reordering window of something has passed.
void LayerState::reordering_timeout(Instant now, Connection& c) {
  const NewlyLost lost = detect_losses(now, c);
  if (lost.octets == 0) return;
  if (is_further_congestion(c.snd.recovery, lost)) begin_fast_recovery(now, c, 0);
  if (c.snd.recovery.fast()) reduce_in_proportion(now, c, 0, false);
  wants_output(c);
}

/// Octets leave again: what undoing, PRR and F-RTO have to know.
void LayerState::note_repeated(Instant now, Connection& c, SeqNum start, SeqNum end) {
  Sender& snd = c.snd;
  const std::uint32_t octets = span_octets(start, end);
  snd.retransmitted_segments += (octets + snd.mss - 1) / snd.mss;
  snd.octets_retransmitted += octets;
  snd.timing = false;
  probe_repeated(c, start, end);
  Recovery& r = snd.recovery;
  if (r.open() || !r.undoable) return;
  r.unproven += octets;
  r.repeated = r.repeated ? wire::SackBlock{earlier(r.repeated->left, start), later(r.repeated->right, end)}
                          : wire::SackBlock{start, end};
  if (!r.first_retransmit_time) r.first_retransmit_time = c.timestamps.now(now);
}

}  // namespace wireside::tcp
