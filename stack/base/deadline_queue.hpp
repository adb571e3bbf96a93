// A 4-ary heap of deadlines, one node per owner, moved lazily: arming later than the queued time costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace wireside {

class DeadlineQueue;

/// Embedded in whatever has a deadline. `due` is exact; the heap may hold it under an earlier key.
class DeadlineNode {
 public:
  DeadlineNode() = default;
  DeadlineNode(const DeadlineNode&) = delete;
  DeadlineNode& operator=(const DeadlineNode&) = delete;
  ~DeadlineNode();
  [[nodiscard]] Instant due() const { return due_; }

 private:
  friend class DeadlineQueue;
  DeadlineQueue* queue_ = nullptr;
  std::size_t slot_ = 0;
  Instant key_ = Instant::max();
  Instant due_ = Instant::max();
};

class DeadlineQueue {
 public:
  DeadlineQueue() = default;
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;
  ~DeadlineQueue();

  /// Sets when `node` is due; Instant::max() disarms it. Logarithmic when it moves earlier, else constant.
  void arm(DeadlineNode& node, Instant due);
  void remove(DeadlineNode& node);
  /// Exact earliest deadline, or Instant::max(). Settles lazily moved nodes first.
  [[nodiscard]] Instant next() {
    if (heap_.empty()) return Instant::max();
    if (heap_.front()->due_ == heap_.front()->key_) return heap_.front()->due_;
    return next_settled();
  }
  /// The node that is due at or before `now` (disarmed by this call), or nullptr.
  [[nodiscard]] DeadlineNode* pop_due(Instant now);
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  void place(std::size_t slot, DeadlineNode* node);
  void sift_up(std::size_t slot);
  void sift_down(std::size_t slot);
  void settle_top();
  void give_back_memory();
  [[nodiscard]] Instant next_settled();
  std::vector<DeadlineNode*> heap_;
};

}  // namespace wireside
