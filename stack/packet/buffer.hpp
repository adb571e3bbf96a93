// Refcounted octet blocks and slices of them: payload is written once and then only referenced.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace wireside {

class BufferPool;

/// A block of octets shared by reference counting (one thread, so plain counters). Memory returns to its pool.
class Buffer {
 public:
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint8_t* data() { return data_; }
  [[nodiscard]] std::uint32_t references() const { return references_; }
  /// Octets of the application's own (BufferPool::lend): to be read only.
  [[nodiscard]] bool is_lent() const { return size_class_ == lent_class; }
  /// The octets will not be used up as was meant: reported when they are given back. Nothing for what is not lent.
  void mark_unused();

 private:
  friend class BufferPool;
  friend class BufferRef;
  Buffer() = default;
  static constexpr std::uint32_t lent_class = UINT32_MAX;
  void* pool_ = nullptr;
  union {
    std::uint8_t* data_ = nullptr;
    Buffer* next_free_;  // in the pool's list
  };
  std::uint32_t references_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t size_class_ = 0;
};

/// Lent octets that nobody refers to any more.
struct ReturnedLoan {
  std::uint64_t ticket = 0;
  /// They were used up: a stream's were acknowledged by the peer (or copied, where they were few).
  bool used = true;
};

/// Owning reference to a Buffer.
class BufferRef {
 public:
  BufferRef() = default;
  explicit BufferRef(Buffer* b) : buffer_{b} {
    if (buffer_ != nullptr) ++buffer_->references_;
  }
  BufferRef(const BufferRef& o) : BufferRef{o.buffer_} {}
  BufferRef(BufferRef&& o) noexcept : buffer_{std::exchange(o.buffer_, nullptr)} {}
  BufferRef& operator=(BufferRef o) noexcept {
    std::swap(buffer_, o.buffer_);
    return *this;
  }
  ~BufferRef() { release(); }
  [[nodiscard]] Buffer* get() const { return buffer_; }
  Buffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }

 private:
  void release();
  Buffer* buffer_ = nullptr;
};

/// A run of octets inside a Buffer; copying it shares the octets.
class Slice {
 public:
  Slice() = default;
  Slice(BufferRef buffer, std::size_t offset, std::size_t length)
      : buffer_{std::move(buffer)},
        offset_{static_cast<std::uint32_t>(offset)},
        length_{static_cast<std::uint32_t>(length)} {
    assert(!buffer_ || offset + length <= buffer_->capacity());
  }
  [[nodiscard]] std::size_t size() const { return length_; }
  [[nodiscard]] bool empty() const { return length_ == 0; }
  [[nodiscard]] const std::uint8_t* data() const { return buffer_ ? buffer_->data() + offset_ : nullptr; }
  /// For the producer only, before the slice is shared.
  [[nodiscard]] std::uint8_t* mutable_data() { return buffer_ ? buffer_->data() + offset_ : nullptr; }
  [[nodiscard]] ByteView view() const { return {data(), length_}; }
  /// The part [from, from + count); both are clamped to the slice.
  [[nodiscard]] Slice sub(std::size_t from, std::size_t count = SIZE_MAX) const {
    const std::size_t start = from < length_ ? from : length_;
    const std::size_t left = length_ - start;
    return Slice{buffer_, offset_ + start, count < left ? count : left};
  }
  void remove_prefix(std::size_t n) {
    assert(n <= length_);
    offset_ += static_cast<std::uint32_t>(n);
    length_ -= static_cast<std::uint32_t>(n);
  }
  void remove_suffix(std::size_t n) {
    assert(n <= length_);
    length_ -= static_cast<std::uint32_t>(n);
  }
  [[nodiscard]] const BufferRef& buffer() const { return buffer_; }
  /// Octets of the block that can still be written behind this slice (send queue tail coalescing).
  [[nodiscard]] std::size_t tailroom() const { return buffer_ ? buffer_->capacity() - offset_ - length_ : 0; }
  /// Takes `n` octets of tailroom into the slice; the caller is the only writer of the tail.
  void extend(std::size_t n) {
    assert(n <= tailroom());
    length_ += static_cast<std::uint32_t>(n);
  }

 private:
  BufferRef buffer_;
  std::uint32_t offset_ = 0;
  std::uint32_t length_ = 0;
};

/// Payload of one outgoing segment: a few slices in order, no allocation.
class SliceList {
 public:
  static constexpr std::size_t max_slices = 18;
  SliceList() = default;
  SliceList(const SliceList& o) { *this = o; }
  SliceList(SliceList&& o) noexcept { *this = std::move(o); }
  // Most lists hold one or two slices: only those are looked at.
  SliceList& operator=(const SliceList& o) {
    if (this == &o) return *this;
    clear();
    for (const Slice& s : o) push_back(s);
    return *this;
  }
  SliceList& operator=(SliceList&& o) noexcept {
    if (this == &o) return *this;
    clear();
    for (std::size_t i = 0; i < o.count_; ++i) slices_[i] = std::move(o.slices_[i]);
    count_ = std::exchange(o.count_, 0);
    octets_ = std::exchange(o.octets_, 0);
    return *this;
  }
  ~SliceList() = default;
  [[nodiscard]] bool full() const { return count_ == max_slices; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t octets() const { return octets_; }
  [[nodiscard]] bool empty() const { return octets_ == 0; }
  void push_back(Slice s) {
    assert(!full());
    octets_ += s.size();
    slices_[count_++] = std::move(s);
  }
  void clear() {
    for (std::size_t i = 0; i < count_; ++i) slices_[i] = Slice{};
    count_ = octets_ = 0;
  }
  [[nodiscard]] const Slice* begin() const { return slices_.data(); }
  [[nodiscard]] const Slice* end() const { return slices_.data() + count_; }
  [[nodiscard]] const Slice& operator[](std::size_t i) const { return slices_[i]; }
  /// Copies octets [from, from + out.size()) to `out`; returns how many there were.
  std::size_t copy_to(std::size_t from, MutableByteView out) const;

 private:
  std::array<Slice, max_slices> slices_{};
  std::size_t count_ = 0;
  std::size_t octets_ = 0;
};

/// Source of Buffers in a few size classes with free lists. Outlives its owner while buffers are out.
class BufferPool {
 public:
  BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  /// A buffer of at least `capacity` octets (contents undefined).
  [[nodiscard]] BufferRef allocate(std::size_t capacity);
  /// Whole-buffer slice of exactly `length` octets.
  [[nodiscard]] Slice allocate_slice(std::size_t length) { return Slice{allocate(length), 0, length}; }
  [[nodiscard]] Slice copy(ByteView data);
  /// Octets that stay the application's: they are neither copied nor changed, and must stay as they are until `ticket`
  /// (not 0) comes back from poll_returned(), which is after the last slice of them has gone. At most 2^32 - 1.
  [[nodiscard]] Slice lend(ByteView octets, std::uint64_t ticket);
  /// A loan of which nothing was made: its ticket does not come back. `loan` is the only slice of it.
  static void take_back(Slice loan);
  /// The next loan that is over, in the order in which they ended. Those still out when the pool goes are not reported.
  [[nodiscard]] std::optional<ReturnedLoan> poll_returned();
  /// Capacity of the buffer that allocate() gives for `octets`.
  [[nodiscard]] static std::size_t capacity_for(std::size_t octets);
  /// Buffers and octets handed out and not yet returned; both 0 when nothing is in use.
  [[nodiscard]] std::size_t buffers_in_use() const;
  [[nodiscard]] std::size_t octets_in_use() const;

  /// Memory for at least `octets` that is no payload and counts for none: what keeps account of buffers. It goes back
  /// to its pool by give_back_block(). A multiple of a power of two; what is given back is kept for the next.
  [[nodiscard]] void* take_block(std::size_t octets);
  static void give_back_block(void* block);
  /// Octets that can be used of a block.
  [[nodiscard]] static std::size_t block_size(const void* block) {
    return (smallest_block << (static_cast<const Block*>(block) - 1)->size_class) - sizeof(Block);
  }
  static constexpr std::size_t block_alignment = 16;

 private:
  struct Shared;
  struct LentBuffer;
  friend class Buffer;
  static constexpr std::size_t smallest_block = 128;
  struct alignas(block_alignment) Block {
    Shared* shared;
    Block* next_free;        // in the pool's list
    std::size_t size_class;  // smallest_block << size_class octets, this one's included
  };
  friend class BufferRef;
  static void give_back(Buffer* buffer);
  Shared* shared_;
};

// Here, so that letting go of nothing, the most frequent case, costs no call.
inline void BufferRef::release() {
  if (buffer_ != nullptr && --buffer_->references_ == 0) BufferPool::give_back(buffer_);
  buffer_ = nullptr;
}

}  // namespace wireside
