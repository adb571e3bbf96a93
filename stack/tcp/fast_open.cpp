#include "tcp/fast_open.hpp"

#include <algorithm>

namespace wireside::tcp {
namespace {

constexpr Duration first_block = std::chrono::minutes{1};
constexpr unsigned most_doublings = 6;  // about an hour

wire::FastOpenCookie cookie_with(const SipKey& key, IpAddress client, IpAddress server) {
  std::array<std::uint8_t, 8> addresses{};
  store_be32(addresses.data(), client.v4().value());
  store_be32(addresses.data() + 4, server.v4().value());
  const std::uint64_t mac = siphash24(key, addresses);
  wire::FastOpenCookie cookie;
  cookie.length = 8;
  store_be32(cookie.octets.data(), static_cast<std::uint32_t>(mac >> 32));
  store_be32(cookie.octets.data() + 4, static_cast<std::uint32_t>(mac));
  return cookie;
}

FourTuple without_ports(FourTuple tuple) {
  tuple.local.port = tuple.remote.port = Port{};
  return tuple;
}

}  // namespace

void FastOpenKeys::rotate(Instant now, Duration lifetime, Random& random) {
  if (!since_) since_ = now;
  if (now - *since_ < lifetime) return;
  const bool long_unused = now - *since_ >= 2 * lifetime;
  previous_ = long_unused ? random.sip_key() : current_;
  current_ = random.sip_key();
  since_ = now;
}

wire::FastOpenCookie FastOpenKeys::make(IpAddress client, IpAddress server) const {
  return cookie_with(current_, client, server);
}

bool FastOpenKeys::is_good(const wire::FastOpenCookie& cookie, IpAddress client, IpAddress server) const {
  return cookie == cookie_with(current_, client, server) || cookie == cookie_with(previous_, client, server);
}

const FastOpenCache::Entry* FastOpenCache::find(const FourTuple& tuple) const {
  const auto it = entries_.find(without_ports(tuple));
  return it == entries_.end() ? nullptr : &it->second;
}

FastOpenCache::Entry* FastOpenCache::entry_for(const FourTuple& tuple) {
  if (most_ == 0) return nullptr;
  const FourTuple key = without_ports(tuple);
  if (const auto it = entries_.find(key); it != entries_.end()) return &it->second;
  if (entries_.size() >= most_) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
  order_.push_back(key);
  return &entries_[key];
}

void FastOpenCache::remember(const FourTuple& tuple, const wire::FastOpenCookie& cookie, std::uint16_t mss) {
  if (Entry* e = entry_for(tuple)) *e = Entry{.cookie = cookie, .mss = mss, .failures = 0, .blocked_until = {}};
}

void FastOpenCache::failed(Instant now, const FourTuple& tuple) {
  Entry* e = entry_for(tuple);
  if (e == nullptr) return;
  e->blocked_until = now + first_block * (std::int64_t{1} << std::min(e->failures, most_doublings));
  ++e->failures;
}

}  // namespace wireside::tcp
