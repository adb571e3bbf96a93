// The deadline queue against a sorted list of deadlines, under random operations.
#include "base/deadline_queue.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

namespace wireside {
namespace {

Instant at(std::int64_t ns) { return Instant::from_ns(ns); }

TEST(DeadlineQueue, EmptyNeverComesDue) {
  DeadlineQueue queue;
  EXPECT_EQ(queue.next(), Instant::max());
  EXPECT_EQ(queue.pop_due(at(INT64_MAX - 1)), nullptr);
}

TEST(DeadlineQueue, NotBeforeItsTimeAndThenOnce) {
  DeadlineQueue queue;
  DeadlineNode node;
  queue.arm(node, at(10));
  EXPECT_EQ(queue.next(), at(10));
  EXPECT_EQ(queue.pop_due(at(9)), nullptr);
  EXPECT_EQ(queue.pop_due(at(10)), &node);
  EXPECT_EQ(node.due(), Instant::max());
  EXPECT_EQ(queue.pop_due(at(1000)), nullptr);
}

TEST(DeadlineQueue, MovedLaterIsNotReportedEarly) {
  DeadlineQueue queue;
  DeadlineNode a;
  DeadlineNode b;
  queue.arm(a, at(10));
  queue.arm(b, at(20));
  queue.arm(a, at(30));
  EXPECT_EQ(queue.next(), at(20));
  EXPECT_EQ(queue.pop_due(at(25)), &b);
  EXPECT_EQ(queue.pop_due(at(29)), nullptr);
  EXPECT_EQ(queue.pop_due(at(30)), &a);
}

TEST(DeadlineQueue, MaxDisarms) {
  DeadlineQueue queue;
  DeadlineNode node;
  queue.arm(node, at(10));
  queue.arm(node, Instant::max());
  EXPECT_EQ(queue.next(), Instant::max());
  EXPECT_EQ(queue.size(), 0U);
  queue.arm(node, at(5));
  EXPECT_EQ(queue.next(), at(5));
}

TEST(DeadlineQueue, DestroyedNodeLeavesAndDestroyedQueueLetsGo) {
  auto node = std::make_unique<DeadlineNode>();
  DeadlineNode survivor;
  {
    DeadlineQueue queue;
    queue.arm(*node, at(1));
    queue.arm(survivor, at(2));
    node.reset();
    EXPECT_EQ(queue.next(), at(2));
  }
  DeadlineQueue second;
  second.arm(survivor, at(3));
  EXPECT_EQ(second.next(), at(3));
}

/// Operations on a few nodes, each mirrored in a multimap from deadline to node.
class Model {
 public:
  static constexpr std::size_t count = 24;

  void arm(std::size_t i, Instant due) {
    queue.arm(nodes[i], due);
    forget(i);
    if (due != Instant::max()) expected.emplace(due, i);
  }
  void remove(std::size_t i) {
    queue.remove(nodes[i]);
    forget(i);
  }
  void check_next() { RC_ASSERT(queue.next() == (expected.empty() ? Instant::max() : expected.begin()->first)); }
  void pop_until(Instant now) {
    Instant last = at(INT64_MIN);
    for (std::size_t popped = 0; popped <= count; ++popped) {
      const bool due = !expected.empty() && expected.begin()->first <= now;
      DeadlineNode* node = queue.pop_due(now);
      RC_ASSERT((node != nullptr) == due);
      if (node == nullptr) return;
      const auto i = static_cast<std::size_t>(node - nodes.data());
      const auto entry = std::find_if(expected.begin(), expected.end(), [&](const auto& e) { return e.second == i; });
      RC_ASSERT(entry != expected.end());
      RC_ASSERT(entry->first == expected.begin()->first);
      RC_ASSERT(entry->first >= last);
      last = entry->first;
      expected.erase(entry);
    }
    RC_FAIL("more nodes came due than exist");
  }

 private:
  void forget(std::size_t i) {
    std::erase_if(expected, [&](const auto& e) { return e.second == i; });
  }
  DeadlineQueue queue;
  std::array<DeadlineNode, count> nodes;
  std::multimap<Instant, std::size_t> expected;
};

RC_GTEST_PROP(DeadlineQueue, BehavesAsASortedList, ()) {
  using Step = std::tuple<int, std::size_t, std::int64_t>;
  const auto steps = *rc::gen::scale(4.0, rc::gen::container<std::vector<Step>>(rc::gen::tuple(
                                              rc::gen::inRange(0, 10), rc::gen::inRange<std::size_t>(0, Model::count),
                                              rc::gen::inRange<std::int64_t>(0, 1000))));
  Model model;
  for (const auto& [what, node, time] : steps) {
    if (what < 6) {
      model.arm(node, at(time));
    } else if (what == 6) {
      model.arm(node, Instant::max());
    } else if (what == 7) {
      model.remove(node);
    } else if (what == 8) {
      model.pop_until(at(time));
    } else {
      model.check_next();
    }
  }
  model.pop_until(at(1000));
  model.check_next();
}

}  // namespace
}  // namespace wireside
