// Elements in a row that come at the back and go at the front, in memory of a buffer pool while there are any.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "packet/buffer.hpp"

namespace wireside {

/// Takes sixteen octets and nothing more while it is empty: connections that are idle hold no memory, and those that
/// are not cost the heap nothing, as blocks go round in the pool.
template <class T>
class PoolArray {
 public:
  PoolArray() = default;
  PoolArray(const PoolArray&) = delete;
  PoolArray& operator=(const PoolArray&) = delete;
  PoolArray(PoolArray&& o) noexcept
      : items_{std::exchange(o.items_, nullptr)}, head_{std::exchange(o.head_, 0)}, end_{std::exchange(o.end_, 0)} {}
  PoolArray& operator=(PoolArray&& o) noexcept {
    std::swap(items_, o.items_);
    std::swap(head_, o.head_);
    std::swap(end_, o.end_);
    return *this;
  }
  ~PoolArray() { clear(); }

  [[nodiscard]] bool empty() const { return head_ == end_; }
  [[nodiscard]] std::size_t size() const { return end_ - head_; }
  [[nodiscard]] T& front() { return items_[head_]; }
  [[nodiscard]] T& back() { return items_[end_ - 1]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return items_[head_ + i]; }
  [[nodiscard]] const T* begin() const { return items_ + head_; }
  [[nodiscard]] const T* end() const { return items_ + end_; }

  void push_back(T value, BufferPool& pool) {
    if (items_ == nullptr || end_ == capacity()) make_room(pool);
    std::construct_at(items_ + end_, std::move(value));
    ++end_;
  }
  /// Gives the memory back with the last element.
  void pop_front() {
    assert(!empty());
    std::destroy_at(items_ + head_);
    if (++head_ == end_) release();
  }
  void clear() {
    if (items_ == nullptr) return;
    std::destroy(items_ + head_, items_ + end_);
    release();
  }

 private:
  static_assert(alignof(T) <= BufferPool::block_alignment);
  [[nodiscard]] std::uint32_t capacity() const {
    return static_cast<std::uint32_t>(BufferPool::block_size(items_) / sizeof(T));
  }
  /// Half of the places are free at the front: moves down. Else a block twice as large.
  void make_room(BufferPool& pool) {
    const std::uint32_t count = end_ - head_;
    T* const before = items_;
    const bool move_down = before != nullptr && head_ >= count;
    T* const after = move_down ? before : static_cast<T*>(pool.take_block((std::size_t{count} + 1) * sizeof(T)));
    for (std::uint32_t i = 0; i < count; ++i) {
      std::construct_at(after + i, std::move(before[head_ + i]));
      std::destroy_at(before + head_ + i);
    }
    if (before != nullptr && !move_down) BufferPool::give_back_block(before);
    items_ = after;
    head_ = 0;
    end_ = count;
  }
  void release() {
    BufferPool::give_back_block(items_);
    items_ = nullptr;
    head_ = end_ = 0;
  }

  T* items_ = nullptr;
  std::uint32_t head_ = 0;
  std::uint32_t end_ = 0;
};

}  // namespace wireside
