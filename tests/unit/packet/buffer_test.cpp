// Reference counting, slices and slice lists.
#include "packet/buffer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace wireside {
namespace {

std::vector<std::uint8_t> counting(std::size_t n) {
  std::vector<std::uint8_t> out(n);
  std::iota(out.begin(), out.end(), std::uint8_t{0});
  return out;
}

std::vector<std::uint8_t> octets(const Slice& s) { return {s.view().begin(), s.view().end()}; }

TEST(BufferPool, AllMemoryReturns) {
  BufferPool pool;
  {
    const Slice a = pool.copy(counting(10));
    const Slice shared = a;
    const Slice big = pool.allocate_slice(200000);
    EXPECT_EQ(pool.buffers_in_use(), 2U);
    EXPECT_GE(pool.octets_in_use(), 200010U);
    EXPECT_EQ(a.buffer()->references(), 2U);
  }
  EXPECT_EQ(pool.buffers_in_use(), 0U);
  EXPECT_EQ(pool.octets_in_use(), 0U);
}

TEST(BufferPool, GivesAtLeastWhatWasAskedFor) {
  BufferPool pool;
  for (const std::size_t n : {0U, 1U, 255U, 256U, 257U, 2048U, 4097U, 16385U, 65536U, 66560U, 66561U, 1000000U}) {
    const BufferRef buffer = pool.allocate(n);
    ASSERT_GE(buffer->capacity(), n);
    if (n > 0) buffer->data()[n - 1] = 1;
    EXPECT_EQ(pool.allocate_slice(n).size(), n);
  }
}

TEST(BufferPool, ReusesReturnedBuffers) {
  BufferPool pool;
  const std::uint8_t* first = pool.allocate(2000)->data();
  EXPECT_EQ(pool.allocate(1500)->data(), first);
}

TEST(BufferLoans, ComeBackInOrderWhenTheLastSliceHasGone) {
  BufferPool pool;
  const auto own = counting(1000);
  Slice first = pool.lend(own, 11);
  EXPECT_EQ(first.data(), own.data());
  EXPECT_TRUE(first.buffer()->is_lent());
  EXPECT_EQ(first.tailroom(), 0U);
  Slice part = first.sub(500, 100);
  {
    const Slice second = pool.lend(ByteView{own}.first(10), 22);
    first = Slice{};
    EXPECT_FALSE(pool.poll_returned()) << "a part of it is out";
    EXPECT_EQ(octets(part)[0], own[500]);
  }
  part = Slice{};
  EXPECT_EQ(pool.poll_returned()->ticket, 22U);
  const auto last = pool.poll_returned();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->ticket, 11U);
  EXPECT_TRUE(last->used);
  EXPECT_FALSE(pool.poll_returned());
  EXPECT_EQ(pool.buffers_in_use(), 0U);
  EXPECT_FALSE(pool.copy(own).buffer()->is_lent());
}

TEST(BufferLoans, SayWhenTheyWereNotUsed) {
  BufferPool pool;
  const auto own = counting(10);
  pool.lend(own, 1).buffer()->mark_unused();
  pool.copy(own).buffer()->mark_unused();  // nothing for what is not lent
  EXPECT_FALSE(pool.poll_returned()->used);
  { const Slice again = pool.lend(own, 2); }
  EXPECT_TRUE(pool.poll_returned()->used);
  BufferPool::take_back(pool.lend(own, 3));
  EXPECT_FALSE(pool.poll_returned());
}

TEST(BufferLoans, MayOutliveThePoolAndAreNotReported) {
  const auto own = counting(10);
  Slice survivor;
  {
    BufferPool pool;
    survivor = pool.lend(own, 1);
    { const Slice returned = pool.lend(own, 2); }
  }
  EXPECT_EQ(octets(survivor), own);
}

TEST(BufferPool, BuffersOutliveThePool) {
  Slice survivor;
  {
    BufferPool pool;
    survivor = pool.copy(counting(100));
  }
  EXPECT_EQ(octets(survivor), counting(100));
}

TEST(BufferRef, MovesWithoutCountingAndAssignsToItself) {
  BufferPool pool;
  BufferRef a = pool.allocate(10);
  BufferRef b = std::move(a);
  EXPECT_EQ(b->references(), 1U);
  BufferRef& alias = b;
  b = alias;
  EXPECT_EQ(b->references(), 1U);
  b = BufferRef{};
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST(Slice, SubIsClampedAndShares) {
  BufferPool pool;
  const Slice whole = pool.copy(counting(10));
  EXPECT_EQ(octets(whole.sub(2, 3)), (std::vector<std::uint8_t>{2, 3, 4}));
  EXPECT_EQ(whole.sub(2, 3).data(), whole.data() + 2);
  EXPECT_EQ(whole.sub(8).size(), 2U);
  EXPECT_EQ(whole.sub(8, 100).size(), 2U);
  EXPECT_TRUE(whole.sub(10).empty());
  EXPECT_TRUE(whole.sub(11, 4).empty());
  EXPECT_EQ(octets(whole.sub(2).sub(3, 2)), (std::vector<std::uint8_t>{5, 6}));
}

TEST(Slice, CutsAtBothEndsAndGrowsIntoTheTail) {
  BufferPool pool;
  Slice s{pool.allocate(256), 0, 4};
  EXPECT_EQ(s.tailroom(), s.buffer()->capacity() - 4);
  const std::size_t room = s.tailroom();
  s.extend(6);
  EXPECT_EQ(s.size(), 10U);
  EXPECT_EQ(s.tailroom(), room - 6);
  std::copy_n(counting(10).begin(), 10, s.mutable_data());
  s.remove_prefix(3);
  s.remove_suffix(2);
  EXPECT_EQ(octets(s), (std::vector<std::uint8_t>{3, 4, 5, 6, 7}));
}

TEST(Slice, EmptyOneHasNoData) {
  const Slice none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(none.tailroom(), 0U);
  EXPECT_TRUE(none.sub(1, 2).empty());
}

TEST(SliceList, HoldsUpToItsLimitAndClears) {
  BufferPool pool;
  SliceList list;
  while (!list.full()) list.push_back(pool.copy(counting(3)));
  EXPECT_EQ(list.count(), SliceList::max_slices);
  EXPECT_EQ(list.octets(), 3 * SliceList::max_slices);
  list.clear();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.count(), 0U);
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

RC_GTEST_PROP(SliceList, CopiesLikeOneRun, ()) {
  const auto pieces = *rc::gen::suchThat<std::vector<std::vector<std::uint8_t>>>(
      [](const auto& p) { return p.size() <= SliceList::max_slices; });
  BufferPool pool;
  SliceList list;
  std::vector<std::uint8_t> whole;
  for (const auto& piece : pieces) {
    list.push_back(pool.copy(piece));
    whole.insert(whole.end(), piece.begin(), piece.end());
  }
  RC_ASSERT(list.octets() == whole.size());
  const auto from = *rc::gen::inRange<std::size_t>(0, whole.size() + 3);
  std::vector<std::uint8_t> out(*rc::gen::inRange<std::size_t>(0, whole.size() + 3));
  const std::size_t n = list.copy_to(from, out);
  const std::size_t start = std::min(from, whole.size());
  RC_ASSERT(n == std::min(out.size(), whole.size() - start));
  out.resize(n);
  const auto first = whole.begin() + static_cast<std::ptrdiff_t>(start);
  RC_ASSERT(out == std::vector<std::uint8_t>(first, first + static_cast<std::ptrdiff_t>(n)));
}

}  // namespace
}  // namespace wireside
