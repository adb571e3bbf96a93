// Octets received in order and not yet taken by the application.
#pragma once

#include "packet/pool_array.hpp"

namespace wireside::tcp {

class ReceiveQueue {
 public:
  [[nodiscard]] std::size_t octets() const { return octets_; }
  /// Keeps the slice where it lies, or copies it when it would pin a mostly empty block.
  void append(Slice data, BufferPool& pool);
  /// Copies out and drops; returns how many octets there were.
  std::size_t take(MutableByteView out);
  /// First piece, at most `max` octets.
  [[nodiscard]] Slice take_slice(std::size_t max);
  void clear();

 private:
  void drop_front_piece();
  PoolArray<Slice> pieces_;
  std::size_t octets_ = 0;
  bool own_tail_ = false;
};

/// A slice that fills less than half of its block is copied into one of its own size.
[[nodiscard]] Slice compact(Slice data, BufferPool& pool);

}  // namespace wireside::tcp
