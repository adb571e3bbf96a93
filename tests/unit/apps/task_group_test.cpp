// Tasks that are waited for without polling.
#include "task_group.hpp"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <stdexcept>
#include <string>

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Clock = TaskGroup::Clock;

asio::awaitable<void> sleep_for(std::chrono::milliseconds time, std::string* log = nullptr) {
  asio::steady_timer timer{co_await asio::this_coro::executor, time};
  co_await timer.async_wait(asio::use_awaitable);
  if (log != nullptr) *log += "done ";
}

asio::awaitable<void> fail_at_once() {
  throw std::runtime_error{"a task that fails"};
  co_return;
}

class TaskGroupTest : public ::testing::Test {
 protected:
  asio::awaitable<void> join(Clock::time_point until = Clock::time_point::max()) {
    joined = co_await group.join(until);
    log += "joined";
  }
  void spawn_join(Clock::time_point until = Clock::time_point::max()) {
    asio::co_spawn(context, join(until), asio::detached);
  }

  asio::io_context context{1};
  TaskGroup group{context.get_executor()};
  std::string log;
  std::optional<bool> joined;
};

TEST_F(TaskGroupTest, WithoutTasksJoinIsDoneAtOnce) {
  spawn_join();
  context.run();
  EXPECT_EQ(joined, true);
}

TEST_F(TaskGroupTest, JoinComesAfterTheLastTask) {
  group.spawn(sleep_for(1ms, &log));
  group.spawn(sleep_for(20ms, &log));
  EXPECT_EQ(group.size(), 2U);
  spawn_join();
  spawn_join();  // two may wait
  context.run();
  EXPECT_EQ(log, "done done joinedjoined");
  EXPECT_EQ(group.size(), 0U);
}

TEST_F(TaskGroupTest, TheWaitTakesFewTurnsOfTheLoop) {
  group.spawn(sleep_for(50ms));
  spawn_join();
  EXPECT_LT(context.run(), 20U);  // polling each millisecond would take 50
}

TEST_F(TaskGroupTest, TasksStartedMeanwhileAreWaitedForToo) {
  auto starter = [](TaskGroup& all, std::string& log) -> asio::awaitable<void> {
    all.spawn(sleep_for(20ms, &log));
    co_return;
  };
  group.spawn(starter(group, log));
  spawn_join();
  context.run();
  EXPECT_EQ(log, "done joined");
}

TEST_F(TaskGroupTest, CancelEndsTasksEarlyAndFailuresAreQuiet) {
  group.spawn(sleep_for(1h, &log));
  group.spawn(fail_at_once());
  spawn_join();
  asio::post(context, [this] { group.cancel(); });
  context.run();
  EXPECT_EQ(log, "joined");
}

TEST_F(TaskGroupTest, JoinGivesUpAtItsTime) {
  group.spawn(sleep_for(1h));
  spawn_join(Clock::now() + 10ms);
  context.run_for(200ms);
  EXPECT_EQ(joined, false);
  EXPECT_EQ(group.size(), 1U);
}

TEST_F(TaskGroupTest, OneWhoWaitsCanBeCancelled) {
  group.spawn(sleep_for(1h));
  asio::cancellation_signal signal;
  std::exception_ptr failure;
  asio::co_spawn(context, join(),
                 asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& e) { failure = e; }));
  asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
  context.run_for(200ms);
  EXPECT_TRUE(failure);
  EXPECT_FALSE(joined);
}

TEST_F(TaskGroupTest, TheGroupMayGoBeforeItsTasks) {
  std::optional<TaskGroup> brief{context.get_executor()};
  brief->spawn(sleep_for(1ms, &log));
  brief.reset();
  context.run();
  EXPECT_EQ(log, "done ");
}

}  // namespace
}  // namespace wireside::apps
