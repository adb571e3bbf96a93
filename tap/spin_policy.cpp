#include "spin_policy.hpp"

#include <algorithm>

namespace wireside {
namespace {

// Waits in a trial or a recheck: enough to tell, few enough not to be felt.
constexpr std::int64_t sample_waits = 32;
// Sums forget: at twice this many waits, they are halved.
constexpr std::int64_t remembered_waits = 64;
// Between trials that failed, and between rechecks that found spinning right, twice as many each time.
constexpr std::int64_t first_trial_after = 32, last_trial_after = 16384;
constexpr std::int64_t first_recheck_after = 1024, last_recheck_after = 16384;

}  // namespace

void SpinPolicy::Sums::add(Duration waiting_, Duration time_, std::uint64_t progress_) {
  ++waits;
  waiting += waiting_;
  time += time_;
  progress += progress_;
  if (waits < 2 * remembered_waits) return;
  waits /= 2;
  waiting /= 2;
  time /= 2;
  progress /= 2;
}

bool SpinPolicy::faster(const Sums& a, const Sums& b) {
  // a.time / a.progress < 0.9 * b.time / b.progress
  return 10.0 * static_cast<double>(a.time.count()) * static_cast<double>(b.progress) <
         9.0 * static_cast<double>(b.time.count()) * static_cast<double>(a.progress);
}

Duration SpinPolicy::budget() const {
  if (fixed_) return *fixed_;
  return mode_ == Mode::Trial || mode_ == Mode::Spin ? longest_spin : Duration{};
}

void SpinPolicy::enter(Mode mode) {
  mode_ = mode;
  waits_in_mode_ = 0;
  has_last_ = false;  // the next wait still follows work of the other kind
  if (mode == Mode::Trial) spinning_ = {};
  if (mode == Mode::Recheck) sleeping_ = {};
}

void SpinPolicy::waited(Instant began, Instant ended, std::uint64_t progress) {
  if (!allowed_ || fixed_) return;
  const Duration waiting = ended - began;
  if (waiting >= idle_wait) return went_idle();
  if (has_last_) {
    Sums& sums = budget() == Duration{} ? sleeping_ : spinning_;
    sums.add(waiting, ended - last_end_, progress - last_progress_);
    ++waits_in_mode_;
  }
  has_last_ = true;
  last_end_ = ended;
  last_progress_ = progress;
  judge();
}

/// What was measured before a pause still holds after it, but spinning starts with a trial again.
void SpinPolicy::went_idle() {
  has_last_ = false;
  if (mode_ == Mode::Trial) waits_until_trial_ = std::min(waits_until_trial_ * 2, last_trial_after);
  if (mode_ != Mode::Sleep) enter(Mode::Sleep);
}

void SpinPolicy::judge() {
  switch (mode_) {
    case Mode::Sleep:
      return judge_sleep();
    case Mode::Trial:
      return judge_trial();
    case Mode::Spin:
      if (waits_in_mode_ >= waits_until_recheck_) enter(Mode::Recheck);
      return;
    case Mode::Recheck:
      return judge_recheck();
  }
}

void SpinPolicy::judge_sleep() {
  if (waits_in_mode_ < waits_until_trial_) return;
  const Duration wait = sleeping_.mean_wait();
  if (wait >= short_wait && wait <= long_wait) enter(Mode::Trial);
}

void SpinPolicy::judge_trial() {
  if (waits_in_mode_ < sample_waits) return;
  if (faster(spinning_, sleeping_)) {
    waits_until_trial_ = first_trial_after;
    waits_until_recheck_ = first_recheck_after;
    return enter(Mode::Spin);
  }
  waits_until_trial_ = std::min(waits_until_trial_ * 2, last_trial_after);
  enter(Mode::Sleep);
}

void SpinPolicy::judge_recheck() {
  if (waits_in_mode_ < sample_waits) return;
  if (faster(spinning_, sleeping_)) {
    waits_until_recheck_ = std::min(waits_until_recheck_ * 2, last_recheck_after);
    return enter(Mode::Spin);
  }
  enter(Mode::Sleep);
}

SpinPolicy::SpinPolicy(bool allowed)
    : allowed_{allowed}, waits_until_trial_{first_trial_after}, waits_until_recheck_{first_recheck_after} {}

}  // namespace wireside
