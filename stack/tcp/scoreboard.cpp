#include "tcp/scoreboard.hpp"

#include <algorithm>

namespace wireside::tcp {
namespace {

bool nothing_tells_apart(const SentRange& a, const SentRange& b) {
  if (a.end != b.start || a.state != b.state) return false;
  if (a.state == SentRange::State::Sacked) return true;  // its history does not matter any more
  return a.retransmitted == b.retransmitted && a.sent_at == b.sent_at;
}

}  // namespace

/// Index of the range that holds `seq`; that of the end for what lies behind.
std::size_t Scoreboard::range_at(SeqNum seq) const {
  const auto from = ranges_.begin() + static_cast<std::ptrdiff_t>(head_);
  const auto it =
      std::partition_point(from, ranges_.end(), [&](const SentRange& r) { return r.end.at_or_before(seq); });
  return static_cast<std::size_t>(it - ranges_.begin());
}

/// Makes a range begin at `at`; its index.
std::size_t Scoreboard::split(SeqNum at) {
  const std::size_t i = range_at(at);
  if (i == ranges_.size() || ranges_[i].start.at_or_after(at)) return i;
  SentRange rest = ranges_[i];
  ranges_[i].end = rest.start = at;
  ranges_.insert(ranges_.begin() + static_cast<std::ptrdiff_t>(i) + 1, rest);
  return i + 1;
}

void Scoreboard::set_state(SentRange& r, State s) {
  count(r.state) -= r.octets();
  r.state = s;
  count(s) += r.octets();
}

/// Joins what became alike from the range before `first` to the one at `last`.
void Scoreboard::join_around(std::size_t first, std::size_t last) {
  const std::size_t begin = std::max(first, head_ + 1) - 1;
  const std::size_t end = std::min(last + 1, ranges_.size());
  if (begin >= end) return;
  std::size_t kept = begin;
  for (std::size_t i = begin + 1; i < end; ++i) {
    if (nothing_tells_apart(ranges_[kept], ranges_[i])) {
      ranges_[kept].end = ranges_[i].end;
    } else if (++kept != i) {
      ranges_[kept] = ranges_[i];
    }
  }
  ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(kept) + 1,
                ranges_.begin() + static_cast<std::ptrdiff_t>(end));
}

void Scoreboard::drop_front(std::size_t n) {
  head_ += n;
  if (empty()) {
    ranges_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= ranges_.size()) {
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

wire::SackBlock Scoreboard::whole_ranges_in(const wire::SackBlock& block) const {
  const std::size_t first = range_at(block.left);
  const std::size_t last = range_at(block.right);
  wire::SackBlock out = block;
  if (first < ranges_.size() && ranges_[first].start.before(block.left)) out.left = ranges_[first].end;
  if (last < ranges_.size()) out.right = ranges_[last].start;
  return out;
}

void Scoreboard::sent(SeqNum start, SeqNum end, Instant now, const DeliveryMark& mark) {
  const SeqNum known_end = empty() ? start : ranges_.back().end;
  if (start.before(known_end)) {
    const std::size_t first = split(start);
    const std::size_t last = split(earlier(end, known_end));
    for (std::size_t i = first; i < last; ++i) {
      set_state(ranges_[i], State::InFlight);
      ranges_[i].retransmitted = true;
      ranges_[i].sent_at = now;
      ranges_[i].mark = mark;
    }
    join_around(first, last);
  }
  if (!end.after(known_end)) return;
  const SentRange fresh{later(start, known_end), end, now, mark};
  count(State::InFlight) += fresh.octets();
  if (!empty() && nothing_tells_apart(ranges_.back(), fresh)) {
    ranges_.back().end = end;
  } else {
    ranges_.push_back(fresh);
  }
}

std::uint32_t Scoreboard::mark_all_lost() {
  return mark_lost_if([](const SentRange&) { return true; }).octets;
}

void Scoreboard::mark_front_lost(std::uint32_t octets) {
  if (empty()) return;
  const SeqNum end = earlier(ranges_[head_].start + octets, ranges_.back().end);
  const std::size_t last = split(end);
  for (std::size_t i = head_; i < last; ++i) {
    if (ranges_[i].state == State::InFlight) set_state(ranges_[i], State::Lost);
  }
}

void Scoreboard::forget_sacks() {
  for (std::size_t i = head_; i < ranges_.size(); ++i) {
    if (ranges_[i].state == State::Sacked) set_state(ranges_[i], State::Lost);
  }
}

void Scoreboard::unmark_lost() {
  for (std::size_t i = head_; i < ranges_.size(); ++i) {
    if (ranges_[i].state == State::Lost) set_state(ranges_[i], State::InFlight);
  }
}

void Scoreboard::clear() {
  std::vector<SentRange>{}.swap(ranges_);
  head_ = 0;
  octets_ = {};
}

std::optional<wire::SackBlock> Scoreboard::first_lost() const {
  if (lost() == 0) return std::nullopt;
  const SentRange* r = std::find_if(begin(), end(), [](const SentRange& x) { return x.state == State::Lost; });
  wire::SackBlock run{r->start, r->end};
  for (++r; r != end() && r->state == State::Lost; ++r) run.right = r->end;
  return run;
}

std::uint32_t Scoreboard::reported_runs() const {
  std::uint32_t runs = 0;
  if (sacked() == 0) return runs;
  for (const SentRange& r : *this) runs += r.state == State::Sacked ? 1 : 0;
  return runs;
}

SeqNum Scoreboard::reported_enough_above(std::uint32_t runs, std::uint32_t octets) const {
  std::uint32_t seen_runs = 0;
  std::uint32_t seen_octets = 0;
  for (const SentRange* r = end(); r != begin();) {
    if ((--r)->state != State::Sacked) continue;
    seen_octets += r->octets();
    if (++seen_runs >= runs || seen_octets > octets) return r->start;
  }
  return empty() ? SeqNum{} : begin()->start;
}

}  // namespace wireside::tcp
