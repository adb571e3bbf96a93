#include "ip/path_mtu.hpp"

#include <algorithm>
#include <array>

namespace wireside::ip {
namespace {

constexpr std::array<std::uint16_t, 12> plateaus{65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 576, 508, 296, 68};

}  // namespace

std::uint16_t plateau_below(std::uint16_t length) {
  const auto found = std::find_if(plateaus.begin(), plateaus.end(), [&](std::uint16_t p) { return p < length; });
  return found == plateaus.end() ? plateaus.back() : *found;
}

std::size_t PathMtuCache::KeyedHash::operator()(Ipv4Address a) const {
  std::array<std::uint8_t, 4> octets{};
  store_be32(octets.data(), a.value());
  return siphash24(key, octets);
}

PathMtuCache::PathMtuCache(const PathMtuConfig& config, std::uint16_t link_mtu, Random& random)
    : config_{config}, link_mtu_{link_mtu}, entries_{16, KeyedHash{random.sip_key()}} {
  config_.max_entries = std::max<std::size_t>(config_.max_entries, 1);
}

std::uint16_t PathMtuCache::mtu(Ipv4Address destination) const {
  if (entries_.empty()) return link_mtu_;
  const auto it = entries_.find(destination);
  return it == entries_.end() ? link_mtu_ : std::min(link_mtu_, it->second.mtu);
}

bool PathMtuCache::may_set_dont_fragment(Ipv4Address destination) const {
  if (entries_.empty()) return true;
  const auto it = entries_.find(destination);
  return it == entries_.end() || !it->second.below_floor;
}

bool PathMtuCache::lower(Instant now, Ipv4Address destination, std::uint16_t reported, std::uint16_t quoted_length) {
  if (!config_.discovery) return false;
  const std::uint16_t current = mtu(destination);
  std::uint16_t value = reported;
  if (reported == 0) value = plateau_below(std::min(quoted_length, current));
  if (value < smallest || value >= quoted_length) return false;
  const bool below_floor = value < config_.floor;
  value = std::min(std::max(value, config_.floor), link_mtu_);
  const bool df_changes = below_floor && may_set_dont_fragment(destination);
  if (value > current || (value == current && !df_changes)) return false;
  if (!entries_.contains(destination) && entries_.size() >= config_.max_entries) {
    entries_.erase(by_age_.front()->destination);
  }
  Entry& entry = entries_[destination];
  entry.destination = destination;
  entry.mtu = value;
  entry.below_floor = entry.below_floor || below_floor;
  entry.expires = now + config_.lifetime;
  by_age_.push_back(entry);
  ++generation_;
  return true;
}

std::vector<PathMtuInfo> PathMtuCache::list() const {
  std::vector<PathMtuInfo> out;
  for (const auto& [destination, e] : entries_) out.push_back({destination, e.mtu, e.expires});
  std::ranges::sort(out, {}, &PathMtuInfo::destination);
  return out;
}

Instant PathMtuCache::next_deadline() const {
  const Entry* oldest = by_age_.front();
  return oldest == nullptr ? Instant::max() : oldest->expires;
}

void PathMtuCache::handle_timeouts(Instant now) {
  for (Entry* oldest = by_age_.front(); oldest != nullptr && oldest->expires <= now; oldest = by_age_.front()) {
    entries_.erase(oldest->destination);
    ++generation_;
  }
}

}  // namespace wireside::ip
