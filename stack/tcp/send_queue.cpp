#include "tcp/send_queue.hpp"

#include <algorithm>

namespace wireside::tcp {
namespace {
constexpr std::size_t min_chunk = 2048;
constexpr std::size_t max_chunk = 65536;
}  // namespace

void SendQueue::push(Slice data, bool own_tail, BufferPool& pool) {
  const std::size_t n = data.size();
  pieces_.push_back({front_ + octets_, std::move(data)}, pool);
  octets_ += n;
  own_tail_ = own_tail;
}

void SendQueue::append_copy(ByteView data, BufferPool& pool) {
  if (own_tail_ && !pieces_.empty()) {
    Slice& tail = pieces_.back().data;
    const std::size_t n = std::min(tail.tailroom(), data.size());
    if (n > 0) {
      const std::size_t at = tail.size();
      tail.extend(n);
      std::memcpy(tail.mutable_data() + at, data.data(), n);
      octets_ += n;
      data = data.subspan(n);
    }
  }
  while (!data.empty()) {
    const std::size_t n = std::min(data.size(), max_chunk);
    BufferRef buffer = pool.allocate(std::max(n, min_chunk));
    Slice slice{std::move(buffer), 0, n};
    std::memcpy(slice.mutable_data(), data.data(), n);
    push(std::move(slice), true, pool);
    data = data.subspan(n);
  }
}

void SendQueue::append_slice(Slice data, BufferPool& pool) {
  if (!data.empty()) push(std::move(data), false, pool);
}

void SendQueue::drop_front(std::size_t n) {
  octets_ -= n;
  front_ += n;
  if (octets_ == 0) return clear();
  while (!pieces_.empty()) {
    const Piece& p = pieces_.front();
    if (p.start + p.data.size() > front_) break;
    pieces_.pop_front();
  }
}

std::size_t SendQueue::piece_at(std::uint64_t position) const {
  if (pieces_.size() == 1) return 0;
  const auto it = std::upper_bound(pieces_.begin(), pieces_.end(), position,
                                   [](std::uint64_t pos, const Piece& p) { return pos < p.start; });
  return static_cast<std::size_t>(it - pieces_.begin()) - 1;
}

std::size_t SendQueue::reach(std::size_t offset, std::size_t want) const {
  const std::uint64_t from = front_ + offset;
  const std::size_t last = piece_at(from) + SliceList::max_slices - 1;
  if (last + 1 >= pieces_.size()) return want;
  return std::min<std::size_t>(want, pieces_[last + 1].start - from);
}

void SendQueue::collect(std::size_t offset, std::size_t length, SliceList& out) const {
  if (length == 0) return;
  std::uint64_t position = front_ + offset;
  for (std::size_t i = piece_at(position); length > 0 && !out.full(); ++i) {
    const Piece& p = pieces_[i];
    const std::size_t skip = position - p.start;
    const std::size_t n = std::min(length, p.data.size() - skip);
    out.push_back(p.data.sub(skip, n));
    position += n;
    length -= n;
  }
}

void SendQueue::clear() {
  if (octets_ > 0) {  // what the peer has acknowledged has left already
    for (const Piece& p : pieces_) p.data.buffer()->mark_unused();
  }
  front_ += octets_;
  octets_ = 0;
  own_tail_ = false;
  pieces_.clear();
}

}  // namespace wireside::tcp
