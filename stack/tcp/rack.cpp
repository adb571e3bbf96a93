#include "tcp/rack.hpp"

#include <algorithm>

namespace wireside::tcp {

void MinRtt::sample(Instant now, Duration rtt) {
  if (now - half_started_ > half_window) {
    previous_ = now - half_started_ > 2 * half_window ? Duration::max() : current_;
    current_ = Duration::max();
    half_started_ = now;
  }
  current_ = std::min(current_, rtt);
}

void Rack::delivered(Instant now, const SentRange& range, bool echoes_earlier) {
  if (!anything_delivered_ || range.end.after(fack_)) {
    fack_ = range.end;
  } else if (range.end.before(fack_) && !range.retransmitted) {
    reordering_seen_ = true;
  }
  const Duration rtt = now - range.sent_at;
  const bool too_soon = min_rtt_.value() != Duration::max() && rtt < min_rtt_.value();
  if (range.retransmitted && (echoes_earlier || too_soon)) return;
  rtt_ = rtt;
  const bool later_sent = range.sent_at > xmit_ts_ || (range.sent_at == xmit_ts_ && range.end.after(end_seq_));
  if (anything_delivered_ && !later_sent) return;
  anything_delivered_ = true;
  xmit_ts_ = range.sent_at;
  end_seq_ = range.end;
}

void Rack::adapt_to_duplicates(SeqNum snd_una, SeqNum snd_nxt, bool dsack) {
  if (dsack_round_ && snd_una.at_or_after(*dsack_round_)) dsack_round_.reset();
  if (!dsack || dsack_round_) return;
  dsack_round_ = snd_nxt;
  ++reo_wnd_mult_;
  reo_wnd_persist_ = persistence;
}

void Rack::recovery_ended() {
  if (reo_wnd_persist_ > 0 && --reo_wnd_persist_ == 0) reo_wnd_mult_ = 1;
}

Duration Rack::reordering_window(Duration srtt, bool impatient) const {
  if (!reordering_seen_ && impatient) return Duration{0};
  if (min_rtt_.value() == Duration::max()) return Duration{0};
  // Segments that overtook others on their way may have left a min_rtt far below what the path's reordering needs:
  // once duplicates prove the window too small, it widens in steps of the usual round trip.
  const Duration step = std::max(min_rtt_.value(), srtt) / 4;
  return std::min(min_rtt_.value() / 4 + (reo_wnd_mult_ - 1) * step, srtt);
}

/// RACK_sent_after(RACK.xmit_ts, RACK.end_seq, segment).
bool Rack::sent_before_delivered(const SentRange& range) const {
  return range.sent_at < xmit_ts_ || (range.sent_at == xmit_ts_ && range.end.before(end_seq_));
}

std::optional<Duration> Rack::detect_loss(Instant now, Scoreboard& board, Duration reo_wnd, NewlyLost& lost) const {
  std::optional<Duration> wait;
  lost = {};
  if (!anything_delivered_) return wait;
  lost = board.mark_lost_if([&](const SentRange& range) {
    if (!sent_before_delivered(range)) return false;
    const Duration remaining = range.sent_at + rtt_ + reo_wnd - now;
    if (remaining <= Duration{0}) return true;
    wait = std::max(wait.value_or(Duration{0}), remaining);
    return false;
  });
  return wait;
}

std::uint32_t Rack::mark_losses_on_timeout(Instant now, Scoreboard& board, std::uint32_t mss, Duration reo_wnd) const {
  const std::uint32_t before = board.lost();
  board.mark_front_lost(mss);
  board.mark_lost_if([&](const SentRange& range) { return range.sent_at + rtt_ + reo_wnd <= now; });
  return board.lost() - before;
}

}  // namespace wireside::tcp
