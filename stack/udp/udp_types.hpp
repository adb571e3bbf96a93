// Values the UDP layer takes and gives. ICMP echo sockets are served here too: they differ only in their header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/slot_map.hpp"
#include "packet/buffer.hpp"
#include "packet/error_report.hpp"
#include "packet/packet.hpp"
#include "wire/ipv4_options.hpp"

namespace wireside::udp {

struct UdpTag;
using UdpHandle = Handle<UdpTag>;

/// What the 16-bit local number of a socket means.
enum class Service : std::uint8_t {
  Udp,   ///< a UDP port
  Echo,  ///< the identifier of ICMP echo requests (RFC 792)
};

/// Whether datagrams may be cut on their way (IP_MTU_DISCOVER).
enum class PathMtuDiscovery : std::uint8_t {
  Dont,   ///< DF clear; cut here where they exceed the path MTU
  Want,   ///< DF set where they fit the path MTU; else cut here
  Do,     ///< DF set; beyond the path MTU sending fails with MessageTooLong
  Probe,  ///< DF set; only the link's own MTU counts
};

struct UdpOptions {
  std::uint8_t ttl = 64;
  std::uint8_t multicast_ttl = 1;  ///< to multicast groups (RFC 1112 section 6.1)
  std::uint8_t tos = 0;
  PathMtuDiscovery mtu_discovery = PathMtuDiscovery::Dont;
  bool report_errors = false;               ///< keep what the network said of what was sent, for take_error_report
  std::size_t receive_buffer = 256 * 1024;  ///< octets queued at most; the newest is dropped beyond
  std::uint16_t echo_sequence = 0;          ///< of the next echo request; counts up with each
  /// Set before the port is bound: sockets that all ask for it share an endpoint (SO_REUSEPORT). All datagrams of one
  /// flow go to the same of them, by a keyed hash of its addresses and ports, while the sharers stay the same.
  bool reuse_port = false;
  wire::Ipv4Options ip_options{};  ///< of every datagram sent (RFC 1122 section 4.1.3.2); no source routes
};

struct UdpConfig {
  UdpOptions defaults;
  std::uint16_t ephemeral_first = 49152;  ///< RFC 6056 section 3.2
  std::uint16_t ephemeral_last = 65535;
  std::size_t max_sockets = 65536;
  std::size_t send_buffer = 256 * 1024;                    ///< octets waiting to leave, per socket
  std::size_t max_outgoing_octets = std::size_t{8} << 20;  ///< and over all sockets
};

/// The payload of an IP packet with protocol UDP.
struct UdpArrival {
  IpAddress source;
  IpAddress destination;
  Slice octets;  ///< from the UDP header on
  ChecksumState checksum = ChecksumState::Unverified;
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
  wire::Ipv4Options ip_options{};
};

/// An ICMP echo reply whose ICMP checksum was verified.
struct EchoArrival {
  IpAddress source;
  IpAddress destination;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  Slice octets;  ///< behind the eight header octets
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
  wire::Ipv4Options ip_options{};
};

enum class Delivery : std::uint8_t {
  Delivered,
  Dropped,   ///< counted in the sink
  NoSocket,  ///< nobody has the port: the owner may answer port unreachable (UDP-04)
};

/// A received datagram in a socket's queue.
struct Datagram {
  Slice payload;
  Endpoint from;
  IpAddress to;
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
  std::uint16_t sequence = 0;
  wire::Ipv4Options ip_options{};  ///< as received (RFC 1122 section 4.1.3.2)
};

/// A datagram to send; the header is written by the owner.
struct OutgoingDatagram {
  Service service = Service::Udp;
  FourTuple tuple;  ///< Echo: local.port is the identifier
  Slice payload;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  PathMtuDiscovery mtu_discovery = PathMtuDiscovery::Dont;
  std::uint16_t sequence = 0;  ///< Echo
  wire::Ipv4Options ip_options{};
};

/// A socket, for listings.
struct SocketStatus {
  Service service = Service::Udp;
  Endpoint local;
  std::optional<Endpoint> peer;
  std::size_t receive_queued = 0, send_queued = 0;  ///< octets
  std::size_t receive_buffer = 0;
};

/// Edges since the last report of the same socket, merged.
struct UdpEvent {
  UdpHandle socket;
  bool readable = false;
  bool writable = false;
};

}  // namespace wireside::udp
