#include "support/virtual_link.hpp"

#include <algorithm>

namespace wireside::testing {

namespace {
constexpr std::size_t ethernet_header = 14;
constexpr std::size_t transport_offset = ethernet_header + 20;

bool is_ipv4(const WireFrame& frame) {
  return frame.octets.size() > transport_offset && load_be16(frame.octets.data() + 12) == 0x0800;
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
    : random_{seed}, direction_{Direction{from_0, {}, {}}, Direction{from_1, {}, {}}} {}

void VirtualLink::send(Instant now, unsigned from, const FrameOut& frame_out) {
  Direction& d = direction_[from];
  const LinkConditions& c = d.conditions;
  const bool impaired = now < c.heals_at;
  ++d.counters.sent;
  // The same draws are made whatever happens, so that a change of one probability does not shift the others.
  const bool lost = random_.chance(c.loss) && impaired;
  const bool repeated = random_.chance(c.duplication) && impaired;
  const bool damaged = random_.chance(c.corruption) && impaired;
  if (lost) {
    ++d.counters.lost;
    return;
  }
  WireFrame frame = flatten(frame_out);
  Instant leaves = now;
  if (c.bits_per_second != 0) {
    const auto ns_for = [&](std::size_t octets) {
      return Duration{static_cast<std::int64_t>(octets * 8 * 1'000'000'000 / c.bits_per_second)};
    };
    const Instant free = std::max(now, d.busy_until);
    if (free - now > ns_for(c.queue_octets)) {
      ++d.counters.queue_full;
      return;
    }
    d.busy_until = leaves = free + ns_for(frame.octets.size());
  }
  if (repeated) {
    ++d.counters.duplicated;
    put_under_way(leaves, from, frame);
  }
  if (damaged && frame.checksum == ChecksumState::Unverified && is_ipv4(frame)) {
    ++d.counters.corrupted;
    corrupt(frame);
  }
  put_under_way(leaves, from, std::move(frame));
}

void VirtualLink::put_under_way(Instant leaves, unsigned from, WireFrame frame) {
  const LinkConditions& c = direction_[from].conditions;
  const Instant arrives = leaves + c.delay + random_.duration_below(c.jitter);
  under_way_.push_back({arrives, order_++, 1 - from, std::move(frame)});
  std::push_heap(under_way_.begin(), under_way_.end());
}

/// One flipped bit behind the Ethernet header: no one's-complement checksum overlooks that.
void VirtualLink::corrupt(WireFrame& frame) {
  const std::size_t at = ethernet_header + random_.below(frame.octets.size() - ethernet_header);
  frame.octets[at] = static_cast<std::uint8_t>(frame.octets[at] ^ (1U << random_.below(8)));
}

Instant VirtualLink::next_arrival() const { return under_way_.empty() ? Instant::max() : under_way_.front().arrives; }

bool VirtualLink::receive(Instant now, unsigned& to, WireFrame& frame) {
  if (next_arrival() > now) return false;
  std::pop_heap(under_way_.begin(), under_way_.end());
  to = under_way_.back().to;
  frame = std::move(under_way_.back().frame);
  under_way_.pop_back();
  ++direction_[1 - to].counters.delivered;
  return true;
}

}  // namespace wireside::testing
