// Impairment: one direction of a path between two stations.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "impair/bottleneck.hpp"
#include "impair/frame_kind.hpp"
#include "impair/settings.hpp"
#include "observe/event.hpp"
#include "packet/packet.hpp"

namespace wireside::impair {

/// Frames go in with the time, and come out by being pulled when they arrive. What happens to a frame is decided when
/// it goes in. Same settings, seed and input give the same output. Each kind of accident has random numbers of its own,
/// so that adding one leaves the others where they were. Not thread-safe.
class Impairment {
 public:
  /// `direction` is what reports say. The pool outlives this.
  Impairment(const Settings& settings, const Seed& seed, observe::Direction direction, BufferPool& pool);

  /// A frame is sent. What is done to it is counted and reported there; `sink` is used only during the call. A
  /// super-segment passes, or is lost, as one frame: cut it before if it stands for frames on a wire.
  void send(Instant now, Packet frame, observe::Sink& sink);
  /// Takes the next frame that has arrived by `now`; false when there is none.
  [[nodiscard]] bool receive(Instant now, Packet& frame);
  /// When the next frame arrives; exact; nullopt when none is under way.
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  /// The same; Instant::max() when none is under way.
  [[nodiscard]] Instant next_arrival() const {
    return under_way_.empty() ? Instant::max() : under_way_.front().arrives;
  }

  /// From now on nothing is lost, repeated, damaged or marked; delay, rate and queue stay.
  void heal() { healed_ = true; }
  /// Everything under way is lost.
  void clear();
  [[nodiscard]] std::size_t under_way() const { return under_way_.size(); }
  [[nodiscard]] const Settings& settings() const { return settings_; }

  struct Counters {
    std::uint64_t sent = 0, sent_octets = 0, delivered = 0, delivered_octets = 0;
    std::array<std::uint64_t, static_cast<std::size_t>(observe::ImpairmentAction::Count)> actions{};
    [[nodiscard]] std::uint64_t of(observe::ImpairmentAction a) const { return actions[static_cast<std::size_t>(a)]; }
    [[nodiscard]] std::uint64_t lost() const;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

  /// Frames under way at once, however long the delay: more are lost as if a queue were full.
  static constexpr std::size_t max_under_way = 65536;

 private:
  struct UnderWay {
    Instant arrives;
    std::uint64_t order = 0;  // of sending, so that equal times keep their order
    Packet frame;
    [[nodiscard]] bool operator<(const UnderWay& o) const {  // for a heap with the earliest on top
      return arrives != o.arrives ? arrives > o.arrives : order > o.order;
    }
  };
  struct Report {
    Instant now;
    observe::Sink& sink;
  };
  [[nodiscard]] static bool happens(Random& random, Probability p) {
    return p.possible() && random.below(Probability::certain) < p.per_billion;
  }
  [[nodiscard]] bool rule_applies(const FrameFacts& facts);
  [[nodiscard]] bool is_lost_in_burst();
  [[nodiscard]] bool too_big(const FrameFacts& facts, const Packet& frame) const;
  void corrupt(const FrameFacts& facts, Packet& frame, const Report& report);
  void pass_bottleneck(Packet frame, bool overtakes, const Report& report);
  void put_under_way(Instant leaves, Packet frame, bool overtakes, const Report& report);
  void own(Packet& frame);
  void note(observe::ImpairmentAction action, const Packet& frame, const Report& report);

  Settings settings_;
  observe::Direction direction_;
  BufferPool* pool_;
  Random loss_random_, corrupt_random_, duplicate_random_, jitter_random_, reorder_random_;
  std::optional<Bottleneck> bottleneck_;
  std::array<std::uint64_t, static_cast<std::size_t>(FrameKind::Count)> seen_{};  // frames of each kind
  bool bad_ = false;                                                              // the state of bursts
  bool healed_ = false;
  bool reads_headers_ = false;  // what is to be done depends on what a frame is
  Instant last_arrival_;
  std::uint64_t order_ = 0;
  std::vector<UnderWay> under_way_;
  Counters counters_;
};

/// A frame as one run of octets in a buffer of `pool`, with what a device would say of it: a wanted checksum stays
/// partial, a super-segment whole.
[[nodiscard]] Packet flatten(const FrameOut& frame, BufferPool& pool);

}  // namespace wireside::impair
