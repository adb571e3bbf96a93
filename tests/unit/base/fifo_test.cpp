// The queue in a ring against std::deque.
#include "base/fifo.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <memory>
#include <vector>

namespace wireside {
namespace {

TEST(Fifo, FirstInFirstOutAcrossTheRingsEnd) {
  Fifo<int> queue;
  for (int i = 0; i < 6; ++i) queue.push_back(i);
  for (int i = 0; i < 5; ++i) queue.pop_front();
  for (int i = 6; i < 30; ++i) queue.push_back(i);  // goes round, and the ring grows
  EXPECT_EQ(queue.size(), 25U);
  for (int i = 5; i < 30; ++i) {
    EXPECT_EQ(queue.front(), i);
    queue.pop_front();
  }
  EXPECT_TRUE(queue.empty());
}

TEST(Fifo, DestroysWhatIsLeftAndMovesWhole) {
  const auto watched = std::make_shared<int>(1);
  {
    Fifo<std::shared_ptr<int>, 8> queue;
    for (int i = 0; i < 20; ++i) queue.push_back(watched);
    EXPECT_EQ(watched.use_count(), 21);
    Fifo<std::shared_ptr<int>, 8> other{std::move(queue)};
    EXPECT_EQ(other.size(), 20U);
    EXPECT_EQ(watched.use_count(), 21);
    other.clear();
    EXPECT_EQ(watched.use_count(), 1);
    other.push_back(watched);
  }
  EXPECT_EQ(watched.use_count(), 1);
}

RC_GTEST_PROP(Fifo, IsADeque, (const std::vector<std::uint8_t>& steps)) {
  Fifo<int, 4> queue;
  std::deque<int> model;
  int next = 0;
  for (const std::uint8_t step : steps) {
    if (step % 8 == 7) {
      queue.clear();
      model.clear();
    } else if (step % 8 > 4 && !model.empty()) {
      queue.pop_front();
      model.pop_front();
    } else {
      queue.push_back(next);
      model.push_back(next++);
    }
    RC_ASSERT(queue.size() == model.size());
    if (!model.empty()) RC_ASSERT(queue.front() == model.front());
  }
}

}  // namespace
}  // namespace wireside
