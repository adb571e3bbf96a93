// A queue in one ring of memory: in its steady state nothing is allocated.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace wireside {

/// First in, first out. The ring doubles when it is full; when the queue is empty again and the ring has more than
/// `kept` places, its memory is given back.
template <class T, std::size_t kept = 64>
class Fifo {
 public:
  Fifo() = default;
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  Fifo(Fifo&& o) noexcept { swap(o); }
  Fifo& operator=(Fifo&& o) noexcept {
    swap(o);
    return *this;
  }
  ~Fifo() { clear(); }

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] T& front() {
    assert(!empty());
    return *(ring_.get() + head_);
  }
  void push_back(T value) {
    if (size_ == capacity_) grow();
    std::construct_at(place(size_), std::move(value));
    ++size_;
  }
  void pop_front() {
    assert(!empty());
    std::destroy_at(place(0));
    head_ = (head_ + 1) & (capacity_ - 1);
    if (--size_ == 0 && capacity_ > kept) release();
  }
  void clear() {
    while (!empty()) pop_front();
    release();
  }

 private:
  struct Free {
    std::size_t count = 0;
    void operator()(T* p) const { std::allocator<T>{}.deallocate(p, count); }
  };
  static constexpr std::size_t smallest = 8;

  [[nodiscard]] T* place(std::size_t i) const { return ring_.get() + ((head_ + i) & (capacity_ - 1)); }
  void grow() {
    const std::size_t wanted = std::max(smallest, capacity_ * 2);
    std::unique_ptr<T, Free> larger{std::allocator<T>{}.allocate(wanted), Free{wanted}};
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(larger.get() + i, std::move(*place(i)));
      std::destroy_at(place(i));
    }
    ring_ = std::move(larger);
    capacity_ = wanted;
    head_ = 0;
  }
  void release() {
    ring_.reset();
    capacity_ = head_ = 0;
  }
  void swap(Fifo& o) noexcept {
    std::swap(ring_, o.ring_);
    std::swap(capacity_, o.capacity_);
    std::swap(head_, o.head_);
    std::swap(size_, o.size_);
  }

  std::unique_ptr<T, Free> ring_{nullptr, Free{}};
  std::size_t capacity_ = 0;  // a power of two, or 0
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace wireside
