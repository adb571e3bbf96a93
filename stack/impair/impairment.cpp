#include "impair/impairment.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>
#include <utility>

#include "wire/ethernet.hpp"

namespace wireside::impair {
namespace {

using observe::ImpairmentAction;

/// One of several independent seeds.
Seed part_of(const Seed& seed, std::uint64_t part) {
  Seed out = seed;
  const Seed other = make_seed(part);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= other[i];
  return out;
}

}  // namespace

std::uint64_t Impairment::Counters::lost() const {
  constexpr auto losses = static_cast<std::ptrdiff_t>(ImpairmentAction::TooBig) + 1;
  return std::accumulate(actions.begin(), actions.begin() + losses, std::uint64_t{0});
}

Impairment::Impairment(const Settings& settings, const Seed& seed, observe::Direction direction, BufferPool& pool)
    : settings_{settings},
      direction_{direction},
      pool_{&pool},
      loss_random_{part_of(seed, 1)},
      corrupt_random_{part_of(seed, 2)},
      duplicate_random_{part_of(seed, 3)},
      jitter_random_{part_of(seed, 4)},
      reorder_random_{part_of(seed, 5)} {
  reads_headers_ = settings.mtu != 0 || settings.corrupt.possible() || !settings.drops.empty();
  if (settings.rate != 0) {
    bottleneck_.emplace(settings.rate, settings.queue.value_or(default_queue), settings.ecn);
  }
}

void Impairment::send(Instant now, Packet frame, observe::Sink& sink) {
  const Report report{now, sink};
  ++counters_.sent;
  counters_.sent_octets += frame.data.size();
  const FrameFacts facts = reads_headers_ ? examine(frame.data.view()) : FrameFacts{};
  // Every random decision is made for every frame, so that none depends on the fate of the frame.
  const bool by_rule = rule_applies(facts);
  const bool in_burst = is_lost_in_burst();
  const bool lost = happens(loss_random_, settings_.loss);
  const bool damaged = happens(corrupt_random_, settings_.corrupt);
  const bool repeated = happens(duplicate_random_, settings_.duplicate);
  const bool overtakes = happens(reorder_random_, settings_.reorder) && counters_.sent % settings_.reorder_gap == 0;
  if (!healed_) {
    if (by_rule) return note(ImpairmentAction::LostByRule, frame, report);
    if (too_big(facts, frame)) return note(ImpairmentAction::TooBig, frame, report);
    if (in_burst) return note(ImpairmentAction::LostInBurst, frame, report);
    if (lost) return note(ImpairmentAction::LostAtRandom, frame, report);
    if (damaged) corrupt(facts, frame, report);
    if (repeated) {
      note(ImpairmentAction::Duplicated, frame, report);
      pass_bottleneck(frame, overtakes, report);
    }
  }
  pass_bottleneck(std::move(frame), overtakes, report);
}

bool Impairment::rule_applies(const FrameFacts& facts) {
  for (std::size_t kind = 0; kind < seen_.size(); ++kind) seen_[kind] += facts.kinds >> kind & 1U;
  return std::ranges::any_of(settings_.drops, [&](const DropRule& rule) {
    if (!facts.is(rule.kind)) return false;
    const std::uint64_t n = seen_[static_cast<std::size_t>(rule.kind)];
    return std::ranges::any_of(rule.numbers, [n](const Numbers& numbers) { return numbers.contains(n); });
  });
}

bool Impairment::is_lost_in_burst() {
  if (!settings_.bursts) return false;
  const Bursts& b = *settings_.bursts;
  if (happens(loss_random_, bad_ ? b.to_good : b.to_bad)) bad_ = !bad_;
  return happens(loss_random_, bad_ ? b.loss_in_bad : b.loss_in_good);
}

/// Of a super-segment it is the largest segment that counts.
bool Impairment::too_big(const FrameFacts& facts, const Packet& frame) const {
  if (settings_.mtu == 0 || facts.ip_octets <= settings_.mtu) return false;
  const std::size_t headers = facts.payload_at - wire::ethernet_header_length;
  return frame.gso_size == 0 || headers + frame.gso_size > settings_.mtu;
}

/// One flipped bit: no one's-complement checksum overlooks that. Left alone are ARP, which has none, and frames whose
/// checksum is still to be completed, as that would make the damage good.
void Impairment::corrupt(const FrameFacts& facts, Packet& frame, const Report& report) {
  if (!facts.ipv4 || frame.checksum == ChecksumState::Partial) return;
  std::size_t from = wire::ethernet_header_length;
  std::size_t to = std::min(frame.data.size(), from + facts.ip_octets);
  if (settings_.corrupt_where == BitErrors::InHeader) to = std::min(to, facts.payload_at);
  if (settings_.corrupt_where == BitErrors::InPayload) from = facts.payload_at;
  if (from >= to) return;
  own(frame);
  frame.checksum = ChecksumState::Unverified;
  const std::size_t at = from + corrupt_random_.below(to - from);
  std::uint8_t& octet = frame.data.mutable_data()[at];
  octet = static_cast<std::uint8_t>(octet ^ (1U << corrupt_random_.below(8)));
  note(ImpairmentAction::Corrupted, frame, report);
}

/// Makes sure that nobody else sees what is about to be changed.
void Impairment::own(Packet& frame) {
  if (frame.data.buffer()->references() > 1) frame.data = pool_->copy(frame.data.view());
}

void Impairment::pass_bottleneck(Packet frame, bool overtakes, const Report& report) {
  if (under_way_.size() >= max_under_way) return note(ImpairmentAction::QueueFull, frame, report);
  if (!bottleneck_) return put_under_way(report.now, std::move(frame), overtakes, report);
  const auto passage = bottleneck_->join(report.now, frame.data.size());
  if (!passage) return note(ImpairmentAction::QueueFull, frame, report);
  if (passage->marked && !healed_ && allows_marking(frame.data.view())) {
    own(frame);
    mark_congestion({frame.data.mutable_data(), frame.data.size()});
    note(ImpairmentAction::Marked, frame, report);
  }
  put_under_way(passage->leaves, std::move(frame), overtakes, report);
}

void Impairment::put_under_way(Instant leaves, Packet frame, bool overtakes, const Report& report) {
  Instant arrives = leaves + settings_.delay;
  if (settings_.jitter > Duration{}) {
    const auto spread = static_cast<std::uint64_t>(2 * settings_.jitter.count()) + 1;
    arrives = arrives - settings_.jitter + Duration{static_cast<std::int64_t>(jitter_random_.below(spread))};
  }
  if (overtakes) {
    arrives = leaves;
    if (!under_way_.empty()) note(ImpairmentAction::Overtook, frame, report);
  } else if (settings_.keeps_order()) {
    arrives = last_arrival_ = std::max(arrives, last_arrival_);
  }
  under_way_.push_back({arrives, order_++, std::move(frame)});
  std::push_heap(under_way_.begin(), under_way_.end());
}

std::optional<Instant> Impairment::next_deadline() const {
  if (under_way_.empty()) return std::nullopt;
  return under_way_.front().arrives;
}

bool Impairment::receive(Instant now, Packet& frame) {
  if (next_arrival() > now) return false;
  std::pop_heap(under_way_.begin(), under_way_.end());
  frame = std::move(under_way_.back().frame);
  under_way_.pop_back();
  ++counters_.delivered;
  counters_.delivered_octets += frame.data.size();
  return true;
}

void Impairment::clear() {
  under_way_.clear();
  if (bottleneck_) bottleneck_->clear();
}

void Impairment::note(ImpairmentAction action, const Packet& frame, const Report& report) {
  ++counters_.actions[static_cast<std::size_t>(action)];
  report.sink.impaired(report.now, direction_, action, frame.data.view());
}

Packet flatten(const FrameOut& frame, BufferPool& pool) {
  Slice whole = pool.allocate_slice(frame.size());
  const ByteView header = frame.header.view();
  std::memcpy(whole.mutable_data(), header.data(), header.size());
  std::ignore = frame.payload.copy_to(0, {whole.mutable_data() + header.size(), frame.payload.octets()});
  return {.data = std::move(whole),
          .checksum = frame.checksum_wanted ? ChecksumState::Partial : ChecksumState::Unverified,
          .gso_size = frame.gso_size};
}

}  // namespace wireside::impair
