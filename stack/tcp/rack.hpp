// RACK: loss detection by time (RFC 8985 section 6). A segment is lost when one sent later was delivered and a
// reordering window has passed since.
#pragma once

#include <cstdint>
#include <optional>

#include "base/seq_num.hpp"
#include "base/time.hpp"
#include "tcp/scoreboard.hpp"

namespace wireside::tcp {

/// Smallest round trip of the last minutes: two half windows of which the older one is dropped.
class MinRtt {
 public:
  void sample(Instant now, Duration rtt);
  /// Duration::max(): none yet.
  [[nodiscard]] Duration value() const { return current_ < previous_ ? current_ : previous_; }
  /// What a connection at rest keeps of it. `near` is an instant close to the others.
  template <class Codec>
  void at_rest(Codec& k, Instant near) {
    k.maybe_never(current_);
    k.maybe_never(previous_);
    k.instant(half_started_, near);
  }

 private:
  static constexpr Duration half_window = std::chrono::seconds{150};
  Duration current_ = Duration::max();
  Duration previous_ = Duration::max();
  Instant half_started_;
};

class Rack {
 public:
  static constexpr std::uint32_t dup_thresh = 3;

  /// Step 2 and step 3 for a range newly known to be delivered. `echoes_earlier`: the acknowledgement's timestamp is
  /// older than the range's last transmission, so it was caused by an earlier one.
  void delivered(Instant now, const SentRange& range, bool echoes_earlier);
  /// Step 4, after the ranges of one acknowledgement; `dsack`: it reported a duplicate.
  void adapt_to_duplicates(SeqNum snd_una, SeqNum snd_nxt, bool dsack);
  void recovery_ended();
  /// Step 5: marks what is lost. Returns how long until more may be (nullopt: nothing waits for that).
  std::optional<Duration> detect_loss(Instant now, Scoreboard& board, Duration reo_wnd, NewlyLost& lost) const;
  /// The reordering window. `impatient`: in recovery, or dup_thresh segments are reported: no reordering, no waiting.
  [[nodiscard]] Duration reordering_window(Duration srtt, bool impatient) const;
  /// Section 6.3: on a timeout the oldest segment is lost, and all that are overdue.
  std::uint32_t mark_losses_on_timeout(Instant now, Scoreboard& board, std::uint32_t mss, Duration reo_wnd) const;

  [[nodiscard]] MinRtt& min_rtt() { return min_rtt_; }
  [[nodiscard]] const MinRtt& min_rtt() const { return min_rtt_; }
  [[nodiscard]] Duration rtt() const { return rtt_; }
  [[nodiscard]] bool reordering_seen() const { return reordering_seen_; }
  [[nodiscard]] unsigned window_multiplier() const { return reo_wnd_mult_; }
  /// What a connection at rest keeps of it. Nothing is in flight, and all that will be is sent later and lies behind
  /// `snd_una`: which segment was the latest to be delivered makes no difference any more.
  template <class Codec>
  void at_rest(Codec& k, Instant near, SeqNum snd_una) {
    end_seq_ = fack_ = snd_una;
    bool widened = reo_wnd_mult_ != 1 || reo_wnd_persist_ != 0;
    k.flags(anything_delivered_, reordering_seen_, widened);
    k.duration(rtt_);
    min_rtt_.at_rest(k, near);
    if (!widened) return;
    k.number(reo_wnd_mult_);
    k.number(reo_wnd_persist_);
  }

 private:
  static constexpr unsigned persistence = 16;  // recoveries for which a widened window is kept
  [[nodiscard]] bool sent_before_delivered(const SentRange& range) const;

  Instant xmit_ts_;  ///< RACK.xmit_ts: when the most recently sent of all delivered segments left
  SeqNum end_seq_;   ///< RACK.end_seq
  bool anything_delivered_ = false;
  SeqNum fack_;  ///< highest sequence number delivered
  Duration rtt_{};
  MinRtt min_rtt_;
  bool reordering_seen_ = false;
  unsigned reo_wnd_mult_ = 1;
  unsigned reo_wnd_persist_ = 0;
  std::optional<SeqNum> dsack_round_;
};

}  // namespace wireside::tcp
