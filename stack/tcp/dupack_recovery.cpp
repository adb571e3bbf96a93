// Loss recovery for peers without SACK: the third duplicate ACK starts it, partial ACKs lead through it
// (RFC 5681 section 3.2, RFC 6582). A mistaken timeout or start is found by F-RTO (RFC 5682 section 2) and by
// timestamps (RFC 3522), and taken back (RFC 4015).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::WindowCause;

/// SND.UNA has advanced.
void LayerState::recover_without_sack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f,
                                      const AckNews& news) {
  Recovery& r = c.snd.recovery;
  r.dup_acks = 0;
  r.prefer_new_data = false;
  if (is_mistaken(s, c, f, news)) return undo(now, c);
  if (!r.fast()) {
    if (r.phase == Recovery::Phase::Loss && c.snd.snd_una.at_or_after(r.recover)) {
      r.phase = Recovery::Phase::Open;
    } else if (r.phase == Recovery::Phase::Loss && r.f_rto) {
      continue_f_rto_without_sack(c);
    } else if (r.phase == Recovery::Phase::Loss && r.f_rto_from && c.snd.snd_una.at_or_after(*r.f_rto_from)) {
      // All that the timeout repeated has come; what F-RTO sent before that has not, or it would be acknowledged, too.
      c.snd.board.mark_front_lost(c.snd.mss);
      wants_output(c);
    }
    resend_rest_of_probe(c);
    return grow_window(now, c, news);
  }
  Congestion& cc = c.snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  if (c.snd.snd_una.at_or_after(r.recover)) {
    cc.end_fast_recovery(c.snd.flight());
    r.phase = Recovery::Phase::Open;
    return report_window(now, c, cwnd, ssthresh, WindowCause::RecoveryExit);
  }
  // Partial ACK (RFC 6582 section 3.2 step 3): the next hole is known, no need to wait for duplicates.
  cc.deflate(news.acked);
  r.partial_ack_seen = true;
  c.work.retransmit = true;
  c.work.retransmit_reason = TxReason::PartialAckRetransmit;
  report_loss(now, c, observe::LossSign::PartialAck, std::min(c.snd.mss, c.snd.flight()));
  wants_output(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::PartialAck);
}

/// What came in behind a lost probe still counts as in flight, and may fill the window: one segment for each ACK that
/// advances, as in fast recovery.
void LayerState::resend_rest_of_probe(Connection& c) {
  const Sender& snd = c.snd;
  const bool stuck = snd.board.in_flight() + snd.mss > snd.congestion.cwnd();
  if (!snd.path.resend_end || !snd.recovery.open() || snd.board.lost() == 0 || !stuck) return;
  c.work.retransmit = true;
  c.work.retransmit_reason = TxReason::PathMtuRetransmit;
  wants_output(c);
}

/// RFC 5682 section 2.1 step 2, on the first ACK after a timeout: up to two new segments are sent instead of repeated
/// ones, unless the ACK leaves open what was sent again (a), or there is nothing new to send (b).
void LayerState::continue_f_rto_without_sack(Connection& c) {
  Recovery& r = c.snd.recovery;
  const bool covers_repeated = r.repeated && c.snd.snd_una.at_or_after(r.repeated->right);
  r.f_rto = covers_repeated && has_room_for_new_segment(c);
  r.prefer_new_data = r.f_rto;
}

/// The same algorithm, steps 2a and 3a: what comes in behind a gap says that something was lost. Two round trips after
/// the loss, three segments may be in flight. The recovery that goes on now includes the new segments: a receiver need
/// not keep what comes behind a gap.
void LayerState::give_up_f_rto(Instant now, Connection& c) {
  Sender& snd = c.snd;
  snd.recovery.f_rto = snd.recovery.prefer_new_data = false;
  if (!snd.snd_nxt.after(snd.recovery.recover)) return;
  snd.recovery.f_rto_from = snd.recovery.recover;
  snd.recovery.recover = snd.snd_nxt;
  const std::uint32_t cwnd = snd.congestion.cwnd();
  snd.congestion.set_cwnd(3 * snd.mss);
  report_window(now, c, cwnd, snd.congestion.ssthresh(), WindowCause::Timeout);
  wants_output(c);
}

void LayerState::count_duplicate_ack(Instant now, const IncomingSegment& s, Connection& c) {
  Recovery& r = c.snd.recovery;
  Congestion& cc = c.snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  if (r.phase == Recovery::Phase::Loss && r.f_rto) return give_up_f_rto(now, c);
  if (r.dup_acks++ == 0) {
    r.flight_at_first_dup_ack = c.snd.flight();
    r.flight_before_dup_acks = std::max(c.snd.flight(), std::min(c.snd.flight_before_acks(), cwnd));
  }
  if (r.fast()) {
    // One for each segment that can have left the network: a peer that sends more wants to be sent more (RFC 5681
    // section 3.2 step 4).
    if (std::uint64_t{r.dup_acks} * c.snd.mss > std::uint64_t{r.flight_at_first_dup_ack} + c.snd.mss) return;
    cc.inflate();
    wants_output(c);
    return report_window(now, c, cwnd, ssthresh, WindowCause::RecoveryInflation);
  }
  // The third duplicate starts recovery, but not for the window a timeout has already repeated (RFC 6582 section 4).
  if (r.dup_acks != Rack::dup_thresh || !s.header.ack.after(r.recover)) return;
  if (resend_probe(now, c)) return;
  judge_probe(now, c, true);
  remember_window(c);
  reduce_for_loss(now, c, r.flight_before_dup_acks);
  cc.begin_fast_recovery();
  r.recover = c.snd.snd_nxt;
  r.phase = Recovery::Phase::Fast;
  r.partial_ack_seen = false;
  c.work.retransmit = true;
  c.work.retransmit_reason = TxReason::FastRetransmit;
  report_loss(now, c, observe::LossSign::DuplicateAcks, std::min(c.snd.mss, c.snd.flight()));
  wants_output(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::FastRetransmit);
}

}  // namespace wireside::tcp
