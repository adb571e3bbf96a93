// The inner loops of the Internet checksum: the plain sum of a run's 16-bit words. All give the same number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wireside::checksum_sums {

/// Sum of the words as they lie in memory, in the machine's own order of octets; an odd octet counts as a word whose
/// second octet is 0. 0 only if all octets are 0. At most 2^40 octets.
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

/// The fastest one this processor has.
[[nodiscard]] Sum fastest();

}  // namespace wireside::checksum_sums
