// A link's rate, and the queue in front of it.
#pragma once

#include <deque>
#include <optional>

#include "impair/settings.hpp"

namespace wireside::impair {

/// First in, first out, tail drop. Exact to the nanosecond over a whole busy period: no rounding adds up.
class Bottleneck {
 public:
  /// `rate` in bits per second, not 0.
  Bottleneck(std::uint64_t rate, QueueAmount queue, std::optional<QueueAmount> mark_from)
      : rate_{rate}, queue_{queue}, mark_from_{mark_from} {}

  struct Passage {
    Instant leaves;       ///< its last bit is sent
    bool marked = false;  ///< so many waited that it should tell of congestion
  };
  /// A frame of `octets` joins the queue; nullopt when that is full.
  [[nodiscard]] std::optional<Passage> join(Instant now, std::size_t octets);
  /// Frames that wait, not counting the one being sent.
  [[nodiscard]] std::size_t waiting(Instant now);
  void clear();

 private:
  struct Waiting {
    Instant starts;
    std::size_t octets = 0;
  };
  void advance(Instant now);
  [[nodiscard]] bool reaches(const QueueAmount& limit, std::size_t more_octets) const;

  std::uint64_t rate_;
  QueueAmount queue_;
  std::optional<QueueAmount> mark_from_;
  std::deque<Waiting> waiting_;
  std::uint64_t waiting_octets_ = 0;
  Instant busy_since_;
  std::uint64_t octets_since_ = 0;
  Instant free_at_;
};

}  // namespace wireside::impair
