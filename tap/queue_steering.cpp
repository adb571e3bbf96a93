#include "queue_steering.hpp"

#include <utility>

namespace wireside {

QueueSteering::QueueSteering(std::size_t self, const FlowOwner& owner, std::vector<Mailbox*> boxes,
                             std::function<void(std::size_t queue)> wake, Duration fragment_timeout)
    : self_{self}, owner_{owner}, boxes_{std::move(boxes)}, wake_{std::move(wake)}, fragments_{fragment_timeout} {}

bool QueueSteering::takes(Instant now, const Packet& frame) {
  const FrameWay way = owner_.way_of(frame.data.view());
  switch (way.kind) {
    case FrameWay::Kind::Queue:
      if (way.queue == self_) return false;
      hand_over(way.queue, frame, true);
      return true;
    case FrameWay::Kind::Everyone:
      for (std::size_t queue = 0; queue < boxes_.size(); ++queue) {
        if (queue != self_ && send(queue, frame, true)) ++counters_.arp_copies;
      }
      return false;
    case FrameWay::Kind::Fragment:
      if (way.queue == self_) return places_fragment(now, way, frame);
      hand_over(way.queue, frame, false);
      return true;
  }
  return false;
}

bool QueueSteering::places_fragment(Instant now, const FrameWay& way, const Packet& frame) {
  const auto queue = fragments_.place(now, way.fragment, way.fragment_owner, frame);
  for (const Packet& earlier : fragments_.take_released()) hand_over(*queue, earlier, true);
  if (queue == self_) return false;
  if (queue) hand_over(*queue, frame, true);
  return true;
}

void QueueSteering::hand_over(std::size_t queue, const Packet& frame, bool placed) {
  if (send(queue, frame, placed)) ++counters_.handed_over;
}

bool QueueSteering::send(std::size_t queue, const Packet& frame, bool placed) {
  const auto posted = boxes_[queue]->post(frame, placed);
  if (posted == Mailbox::Posted::Full) ++counters_.lost;
  if (posted == Mailbox::Posted::First) wake_(queue);
  return posted != Mailbox::Posted::Full;
}

void QueueSteering::take_mail(Instant now, BufferPool& pool, std::vector<Packet>& out) {
  boxes_[self_]->take(batch_);
  for (const Mailbox::Frame& f : batch_.frames) {
    Packet packet{.data = pool.copy(batch_.view(f)), .checksum = f.checksum, .gso_size = f.gso_size};
    if (!f.placed && takes(now, packet)) continue;
    ++counters_.taken_over;
    out.push_back(std::move(packet));
  }
  batch_.clear();
}

SteeringCounters QueueSteering::counters() const {
  SteeringCounters out = counters_;
  out.fragments_lost = fragments_.lost();
  return out;
}

}  // namespace wireside
