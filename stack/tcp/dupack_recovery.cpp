// Loss recovery for peers without SACK: the third duplicate ACK starts it, partial ACKs lead through it
// (RFC 5681 section 3.2, RFC 6582).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::WindowCause;

/// SND.UNA has advanced.
void LayerState::recover_without_sack(Instant now, Connection& c, const AckNews& news) {
  Recovery& r = c.snd.recovery;
  r.dup_acks = 0;
  if (!r.fast()) {
    if (r.phase == Recovery::Phase::Loss && c.snd.snd_una.at_or_after(r.recover)) r.phase = Recovery::Phase::Open;
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
  wants_output(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::PartialAck);
}

void LayerState::count_duplicate_ack(Instant now, const IncomingSegment& s, Connection& c) {
  Recovery& r = c.snd.recovery;
  Congestion& cc = c.snd.congestion;
  const std::uint32_t cwnd = cc.cwnd();
  const std::uint32_t ssthresh = cc.ssthresh();
  if (r.dup_acks++ == 0) r.flight_at_first_dup_ack = c.snd.flight();
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
  judge_probe(now, c, true);
  reduce_for_loss(now, c, r.flight_at_first_dup_ack);
  cc.begin_fast_recovery();
  r.recover = c.snd.snd_nxt;
  r.phase = Recovery::Phase::Fast;
  r.partial_ack_seen = false;
  c.work.retransmit = true;
  c.work.retransmit_reason = TxReason::FastRetransmit;
  wants_output(c);
  report_window(now, c, cwnd, ssthresh, WindowCause::FastRetransmit);
}

}  // namespace wireside::tcp
