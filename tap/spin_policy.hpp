// SpinPolicy: how long the event loop polls its device before it sleeps. Pure: time and progress are told to it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace wireside {

/// Where a processor that sleeps is slow to wake, polling the device for some microseconds before sleeping answers
/// sooner and moves more; where both ends share a processor, it only keeps the peer from running. Which of them holds
/// shows in how long the same progress takes, so the policy tries polling for a few waits, goes on with it only if it
/// paid, and tries sleeping again from time to time. Where frames follow one another at once, or are rare, it does not
/// even try: an idle endpoint sleeps.
///
/// A wait begins when the device was read empty, and ends with the next frames.
class SpinPolicy {
 public:
  /// Longest polling before a sleep, unless busy polling asks for another.
  static constexpr Duration longest_spin = std::chrono::microseconds{100};
  /// Waits as short as these on average need no polling, and waits as long as these are not shortened by it.
  static constexpr Duration short_wait = std::chrono::microseconds{8};
  static constexpr Duration long_wait = std::chrono::microseconds{300};
  /// A wait of this length says that nothing is going on.
  static constexpr Duration idle_wait = std::chrono::microseconds{500};

  /// With `allowed` false it never polls of its own accord: on a single processor nobody else runs meanwhile.
  explicit SpinPolicy(bool allowed);

  /// Polls this long before each sleep, whatever it costs; zero never polls; nullopt adapts, as at first.
  void set_busy_poll(std::optional<Duration> spin) { fixed_ = spin; }

  /// How long to poll in the wait that begins.
  [[nodiscard]] Duration budget() const;

  /// A wait has ended. `progress` counts, from any beginning on, what has been moved: packets, or octets in units of
  /// a packet.
  void waited(Instant began, Instant ended, std::uint64_t progress);

 private:
  enum class Mode : std::uint8_t {
    Sleep,    ///< polling does not pay, or there is nothing to do
    Trial,    ///< polling, to see whether it pays
    Spin,     ///< it did
    Recheck,  ///< sleeping, to see whether it still does
  };
  /// Sums over the latest waits of one kind.
  struct Sums {
    std::int64_t waits = 0;
    Duration waiting{};
    Duration time{};  ///< waits, and the work between them
    std::uint64_t progress = 0;
    void add(Duration waiting_, Duration time_, std::uint64_t progress_);
    [[nodiscard]] Duration mean_wait() const { return waits == 0 ? Duration{} : waiting / waits; }
  };
  /// `a` needed clearly less time for the same progress.
  [[nodiscard]] static bool faster(const Sums& a, const Sums& b);

  void enter(Mode mode);
  void went_idle();
  void judge();
  void judge_sleep();
  void judge_trial();
  void judge_recheck();

  bool allowed_;
  std::optional<Duration> fixed_;
  Mode mode_ = Mode::Sleep;
  Sums sleeping_;
  Sums spinning_;
  std::int64_t waits_in_mode_ = 0;
  std::int64_t waits_until_trial_;
  std::int64_t waits_until_recheck_;
  bool has_last_ = false;
  Instant last_end_;
  std::uint64_t last_progress_ = 0;
};

}  // namespace wireside
