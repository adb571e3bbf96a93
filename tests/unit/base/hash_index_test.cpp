#include "base/hash_index.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace wireside {
namespace {

bool holds(const HashIndex& index, std::uint32_t hash, std::uint32_t number) {
  return index.find(hash, [&](std::uint32_t n) { return n == number; }).has_value();
}

TEST(HashIndex, FindsByHashAndThenByWhatTheNumberStandsFor) {
  HashIndex index;
  EXPECT_FALSE(holds(index, 7, 1));
  index.insert(7, 1);
  index.insert(7, 2);
  EXPECT_TRUE(holds(index, 7, 1));
  EXPECT_TRUE(holds(index, 7, 2));
  EXPECT_FALSE(holds(index, 8, 1));
  EXPECT_FALSE(index.find(7, [](std::uint32_t) { return false; }));
}

TEST(HashIndex, OnlyThosePairsThatAreThereCanBeErased) {
  HashIndex index;
  EXPECT_FALSE(index.erase(7, 1));
  index.insert(7, 1);
  EXPECT_FALSE(index.erase(7, 2));
  EXPECT_FALSE(index.erase(23, 1)) << "the same place while there are 16";
  EXPECT_TRUE(index.erase(7, 1));
  EXPECT_FALSE(index.erase(7, 1));
  EXPECT_EQ(index.size(), 0U);
}

// A run that goes around the end of the table closes when one of it is erased.
TEST(HashIndex, RunsMayGoAroundTheEnd) {
  HashIndex index;
  for (std::uint32_t n = 0; n < 6; ++n) index.insert(14, n);
  index.insert(0, 100);  // pushed on by them
  EXPECT_TRUE(index.erase(14, 0));
  EXPECT_TRUE(index.erase(14, 3));
  for (const std::uint32_t n : {1U, 2U, 4U, 5U}) EXPECT_TRUE(holds(index, 14, n)) << n;
  EXPECT_TRUE(holds(index, 0, 100));
}

// Few different hashes, so that runs are long.
RC_GTEST_PROP(HashIndex, BehavesAsASet, (const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps)) {
  HashIndex index;
  std::set<std::pair<std::uint32_t, std::uint32_t>> expected;
  for (const auto& [a, b] : steps) {
    const std::pair<std::uint32_t, std::uint32_t> pair{a % 23U * 0x01000193U, b % 17U};
    if (expected.erase(pair) > 0) {
      RC_ASSERT(index.erase(pair.first, pair.second));
    } else {
      index.insert(pair.first, pair.second);
      expected.insert(pair);
    }
    RC_ASSERT(index.size() == expected.size());
  }
  for (std::uint32_t a = 0; a < 23; ++a) {
    for (std::uint32_t b = 0; b < 17; ++b) {
      const std::pair<std::uint32_t, std::uint32_t> pair{a * 0x01000193U, b};
      RC_ASSERT(holds(index, pair.first, pair.second) == expected.contains(pair));
    }
  }
}

TEST(HashIndex, GrowsAndShrinks) {
  HashIndex index;
  const auto hash = [](std::uint32_t n) { return n * 2654435761U; };
  for (std::uint32_t n = 0; n < 10'000; ++n) index.insert(hash(n), n);
  for (std::uint32_t n = 0; n < 10'000; n += 3) EXPECT_TRUE(index.erase(hash(n), n));
  for (std::uint32_t n = 0; n < 10'000; ++n) ASSERT_EQ(holds(index, hash(n), n), n % 3 != 0) << n;
  for (std::uint32_t n = 0; n < 10'000; ++n) EXPECT_EQ(index.erase(hash(n), n), n % 3 != 0);
  EXPECT_EQ(index.size(), 0U);
}

}  // namespace
}  // namespace wireside
