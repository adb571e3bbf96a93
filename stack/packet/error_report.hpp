// What the network said of something that a socket sent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.hpp"
#include "base/result.hpp"
#include "packet/buffer.hpp"

namespace wireside {

/// An entry of a socket's error queue (IP_RECVERR).
struct ErrorReport {
  Error error = Error::HostUnreachable;
  bool local = false;          ///< found out here: no ICMP message came
  std::uint8_t icmp_type = 3;  ///< as in RFC 792; for local errors the one a router would have sent
  std::uint8_t icmp_code = 1;
  IpAddress reporter;           ///< router or host that sent the ICMP message; our own address for local errors
  FourTuple tuple;              ///< of the packet that was sent; ICMP echo: local.port is the identifier
  std::uint16_t sequence = 0;   ///< ICMP echo
  std::uint8_t quoted_ttl = 0;  ///< TTL with which the packet arrived at the reporter
  std::uint16_t mtu = 0;        ///< fragmentation needed: next-hop MTU
  Slice quote;                  ///< the packet from its IP header on, as far as the reporter quoted it
};

/// Reports that a socket keeps; later ones are not kept.
inline constexpr std::size_t max_error_reports = 64;

/// A short quote must not keep a large receive block alive.
inline void copy_small_quote(ErrorReport& report, BufferPool& pool) {
  Slice& quote = report.quote;
  if (quote.buffer() && quote.buffer()->capacity() > 2 * quote.size() + 256) quote = pool.copy(quote.view());
}

}  // namespace wireside
