// The Internet checksum (RFC 1071) as a running one's-complement sum.
#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/checksum_sums.hpp"

namespace wireside {

/// One's-complement sum under construction. Octets are added in network order; an odd run shifts what follows.
class ChecksumAccumulator {
 public:
  /// Adds octets as they stand on the wire. May be called repeatedly with any lengths.
  void add(ByteView data) {
    const std::uint64_t sum = checksum_sums::sum(data.data(), data.size());
    as_in_memory_ += odd_ ? swap(fold(sum)) : sum;
    odd_ ^= data.size() % 2 != 0;
  }
  void add_u16(std::uint16_t host_order) { in_host_order_ += odd_ ? swap(host_order) : host_order; }
  void add_u32(std::uint32_t host_order) {
    const std::uint32_t words = (host_order >> 16) + (host_order & 0xffffU);
    in_host_order_ += odd_ ? swap(fold(words)) : words;
  }
  /// The folded 16-bit sum, not complemented (what virtio-net wants in the checksum field).
  [[nodiscard]] std::uint16_t folded() const {
    const std::uint16_t part = fold(as_in_memory_);
    return fold(in_host_order_ + (std::endian::native == std::endian::little ? swap(part) : part));
  }
  /// The checksum field's value: the complement of the folded sum.
  [[nodiscard]] std::uint16_t checksum() const { return static_cast<std::uint16_t>(~folded()); }

 private:
  static constexpr std::uint16_t swap(std::uint16_t v) { return static_cast<std::uint16_t>((v << 8) | (v >> 8)); }
  /// 0 only for 0.
  static constexpr std::uint16_t fold(std::uint64_t sum) {
    sum = (sum >> 32) + (sum & 0xffffffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    sum = (sum >> 16) + (sum & 0xffffU);
    return static_cast<std::uint16_t>(sum);
  }
  std::uint64_t in_host_order_ = 0;
  std::uint64_t as_in_memory_ = 0;
  bool odd_ = false;
};

/// Checksum of one contiguous run. Over data that includes a correct checksum field the result is 0.
[[nodiscard]] inline std::uint16_t internet_checksum(ByteView data) {
  ChecksumAccumulator acc;
  acc.add(data);
  return acc.checksum();
}

/// The checksum after one 16-bit word under it changed, without summing anything anew: HC' = ~(~HC + ~m + m')
/// (RFC 1624 section 3, equation 3).
[[nodiscard]] constexpr std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t before,
                                                       std::uint16_t after) {
  std::uint32_t sum =
      std::uint32_t{static_cast<std::uint16_t>(~checksum)} + static_cast<std::uint16_t>(~before) + after;
  sum = (sum & 0xffffU) + (sum >> 16);
  sum = (sum & 0xffffU) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace wireside
