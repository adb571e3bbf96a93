#include "packet/buffer.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace wireside {
namespace {

constexpr std::array<std::size_t, 5> class_sizes{256, 2048, 4096, 16384, 66560};
constexpr std::size_t max_free_octets_per_class = std::size_t{4} << 20;

constexpr std::size_t block_classes = 10;  // up to 64 KB
constexpr std::size_t max_free_block_octets = std::size_t{256} << 10;

constexpr std::size_t block_class_of(std::size_t octets, std::size_t smallest) {
  return static_cast<std::size_t>(std::bit_width((octets - 1) / smallest));
}

std::size_t class_of(std::size_t capacity) {
  std::size_t c = 0;
  for (const std::size_t size : class_sizes) c += size < capacity ? 1 : 0;
  return c;
}

/// Free ones, the last given back first.
template <class T>
struct FreeList {
  T* first = nullptr;
  std::size_t octets = 0;
};

}  // namespace

/// Stands before no octets: they lie elsewhere.
struct BufferPool::LentBuffer : Buffer {
  ReturnedLoan loan;
};

// Shared by the pool and its outstanding buffers: whoever goes last deletes it.
struct BufferPool::Shared {
  std::array<FreeList<Buffer>, class_sizes.size()> free;
  std::array<FreeList<Block>, block_classes> free_blocks;
  FreeList<Buffer> free_lent;  // LentBuffers, both
  Buffer* returned = nullptr;  // oldest first
  Buffer* last_returned = nullptr;
  std::size_t in_use = 0;
  std::size_t octets = 0;
  std::size_t blocks_in_use = 0;
  bool owner_gone = false;

  void delete_if_last() {
    if (owner_gone && in_use == 0 && blocks_in_use == 0) delete this;
  }
  static Buffer*& next(Buffer& b) { return b.next_free_; }
  static Block*& next(Block& b) { return b.next_free; }
  template <class T>
  static T* take(FreeList<T>& list, std::size_t octets) {
    T* const first = list.first;
    if (first == nullptr) return nullptr;
    list.first = next(*first);
    list.octets -= octets;
    return first;
  }
  template <class T>
  static void put(FreeList<T>& list, T* one, std::size_t octets) {
    next(*one) = list.first;
    list.first = one;
    list.octets += octets;
  }
  template <class List>
  static void empty(List& list) {
    while (auto* one = take(list, 0)) ::operator delete(one);
    list.octets = 0;
  }
  void end_loan(LentBuffer* lent) {
    if (owner_gone) {
      ::operator delete(lent);
      return delete_if_last();
    }
    if (lent->loan.ticket == 0) return put<Buffer>(free_lent, lent, sizeof(LentBuffer));
    next(*lent) = nullptr;
    (returned == nullptr ? returned : next(*last_returned)) = lent;
    last_returned = lent;
  }
  LentBuffer* take_returned() {
    Buffer* const first = returned;
    if (first != nullptr) returned = next(*first);
    return static_cast<LentBuffer*>(first);
  }
  void drop_free() {
    while (Buffer* one = take_returned()) ::operator delete(one);
    empty(free_lent);
    for (auto& list : free_blocks) empty(list);
    for (auto& list : free) empty(list);
  }
};

std::size_t SliceList::copy_to(std::size_t from, MutableByteView out) const {
  std::size_t done = 0;
  for (const Slice& s : *this) {
    if (done == out.size()) break;
    if (from >= s.size()) {
      from -= s.size();
      continue;
    }
    const std::size_t n = std::min(s.size() - from, out.size() - done);
    std::memcpy(out.data() + done, s.data() + from, n);
    done += n;
    from = 0;
  }
  return done;
}

BufferPool::BufferPool() : shared_{new Shared} {}

BufferPool::~BufferPool() {
  shared_->drop_free();
  shared_->owner_gone = true;
  shared_->delete_if_last();
}

BufferRef BufferPool::allocate(std::size_t capacity) {
  const std::size_t c = class_of(capacity);
  const bool pooled = c < class_sizes.size();
  const std::size_t size = pooled ? class_sizes[c] : capacity;
  Buffer* buffer = pooled ? Shared::take(shared_->free[c], size) : nullptr;
  if (buffer == nullptr) {
    buffer = new (::operator new(sizeof(Buffer) + size)) Buffer;
    buffer->capacity_ = static_cast<std::uint32_t>(size);
    buffer->size_class_ = static_cast<std::uint32_t>(c);
    buffer->pool_ = shared_;
  }
  buffer->data_ = reinterpret_cast<std::uint8_t*>(buffer + 1);
  buffer->references_ = 0;
  ++shared_->in_use;
  shared_->octets += size;
  return BufferRef{buffer};
}

Slice BufferPool::lend(ByteView octets, std::uint64_t ticket) {
  auto* lent = static_cast<LentBuffer*>(Shared::take(shared_->free_lent, sizeof(LentBuffer)));
  if (lent == nullptr) {
    lent = new (::operator new(sizeof(LentBuffer))) LentBuffer;
    lent->size_class_ = Buffer::lent_class;
    lent->pool_ = shared_;
  }
  lent->data_ = const_cast<std::uint8_t*>(octets.data());  // whoever writes asks first whose the buffer is
  lent->capacity_ = static_cast<std::uint32_t>(octets.size());
  lent->references_ = 0;
  lent->loan = {ticket};
  ++shared_->in_use;
  return Slice{BufferRef{lent}, 0, octets.size()};
}

std::optional<ReturnedLoan> BufferPool::poll_returned() {
  LentBuffer* const lent = shared_->take_returned();
  if (lent == nullptr) return std::nullopt;
  const ReturnedLoan loan = lent->loan;
  Shared::put(shared_->free_lent, static_cast<Buffer*>(lent), sizeof(LentBuffer));
  return loan;
}

void BufferPool::take_back(Slice loan) {
  if (Buffer* const lent = loan.buffer().get()) static_cast<LentBuffer*>(lent)->loan.ticket = 0;
}

void Buffer::mark_unused() {
  if (is_lent()) static_cast<BufferPool::LentBuffer*>(this)->loan.used = false;
}

std::size_t BufferPool::capacity_for(std::size_t octets) {
  const std::size_t c = class_of(octets);
  return c < class_sizes.size() ? class_sizes[c] : octets;
}

Slice BufferPool::copy(ByteView data) {
  Slice s = allocate_slice(data.size());
  if (!data.empty()) std::memcpy(s.mutable_data(), data.data(), data.size());
  return s;
}

std::size_t BufferPool::buffers_in_use() const { return shared_->in_use; }
std::size_t BufferPool::octets_in_use() const { return shared_->octets; }

void BufferPool::give_back(Buffer* buffer) {
  auto* shared = static_cast<Shared*>(buffer->pool_);
  if (buffer->is_lent()) {
    --shared->in_use;
    return shared->end_loan(static_cast<LentBuffer*>(buffer));
  }
  const std::size_t size = buffer->capacity_;
  const std::size_t c = buffer->size_class_;
  --shared->in_use;
  shared->octets -= size;
  const bool keep =
      !shared->owner_gone && c < class_sizes.size() && shared->free[c].octets + size <= max_free_octets_per_class;
  if (keep) return Shared::put(shared->free[c], buffer, size);
  ::operator delete(buffer);
  shared->delete_if_last();
}

void* BufferPool::take_block(std::size_t octets) {
  const std::size_t c = block_class_of(octets + sizeof(Block), smallest_block);
  const std::size_t size = smallest_block << c;
  Block* block = c < block_classes ? Shared::take(shared_->free_blocks[c], size) : nullptr;
  if (block == nullptr) block = new (::operator new(size)) Block{shared_, nullptr, c};
  ++shared_->blocks_in_use;
  return block + 1;
}

void BufferPool::give_back_block(void* p) {
  Block* const block = static_cast<Block*>(p) - 1;
  Shared* const shared = block->shared;
  const std::size_t c = block->size_class;
  const std::size_t size = smallest_block << c;
  --shared->blocks_in_use;
  const bool keep =
      !shared->owner_gone && c < block_classes && shared->free_blocks[c].octets + size <= max_free_block_octets;
  if (keep) return Shared::put(shared->free_blocks[c], block, size);
  ::operator delete(block);
  shared->delete_if_last();
}

}  // namespace wireside
