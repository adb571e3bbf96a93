#include "base/checksum.hpp"

#include <bit>

#include "base/checksum_sums.hpp"

namespace wireside {
namespace {

const checksum_sums::Sum long_sum = checksum_sums::fastest();

// Headers, and small payloads: a vector's set-up would cost more.
constexpr std::size_t short_run = 64;

std::uint64_t native_sum(ByteView data) {
  // Before long_sum has its value, as for objects that are made before main(), it is null.
  if (data.size() < short_run || long_sum == nullptr) return checksum_sums::portable(data.data(), data.size());
  return long_sum(data.data(), data.size());
}

std::uint16_t fold(std::uint64_t sum) {
  sum = (sum >> 32) + (sum & 0xffffffffU);
  sum = (sum >> 16) + (sum & 0xffffU);
  sum = (sum >> 16) + (sum & 0xffffU);
  sum = (sum >> 16) + (sum & 0xffffU);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

void ChecksumAccumulator::add(ByteView data) {
  std::uint16_t part = fold(native_sum(data));
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
