#include "dhcp/link_local.hpp"

namespace wireside::dhcp {
namespace {

constexpr unsigned max_conflicts = 10;
constexpr Duration rate_limit_interval = std::chrono::seconds{60};

std::uint64_t number_of(MacAddress mac) {
  std::uint64_t n = 0;
  for (const std::uint8_t octet : mac.octets) n = n << 8 | octet;
  return n;
}

}  // namespace

LinkLocal::LinkLocal(MacAddress mac) : random_{make_seed(number_of(mac))} {}

void LinkLocal::start(Instant now) {
  if (!candidate_) pick(now);
}

void LinkLocal::stop() {
  candidate_.reset();
  check_at_.reset();
  held_ = false;
  conflicts_ = 0;
}

void LinkLocal::conflict(Instant now) {
  ++conflicts_;
  pick(conflicts_ >= max_conflicts ? now + rate_limit_interval : now);
}

std::optional<Ipv4Address> LinkLocal::poll_check(Instant now) {
  if (!check_at_ || *check_at_ > now) return std::nullopt;
  check_at_.reset();
  return candidate_;
}

// The first and the last 256 addresses are reserved (RFC 3927 section 2.1).
void LinkLocal::pick(Instant at) {
  constexpr std::uint32_t first = 0xa9fe0100, count = 0xfe00;
  held_ = false;
  candidate_ = Ipv4Address{first + static_cast<std::uint32_t>(random_.below(count))};
  check_at_ = at;
}

}  // namespace wireside::dhcp
