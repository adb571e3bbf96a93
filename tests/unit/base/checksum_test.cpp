// The Internet checksum against a straightforward sum (RFC 1071).
#include "base/checksum.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "base/checksum_sums.hpp"
#include "base/random.hpp"

namespace wireside {
namespace {

std::uint16_t naive_sum(ByteView data) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) sum += i % 2 == 0 ? std::uint64_t{data[i]} << 8 : data[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::vector<std::uint8_t> random_octets(std::size_t n, std::uint64_t seed) {
  Random random{make_seed(seed)};
  std::vector<std::uint8_t> out(n);
  for (auto& octet : out) octet = static_cast<std::uint8_t>(random.next_u32());
  return out;
}

// RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
TEST(Checksum, ExampleOfTheRfc) {
  const std::array<std::uint8_t, 8> data{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  ChecksumAccumulator acc;
  acc.add(data);
  EXPECT_EQ(acc.folded(), 0xddf2);
  EXPECT_EQ(acc.checksum(), 0x220d);
  EXPECT_EQ(internet_checksum(data), 0x220d);
}

TEST(Checksum, EveryLengthAndAlignmentAgreesWithTheNaiveSum) {
  const auto octets = random_octets(1700, 11);
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t n = 0; n <= 200; ++n) {
      const auto view = ByteView{octets}.subspan(start, n);
      ChecksumAccumulator acc;
      acc.add(view);
      ASSERT_EQ(acc.folded(), naive_sum(view)) << "start " << start << ", length " << n;
    }
    for (const std::size_t n : {511U, 512U, 1447U, 1448U, 1460U, 1691U}) {
      const auto view = ByteView{octets}.subspan(start, n);
      ASSERT_EQ(internet_checksum(view), static_cast<std::uint16_t>(~naive_sum(view)));
    }
  }
}

std::vector<std::pair<const char*, checksum_sums::Sum>> all_sums() {
  std::vector<std::pair<const char*, checksum_sums::Sum>> sums{
      {"portable", checksum_sums::portable}, {"fastest", checksum_sums::fastest}, {"whichever", checksum_sums::sum}};
#if defined(__x86_64__)
  sums.emplace_back("sse2", checksum_sums::sse2);
  if (checksum_sums::has_avx2()) sums.emplace_back("avx2", checksum_sums::avx2);
#endif
  return sums;
}

std::uint16_t folded_to_wire_order(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  const auto s = static_cast<std::uint16_t>(sum);
  return std::endian::native == std::endian::little ? std::byteswap(s) : s;
}

RC_GTEST_PROP(Checksum, EveryInstructionSetGivesTheSameSum, ()) {
  const auto n = *rc::gen::inRange<std::size_t>(0, 70000);
  const auto start = *rc::gen::inRange<std::size_t>(0, 65);
  const auto octets = random_octets(start + n, *rc::gen::arbitrary<std::uint64_t>());
  const auto view = ByteView{octets}.subspan(start);
  for (const auto& [name, sum] : all_sums()) {
    RC_ASSERT(folded_to_wire_order(sum(view.data(), view.size())) == naive_sum(view));
  }
}

TEST(Checksum, EveryInstructionSetTakesEveryShortLengthAtEveryAlignment) {
  const auto octets = random_octets(700, 12);
  for (const auto& [name, sum] : all_sums()) {
    for (std::size_t start = 0; start < 33; ++start) {
      for (std::size_t n = 0; n <= 300; ++n) {
        const auto view = ByteView{octets}.subspan(start, n);
        ASSERT_EQ(folded_to_wire_order(sum(view.data(), n)), naive_sum(view)) << name << ' ' << start << ' ' << n;
      }
    }
  }
}

// 0 and 0xffff are the same number but not the same field: only a run of zeros has the sum 0.
TEST(Checksum, EveryInstructionSetTellsZerosFromOnes) {
  for (const unsigned octet : {0x00U, 0x7fU, 0x80U, 0xffU}) {
    const std::vector<std::uint8_t> alike(4 << 20, static_cast<std::uint8_t>(octet));
    for (const auto& [name, sum] : all_sums()) {
      for (const std::size_t n : {64U, 128U, 65534U, 65535U, 524288U, 524416U, 4U << 20}) {
        const auto view = ByteView{alike}.first(n);
        ASSERT_EQ(folded_to_wire_order(sum(view.data(), n)), naive_sum(view)) << name << ' ' << n;
      }
    }
  }
}

TEST(Checksum, LargestValuesDoNotOverflow) {
  const std::vector<std::uint8_t> ones(65535, 0xff);
  for (const std::size_t n : {1U, 2U, 31U, 32U, 33U, 65534U, 65535U}) {
    const auto view = ByteView{ones}.first(n);
    ChecksumAccumulator acc;
    acc.add(view);
    EXPECT_EQ(acc.folded(), naive_sum(view)) << n;
  }
}

TEST(Checksum, EverySplitInTwoGivesTheSum) {
  const auto octets = random_octets(101, 12);
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    ChecksumAccumulator acc;
    acc.add(ByteView{octets}.first(cut));
    acc.add(ByteView{octets}.subspan(cut));
    ASSERT_EQ(acc.folded(), naive_sum(octets)) << "cut at " << cut;
  }
}

RC_GTEST_PROP(Checksum, AnySplitGivesTheSum, (const std::vector<std::vector<std::uint8_t>>& runs)) {
  std::vector<std::uint8_t> whole;
  ChecksumAccumulator acc;
  for (const auto& run : runs) {
    acc.add(run);
    whole.insert(whole.end(), run.begin(), run.end());
  }
  RC_ASSERT(acc.folded() == naive_sum(whole));
}

RC_GTEST_PROP(Checksum, NumbersCountAsTheirOctets,
              (std::vector<std::uint8_t> before, std::uint32_t word, std::uint16_t half)) {
  ChecksumAccumulator acc;
  acc.add(before);
  acc.add_u32(word);
  acc.add_u16(half);
  std::array<std::uint8_t, 6> octets{};
  store_be32(octets.data(), word);
  store_be16(octets.data() + 4, half);
  before.insert(before.end(), octets.begin(), octets.end());
  RC_ASSERT(acc.folded() == naive_sum(before));
}

RC_GTEST_PROP(Checksum, OverItsOwnFieldIsZero, (std::vector<std::uint8_t> data)) {
  data.resize(data.size() + data.size() % 2 + 2);
  store_be16(data.data(), 0);
  store_be16(data.data(), internet_checksum(data));
  RC_ASSERT(internet_checksum(data) == 0);
}

// RFC 1624: any word of any header may change.
RC_GTEST_PROP(Checksum, AnUpdateIsWhatAFullSumGives, (std::vector<std::uint8_t> data, std::uint16_t after)) {
  data.resize(data.size() + data.size() % 2 + 4);
  store_be16(data.data(), 0);
  const std::uint16_t before_all = internet_checksum(data);
  const auto words = static_cast<std::size_t>(data.size() / 2);
  const std::size_t at = 2 * *rc::gen::inRange<std::size_t>(1, words);
  const std::uint16_t before = load_be16(data.data() + at);
  store_be16(data.data() + at, after);
  const std::uint16_t full = internet_checksum(data);
  const std::uint16_t updated = updated_checksum(before_all, before, after);
  // Over nothing but zeros the sum has two representations; no IP header is all zeros.
  const bool all_zero = full == 0xffff || before_all == 0xffff;
  RC_ASSERT(updated == full || (all_zero && (updated ^ full) == 0xffff));
}

// RFC 1624 section 4: the corner case that RFC 1141's equation gets wrong.
TEST(Checksum, UpdateOfTheRfcsCornerCase) { EXPECT_EQ(updated_checksum(0xdd2f, 0x5555, 0x3285), 0x0000); }

}  // namespace
}  // namespace wireside
