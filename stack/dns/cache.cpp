#include "dns/cache.hpp"

#include <algorithm>
#include <utility>

namespace wireside::dns {
namespace {

/// List node, map node and their allocations.
constexpr std::size_t node_octets = 128;

std::uint32_t seconds_left(Instant now, Instant expires) {
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(expires - now).count());
}

void set_ttls(Reading& reading, std::uint32_t ttl) {
  for (auto& a : reading.addresses) a.ttl = ttl;
  for (auto& a : reading.aliases) a.ttl = ttl;
  if (reading.negative_ttl) reading.negative_ttl = ttl;
}

}  // namespace

std::optional<Reading> Cache::find(Instant now, const wire::DnsName& name) {
  const auto found = by_name_.find(name.folded().wire_labels());
  if (found == by_name_.end()) return std::nullopt;
  const Place place = found->second;
  if (place->expires <= now) {
    erase(place);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, place);
  Reading out = place->reading;
  set_ttls(out, seconds_left(now, place->expires));
  return out;
}

void Cache::add(Instant now, const Reading& reading) {
  for (const Alias& alias : reading.aliases) {
    insert(now, alias.owner,
           {.kind = Reading::Kind::Alias,
            .aliases = {alias},
            .last = alias.target,
            .addresses = {},
            .negative_ttl = std::nullopt},
           std::min(alias.ttl, config_.max_ttl));
  }
  Reading rest = reading;
  rest.aliases.clear();
  if (reading.kind == Reading::Kind::Addresses) {
    const auto least = std::ranges::min_element(reading.addresses, {}, &AddressRecord::ttl);
    insert(now, reading.last, std::move(rest), std::min(least->ttl, config_.max_ttl));
  } else if (reading.negative_ttl) {
    insert(now, reading.last, std::move(rest), std::min(*reading.negative_ttl, config_.max_negative_ttl));
  }
}

std::vector<CachedReading> Cache::list(Instant now) const {
  std::vector<CachedReading> out;
  for (const Entry& e : entries_) {
    if (e.expires <= now) continue;
    const bool alias = e.reading.kind == Reading::Kind::Alias;
    out.push_back({.name = alias ? e.reading.aliases.front().owner : e.reading.last,
                   .reading = e.reading,
                   .ttl = seconds_left(now, e.expires)});
    set_ttls(out.back().reading, out.back().ttl);
  }
  return out;
}

void Cache::clear() {
  entries_.clear();
  by_name_.clear();
  octets_ = 0;
}

void Cache::insert(Instant now, const wire::DnsName& name, Reading reading, std::uint32_t ttl) {
  std::string key = name.folded().wire_labels();
  if (const auto old = by_name_.find(key); old != by_name_.end()) erase(old->second);
  std::size_t octets = sizeof(Entry) + node_octets + 2 * key.size() + reading.last.wire_length() +
                       reading.addresses.size() * sizeof(AddressRecord);
  for (const Alias& a : reading.aliases) octets += sizeof(Alias) + a.owner.wire_length() + a.target.wire_length();
  if (ttl == 0 || config_.max_entries == 0 || octets > config_.max_octets) return;
  while (entries_.size() >= config_.max_entries || octets_ + octets > config_.max_octets) {
    erase(std::prev(entries_.end()));
  }
  entries_.push_front({std::move(key), std::move(reading), now + std::chrono::seconds{ttl}, octets});
  octets_ += octets;
  by_name_.emplace(entries_.front().key, entries_.begin());
}

void Cache::erase(Place place) {
  octets_ -= place->octets;
  by_name_.erase(by_name_.find(place->key));
  entries_.erase(place);
}

}  // namespace wireside::dns
