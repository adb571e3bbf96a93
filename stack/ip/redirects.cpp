#include "ip/redirects.hpp"

#include <algorithm>
#include <array>

namespace wireside::ip {

std::size_t RedirectCache::KeyedHash::operator()(Ipv4Address a) const {
  std::array<std::uint8_t, 4> octets{};
  store_be32(octets.data(), a.value());
  return siphash24(key, octets);
}

RedirectCache::RedirectCache(const RedirectConfig& config, const Routes& routes, Random& random)
    : config_{config}, routes_{routes}, entries_{16, KeyedHash{random.sip_key()}} {
  config_.max_entries = std::max<std::size_t>(config_.max_entries, 1);
}

Result<Ipv4Address> RedirectCache::next_hop(Ipv4Address destination) const {
  if (!entries_.empty()) {
    if (const auto it = entries_.find(destination); it != entries_.end()) return it->second.gateway;
  }
  return routes_.next_hop(destination);
}

bool RedirectCache::take(Instant now, Ipv4Address from, Ipv4Address destination, Ipv4Address gateway) {
  if (!config_.accept || routes_.classify(destination) != AddressKind::Unicast) return false;
  const auto current = next_hop(destination);
  if (!current || *current != from || gateway == from) return false;
  if (destination == from) return false;  // a neighbour itself: no gateway leads to it
  if (routes_.classify(gateway) != AddressKind::Unicast) return false;
  const auto& own = routes_.addresses();
  const bool same_network =
      std::any_of(own.begin(), own.end(), [&](const Ipv4Prefix& p) { return p.contains(gateway) && p.contains(from); });
  if (!same_network) return false;
  if (!entries_.contains(destination) && entries_.size() >= config_.max_entries) {
    entries_.erase(by_age_.front()->destination);
  }
  Entry& entry = entries_[destination];
  entry.destination = destination;
  entry.gateway = gateway;
  entry.expires = now + config_.lifetime;
  by_age_.push_back(entry);
  return true;
}

void RedirectCache::forget(Ipv4Address gateway) {
  std::erase_if(entries_, [&](const auto& e) { return e.second.gateway == gateway; });
}

std::vector<RedirectInfo> RedirectCache::list() const {
  std::vector<RedirectInfo> out;
  for (const auto& [destination, e] : entries_) out.push_back({destination, e.gateway, e.expires});
  std::ranges::sort(out, {}, &RedirectInfo::destination);
  return out;
}

Instant RedirectCache::next_deadline() const {
  const Entry* oldest = by_age_.front();
  return oldest == nullptr ? Instant::max() : oldest->expires;
}

void RedirectCache::handle_timeouts(Instant now) {
  for (Entry* oldest = by_age_.front(); oldest != nullptr && oldest->expires <= now; oldest = by_age_.front()) {
    entries_.erase(oldest->destination);
  }
}

}  // namespace wireside::ip
