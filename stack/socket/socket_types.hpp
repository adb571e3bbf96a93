// Values of the socket API.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/slot_map.hpp"
#include "tcp/tcp_types.hpp"
#include "udp/udp_types.hpp"

namespace wireside {

struct SocketTag;
using SocketHandle = Handle<SocketTag>;

enum class SocketKind : std::uint8_t {
  Stream,    ///< TCP
  Datagram,  ///< UDP
  Echo,      ///< ICMP echo: sends requests, receives the replies to them ("ping socket")
};

/// Readiness that became true since it was last reported; drained by the owner with Stack::poll_event().
struct SocketEvent {
  SocketHandle socket;
  bool readable = false;   ///< data, a datagram, EOF, an error, or a connection to accept
  bool writable = false;   ///< room to send
  bool connected = false;  ///< active open finished well
  bool failed = false;     ///< the socket ended with `error`
  bool closed = false;     ///< orderly end of both directions
  bool urgent = false;     ///< a stream's peer announced urgent data (MUST-32); see status' urgent_ahead
  bool reported = false;   ///< a stream has a new entry for take_error_report
  Error error = Error::WouldBlock;
};

enum class Shutdown : std::uint8_t { Receive, Send, Both };

struct Accepted {
  SocketHandle socket;
  Endpoint peer;
};

/// A received datagram's facts (octets were copied to the caller's buffer).
struct ReceivedDatagram {
  std::size_t octets = 0;       ///< copied
  std::size_t full_length = 0;  ///< of the datagram; larger than octets when truncated
  Endpoint from;
  IpAddress to;  ///< destination address (IP_PKTINFO, UDP-07)
  std::uint8_t ttl = 0;
  std::uint8_t tos = 0;
  std::uint16_t echo_sequence = 0;  ///< Echo sockets
  /// As they came, with our own entry in record route and timestamp options (RFC 1122 sections 3.2.1.8, 4.1.3.2).
  wire::Ipv4Options ip_options{};
};

/// Largest messages of a transport protocol, its own header included (RFC 1122 sections 3.3.2, 3.3.3).
struct MessageLimits {
  std::uint16_t mms_s = 0;  ///< sent in one packet, as far as the path is known; larger ones are cut, or refused
  std::uint16_t mms_r = 0;  ///< received
};

using udp::PathMtuDiscovery;

/// Options of datagram and echo sockets.
struct DatagramOptions {
  std::uint8_t ttl = 64;
  std::uint8_t multicast_ttl = 1;  ///< of what goes to a multicast group (RFC 1112 section 6.1)
  std::uint8_t tos = 0;
  bool broadcast = false;  ///< permission to send to broadcast addresses
  PathMtuDiscovery mtu_discovery = PathMtuDiscovery::Dont;
  /// Keep what the network said of each datagram sent, for take_error_report; receive() reports it as an error first.
  bool report_errors = false;
  std::size_t receive_buffer = 256 * 1024;  ///< octets queued at most; the newest is dropped beyond (UDP-12)
  std::uint16_t echo_sequence = 0;          ///< Echo sockets: sequence number of the next request
  /// Set before bind(): sockets that all ask for it share an endpoint, datagrams of one flow always go to the same of
  /// them (SO_REUSEPORT).
  bool reuse_port = false;
  /// IP options of what is sent, at most 40 octets (RFC 1122 section 4.1.3.2). Source routes are refused.
  wire::Ipv4Options ip_options{};
};

/// Defaults and bounds of the table.
struct SocketConfig {
  tcp::ConnectionOptions stream_defaults;
  std::uint16_t ephemeral_first = 49152;  ///< for bind() of a stream to port 0 (RFC 6056)
  std::uint16_t ephemeral_last = 65535;
  std::size_t max_sockets = std::size_t{1} << 20;
};

}  // namespace wireside
