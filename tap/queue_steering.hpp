// One queue's part in sharing frames out: keeps those of its own stack's flows, hands the others over.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "flow_owner.hpp"
#include "fragment_ways.hpp"
#include "frame_steering.hpp"
#include "mailbox.hpp"

namespace wireside {

/// What one queue gave to others and got from them.
struct SteeringCounters {
  std::uint64_t handed_over = 0;     ///< frames that came in here and were another stack's
  std::uint64_t taken_over = 0;      ///< frames that came in elsewhere, for our stack
  std::uint64_t arp_copies = 0;      ///< copies of ARP frames made for the other stacks
  std::uint64_t lost = 0;            ///< the other queue's mailbox was full
  std::uint64_t fragments_lost = 0;  ///< fragments whose first one did not come, or for which there was no room
};

/// For one thread, but for the mailboxes. Needs no device and no clock.
class QueueSteering final : public FrameSteering {
 public:
  /// `boxes`: of every queue, our own too. `wake` is called, in our thread, when a box that was empty has got a frame.
  QueueSteering(std::size_t self, const FlowOwner& owner, std::vector<Mailbox*> boxes,
                std::function<void(std::size_t queue)> wake, Duration fragment_timeout);

  [[nodiscard]] bool takes(Instant now, const Packet& frame) override;
  /// Empties our mailbox: frames for our stack are added to `out`, in buffers of `pool`.
  void take_mail(Instant now, BufferPool& pool, std::vector<Packet>& out);
  [[nodiscard]] SteeringCounters counters() const;

 private:
  /// True: the fragment is for another stack, or kept.
  [[nodiscard]] bool places_fragment(Instant now, const FrameWay& way, const Packet& frame);
  void hand_over(std::size_t queue, const Packet& frame, bool placed);
  [[nodiscard]] bool send(std::size_t queue, const Packet& frame, bool placed);

  std::size_t self_;
  FlowOwner owner_;
  std::vector<Mailbox*> boxes_;
  std::function<void(std::size_t)> wake_;
  FragmentWays fragments_;
  Mailbox::Batch batch_;
  SteeringCounters counters_;
};

}  // namespace wireside
