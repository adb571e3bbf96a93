// The inner loops of the Internet checksum: the plain sum of a run's 16-bit words. All give the same number, once it is
// folded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wireside::checksum_sums {

/// Sum of the words as they lie in memory, in the machine's own order of octets; an odd octet counts as a word whose
/// second octet is 0. Two words may be added as one of 32 bits. 0 only if all octets are 0. At most 2^32 octets.
using Sum = std::uint64_t (*)(const std::uint8_t* data, std::size_t octets);

/// Without any vector instruction.
[[nodiscard]] std::uint64_t portable(const std::uint8_t* data, std::size_t octets);

#if defined(__x86_64__)
/// Sixteen octets at a time: every x86-64 has it.
[[nodiscard]] std::uint64_t sse2(const std::uint8_t* data, std::size_t octets);
/// Thirty-two octets at a time. Only where has_avx2().
[[nodiscard]] std::uint64_t avx2(const std::uint8_t* data, std::size_t octets);
[[nodiscard]] bool has_avx2();
#endif

/// The fastest one this processor has, for runs of some length.
[[nodiscard]] std::uint64_t fastest(const std::uint8_t* data, std::size_t octets);

namespace detail {
template <class Word>
[[nodiscard]] inline std::uint64_t load(const std::uint8_t* p) {
  Word w = 0;
  std::memcpy(&w, p, sizeof w);
  return w;
}

/// Of all whole words of 64 bits, which it passes by. Carries count as ones: 2^16, 2^32 and 2^64 are all 1 in one's
/// complement.
[[nodiscard]] inline std::uint64_t of_whole_words(const std::uint8_t*& p, std::size_t& n) {
#ifdef __SIZEOF_INT128__
  __extension__ using Wide = unsigned __int128;
  Wide sum = 0;
  for (; n >= 32; p += 32, n -= 32) {
    sum += load<std::uint64_t>(p);
    sum += load<std::uint64_t>(p + 8);
    sum += load<std::uint64_t>(p + 16);
    sum += load<std::uint64_t>(p + 24);
  }
  for (; n >= 8; p += 8, n -= 8) sum += load<std::uint64_t>(p);
  const auto low = static_cast<std::uint64_t>(sum);
  return (low >> 32) + (low & 0xffffffffU) + static_cast<std::uint64_t>(sum >> 64);
#else
  std::uint64_t sum = 0;
  for (; n >= 8; p += 8, n -= 8) sum += load<std::uint32_t>(p) + load<std::uint32_t>(p + 4);
  return sum;
#endif
}
}  // namespace detail

/// Of headers, and of what the vectors leave over.
[[nodiscard]] inline std::uint64_t of_few(const std::uint8_t* p, std::size_t n) {
  std::uint64_t sum = detail::of_whole_words(p, n);
  if ((n & 4U) != 0) {
    sum += detail::load<std::uint32_t>(p);
    p += 4;
  }
  if ((n & 2U) != 0) {
    sum += detail::load<std::uint16_t>(p);
    p += 2;
  }
  if ((n & 1U) != 0) {
    const std::uint8_t padded[2] = {*p, 0};
    sum += detail::load<std::uint16_t>(padded);
  }
  return sum;
}

/// The one to use: setting up vectors would cost a header more than they save.
[[nodiscard]] inline std::uint64_t sum(const std::uint8_t* data, std::size_t octets) {
  constexpr std::size_t few = 128;
  return octets <= few ? of_few(data, octets) : fastest(data, octets);
}

}  // namespace wireside::checksum_sums
