// Polling before sleeping, as a policy alone: a machine under a virtual clock says how long its waits are.
#include "spin_policy.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace wireside::test {
namespace {

using namespace std::chrono_literals;

/// A machine whose next frames come after some time, which depends on whether we sleep or poll meanwhile.
struct Machine {
  SpinPolicy policy{true};
  Duration asleep = 70us;   ///< until frames are there when we sleep: the wake-up included
  Duration polling = 20us;  ///< when we poll
  Duration work = 5us;
  std::uint64_t packets = 1;  ///< moved by the work after each wait

  Instant now;
  std::uint64_t progress = 0;
  Duration polled{};  ///< processor time that went into polling
  int slept = 0;

  void wait() {
    const Instant began = now;
    const Duration budget = policy.budget();
    if (budget >= polling) {
      now += polling;
      polled += polling;
    } else {
      now += budget + asleep;
      polled += budget;
      ++slept;
    }
    policy.waited(began, now, progress);
    progress += packets;
    now += work;
  }
  void wait(int times) {
    for (int i = 0; i < times; ++i) wait();
  }
  /// How many of so many waits were slept through.
  int sleeps_of(int times) {
    slept = 0;
    wait(times);
    return slept;
  }
};

TEST(SpinPolicy, SleepsAtFirst) { EXPECT_EQ(SpinPolicy{true}.budget(), 0us); }

TEST(SpinPolicy, PollsWhereWakingUpIsSlow) {
  Machine m;
  m.wait(200);
  EXPECT_EQ(m.policy.budget(), SpinPolicy::longest_spin);
  EXPECT_LT(m.sleeps_of(10'000), 300);
}

TEST(SpinPolicy, SleepsWherePollingKeepsThePeerFromRunning) {
  Machine m;
  m.asleep = 20us;
  m.polling = 1ms;  // never within the budget: it is spent for nothing, and then we sleep
  m.wait(200);
  EXPECT_EQ(m.policy.budget(), 0us);
  m.polled = 0us;
  const Instant begin = m.now;
  m.wait(100'000);
  EXPECT_LT(m.polled * 50, m.now - begin) << "trials that fail become rare";
}

TEST(SpinPolicy, DoesNotTryWhereFramesFollowAtOnce) {
  Machine m;
  m.asleep = 3us;
  m.polling = 1us;
  EXPECT_EQ(m.sleeps_of(10'000), 10'000);
  EXPECT_EQ(m.polled, 0us);
}

TEST(SpinPolicy, DoesNotTryWhereFramesAreRare) {
  for (const Duration pause : {Duration{400us}, Duration{10ms}, Duration{1s}}) {
    Machine m;
    m.asleep = pause;
    m.polling = pause;
    EXPECT_EQ(m.sleeps_of(10'000), 10'000);
    EXPECT_EQ(m.polled, 0us);
  }
}

TEST(SpinPolicy, SleepsOnWherePollingMovesNoMore) {
  Machine m;
  m.asleep = 50us;
  m.polling = 49us;  // an application that asks at its own pace
  m.wait(200);
  EXPECT_EQ(m.policy.budget(), 0us);
}

TEST(SpinPolicy, CountsWhatIsMovedAndNotHowOftenItWaits) {
  // Sleeping gathers 16 packets, polling finds each alone: shorter waits, but less in the same time.
  Machine m;
  m.asleep = 60us;
  m.polling = 20us;
  for (int i = 0; i < 1000; ++i) {
    m.packets = m.policy.budget() == 0us ? 16 : 1;
    m.wait();
  }
  EXPECT_EQ(m.policy.budget(), 0us);
}

TEST(SpinPolicy, StopsWithTheFirstPauseAndStartsAgainWithTheTraffic) {
  Machine m;
  m.wait(200);
  ASSERT_GT(m.policy.budget(), 0us);
  m.now += 1s;  // the application pauses: this wait is spent asleep but for one budget
  const Instant began = m.now;
  m.now += 1s;
  m.policy.waited(began, m.now, m.progress);
  EXPECT_EQ(m.policy.budget(), 0us);
  m.wait(200);
  EXPECT_GT(m.policy.budget(), 0us);
}

TEST(SpinPolicy, APauseWithinATrialEndsIt) {
  Machine m;
  m.wait(40);
  ASSERT_GT(m.policy.budget(), 0us) << "the trial";
  const Instant began = m.now;
  m.now += SpinPolicy::idle_wait;
  m.policy.waited(began, m.now, m.progress);
  EXPECT_EQ(m.policy.budget(), 0us);
}

TEST(SpinPolicy, NoticesThatTheMachineHasBecomeBusy) {
  Machine m;
  m.wait(20'000);
  ASSERT_LT(m.sleeps_of(1000), 100);
  m.asleep = 10us;  // both ends share a processor now
  m.polling = 1ms;
  m.wait(40'000);
  EXPECT_GT(m.sleeps_of(1000), 900);
  m.asleep = 70us;  // and have one each again
  m.polling = 20us;
  m.wait(40'000);
  EXPECT_LT(m.sleeps_of(1000), 100);
}

TEST(SpinPolicy, NeverPollsOnASingleProcessor) {
  Machine m;
  m.policy = SpinPolicy{false};
  EXPECT_EQ(m.sleeps_of(10'000), 10'000);
  EXPECT_EQ(m.polled, 0us);
}

TEST(SpinPolicy, BusyPollingIsAsLongAsAskedFor) {
  SpinPolicy policy{false};
  policy.set_busy_poll(1500us);
  EXPECT_EQ(policy.budget(), 1500us);
  Machine m;
  m.policy.set_busy_poll(0us);
  EXPECT_EQ(m.sleeps_of(1000), 1000);
  m.policy.set_busy_poll(2ms);
  m.asleep = m.polling = 1900us;
  EXPECT_EQ(m.sleeps_of(1000), 0);
  m.policy.set_busy_poll(std::nullopt);
  EXPECT_EQ(m.policy.budget(), 0us) << "adapts again";
}

}  // namespace
}  // namespace wireside::test
