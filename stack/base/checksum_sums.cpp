#include "base/checksum_sums.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wireside::checksum_sums {

using detail::load;

// Words of 32 bits in a sum of 64: folded, that is the same as words of 16.
std::uint64_t portable(const std::uint8_t* data, std::size_t octets) {
  std::uint64_t sum = 0;
  for (; octets >= 32; data += 32, octets -= 32) {
    sum += load<std::uint32_t>(data) + load<std::uint32_t>(data + 4) + load<std::uint32_t>(data + 8) +
           load<std::uint32_t>(data + 12) + load<std::uint32_t>(data + 16) + load<std::uint32_t>(data + 20) +
           load<std::uint32_t>(data + 24) + load<std::uint32_t>(data + 28);
  }
  return sum + of_few(data, octets);
}

#if defined(__x86_64__)

// The one instruction that adds neighbouring words takes them as signed. With its highest bit turned over, a word less
// 2^15 is one: pairs are added to 32-bit sums, and what was taken off each word is added again at the end. A pair is
// no less than -2^16, so a sum of 2^14 of them cannot overflow, nor can the four sums of a block together.

namespace {
constexpr std::uint64_t taken_off_each_word = 0x8000;
constexpr std::size_t pairs_per_block = std::size_t{1} << 12;
}  // namespace

std::uint64_t sse2(const std::uint8_t* data, std::size_t octets) {
  constexpr std::size_t step = 64;
  const __m128i highest = _mm_set1_epi16(INT16_MIN);
  const __m128i ones = _mm_set1_epi16(1);
  const auto pairs = [&](const std::uint8_t* p) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm_madd_epi16(_mm_xor_si128(words, highest), ones);
  };
  std::uint64_t sum = 0;
  while (octets >= step) {
    const std::size_t rounds = octets / step < pairs_per_block ? octets / step : pairs_per_block;
    __m128i a = _mm_setzero_si128(), b = a, c = a, d = a;
    for (std::size_t i = 0; i < rounds; ++i, data += step) {
      a = _mm_add_epi32(a, pairs(data));
      b = _mm_add_epi32(b, pairs(data + 16));
      c = _mm_add_epi32(c, pairs(data + 32));
      d = _mm_add_epi32(d, pairs(data + 48));
    }
    const __m128i all = _mm_add_epi32(_mm_add_epi32(a, b), _mm_add_epi32(c, d));
    const __m128i sign = _mm_srai_epi32(all, 31);
    const __m128i two = _mm_add_epi64(_mm_unpacklo_epi32(all, sign), _mm_unpackhi_epi32(all, sign));
    sum += static_cast<std::uint64_t>(_mm_cvtsi128_si64(two)) +
           static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(two, two)));
    sum += rounds * (step / 2) * taken_off_each_word;
    octets -= rounds * step;
  }
  return sum + of_few(data, octets);
}

[[gnu::target("avx2")]] std::uint64_t avx2(const std::uint8_t* data, std::size_t octets) {
  constexpr std::size_t step = 128, vector = 32;
  const __m256i highest = _mm256_set1_epi16(INT16_MIN);
  const __m256i ones = _mm256_set1_epi16(1);
  const auto pairs = [&](const std::uint8_t* p) __attribute__((target("avx2"))) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_madd_epi16(_mm256_xor_si256(words, highest), ones);
  };
  std::uint64_t sum = 0;
  while (octets >= vector) {
    const std::uint8_t* const begin = data;
    const std::size_t rounds = octets / step < pairs_per_block ? octets / step : pairs_per_block;
    __m256i a = _mm256_setzero_si256(), b = a;
    for (const std::uint8_t* const end = data + rounds * step; data != end; data += step) {
      a = _mm256_add_epi32(a, _mm256_add_epi32(pairs(data), pairs(data + 32)));
      b = _mm256_add_epi32(b, _mm256_add_epi32(pairs(data + 64), pairs(data + 96)));
    }
    octets -= rounds * step;
    if (octets < step) {
      for (; octets >= vector; octets -= vector, data += vector) a = _mm256_add_epi32(a, pairs(data));
    }
    const __m256i all = _mm256_add_epi32(a, b);
    const __m256i four = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(all)),
                                          _mm256_cvtepi32_epi64(_mm256_extracti128_si256(all, 1)));
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    sum += static_cast<std::uint64_t>(_mm_cvtsi128_si64(two)) +
           static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(two, two)));
    sum += static_cast<std::uint64_t>(data - begin) / 2 * taken_off_each_word;
  }
  return sum + of_few(data, octets);
}

bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}

namespace {
const bool use_avx2 = has_avx2();
}

std::uint64_t fastest(const std::uint8_t* data, std::size_t octets) {
  return use_avx2 ? avx2(data, octets) : sse2(data, octets);
}

#else

std::uint64_t fastest(const std::uint8_t* data, std::size_t octets) { return portable(data, octets); }

#endif

}  // namespace wireside::checksum_sums
