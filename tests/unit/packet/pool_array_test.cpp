// Rows of elements in blocks of the pool, against std::deque.
#include "packet/pool_array.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <memory>
#include <vector>

namespace wireside {
namespace {

struct Piece {
  std::uint64_t position = 0;
  Slice data;
};

TEST(PoolArray, HoldsNothingWhileItIsEmpty) {
  static_assert(sizeof(PoolArray<Piece>) == 16);
  BufferPool pool;
  PoolArray<Piece> row;
  EXPECT_TRUE(row.empty());
  row.push_back({1, pool.allocate_slice(100)}, pool);
  EXPECT_EQ(row.front().position, 1U);
  EXPECT_EQ(pool.buffers_in_use(), 1U) << "the row's own block is no buffer";
  row.pop_front();
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

TEST(PoolArray, OutlivesItsPool) {
  PoolArray<Piece> row;
  {
    BufferPool pool;
    for (std::uint64_t i = 0; i < 1000; ++i) row.push_back({i, pool.allocate_slice(10)}, pool);
  }
  EXPECT_EQ(row.size(), 1000U);
  EXPECT_EQ(row[999].position, 999U);
  PoolArray<Piece> other{std::move(row)};
  other.clear();
  EXPECT_TRUE(other.empty());
}

RC_GTEST_PROP(PoolArray, IsADeque, (const std::vector<std::uint8_t>& steps)) {
  BufferPool pool;
  PoolArray<Piece> row;
  std::deque<std::uint64_t> model;
  std::uint64_t next = 0;
  for (const std::uint8_t step : steps) {
    if (step % 16 == 15) {
      row.clear();
      model.clear();
    } else if (step % 16 > 9 && !model.empty()) {
      row.pop_front();
      model.pop_front();
    } else {
      row.push_back({next, pool.allocate_slice(1)}, pool);
      model.push_back(next++);
    }
    RC_ASSERT(row.size() == model.size());
    RC_ASSERT(pool.buffers_in_use() == model.size());
    RC_ASSERT(std::equal(row.begin(), row.end(), model.begin(), model.end(),
                         [](const Piece& piece, std::uint64_t position) { return piece.position == position; }));
    if (!model.empty()) RC_ASSERT(row.back().position == model.back());
  }
}

}  // namespace
}  // namespace wireside
