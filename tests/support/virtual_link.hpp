// A network between two Stacks under a virtual clock: delay, jitter (which reorders), loss, duplication, corruption,
// and a bottleneck with a bounded queue. Everything by a seed.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "impair/impairment.hpp"
#include "packet/packet.hpp"

namespace wireside::testing {

/// What one direction does to frames: the impairments of stack/impair that the simulator draws.
struct LinkConditions {
  Duration delay = 5ms;
  Duration jitter{};  ///< up to this much more; frames overtake one another
  double loss = 0;    ///< probabilities per frame
  double duplication = 0;
  double corruption = 0;              ///< one bit of an IPv4 packet; only of frames with a complete checksum
  std::uint64_t bits_per_second = 0;  ///< 0 = no bottleneck
  std::size_t queue_octets = 256 * 1024;
  double bursts = 0;                     ///< probability per frame that the path goes bad, and loses all frames
  double burst_end = 0.2;                ///< and, while it is bad, that it is good again
  double reorder = 0;                    ///< a frame overtakes those under way
  std::size_t mark_octets = 0;           ///< ECN marks above this queue; 0 = none. Needs a bottleneck.
  std::uint16_t path_mtu = 0;            ///< larger packets are lost silently, until the network heals; 0 = all pass
  std::vector<std::uint64_t> lost_data;  ///< these segments with payload are lost, counted from 1
  Instant heals_at = Instant::max();     ///< from then on nothing is lost, repeated or damaged
};

struct LinkCounters {
  std::uint64_t sent = 0, lost = 0, duplicated = 0, corrupted = 0, queue_full = 0, delivered = 0;
};

/// A frame as one run of octets, with what a virtio-net header would say of it.
struct WireFrame {
  std::vector<std::uint8_t> octets;
  ChecksumState checksum = ChecksumState::Unverified;
  std::uint16_t gso_size = 0;
};

/// What a TAP driver makes of an outgoing frame: a super-segment stays whole, a wanted checksum stays partial.
[[nodiscard]] WireFrame flatten(const FrameOut& frame);

/// Side 0 and side 1; a frame sent by one arrives at the other.
class VirtualLink {
 public:
  VirtualLink(const LinkConditions& from_0, const LinkConditions& from_1, std::uint64_t seed);

  void send(Instant now, unsigned from, const FrameOut& frame);
  /// When the next frame arrives; Instant::max() when none is under way.
  [[nodiscard]] Instant next_arrival() const;
  /// Takes the next frame that has arrived by `now`; false when there is none. `to` is the receiving side.
  [[nodiscard]] bool receive(Instant now, unsigned& to, WireFrame& frame);
  /// Everything under way is lost.
  void clear();
  [[nodiscard]] std::size_t under_way() const;
  [[nodiscard]] LinkCounters counters(unsigned from) const;

 private:
  BufferPool pool_;
  observe::Sink sink_;
  std::array<Instant, 2> heals_at_;
  std::array<impair::Impairment, 2> direction_;
};

}  // namespace wireside::testing
