#include "base/slot_map.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>

namespace wireside {
namespace {

struct Tag;
using Map = SlotMap<std::string, Tag>;
using TestHandle = Handle<Tag>;

TEST(SlotMap, DefaultHandleRefersToNothing) {
  Map map;
  map.emplace("a");
  EXPECT_FALSE(TestHandle{}.is_valid());
  EXPECT_EQ(map.find(TestHandle{}), nullptr);
}

TEST(SlotMap, StaleHandleIsRecognisedAfterReuse) {
  Map map;
  const TestHandle first = map.emplace("first");
  map.erase(first);
  EXPECT_EQ(map.find(first), nullptr);
  const TestHandle second = map.emplace("second");
  EXPECT_EQ(second.index, first.index);
  EXPECT_NE(second.generation, first.generation);
  EXPECT_EQ(map.find(first), nullptr);
  ASSERT_NE(map.find(second), nullptr);
  EXPECT_EQ(*map.find(second), "second");
}

TEST(SlotMap, ErasingTwiceTakesOne) {
  Map map;
  const TestHandle a = map.emplace("a");
  map.erase(a);
  map.erase(a);
  EXPECT_EQ(map.size(), 0U);
  const TestHandle b = map.emplace("b");
  map.erase(a);
  EXPECT_NE(map.find(b), nullptr);
  EXPECT_NE(map.emplace("c").index, b.index);
}

TEST(SlotMap, AddressesAreStableWhileItGrows) {
  Map map;
  const TestHandle h = map.emplace("here");
  const std::string* before = map.find(h);
  for (int i = 0; i < 1000; ++i) map.emplace("more");
  EXPECT_EQ(map.find(h), before);
}

// Chunks that have become empty are given back, and their slots come into use again.
TEST(SlotMap, HandlesOfAChunkThatIsGoneStayStale) {
  Map map;
  std::vector<TestHandle> before;
  for (int i = 0; i < 5000; ++i) before.push_back(map.emplace("before"));
  for (const TestHandle h : before) map.erase(h);
  EXPECT_EQ(map.size(), 0U);
  for (const TestHandle h : before) ASSERT_EQ(map.find(h), nullptr);
  EXPECT_EQ(map.at(before.back().index), nullptr);
  std::set<TestHandle> after;
  for (int i = 0; i < 5000; ++i) after.insert(map.emplace("after"));
  EXPECT_EQ(after.size(), 5000U);
  for (const TestHandle h : before) ASSERT_EQ(map.find(h), nullptr);
  for (const TestHandle h : after) {
    ASSERT_EQ(map.handle_at(h.index), h);
    ASSERT_EQ(map.known_at(h.index), "after");
  }
}

struct Reentrant {
  SlotMap<Reentrant, Tag>* map = nullptr;
  TestHandle self;
  bool* seen_self = nullptr;
  ~Reentrant() {
    if (map != nullptr) *seen_self = map->find(self) != nullptr;
  }
};

TEST(SlotMap, DestructorsSeeAConsistentMap) {
  bool seen_self = true;
  SlotMap<Reentrant, Tag> map;
  const TestHandle h = map.emplace();
  *map.find(h) = {&map, h, &seen_self};
  seen_self = true;
  map.erase(h);
  EXPECT_FALSE(seen_self);
}

RC_GTEST_PROP(SlotMap, BehavesAsAMapOfUniqueHandles, (const std::vector<std::pair<bool, std::uint8_t>>& steps)) {
  SlotMap<int, Tag> map;
  std::map<TestHandle, int> expected;
  std::set<TestHandle> ever;
  int next = 0;
  for (const auto& [insert, pick] : steps) {
    if (insert || expected.empty()) {
      const TestHandle h = map.emplace(next);
      RC_ASSERT(ever.insert(h).second);
      expected[h] = next++;
    } else {
      const auto it = std::next(expected.begin(), pick % static_cast<int>(expected.size()));
      map.erase(it->first);
      expected.erase(it);
    }
  }
  RC_ASSERT(map.size() == expected.size());
  for (const TestHandle h : ever) {
    const auto it = expected.find(h);
    const int* found = map.find(h);
    RC_ASSERT((found != nullptr) == (it != expected.end()));
    if (found != nullptr) RC_ASSERT(*found == it->second);
  }
  std::size_t listed = 0;
  map.for_each([&](TestHandle h, int value) {
    ++listed;
    RC_ASSERT(expected.at(h) == value);
  });
  RC_ASSERT(listed == expected.size());
}

}  // namespace
}  // namespace wireside
