// Values the network layer takes and gives.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/address.hpp"
#include "base/seq_num.hpp"
#include "packet/packet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"
#include "wire/ipv4_options.hpp"

namespace wireside::ip {

/// What the link layer (or the loopback path) knows of a packet.
struct Arrival {
  ChecksumState checksum = ChecksumState::Unverified;
  std::uint16_t gso_size = 0;
  bool link_broadcast = false;  ///< came in a broadcast or multicast frame
  bool loopback = false;        ///< sent by ourselves: our own addresses and 127/8 are rightful sources
};

/// A checked IPv4 packet for us.
struct IncomingDatagram {
  wire::Ipv4Header header;
  Slice payload;           ///< transport header and data, cut to the total length
  Slice packet;            ///< the whole packet as received, for quoting in ICMP errors
  bool broadcast = false;  ///< to a broadcast or multicast address of the IP or the link layer
  bool loopback = false;
  ChecksumState checksum = ChecksumState::Unverified;
  std::uint16_t gso_size = 0;
};

/// An ICMP error about a packet of ours (RFC 1122 section 3.2.2). Unverified hearsay: match it with care (RFC 5927).
struct IcmpErrorReport {
  wire::IcmpType type = wire::IcmpType::DestinationUnreachable;
  std::uint8_t code = 0;
  Ipv4Address reporter;
  std::uint8_t protocol = 0;  ///< of the quoted packet
  FourTuple tuple;            ///< local = quoted source; ports for TCP and UDP, the echo id as local port for ICMP
  std::optional<SeqNum> seq;  ///< TCP
  std::uint16_t mtu = 0;      ///< fragmentation needed: next-hop MTU, 0 from old routers
  std::uint16_t quoted_length = 0;  ///< total length of the quoted packet
  bool quoted_dont_fragment = false;
  std::uint8_t quoted_ttl = 0;
  std::uint16_t echo_sequence = 0;  ///< ICMP echo
  Ipv4Address gateway;              ///< redirect: the better first hop
  Slice quote;                      ///< the quoted packet's IP header and what follows
};

struct EchoReplyReport {
  Ipv4Address source;
  Ipv4Address destination;
  std::uint16_t id = 0;
  std::uint16_t sequence = 0;
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
  Slice data;                   ///< behind the eight octets of the ICMP header
  wire::Ipv4Options options{};  ///< with our own entry, see options_for_transport
};

/// A checked packet that is not for this interface (RFC 1812 section 5.2.1); its TTL is not yet looked at, as it may be
/// for another interface of the router.
struct TransitDatagram {
  IncomingDatagram datagram;
};

/// monostate: dealt with or dropped here. IncomingDatagram: a TCP or UDP datagram for the owner.
/// TransitDatagram: a checked packet for somebody else, which a router may forward.
using Arrived = std::variant<std::monostate, IncomingDatagram, IcmpErrorReport, EchoReplyReport, TransitDatagram>;

struct SendParameters {
  Ipv4Address source{};  ///< unspecified: chosen for the destination
  Ipv4Address destination{};
  wire::IpProtocol protocol = wire::IpProtocol::Tcp;
  std::uint8_t ttl = 0;  ///< 0: the configured default (IP-10)
  std::uint8_t tos = 0;
  wire::Ipv4Options options{};
  bool dont_fragment = true;  ///< false: cut into fragments where it exceeds the path MTU
};

/// Where a prepared packet goes.
struct NextHop {
  enum class Kind : std::uint8_t {
    Neighbour,  ///< link unicast to `address`, or link multicast if that is a multicast address
    Broadcast,  ///< link broadcast
    Router,     ///< to the other interfaces of the Router this one belongs to
    Loopback,   ///< back into handle_packet with Arrival::loopback, never to the link
  };
  Kind kind = Kind::Neighbour;
  Ipv4Address address;
};

}  // namespace wireside::ip
