#include "base/checksum.hpp"

#include <bit>
#include <cstring>

namespace wireside {
namespace {

/// Sum of native 16-bit words, kept in 64 bits; 32-bit loads into two accumulators let the compiler vectorise.
std::uint64_t native_sum(const std::uint8_t* p, std::size_t n) {
  std::uint64_t sum = 0;
  while (n >= 32) {
    std::uint32_t w[8];
    std::memcpy(w, p, 32);
    std::uint64_t part = 0;
    for (const auto v : w) part += v;
    sum += part;
    p += 32;
    n -= 32;
  }
  while (n >= 4) {
    std::uint32_t w = 0;
    std::memcpy(&w, p, 4);
    sum += w;
    p += 4;
    n -= 4;
  }
  if (n > 0) {
    std::uint8_t rest[4] = {};
    std::memcpy(rest, p, n);
    std::uint32_t w = 0;
    std::memcpy(&w, rest, 4);
    sum += w;
  }
  return sum;
}

std::uint16_t fold(std::uint64_t sum) {
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

void ChecksumAccumulator::add(ByteView data) {
  std::uint16_t part = fold(native_sum(data.data(), data.size()));
  if constexpr (std::endian::native == std::endian::little) part = swap(part);
  sum_ += odd_ ? swap(part) : part;
  if (data.size() % 2 != 0) odd_ = !odd_;
}

std::uint16_t ChecksumAccumulator::folded() const { return fold(sum_); }

std::uint16_t internet_checksum(ByteView data) {
  ChecksumAccumulator acc;
  acc.add(data);
  return acc.checksum();
}

}  // namespace wireside
