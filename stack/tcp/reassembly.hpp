// Segments that arrived ahead of rcv_nxt (SHLD-31), kept sorted and free of overlaps, and the SACK blocks they make.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/seq_num.hpp"
#include "observe/connection_view.hpp"
#include "packet/buffer.hpp"
#include "wire/tcp.hpp"

namespace wireside::tcp {

class Reassembly {
 public:
  /// Stores what of [seq, seq + data) is not held yet; older octets win over newer ones where they overlap.
  /// False when that would exceed `max_pieces`: nothing is stored then.
  [[nodiscard]] bool insert(SeqNum seq, const Slice& data, std::size_t max_pieces, BufferPool& pool);
  /// The first octets of [left, right) that are held already; nullopt: none.
  [[nodiscard]] std::optional<wire::SackBlock> held(SeqNum left, SeqNum right) const;
  /// Next piece that starts at or before rcv_nxt, trimmed to begin there; nullopt when there is a gap.
  [[nodiscard]] std::optional<Slice> pop_contiguous(SeqNum rcv_nxt);
  /// Octets at or behind `at` are held.
  [[nodiscard]] bool reaches_beyond(SeqNum at) const { return !pieces_.empty() && pieces_.back().end().after(at); }
  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  [[nodiscard]] std::size_t octets() const { return octets_; }
  [[nodiscard]] std::size_t pieces() const { return pieces_.size(); }
  /// Runs without gaps, in order.
  [[nodiscard]] observe::SeqRanges ranges() const;
  /// RFC 2018 section 4: the block with the latest segment first, then other blocks by how recently they changed.
  /// Returns how many blocks were written, at most `max` (and four).
  std::uint8_t sack_blocks(std::array<wire::SackBlock, 4>& out, std::size_t max) const;
  void clear();

 private:
  struct Piece {
    SeqNum seq;
    Slice data;
    [[nodiscard]] SeqNum end() const { return seq + static_cast<std::uint32_t>(data.size()); }
  };
  [[nodiscard]] wire::SackBlock block_around(std::size_t index) const;
  void remember(SeqNum seq);

  std::vector<Piece> pieces_;
  std::array<SeqNum, 8> recent_{};  // starts of the latest arrivals, newest first
  std::uint8_t recent_count_ = 0;
  std::size_t octets_ = 0;
};

}  // namespace wireside::tcp
