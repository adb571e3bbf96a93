// What a response says about the name that was asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "wire/dns.hpp"

namespace wireside::dns {

/// One CNAME on the way from a name to its addresses.
struct Alias {
  wire::DnsName owner;
  wire::DnsName target;
  std::uint32_t ttl = 0;  ///< seconds
  friend bool operator==(const Alias&, const Alias&) = default;
};

struct AddressRecord {
  Ipv4Address address;
  std::uint32_t ttl = 0;  ///< seconds
  friend bool operator==(const AddressRecord&, const AddressRecord&) = default;
};

struct Reading {
  enum class Kind : std::uint8_t {
    Addresses,     ///< of `last`
    Alias,         ///< the chain ends at `last`, about which nothing is said: to be asked for
    NotFound,      ///< `last` does not exist
    NoData,        ///< `last` has no address
    ChainTooLong,  ///< CNAMEs go in a circle or exceed the limit
    ServerFailed,  ///< an error of the server, or a referral that a stub resolver cannot follow
  };
  Kind kind = Kind::ServerFailed;
  std::vector<Alias> aliases;
  wire::DnsName last;  ///< the end of the chain of aliases
  std::vector<AddressRecord> addresses;
  std::optional<std::uint32_t> negative_ttl;  ///< seconds; absent where nothing allows to remember (RFC 2308 section 5)
};

/// A TTL with its highest bit set counts as 0 (RFC 2181 section 8).
[[nodiscard]] constexpr std::uint32_t usable_ttl(std::uint32_t ttl) { return ttl > 0x7fffffffU ? 0 : ttl; }

/// Follows the CNAMEs of the answer section from `name`. Records that do not lie on that path are not looked at, since
/// nothing was asked about them.
[[nodiscard]] Reading read_response(const wire::DnsMessage& message, const wire::DnsName& name, unsigned max_chain);

}  // namespace wireside::dns
