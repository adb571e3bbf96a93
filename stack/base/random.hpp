// Seeded randomness. Everything random in a Stack comes from one Seed, so that a run can be repeated.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace wireside {

using Seed = std::array<std::uint64_t, 4>;

/// Expands one number into a Seed (splitmix64); for tests and --seed N.
[[nodiscard]] Seed make_seed(std::uint64_t n);

/// 128-bit key for SipHash.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

/// SipHash-2-4 (Aumasson, Bernstein): a keyed hash no outsider can predict. For ISNs, ports and table buckets.
[[nodiscard]] std::uint64_t siphash24(const SipKey& key, ByteView data);

/// ChaCha20-based generator: what it gave out does not tell what it will give (ports, ISN keys, DHCP and DNS ids).
class Random {
 public:
  explicit Random(const Seed& seed);
  [[nodiscard]] std::uint64_t next_u64();
  [[nodiscard]] std::uint32_t next_u32() { return static_cast<std::uint32_t>(next_u64() >> 32); }
  /// Uniform in [0, bound); bound 0 gives 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  [[nodiscard]] SipKey sip_key() { return {next_u64(), next_u64()}; }

 private:
  void refill();
  std::array<std::uint32_t, 8> key_{};
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 16> block_{};
  unsigned used_ = 16;
};

}  // namespace wireside
