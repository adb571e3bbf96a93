// What was sent and is not acknowledged cumulatively, range by range: when it left last, what the peer said of it
// (RFC 2018) and what was concluded (RFC 8985 section 5.2, RFC 6675 section 3).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/seq_num.hpp"
#include "base/time.hpp"
#include "tcp/delivery_rate.hpp"
#include "wire/tcp.hpp"

namespace wireside::tcp {

/// Neighbouring sequence numbers with the same history. A FIN counts as one octet.
struct SentRange {
  enum class State : std::uint8_t {
    InFlight,
    Lost,    ///< and not sent again since
    Sacked,  ///< the peer has it
  };
  SeqNum start;
  SeqNum end;  ///< octet after the last
  Instant sent_at;
  DeliveryMark mark;
  State state = State::InFlight;
  bool retransmitted = false;  ///< at least once

  [[nodiscard]] std::uint32_t octets() const { return span_octets(start, end); }
};

/// What was found to be lost at one time.
struct NewlyLost {
  std::uint32_t octets = 0;
  std::optional<SeqNum> sent_once;     ///< octet after the highest of those that had left once
  std::optional<Instant> repeated_at;  ///< when the latest of the others had left

  void add(const SentRange& r) {
    octets += r.octets();
    if (r.retransmitted) {
      repeated_at = std::max(repeated_at.value_or(r.sent_at), r.sent_at);
    } else {
      sent_once = sent_once ? later(*sent_once, r.end) : r.end;
    }
  }
};

/// Covers [SND.UNA, SND.NXT) without gaps. Ranges are cut where acknowledgements and retransmissions cut them, and
/// joined again where nothing tells them apart.
class Scoreboard {
 public:
  using State = SentRange::State;
  /// No peer can make us keep more than this by selective acknowledgements: beyond it only whole ranges count
  /// (CVE-2019-11478).
  static constexpr std::size_t max_ranges = 4096;

  /// [start, end) leaves at `now`: new where it continues what is known, again elsewhere. `start` lies in what is known
  /// or at its end (an empty board takes any).
  void sent(SeqNum start, SeqNum end, Instant now, const DeliveryMark& mark);
  /// Everything before `una` was received. Calls `delivered(range)` for each part that was not known to be.
  template <class F>
  void acknowledge(SeqNum una, F&& delivered);
  /// The peer has `block`. Calls `delivered(range)` for each part that was not known to be.
  template <class F>
  void sack(const wire::SackBlock& block, F&& delivered);
  /// What is in flight and fulfils `lost(range)` is to be sent again.
  template <class P>
  NewlyLost mark_lost_if(P&& lost);
  std::uint32_t mark_all_lost();  ///< how many octets that are
  /// At most the first `octets` from SND.UNA on, if in flight.
  void mark_front_lost(std::uint32_t octets);
  /// The peer may drop what it reported (RFC 2018 section 8): reported ranges count as lost.
  void forget_sacks();
  /// What was taken for lost and not sent again is in flight after all.
  void unmark_lost();
  void clear();

  [[nodiscard]] bool empty() const { return head_ == ranges_.size(); }
  [[nodiscard]] std::size_t size() const { return ranges_.size() - head_; }
  [[nodiscard]] const SentRange* begin() const { return ranges_.data() + head_; }
  [[nodiscard]] const SentRange* end() const { return ranges_.data() + ranges_.size(); }
  /// What the network holds (RFC 6675's pipe), octets.
  [[nodiscard]] std::uint32_t in_flight() const { return octets_[static_cast<std::size_t>(State::InFlight)]; }
  [[nodiscard]] std::uint32_t lost() const { return octets_[static_cast<std::size_t>(State::Lost)]; }
  [[nodiscard]] std::uint32_t sacked() const { return octets_[static_cast<std::size_t>(State::Sacked)]; }
  /// The first run of lost octets; its end is that of the last neighbouring lost range.
  [[nodiscard]] std::optional<wire::SackBlock> first_lost() const;
  /// Separate runs the peer has reported.
  [[nodiscard]] std::uint32_t reported_runs() const;
  /// Everything before this has at least `runs` reported runs or more than `octets` reported octets above it
  /// (RFC 6675 section 4, IsLost); the board's begin if nothing has.
  [[nodiscard]] SeqNum reported_enough_above(std::uint32_t runs, std::uint32_t octets) const;

 private:
  std::uint32_t& count(State s) { return octets_[static_cast<std::size_t>(s)]; }
  [[nodiscard]] std::size_t range_at(SeqNum seq) const;
  std::size_t split(SeqNum at);
  void set_state(SentRange& r, State s);
  void join_around(std::size_t first, std::size_t last);
  void drop_front(std::size_t n);
  [[nodiscard]] wire::SackBlock whole_ranges_in(const wire::SackBlock& block) const;

  std::vector<SentRange> ranges_;
  std::size_t head_ = 0;  // ranges_ before this are gone
  std::array<std::uint32_t, 3> octets_{};
};

template <class F>
void Scoreboard::acknowledge(SeqNum una, F&& delivered) {
  if (empty() || una.at_or_before(ranges_[head_].start)) return;
  const auto take = [&](const SentRange& r) {
    if (r.state != State::Sacked) delivered(r);
    count(r.state) -= r.octets();
  };
  std::size_t last = head_;
  for (; last < ranges_.size() && ranges_[last].end.at_or_before(una); ++last) take(ranges_[last]);
  if (last < ranges_.size() && ranges_[last].start.before(una)) {
    SentRange front = ranges_[last];
    front.end = ranges_[last].start = una;
    take(front);
  }
  if (last > head_) drop_front(last - head_);
}

template <class F>
void Scoreboard::sack(const wire::SackBlock& reported, F&& delivered) {
  if (empty()) return;
  wire::SackBlock block{later(reported.left, ranges_[head_].start), earlier(reported.right, ranges_.back().end)};
  if (size() + 2 > max_ranges) block = whole_ranges_in(block);
  if (!block.left.before(block.right)) return;
  const std::size_t first = split(block.left);
  const std::size_t last = split(block.right);
  for (std::size_t i = first; i < last; ++i) {
    if (ranges_[i].state == State::Sacked) continue;
    delivered(ranges_[i]);
    set_state(ranges_[i], State::Sacked);
  }
  join_around(first, last);
}

template <class P>
NewlyLost Scoreboard::mark_lost_if(P&& is_lost) {
  NewlyLost news;
  for (std::size_t i = head_; i < ranges_.size(); ++i) {
    if (ranges_[i].state != State::InFlight || !is_lost(std::as_const(ranges_[i]))) continue;
    set_state(ranges_[i], State::Lost);
    news.add(ranges_[i]);
  }
  return news;
}

}  // namespace wireside::tcp
