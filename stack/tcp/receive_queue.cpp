#include "tcp/receive_queue.hpp"

#include <algorithm>

namespace wireside::tcp {
namespace {
constexpr std::size_t small_limit = 256;  // below this, copying into a shared tail beats keeping a block
constexpr std::size_t tail_chunk = 4096;
}  // namespace

Slice compact(Slice data, BufferPool& pool) {
  if (data.buffer() && data.size() * 2 >= data.buffer()->capacity()) return data;
  return pool.copy(data.view());
}

void ReceiveQueue::append(Slice data, BufferPool& pool) {
  if (data.empty()) return;
  octets_ += data.size();
  if (own_tail_ && !pieces_.empty() && pieces_.back().tailroom() >= data.size() && data.size() <= tail_chunk / 2) {
    Slice& tail = pieces_.back();
    const std::size_t at = tail.size();
    tail.extend(data.size());
    std::memcpy(tail.mutable_data() + at, data.data(), data.size());
    return;
  }
  if (data.size() <= small_limit) {
    Slice tail{pool.allocate(tail_chunk), 0, data.size()};
    std::memcpy(tail.mutable_data(), data.data(), data.size());
    pieces_.push_back(std::move(tail), pool);
    own_tail_ = true;
    return;
  }
  const bool fills_block = data.buffer() && data.size() * 2 >= data.buffer()->capacity();
  pieces_.push_back(fills_block ? std::move(data) : compact(std::move(data), pool), pool);
  own_tail_ = false;
}

std::size_t ReceiveQueue::take(MutableByteView out) {
  std::size_t done = 0;
  while (done < out.size() && !pieces_.empty()) {
    Slice& piece = pieces_.front();
    const std::size_t n = std::min(piece.size(), out.size() - done);
    std::memcpy(out.data() + done, piece.data(), n);
    piece.remove_prefix(n);
    done += n;
    octets_ -= n;
    if (piece.empty()) drop_front_piece();
  }
  return done;
}

Slice ReceiveQueue::take_slice(std::size_t max) {
  if (pieces_.empty()) return {};
  Slice& piece = pieces_.front();
  const std::size_t n = std::min(piece.size(), max);
  Slice out = piece.sub(0, n);
  piece.remove_prefix(n);
  octets_ -= n;
  if (piece.empty()) drop_front_piece();
  return out;
}

void ReceiveQueue::drop_front_piece() {
  pieces_.pop_front();
  if (pieces_.empty()) own_tail_ = false;
}

void ReceiveQueue::clear() {
  octets_ = 0;
  own_tail_ = false;
  pieces_.clear();
}

}  // namespace wireside::tcp
