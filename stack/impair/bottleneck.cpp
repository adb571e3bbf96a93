#include "impair/bottleneck.hpp"

namespace wireside::impair {
namespace {

/// Time for `octets` at `rate` bits per second, rounded up.
Duration sending_time(std::uint64_t octets, std::uint64_t rate) {
  // In steps, so that 64 bits do: rate * 10^9 would not fit.
  static_assert(max_rate <= UINT64_MAX / 1'000'000);
  const std::uint64_t bits = octets * 8;
  const std::uint64_t millionths = bits % rate * 1'000'000;
  const std::uint64_t ns = millionths / rate * 1'000 + (millionths % rate * 1'000 + rate - 1) / rate;
  return std::chrono::seconds{bits / rate} + Duration{static_cast<std::int64_t>(ns)};
}

}  // namespace

void Bottleneck::advance(Instant now) {
  while (!waiting_.empty() && waiting_.front().starts <= now) {
    waiting_octets_ -= waiting_.front().octets;
    waiting_.pop_front();
  }
}

bool Bottleneck::reaches(const QueueAmount& limit, std::size_t more_octets) const {
  return limit.in_octets ? waiting_octets_ + more_octets > limit.amount : waiting_.size() >= limit.amount;
}

std::optional<Bottleneck::Passage> Bottleneck::join(Instant now, std::size_t octets) {
  advance(now);
  Passage passage;
  if (free_at_ <= now) {
    busy_since_ = now;
    octets_since_ = 0;
  } else {
    if (reaches(queue_, octets)) return std::nullopt;
    passage.marked = mark_from_ && reaches(*mark_from_, octets);
    waiting_.push_back({free_at_, octets});
    waiting_octets_ += octets;
  }
  octets_since_ += octets;
  free_at_ = passage.leaves = busy_since_ + sending_time(octets_since_, rate_);
  return passage;
}

std::size_t Bottleneck::waiting(Instant now) {
  advance(now);
  return waiting_.size();
}

void Bottleneck::clear() {
  waiting_.clear();
  waiting_octets_ = 0;
  free_at_ = Instant{};
}

}  // namespace wireside::impair
