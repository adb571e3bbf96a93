// A small deterministic generator for tests (splitmix64): the same seed gives the same run on every machine.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace wireside::testing {

class TestRandom {
 public:
  explicit TestRandom(std::uint64_t seed) : state_{seed} {}
  [[nodiscard]] std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound); bound 0 gives 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  /// Uniform in [low, high].
  [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  [[nodiscard]] double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  [[nodiscard]] bool chance(double probability) { return unit() < probability; }
  [[nodiscard]] Duration duration_below(Duration bound) {
    return Duration{static_cast<std::int64_t>(below(static_cast<std::uint64_t>(bound.count())))};
  }

 private:
  std::uint64_t state_;
};

}  // namespace wireside::testing
