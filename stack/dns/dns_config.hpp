// Settings of the resolver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace wireside::dns {

inline constexpr Port dns_port{53};
inline constexpr std::size_t max_servers = 8;  ///< further ones are not asked

struct CacheConfig {
  std::size_t max_entries = 1024;
  std::size_t max_octets = 256 * 1024;      ///< estimated memory of all entries
  std::uint32_t max_ttl = 86'400;           ///< seconds; longer TTLs are cut to this
  std::uint32_t max_negative_ttl = 10'800;  ///< seconds (RFC 2308 section 5 advises one to three hours)
};

struct DnsConfig {
  std::vector<Endpoint> servers;               ///< in order of preference
  std::vector<std::string> search;             ///< domains tried behind names that have few dots
  unsigned ndots = 1;                          ///< a name with so many dots is tried as it is first
  Duration timeout = std::chrono::seconds{5};  ///< wait for a server in the first round; doubles with each further one
  unsigned attempts = 2;                       ///< rounds over all servers
  unsigned max_chain = 16;                     ///< CNAMEs followed for one name
  std::size_t max_queries = 1024;              ///< under way at once
  std::uint16_t udp_payload = 0;               ///< above 512: offered with EDNS(0) (RFC 6891); else plain DNS
  CacheConfig cache;
};

}  // namespace wireside::dns
