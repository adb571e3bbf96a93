#include "base/deadline_queue.hpp"

#include <algorithm>

namespace wireside {
namespace {

constexpr std::size_t least_kept = 1024;

}  // namespace

DeadlineNode::~DeadlineNode() {
  if (queue_ != nullptr) queue_->remove(*this);
}

DeadlineQueue::~DeadlineQueue() {
  for (auto* node : heap_) node->queue_ = nullptr;
}

void DeadlineQueue::arm(DeadlineNode& node, Instant due) {
  node.due_ = due;
  if (node.queue_ == nullptr) {
    if (due == Instant::max()) return;
    node.queue_ = this;
    node.key_ = due;
    heap_.push_back(&node);
    place(heap_.size() - 1, &node);
    sift_up(node.slot_);
  } else if (due < node.key_) {
    node.key_ = due;
    sift_up(node.slot_);
  }
  // Later than the key: the node keeps its place until it reaches the top (settle_top).
}

void DeadlineQueue::remove(DeadlineNode& node) {
  if (node.queue_ == nullptr) return;
  const std::size_t slot = node.slot_;
  DeadlineNode* last = heap_.back();
  heap_.pop_back();
  node.queue_ = nullptr;
  node.due_ = Instant::max();
  if (heap_.capacity() > least_kept && heap_.size() < heap_.capacity() / 8) give_back_memory();
  if (last == &node) return;
  place(slot, last);
  sift_up(slot);
  sift_down(last->slot_);
}

Instant DeadlineQueue::next_settled() {
  settle_top();
  return heap_.empty() ? Instant::max() : heap_.front()->due_;
}

DeadlineNode* DeadlineQueue::pop_due(Instant now) {
  settle_top();
  if (heap_.empty() || heap_.front()->due_ > now) return nullptr;
  DeadlineNode* node = heap_.front();
  remove(*node);
  return node;
}

void DeadlineQueue::settle_top() {
  while (!heap_.empty() && heap_.front()->due_ != heap_.front()->key_) {
    DeadlineNode* top = heap_.front();
    if (top->due_ == Instant::max()) {
      remove(*top);
    } else {
      top->key_ = top->due_;
      sift_down(0);
    }
  }
}

/// There were far more than there are.
void DeadlineQueue::give_back_memory() {
  std::vector<DeadlineNode*> fewer;
  fewer.reserve(heap_.size() * 2);
  fewer.assign(heap_.begin(), heap_.end());
  heap_.swap(fewer);
}

void DeadlineQueue::place(std::size_t slot, DeadlineNode* node) {
  heap_[slot] = node;
  node->slot_ = slot;
}

void DeadlineQueue::sift_up(std::size_t slot) {
  DeadlineNode* node = heap_[slot];
  while (slot > 0) {
    const std::size_t parent = (slot - 1) / 4;
    if (heap_[parent]->key_ <= node->key_) break;
    place(slot, heap_[parent]);
    slot = parent;
  }
  place(slot, node);
}

void DeadlineQueue::sift_down(std::size_t slot) {
  DeadlineNode* node = heap_[slot];
  for (;;) {
    const std::size_t first = slot * 4 + 1;
    if (first >= heap_.size()) break;
    std::size_t best = first;
    const std::size_t end = std::min(first + 4, heap_.size());
    for (std::size_t child = first + 1; child < end; ++child) {
      if (heap_[child]->key_ < heap_[best]->key_) best = child;
    }
    if (node->key_ <= heap_[best]->key_) break;
    place(slot, heap_[best]);
    slot = best;
  }
  place(slot, node);
}

}  // namespace wireside
