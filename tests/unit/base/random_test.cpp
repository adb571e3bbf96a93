// Known answers for SipHash-2-4 and ChaCha20, and what Random makes of the key stream.
#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

namespace wireside {
namespace {

// Aumasson and Bernstein, "SipHash: a fast short-input PRF", reference vectors: key 00..0f, input 00 01 02 ... .
constexpr std::array<std::uint64_t, 64> sip_vectors{
    0x726fdb47dd0e0e31U, 0x74f839c593dc67fdU, 0x0d6c8009d9a94f5aU, 0x85676696d7fb7e2dU, 0xcf2794e0277187b7U,
    0x18765564cd99a68dU, 0xcbc9466e58fee3ceU, 0xab0200f58b01d137U, 0x93f5f5799a932462U, 0x9e0082df0ba9e4b0U,
    0x7a5dbbc594ddb9f3U, 0xf4b32f46226bada7U, 0x751e8fbc860ee5fbU, 0x14ea5627c0843d90U, 0xf723ca908e7af2eeU,
    0xa129ca6149be45e5U, 0x3f2acc7f57c29bdbU, 0x699ae9f52cbe4794U, 0x4bc1b3f0968dd39cU, 0xbb6dc91da77961bdU,
    0xbed65cf21aa2ee98U, 0xd0f2cbb02e3b67c7U, 0x93536795e3a33e88U, 0xa80c038ccd5ccec8U, 0xb8ad50c6f649af94U,
    0xbce192de8a85b8eaU, 0x17d835b85bbb15f3U, 0x2f2e6163076bcfadU, 0xde4daaaca71dc9a5U, 0xa6a2506687956571U,
    0xad87a3535c49ef28U, 0x32d892fad841c342U, 0x7127512f72f27cceU, 0xa7f32346f95978e3U, 0x12e0b01abb051238U,
    0x15e034d40fa197aeU, 0x314dffbe0815a3b4U, 0x027990f029623981U, 0xcadcd4e59ef40c4dU, 0x9abfd8766a33735cU,
    0x0e3ea96b5304a7d0U, 0xad0c42d6fc585992U, 0x187306c89bc215a9U, 0xd4a60abcf3792b95U, 0xf935451de4f21df2U,
    0xa9538f0419755787U, 0xdb9acddff56ca510U, 0xd06c98cd5c0975ebU, 0xe612a3cb9ecba951U, 0xc766e62cfcadaf96U,
    0xee64435a9752fe72U, 0xa192d576b245165aU, 0x0a8787bf8ecb74b2U, 0x81b3e73d20b49b6fU, 0x7fa8220ba3b2eceaU,
    0x245731c13ca42499U, 0xb78dbfaf3a8d83bdU, 0xea1ad565322a1a0bU, 0x60e61c23a3795013U, 0x6606d7e446282b93U,
    0x6ca4ecb15c5f91e1U, 0x9f626da15c9625f3U, 0xe51b38608ef25f57U, 0x958a324ceb064572U,
};

TEST(SipHash, AgreesWithTheReferenceVectors) {
  const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::vector<std::uint8_t> input;
  for (const std::uint64_t expected : sip_vectors) {
    EXPECT_EQ(siphash24(key, input), expected) << "input of " << input.size() << " octets";
    input.push_back(static_cast<std::uint8_t>(input.size()));
  }
}

TEST(SipHash, LengthBeyondOneOctetWrapsAsSpecified) {
  const SipKey key{1, 2};
  const std::vector<std::uint8_t> zeros(512, 0);
  EXPECT_NE(siphash24(key, ByteView{zeros}.first(0)), siphash24(key, ByteView{zeros}.first(256)));
}

// RFC 6528 section 3: whoever does not know the key cannot tell the hash of a connection's identity.
TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  const std::array<std::uint8_t, 4> data{1, 2, 3, 4};
  EXPECT_NE(siphash24({1, 2}, data), siphash24({1, 3}, data));
  EXPECT_NE(siphash24({1, 2}, data), siphash24({0, 2}, data));
}

std::string hex_of_block(Random& random) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t word = random.next_u64();
    for (int shift = 0; shift < 64; shift += 8) {
      const auto octet = (word >> shift) & 255U;
      out += digits[octet >> 4];
      out += digits[octet & 15U];
    }
  }
  return out;
}

// RFC 8439 appendix A.1, test vectors 1 to 4 (all with a nonce of zero).
TEST(Random, IsTheChaCha20KeyStream) {
  Random zero_key{Seed{}};
  EXPECT_EQ(hex_of_block(zero_key),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
  EXPECT_EQ(hex_of_block(zero_key),
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
  Random last_octet_one{Seed{0, 0, 0, std::uint64_t{1} << 56}};
  (void)hex_of_block(last_octet_one);
  EXPECT_EQ(hex_of_block(last_octet_one),
            "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
            "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0");
  Random second_octet_ff{Seed{0xff00, 0, 0, 0}};
  (void)hex_of_block(second_octet_ff);
  (void)hex_of_block(second_octet_ff);
  EXPECT_EQ(hex_of_block(second_octet_ff),
            "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
            "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096");
}

TEST(Random, SameSeedSameNumbers) {
  Random a{make_seed(7)};
  Random b{make_seed(7)};
  Random c{make_seed(8)};
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t v = a.next_u64();
    EXPECT_EQ(v, b.next_u64());
    differs = differs || v != c.next_u64();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, BelowStaysBelowAndReachesEveryValue) {
  Random random{make_seed(1)};
  EXPECT_EQ(random.below(0), 0U);
  EXPECT_EQ(random.below(1), 0U);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t v = random.below(10);
    ASSERT_LT(v, 10U);
    ++seen[v];
  }
  for (const int count : seen) EXPECT_NEAR(count, 1000, 200);
  for (int i = 0; i < 100; ++i) EXPECT_LE(random.below(UINT64_MAX), UINT64_MAX - 1);
}

// splitmix64's published first outputs for the state 0.
TEST(Seed, IsSplitmix64) {
  const Seed seed = make_seed(0);
  EXPECT_EQ(seed[0], 0xe220a8397b1dcdafU);
  EXPECT_EQ(seed[1], 0x6e789e6aa1b965f4U);
  EXPECT_EQ(seed[2], 0x06c45d188009454fU);
  EXPECT_EQ(seed[3], 0xf88bb8a8724c81ecU);
}

}  // namespace
}  // namespace wireside
