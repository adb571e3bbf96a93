#include "base/slot_order.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <list>
#include <map>

#include "base/slot_map.hpp"

namespace wireside {
namespace {

struct Ranked {
  std::uint32_t slot = 0;
  SlotLinks links;
  Instant due_at, key_at;
  std::uint32_t place = UINT32_MAX;

  [[nodiscard]] Instant due() const { return due_at; }
  [[nodiscard]] Instant key() const { return key_at; }
  void set_due(Instant t) { due_at = t; }
  void set_key(Instant t) { key_at = t; }
};
struct Tag;
using RankedMap = SlotMap<Ranked, Tag>;

Ranked& make(RankedMap& items) {
  const auto h = items.emplace();
  Ranked& item = *items.find(h);
  item.slot = h.index;
  return item;
}

TEST(SlotList, KeepsTheOrderAndLetsGoOfAny) {
  RankedMap items;
  SlotList<RankedMap, Ranked> list{items};
  EXPECT_EQ(list.front(), nullptr);
  Ranked& a = make(items);
  Ranked& b = make(items);
  Ranked& c = make(items);
  for (Ranked* const item : {&a, &b, &c}) list.push_back(*item);
  list.remove(b);
  EXPECT_EQ(list.front(), &a);
  list.remove(a);
  EXPECT_EQ(list.front(), &c);
  list.push_back(a);
  list.remove(c);
  EXPECT_EQ(list.front(), &a);
  list.remove(a);
  EXPECT_EQ(list.front(), nullptr);
}

RC_GTEST_PROP(SlotList, BehavesAsAList, (const std::vector<std::uint8_t>& steps)) {
  RankedMap items;
  std::vector<Ranked*> all;
  for (int i = 0; i < 12; ++i) all.push_back(&make(items));
  SlotList<RankedMap, Ranked> list{items};
  std::list<Ranked*> expected;
  for (const std::uint8_t step : steps) {
    Ranked* const item = all[step % all.size()];
    if (const auto it = std::find(expected.begin(), expected.end(), item); it != expected.end()) {
      expected.erase(it);
      list.remove(*item);
    } else {
      expected.push_back(item);
      list.push_back(*item);
    }
    RC_ASSERT(list.front() == (expected.empty() ? nullptr : expected.front()));
  }
}

TEST(SlotDeadlines, NotBeforeItsTimeAndThenOnce) {
  RankedMap items;
  SlotDeadlines<RankedMap, Ranked> queue{items};
  EXPECT_EQ(queue.next(), Instant::max());
  EXPECT_EQ(queue.pop_due(Instant::max()), nullptr);
  Ranked& item = make(items);
  queue.arm(item, Instant::from_ns(10));
  EXPECT_EQ(queue.pop_due(Instant::from_ns(9)), nullptr);
  EXPECT_EQ(queue.pop_due(Instant::from_ns(10)), &item);
  EXPECT_EQ(queue.pop_due(Instant::from_ns(10)), nullptr);
}

RC_GTEST_PROP(SlotDeadlines, BehavesAsASortedList, (const std::vector<std::pair<std::uint8_t, std::uint8_t>>& steps)) {
  RankedMap items;
  std::vector<Ranked*> all;
  for (int i = 0; i < 20; ++i) all.push_back(&make(items));
  SlotDeadlines<RankedMap, Ranked> queue{items};
  std::map<Ranked*, Instant> expected;
  for (const auto& [pick, what] : steps) {
    Ranked* const item = all[pick % all.size()];
    if (what < 160) {
      expected[item] = Instant::from_ns(what % 40);
      queue.arm(*item, expected[item]);
    } else if (what < 200) {
      expected.erase(item);
      queue.remove(*item);
    } else {
      const Instant now = Instant::from_ns(what - 200);
      Ranked* const due = queue.pop_due(now);
      const auto first = std::min_element(expected.begin(), expected.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
      RC_ASSERT((due != nullptr) == (first != expected.end() && first->second <= now));
      if (due == nullptr) continue;
      RC_ASSERT(expected.at(due) == first->second);
      expected.erase(due);
    }
    Instant next = Instant::max();
    for (const auto& [of, due] : expected) next = std::min(next, due);
    RC_ASSERT(queue.next() == next);
  }
}

}  // namespace
}  // namespace wireside
