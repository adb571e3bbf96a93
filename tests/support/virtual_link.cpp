#include "support/virtual_link.hpp"

#include <algorithm>

namespace wireside::testing {

namespace {

using impair::Impairment;
using impair::Probability;
using observe::ImpairmentAction;

impair::Settings settings_of(const LinkConditions& c) {
  impair::Settings s;
  // The conditions' jitter only adds.
  s.jitter = c.jitter / 2;
  s.delay = c.delay + s.jitter;
  s.keep_order = false;
  s.loss = Probability::of(c.loss);
  s.duplicate = Probability::of(c.duplication);
  s.corrupt = Probability::of(c.corruption);
  s.rate = c.bits_per_second;
  if (s.rate != 0) s.queue = impair::QueueAmount{c.queue_octets, true};
  if (s.rate != 0 && c.mark_octets != 0) s.ecn = impair::QueueAmount{c.mark_octets, true};
  if (c.bursts > 0)
    s.bursts = impair::Bursts{.to_bad = Probability::of(c.bursts),
                              .to_good = Probability::of(c.burst_end),
                              .loss_in_bad = Probability::of(1),
                              .loss_in_good = {}};
  s.reorder = Probability::of(c.reorder);
  s.mtu = c.path_mtu;
  if (!c.lost_data.empty()) {
    s.drops.push_back({impair::FrameKind::Data, {}});
    for (const auto n : c.lost_data) s.drops.back().numbers.push_back({n, n});
  }
  return s;
}

Impairment direction(const LinkConditions& c, std::uint64_t seed, BufferPool& pool) {
  return {settings_of(c), make_seed(seed), observe::Direction::Out, pool};
}

}  // namespace

WireFrame flatten(const FrameOut& frame) {
  WireFrame out;
  out.octets.reserve(frame.size());
  const auto header = frame.header.view();
  out.octets.insert(out.octets.end(), header.begin(), header.end());
  for (const Slice& slice : frame.payload)
    out.octets.insert(out.octets.end(), slice.view().begin(), slice.view().end());
  out.checksum = frame.checksum_wanted ? ChecksumState::Partial : ChecksumState::Unverified;
  out.gso_size = frame.gso_size;
  return out;
}

VirtualLink::VirtualLink(const LinkConditions& from_0, const LinkConditions& from_1, std::uint64_t seed)
    : heals_at_{from_0.heals_at, from_1.heals_at},
      direction_{direction(from_0, seed, pool_), direction(from_1, ~seed, pool_)} {}

void VirtualLink::send(Instant now, unsigned from, const FrameOut& frame) {
  if (now >= heals_at_[from]) direction_[from].heal();
  direction_[from].send(now, impair::flatten(frame, pool_), sink_);
}

Instant VirtualLink::next_arrival() const {
  const auto of = [this](unsigned from) { return direction_[from].next_deadline().value_or(Instant::max()); };
  return std::min(of(0), of(1));
}

bool VirtualLink::receive(Instant now, unsigned& to, WireFrame& frame) {
  const Instant next = next_arrival();
  if (next > now) return false;
  const unsigned from = direction_[0].next_deadline() == next ? 0 : 1;
  Packet packet;
  if (!direction_[from].receive(now, packet)) return false;
  to = 1 - from;
  const ByteView octets = packet.data.view();
  frame = {{octets.begin(), octets.end()}, packet.checksum, packet.gso_size};
  return true;
}

void VirtualLink::clear() {
  for (Impairment& d : direction_) d.clear();
}

std::size_t VirtualLink::under_way() const { return direction_[0].under_way() + direction_[1].under_way(); }

LinkCounters VirtualLink::counters(unsigned from) const {
  const Impairment::Counters& c = direction_[from].counters();
  return {.sent = c.sent,
          .lost = c.of(ImpairmentAction::LostAtRandom),
          .duplicated = c.of(ImpairmentAction::Duplicated),
          .corrupted = c.of(ImpairmentAction::Corrupted),
          .queue_full = c.of(ImpairmentAction::QueueFull),
          .delivered = c.delivered};
}

}  // namespace wireside::testing
