#include "base/intrusive_list.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace wireside {
namespace {

struct First;
struct Second;
struct Item : ListNode<First>, ListNode<Second> {
  explicit Item(int v) : value{v} {}
  int value;
};

std::vector<int> values(IntrusiveList<Item, First>& list) {
  std::vector<int> out;
  for (Item* item = list.front(); item != nullptr; item = list.next(*item)) out.push_back(item->value);
  return out;
}

TEST(IntrusiveList, KeepsOrderAndTakesFromTheFront) {
  IntrusiveList<Item, First> list;
  Item a{1};
  Item b{2};
  Item c{3};
  list.push_back(a);
  list.push_back(b);
  list.push_back(c);
  EXPECT_EQ(values(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.pop_front(), &a);
  EXPECT_FALSE(a.ListNode<First>::is_linked());
  EXPECT_EQ(values(list), (std::vector{2, 3}));
}

TEST(IntrusiveList, PushingAgainMovesToTheBackEvenFromAnotherList) {
  IntrusiveList<Item, First> list;
  IntrusiveList<Item, First> other;
  Item a{1};
  Item b{2};
  list.push_back(a);
  list.push_back(b);
  list.push_back(a);
  EXPECT_EQ(values(list), (std::vector{2, 1}));
  other.push_back(b);
  EXPECT_EQ(values(list), (std::vector{1}));
  EXPECT_EQ(values(other), (std::vector{2}));
}

TEST(IntrusiveList, OneElementSitsInListsOfDifferentTags) {
  IntrusiveList<Item, First> list;
  IntrusiveList<Item, Second> other;
  Item a{1};
  list.push_back(a);
  other.push_back(a);
  a.ListNode<First>::unlink();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(other.front(), &a);
}

TEST(IntrusiveList, DestroyedElementUnlinksItself) {
  IntrusiveList<Item, First> list;
  Item a{1};
  Item c{3};
  list.push_back(a);
  {
    Item b{2};
    list.push_back(b);
    list.push_back(c);
  }
  EXPECT_EQ(values(list), (std::vector{1, 3}));
}

TEST(IntrusiveList, DestroyedListLeavesItsElementsFree) {
  Item a{1};
  {
    IntrusiveList<Item, First> list;
    list.push_back(a);
  }
  EXPECT_FALSE(a.ListNode<First>::is_linked());
  IntrusiveList<Item, First> next;
  EXPECT_EQ(next.front(), nullptr);
  EXPECT_EQ(next.pop_front(), nullptr);
  next.push_back(a);
  EXPECT_EQ(next.front(), &a);
}

}  // namespace
}  // namespace wireside
