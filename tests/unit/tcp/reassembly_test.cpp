// Out-of-order reassembly against a naive model (RFC 9293 SHLD-31, EV-27; RFC 2018 SACK-02, SACK-07).
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>

#include "support/tcp_peer.hpp"
#include "tcp/reassembly.hpp"

namespace wireside::testing {
namespace {

using tcp::Reassembly;

/// One arriving piece: stream offset and length.
struct Arrival {
  std::uint32_t offset;
  std::uint32_t length;
};
std::ostream& operator<<(std::ostream& out, const Arrival& a) { return out << a.offset << "+" << a.length; }

rc::Gen<std::vector<Arrival>> arrivals(std::uint32_t stream) {
  return rc::gen::container<std::vector<Arrival>>(
      rc::gen::map(rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, stream), rc::gen::inRange<std::uint32_t>(1, 40)),
                   [stream](const std::pair<std::uint32_t, std::uint32_t>& p) {
                     return Arrival{p.first, std::min(p.second, stream - p.first)};
                   }));
}

/// The naive model: one flag per octet.
class Model {
 public:
  explicit Model(std::uint32_t stream) : have_(stream, false) {}
  void insert(const Arrival& a) {
    for (std::uint32_t i = std::max(a.offset, next_); i < a.offset + a.length; ++i) have_[i] = true;
  }
  std::uint32_t advance() {
    while (next_ < have_.size() && have_[next_]) ++next_;
    return next_;
  }
  [[nodiscard]] std::uint32_t next() const { return next_; }
  [[nodiscard]] std::size_t held() const {
    return static_cast<std::size_t>(std::count(have_.begin() + next_, have_.end(), true));
  }
  /// Runs of held octets beyond next().
  [[nodiscard]] std::vector<std::pair<std::uint32_t, std::uint32_t>> blocks() const {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
    for (std::uint32_t i = next_; i < have_.size(); ++i) {
      if (!have_[i]) continue;
      if (out.empty() || out.back().second != i) out.emplace_back(i, i);
      out.back().second = i + 1;
    }
    return out;
  }

 private:
  std::vector<bool> have_;
  std::uint32_t next_ = 0;
};

void check_blocks(const Reassembly& r, const Model& model, SeqNum base, const Arrival& latest) {
  std::array<wire::SackBlock, 4> blocks{};
  const auto count = r.sack_blocks(blocks, 4);
  const auto expected = model.blocks();
  RC_ASSERT(count == std::min<std::size_t>(expected.size(), 4));
  for (std::size_t i = 0; i < count; ++i) {
    const auto left = static_cast<std::uint32_t>(blocks[i].left - base);
    const auto right = static_cast<std::uint32_t>(blocks[i].right - base);
    RC_ASSERT(std::count(expected.begin(), expected.end(), std::pair{left, right}) == 1);
    for (std::size_t j = 0; j < i; ++j) RC_ASSERT(!(blocks[j] == blocks[i]));
  }
  if (count > 0 && latest.offset > model.next()) {  // RFC 2018 section 4: the first block holds the latest arrival
    const auto left = static_cast<std::uint32_t>(blocks[0].left - base);
    const auto right = static_cast<std::uint32_t>(blocks[0].right - base);
    RC_ASSERT(left <= latest.offset);
    RC_ASSERT(latest.offset + latest.length <= right);
  }
}

TEST(Reassembly, BehavesLikeTheNaiveModel) {
  constexpr std::uint32_t stream = 300;
  EXPECT_TRUE(rc::check("reassembly", [] {
    const auto list = *arrivals(stream);
    const SeqNum base{*rc::gen::element<std::uint32_t>(0U, 1000U, 0x7fffff80U, 0xffffff00U, 0xffffffffU)};
    BufferPool pool;
    Reassembly r;
    Model model{stream};
    std::uint32_t next = 0;
    for (const Arrival& a : list) {
      if (a.offset + a.length <= next) continue;
      const std::uint32_t from = std::max(a.offset, next);
      const Arrival cut{from, a.offset + a.length - from};
      RC_ASSERT(r.insert(base + cut.offset, pool.copy(pattern_octets(9, cut.offset, cut.length)), 1024, pool));
      model.insert(cut);
      const std::uint32_t target = model.advance();
      while (auto piece = r.pop_contiguous(base + next)) {
        for (std::size_t i = 0; i < piece->size(); ++i) RC_ASSERT(piece->view()[i] == pattern_octet(9, next + i));
        next += static_cast<std::uint32_t>(piece->size());
      }
      RC_ASSERT(next == target);
      RC_ASSERT(r.octets() == model.held());
      RC_ASSERT(r.empty() == (model.held() == 0));
      check_blocks(r, model, base, cut);
    }
    r.clear();
    RC_ASSERT(pool.buffers_in_use() == 0U);
  }));
}

TEST(Reassembly, LimitOfPiecesHolds) {  // RFC 2018 SACK-07
  BufferPool pool;
  Reassembly r;
  std::size_t stored = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    stored += static_cast<std::size_t>(r.insert(SeqNum{10 + 2 * i}, pool.copy(pattern_octets(1, 2 * i, 1)), 16, pool));
    EXPECT_LE(r.pieces(), 16U);
  }
  EXPECT_EQ(stored, 16U);
}

// The same through the whole layer: any order, overlap and repetition of segments delivers the stream once.
TEST(Reassembly, LayerDeliversTheStreamOnceWhateverTheOrder) {  // RFC 9293 EV-27, SHLD-31
  constexpr std::uint32_t stream = 300;
  EXPECT_TRUE(rc::check("layer", [] {
    const auto list = *arrivals(stream);
    PeerSetup s;
    s.peer_isn = *rc::gen::element<std::uint32_t>(0U, 0x7fffff00U, 0xffffff80U, 0xffffffffU);
    TcpPeer t{s};
    t.ignore_rest();
    t.establish(*rc::gen::arbitrary<bool>() ? "<mss 1460,sackOK>" : "<mss 1460>");
    Model model{stream};
    std::size_t delivered = 0;
    for (const Arrival& a : list) {
      t.in(". " + std::to_string(1 + a.offset) + "+" + std::to_string(a.length) + " ack 1");
      model.insert(a);
      delivered += t.read();
      RC_ASSERT(delivered == model.advance());
      RC_ASSERT(t.status().out_of_order == model.held());
    }
    RC_ASSERT(!t.broken());
  }));
}

}  // namespace
}  // namespace wireside::testing
