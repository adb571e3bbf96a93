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

}  // namespace

// Shared by the pool and its outstanding buffers: whoever goes last deletes it.
struct BufferPool::Shared {
  std::array<std::vector<Buffer*>, class_sizes.size()> free;
  std::array<std::vector<Block*>, block_classes> free_blocks;
  std::size_t in_use = 0;
  std::size_t octets = 0;
  std::size_t blocks_in_use = 0;
  bool owner_gone = false;

  void delete_if_last() {
    if (owner_gone && in_use == 0 && blocks_in_use == 0) delete this;
  }
  void drop_free() {
    for (auto& list : free_blocks) {
      for (auto* b : list) ::operator delete(b);
      list.clear();
    }
    for (auto& list : free) {
      for (auto* b : list) ::operator delete(b);
      list.clear();
    }
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
  const std::size_t size = c < class_sizes.size() ? class_sizes[c] : capacity;
  Buffer* buffer = nullptr;
  if (c < class_sizes.size() && !shared_->free[c].empty()) {
    buffer = shared_->free[c].back();
    shared_->free[c].pop_back();
  } else {
    buffer = new (::operator new(sizeof(Buffer) + size)) Buffer;
    buffer->capacity_ = static_cast<std::uint32_t>(size);
    buffer->pool_ = shared_;
  }
  buffer->references_ = 0;
  ++shared_->in_use;
  shared_->octets += size;
  return BufferRef{buffer};
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
  --shared->in_use;
  shared->octets -= buffer->capacity_;
  const std::size_t c = class_of(buffer->capacity_);
  const bool keep = !shared->owner_gone && c < class_sizes.size() && class_sizes[c] == buffer->capacity_ &&
                    (shared->free[c].size() + 1) * class_sizes[c] <= max_free_octets_per_class;
  if (keep) {
    shared->free[c].push_back(buffer);
  } else {
    ::operator delete(buffer);
  }
  shared->delete_if_last();
}

void* BufferPool::take_block(std::size_t octets) {
  const std::size_t c = block_class_of(octets + sizeof(Block), smallest_block);
  Block* block = nullptr;
  if (c < block_classes && !shared_->free_blocks[c].empty()) {
    block = shared_->free_blocks[c].back();
    shared_->free_blocks[c].pop_back();
  } else {
    block = new (::operator new(smallest_block << c)) Block{shared_, c};
  }
  ++shared_->blocks_in_use;
  return block + 1;
}

void BufferPool::give_back_block(void* p) {
  Block* const block = static_cast<Block*>(p) - 1;
  Shared* const shared = block->shared;
  const std::size_t c = block->size_class;
  --shared->blocks_in_use;
  const bool keep = !shared->owner_gone && c < block_classes &&
                    (shared->free_blocks[c].size() + 1) * (smallest_block << c) <= max_free_block_octets;
  if (keep) {
    shared->free_blocks[c].push_back(block);
  } else {
    ::operator delete(block);
  }
  shared->delete_if_last();
}

}  // namespace wireside
