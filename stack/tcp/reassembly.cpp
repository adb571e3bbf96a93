#include "tcp/reassembly.hpp"

#include <algorithm>

#include "tcp/receive_queue.hpp"

namespace wireside::tcp {

bool Reassembly::insert(SeqNum seq, const Slice& data, std::size_t max_pieces, BufferPool& pool) {
  SeqNum at = seq;
  const SeqNum end = seq + static_cast<std::uint32_t>(data.size());
  std::vector<Piece> fresh;
  auto it =
      std::partition_point(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.end().at_or_before(at); });
  for (; at.before(end); ++it) {
    const bool past_all = it == pieces_.end();
    const SeqNum gap_end = past_all ? end : earlier(it->seq, end);
    if (at.before(gap_end)) {
      fresh.push_back({at, data.sub(span_octets(seq, at), span_octets(at, gap_end))});
    }
    if (past_all) break;
    at = later(at, it->end());
  }
  if (pieces_.size() + fresh.size() > max_pieces) return false;
  for (auto& p : fresh) {
    octets_ += p.data.size();
    p.data = compact(std::move(p.data), pool);
    const auto position =
        std::partition_point(pieces_.begin(), pieces_.end(), [&](const Piece& q) { return q.seq.before(p.seq); });
    pieces_.insert(position, std::move(p));
  }
  remember(seq);
  return true;
}

std::optional<wire::SackBlock> Reassembly::held(SeqNum left, SeqNum right) const {
  const auto it =
      std::partition_point(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.end().at_or_before(left); });
  if (it == pieces_.end() || !it->seq.before(right)) return std::nullopt;
  const wire::SackBlock block = block_around(static_cast<std::size_t>(it - pieces_.begin()));
  return wire::SackBlock{later(left, block.left), earlier(right, block.right)};
}

void Reassembly::remember(SeqNum seq) {
  const auto end = recent_.begin() + recent_count_;
  auto it = std::find(recent_.begin(), end, seq);
  if (it == end) {
    if (recent_count_ < recent_.size()) ++recent_count_;
    it = recent_.begin() + recent_count_ - 1;
  }
  std::move_backward(recent_.begin(), it, it + 1);
  recent_[0] = seq;
}

std::optional<Slice> Reassembly::pop_contiguous(SeqNum rcv_nxt) {
  while (!pieces_.empty() && pieces_.front().seq.at_or_before(rcv_nxt)) {
    Piece front = std::move(pieces_.front());
    pieces_.erase(pieces_.begin());
    octets_ -= front.data.size();
    if (front.end().at_or_before(rcv_nxt)) continue;  // overtaken by retransmitted data
    front.data.remove_prefix(span_octets(front.seq, rcv_nxt));
    if (pieces_.empty()) clear();
    return std::move(front.data);
  }
  if (pieces_.empty()) clear();
  return std::nullopt;
}

wire::SackBlock Reassembly::block_around(std::size_t index) const {
  std::size_t first = index;
  while (first > 0 && pieces_[first - 1].end() == pieces_[first].seq) --first;
  std::size_t last = index;
  while (last + 1 < pieces_.size() && pieces_[last].end() == pieces_[last + 1].seq) ++last;
  return {pieces_[first].seq, pieces_[last].end()};
}

std::uint8_t Reassembly::sack_blocks(std::array<wire::SackBlock, 4>& out, std::size_t max) const {
  std::uint8_t count = 0;
  const auto add = [&](const wire::SackBlock& b) {
    const auto end = out.begin() + count;
    if (std::find(out.begin(), end, b) == end) out[count++] = b;
  };
  max = std::min<std::size_t>(max, out.size());
  for (std::uint8_t i = 0; i < recent_count_ && count < max; ++i) {
    const auto it = std::partition_point(pieces_.begin(), pieces_.end(),
                                         [&](const Piece& p) { return p.end().at_or_before(recent_[i]); });
    if (it == pieces_.end() || recent_[i].before(it->seq)) continue;
    add(block_around(static_cast<std::size_t>(it - pieces_.begin())));
  }
  // One block at a time: going through the pieces of each from every one of them would take n * n steps.
  for (std::size_t i = 0; i < pieces_.size() && count < max;) {
    const wire::SackBlock block = block_around(i);
    add(block);
    while (i < pieces_.size() && pieces_[i].seq.before(block.right)) ++i;
  }
  return count;
}

void Reassembly::clear() {
  std::vector<Piece>{}.swap(pieces_);
  recent_count_ = 0;
  octets_ = 0;
}

observe::SeqRanges Reassembly::ranges() const {
  observe::SeqRanges out;
  for (std::size_t first = 0; first < pieces_.size();) {
    std::size_t last = first;
    while (last + 1 < pieces_.size() && pieces_[last + 1].seq == pieces_[last].end()) ++last;
    out.add(pieces_[first].seq, pieces_[last].end());
    first = last + 1;
  }
  return out;
}

}  // namespace wireside::tcp
