// What is remembered of answers: bounded in entries and memory, each for its time to live.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "dns/dns_config.hpp"
#include "dns/response.hpp"

namespace wireside::dns {

struct CachedReading {
  wire::DnsName name;  ///< whose
  Reading reading;
  std::uint32_t ttl = 0;  ///< seconds left
};

class Cache {
 public:
  explicit Cache(const CacheConfig& config) : config_{config} {}
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  /// What is known of `name`, with the seconds left as TTLs: Addresses, Alias (one step), NotFound or NoData.
  [[nodiscard]] std::optional<Reading> find(Instant now, const wire::DnsName& name);
  /// Remembers all that a reading tells. Nothing with a TTL of 0; a set of addresses for its least TTL.
  void add(Instant now, const Reading& reading);
  void clear();
  /// What is remembered now, the most recently used first, as find() would give it.
  [[nodiscard]] std::vector<CachedReading> list(Instant now) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  struct Entry {
    std::string key;  ///< labels of the name in lower case
    Reading reading;
    Instant expires;
    std::size_t octets = 0;
  };
  using Place = std::list<Entry>::iterator;

  void insert(Instant now, const wire::DnsName& name, Reading reading, std::uint32_t ttl);
  void erase(Place place);

  CacheConfig config_;
  std::list<Entry> entries_;  ///< most recently used first
  std::map<std::string, Place, std::less<>> by_name_;
  std::size_t octets_ = 0;
};

}  // namespace wireside::dns
