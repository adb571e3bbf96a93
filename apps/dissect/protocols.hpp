// The dissectors, one for each protocol: each begins at the builder's cursor and goes on with what it carries.
#pragma once

#include "base/address.hpp"
#include "dissect/builder.hpp"

namespace wireside::dissect {

/// What the pseudo-header of TCP and UDP takes from the IP header.
struct PseudoHeader {
  std::uint32_t source = 0, destination = 0;
  std::uint8_t protocol = 0;
  bool known = false;  ///< false: the dissection began above IP
};

void ethernet(Builder& b);
void arp(Builder& b);
void ipv4(Builder& b);
/// The IP header and first octets inside of an ICMP error.
void quoted_ipv4(Builder& b);
void icmp(Builder& b);
void tcp(Builder& b, const PseudoHeader& ip);
/// `quoted`: of an ICMP error, where the segment is cut short.
void tcp_ports_and_sequence(Builder& b);
void udp(Builder& b, const PseudoHeader& ip);
void dhcp(Builder& b);
void dns(Builder& b);
/// What the application sent.
void payload(Builder& b, Words title);

/// "80 (http)", where a port number is well known.
[[nodiscard]] std::string port_name(std::uint64_t port);

}  // namespace wireside::dissect
