// A snapshot of everything a stack counts, by the names of RFC 4293 (IP, ICMP), 4022 (TCP) and 4113 (UDP).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "observe/event.hpp"

namespace wireside {

struct Statistics {
  using Count = std::uint64_t;
  using Drop = observe::DropReason;

  observe::Counters count;
  std::array<Count, static_cast<std::size_t>(Drop::Count)> drops{};
  Count tcp_established = 0;  ///< tcpCurrEstab: ESTABLISHED and CLOSE-WAIT now

  [[nodiscard]] Count dropped(Drop reason) const { return drops[static_cast<std::size_t>(reason)]; }

  // IP. A super-segment counts as one datagram.
  [[nodiscard]] Count ip_in_header_errors() const;
  [[nodiscard]] Count ip_in_address_errors() const;
  [[nodiscard]] Count ip_in_discards() const;
  [[nodiscard]] Count ip_out_discards() const;
  // ICMP
  [[nodiscard]] Count icmp_in_messages() const;
  [[nodiscard]] Count icmp_in_errors() const;
  [[nodiscard]] Count icmp_out_messages() const;
  // TCP and UDP
  [[nodiscard]] Count tcp_in_errors() const { return dropped(Drop::TcpMalformed) + dropped(Drop::TcpBadChecksum); }
  [[nodiscard]] Count udp_in_errors() const;
};

/// One line of a listing.
struct Statistic {
  std::string name;
  std::uint64_t value = 0;
};

/// Names as nstat shows them: "IpInReceives", "IcmpInEchos", "TcpRetransSegs", "UdpNoPorts"; then "ArpInRequests",
/// "IfInOctets"; then what an impairment did ("ImpairOutRandomLosses"), where it did. In a fixed order.
[[nodiscard]] std::vector<Statistic> list(const Statistics& statistics);
/// Every drop reason in words with its count, in the order of DropReason.
[[nodiscard]] std::vector<Statistic> list_drops(const Statistics& statistics);

}  // namespace wireside
