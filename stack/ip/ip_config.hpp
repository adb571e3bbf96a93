// Settings of the network layer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "ip/route.hpp"

namespace wireside::ip {

struct IcmpConfig {
  std::uint32_t errors_per_second = 1000;  ///< token bucket for error messages (ICMP-10), over all destinations
  std::uint32_t error_burst = 50;
  bool answer_echo = true;
};

/// Bounds of IPv4 reassembly. Memory is counted as held: whole blocks and records.
struct ReassemblyConfig {
  std::size_t max_octets = std::size_t{4} << 20;  ///< over all datagrams; the oldest goes first
  /// Of one source address: room for some twenty datagrams of 64 KB in Ethernet-sized fragments.
  std::size_t max_octets_per_source = std::size_t{2} << 20;
  std::size_t max_fragments = 256;  ///< of one datagram: 65,535 octets by fragments of 276
  /// From the first fragment to arrive. RFC 1122 section 3.3.2 advises 60 to 120 s; the lower end, because a long wait
  /// invites mixing with a later datagram of the same identification (RFC 4963).
  Duration timeout = std::chrono::seconds{60};
};

/// Path MTU discovery (RFC 1191).
struct PathMtuConfig {
  bool discovery = true;  ///< false: what routers report is ignored
  /// A narrower path gets packets of this size without DF instead. 552 is what common hosts take: 512 octets of TCP.
  std::uint16_t floor = 552;
  Duration lifetime = std::chrono::minutes{10};  ///< RFC 1191 section 6.3
  std::size_t max_entries = 4096;
};

/// ICMP redirects (RFC 1122 section 3.2.2.2).
struct RedirectConfig {
  bool accept = true;
  Duration lifetime = std::chrono::minutes{10};
  std::size_t max_entries = 1024;
};

/// Which identification values packets get (RFC 6864 section 4.3): stacks that share an address take different ones.
struct IdentificationRange {
  std::uint16_t first = 0;
  std::uint32_t size = 65536;  ///< 1 to 65,536, a power of two
};

struct IpConfig {
  std::vector<Ipv4Prefix> addresses;   ///< the first is the preferred source
  std::optional<Ipv4Address> gateway;  ///< default route
  std::vector<Route> routes;           ///< further ones
  bool forwarding = false;             ///< be one interface of a Router: packets for others go to it
  std::uint8_t default_ttl = 64;
  IdentificationRange identification;
  IcmpConfig icmp;
  ReassemblyConfig reassembly;
  PathMtuConfig path_mtu;
  RedirectConfig redirects;
};

}  // namespace wireside::ip
