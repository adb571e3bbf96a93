#include "base/random.hpp"

#include <bit>
#include <cstring>

namespace wireside {
namespace {

void sip_round(std::uint64_t& v0, std::uint64_t& v1, std::uint64_t& v2, std::uint64_t& v3) {
  v0 += v1;
  v1 = std::rotl(v1, 13) ^ v0;
  v0 = std::rotl(v0, 32);
  v2 += v3;
  v3 = std::rotl(v3, 16) ^ v2;
  v0 += v3;
  v3 = std::rotl(v3, 21) ^ v0;
  v2 += v1;
  v1 = std::rotl(v1, 17) ^ v2;
  v2 = std::rotl(v2, 32);
}

std::uint64_t load_le(const std::uint8_t* p, std::size_t n) {
  std::uint64_t v = 0;
  if constexpr (std::endian::native == std::endian::little) {
    if (n == 8) {
      std::memcpy(&v, p, 8);
      return v;
    }
    if (n == 4) {
      std::uint32_t half = 0;
      std::memcpy(&half, p, 4);
      return half;
    }
  }
  for (std::size_t i = 0; i < n; ++i) v |= std::uint64_t{p[i]} << (8 * i);
  return v;
}

void quarter_round(std::array<std::uint32_t, 16>& x, unsigned a, unsigned b, unsigned c, unsigned d) {
  x[a] += x[b];
  x[d] = std::rotl(x[d] ^ x[a], 16);
  x[c] += x[d];
  x[b] = std::rotl(x[b] ^ x[c], 12);
  x[a] += x[b];
  x[d] = std::rotl(x[d] ^ x[a], 8);
  x[c] += x[d];
  x[b] = std::rotl(x[b] ^ x[c], 7);
}

}  // namespace

Seed make_seed(std::uint64_t n) {
  Seed seed{};
  for (auto& word : seed) {
    n += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = n;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    word = z ^ (z >> 31);
  }
  return seed;
}

std::uint64_t siphash24(const SipKey& key, ByteView data) {
  std::uint64_t v0 = key.k0 ^ 0x736f6d6570736575ULL;
  std::uint64_t v1 = key.k1 ^ 0x646f72616e646f6dULL;
  std::uint64_t v2 = key.k0 ^ 0x6c7967656e657261ULL;
  std::uint64_t v3 = key.k1 ^ 0x7465646279746573ULL;
  const auto absorb = [&](std::uint64_t m) {
    v3 ^= m;
    sip_round(v0, v1, v2, v3);
    sip_round(v0, v1, v2, v3);
    v0 ^= m;
  };
  const std::size_t whole = data.size() & ~std::size_t{7};
  for (std::size_t i = 0; i < whole; i += 8) absorb(load_le(data.data() + i, 8));
  absorb(load_le(data.data() + whole, data.size() - whole) | (std::uint64_t{data.size() & 0xff} << 56));
  v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) sip_round(v0, v1, v2, v3);
  return v0 ^ v1 ^ v2 ^ v3;
}

Random::Random(const Seed& seed) {
  for (std::size_t i = 0; i < 4; ++i) {
    key_[2 * i] = static_cast<std::uint32_t>(seed[i]);
    key_[2 * i + 1] = static_cast<std::uint32_t>(seed[i] >> 32);
  }
}

void Random::refill() {
  std::array<std::uint32_t, 16> in{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (std::size_t i = 0; i < 8; ++i) in[4 + i] = key_[i];
  in[12] = static_cast<std::uint32_t>(counter_);
  in[13] = static_cast<std::uint32_t>(counter_ >> 32);
  ++counter_;
  block_ = in;
  for (int i = 0; i < 10; ++i) {
    for (unsigned c = 0; c < 4; ++c) quarter_round(block_, c, c + 4, c + 8, c + 12);
    for (unsigned c = 0; c < 4; ++c) quarter_round(block_, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
  }
  for (std::size_t i = 0; i < 16; ++i) block_[i] += in[i];
  used_ = 0;
}

std::uint64_t Random::next_u64() {
  if (used_ >= 16) refill();
  const std::uint64_t v = block_[used_] | (std::uint64_t{block_[used_ + 1]} << 32);
  used_ += 2;
  return v;
}

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound < 2) return 0;
  // Rejection keeps the result uniform; the loop ends after fewer than two draws on average.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t v = next_u64();
  while (v >= limit) v = next_u64();
  return v % bound;
}

}  // namespace wireside
