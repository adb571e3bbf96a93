#include "tcp/syn_cookie.hpp"

#include <algorithm>
#include <array>

namespace wireside::tcp {
namespace {

/// Usual MSS values; the smallest is what a smaller offer is treated as anyway.
constexpr std::array<std::uint16_t, 8> mss_classes = {48, 536, 1220, 1360, 1400, 1440, 1460, 8960};
constexpr std::uint32_t class_mask = 7;

constexpr std::uint32_t scale_mask = 0x0f, no_scale = 0x0f, sack_bit = 0x10, ecn_bit = 0x20, stamp_mask = 0x3f;

std::uint64_t count_at(Instant now, Duration period = SynCookies::period) {
  return static_cast<std::uint64_t>(now.ns() / period.count());
}

}  // namespace

SeqNum SynCookies::make_at(std::uint64_t count, const FourTuple& tuple, SeqNum irs, std::uint32_t mss_class) const {
  std::array<std::uint8_t, 25> octets{};
  store_be32(octets.data(), tuple.local.address.v4().value());
  store_be32(octets.data() + 4, tuple.remote.address.v4().value());
  store_be16(octets.data() + 8, tuple.local.port.value);
  store_be16(octets.data() + 10, tuple.remote.port.value);
  store_be32(octets.data() + 12, irs.value());
  store_be32(octets.data() + 16, static_cast<std::uint32_t>(count >> 32));
  store_be32(octets.data() + 20, static_cast<std::uint32_t>(count));
  octets[24] = static_cast<std::uint8_t>(mss_class);
  return SeqNum{(static_cast<std::uint32_t>(siphash24(key_, octets)) & ~class_mask) | mss_class};
}

SeqNum SynCookies::make(Instant now, const FourTuple& tuple, SeqNum irs, std::uint16_t mss) const {
  std::uint32_t best = 0;
  for (std::uint32_t i = 1; i < mss_classes.size(); ++i) {
    if (mss_classes[i] <= mss) best = i;
  }
  return make_at(count_at(now), tuple, irs, best);
}

std::optional<std::uint16_t> SynCookies::open(Instant now, const FourTuple& tuple, SeqNum irs, SeqNum cookie) const {
  const std::uint64_t count = count_at(now);
  const std::uint32_t mss_class = cookie.value() & class_mask;
  const bool good = cookie == make_at(count, tuple, irs, mss_class) ||
                    (count > 0 && cookie == make_at(count - 1, tuple, irs, mss_class));
  if (!good) return std::nullopt;
  return mss_classes[mss_class];
}

void AnsweredSyns::note(Instant now, std::uint64_t flow) {
  const std::uint64_t count = count_at(now, period);
  Period& current = periods_[count % 2];
  if (current.count != count) current = {count, {}};
  current.flows.set(flow % bits);
}

void AnsweredSyns::forget(std::uint64_t flow) {
  for (Period& p : periods_) p.flows.reset(flow % bits);
}

bool AnsweredSyns::may_have(Instant now, std::uint64_t flow) const {
  const std::uint64_t count = count_at(now, period);
  return std::ranges::any_of(periods_,
                             [&](const Period& p) { return p.count + 1 >= count && p.flows.test(flow % bits); });
}

std::uint32_t SynCookies::stamp(std::uint32_t clock, const CookieOptions& options) {
  const std::uint32_t bits = (options.window_scale ? options.window_scale->shift() : no_scale) |
                             (options.sack ? sack_bit : 0) | (options.ecn ? ecn_bit : 0);
  const std::uint32_t value = (clock & ~stamp_mask) | bits;
  return static_cast<std::int32_t>(value - clock) > 0 ? value - (stamp_mask + 1) : value;
}

CookieOptions SynCookies::read_stamp(std::uint32_t echo) {
  CookieOptions options;
  const std::uint32_t scale = echo & scale_mask;
  if (scale != no_scale) options.window_scale = WindowScale{static_cast<std::uint8_t>(scale)};
  options.sack = (echo & sack_bit) != 0;
  options.ecn = (echo & ecn_bit) != 0;
  return options;
}

}  // namespace wireside::tcp
