// Octets accepted from the application and not yet acknowledged, as refcounted ranges that may be cut anywhere.
#pragma once

#include <cstdint>

#include "packet/pool_array.hpp"

namespace wireside::tcp {

/// Offsets count from the oldest unacknowledged octet.
class SendQueue {
 public:
  SendQueue() = default;
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;
  ~SendQueue() { clear(); }
  [[nodiscard]] std::size_t octets() const { return octets_; }
  /// Copies behind what is queued; small writes share a buffer.
  void append_copy(ByteView data, BufferPool& pool);
  /// References the slice; its octets must stay as they are. Lent ones (BufferPool::lend) are marked where they go
  /// unacknowledged.
  void append_slice(Slice data, BufferPool& pool);
  /// The oldest `n` octets were acknowledged.
  void drop_front(std::size_t n);
  /// How many of [offset, offset + want) fit into one SliceList.
  [[nodiscard]] std::size_t reach(std::size_t offset, std::size_t want) const;
  /// Appends [offset, offset + length) to `out` (length at most what reach() said).
  void collect(std::size_t offset, std::size_t length, SliceList& out) const;
  void clear();

 private:
  struct Piece {
    std::uint64_t start;  // stream position of the first octet
    Slice data;
  };
  [[nodiscard]] std::size_t piece_at(std::uint64_t position) const;
  void push(Slice data, bool own_tail, BufferPool& pool);

  PoolArray<Piece> pieces_;
  std::uint64_t front_ = 0;  // stream position of the oldest octet
  std::size_t octets_ = 0;
  bool own_tail_ = false;  // the last piece's tailroom is ours to write
};

}  // namespace wireside::tcp
