// Values the DHCP client takes and gives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "observe/vocabulary.hpp"
#include "wire/dhcp.hpp"

namespace wireside::dhcp {

/// What a server tells about the network.
struct Configuration {
  std::vector<Ipv4Address> routers;  ///< best first; to be ignored when there are classless routes (RFC 3442)
  std::vector<wire::ClasslessRoute> routes;
  std::vector<Ipv4Address> dns_servers;
  std::vector<Ipv4Address> ntp_servers;
  std::string domain_name;
  std::string host_name;
  std::optional<std::uint16_t> mtu;
  std::optional<Ipv4Address> broadcast_address;
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

/// An address with the right to use it for a time.
struct Lease {
  Ipv4Prefix prefix;
  Ipv4Address server;  ///< its identifier; unspecified for a link-local address
  Configuration configuration;
  Instant obtained;  ///< when the DHCPREQUEST was sent: all times count from here (RFC 2131 section 4.4.1)
  Duration duration{};
  Duration t1{};          ///< renew after this time; below t2
  Duration t2{};          ///< rebind after this time; below duration
  bool infinite = false;  ///< the three times mean nothing
  bool link_local = false;

  [[nodiscard]] Instant expires_at() const { return infinite ? Instant::max() : obtained + duration; }
  [[nodiscard]] Instant t1_at() const { return infinite ? Instant::max() : obtained + t1; }
  [[nodiscard]] Instant t2_at() const { return infinite ? Instant::max() : obtained + t2; }
  friend bool operator==(const Lease&, const Lease&) = default;
};

struct Options {
  std::string host_name{};                    ///< option 12; none when empty
  std::string vendor_class = "wireside";      ///< option 60
  std::vector<std::uint8_t> client_id{};      ///< option 61; empty: made from the MAC address (RFC 4361)
  std::optional<Duration> requested_lease{};  ///< option 51, whole seconds
  bool broadcast_flag = false;                ///< ask for broadcast replies; unicast ones are taken either way
  bool start_delay = false;                   ///< wait 1 to 10 s before the first DHCPDISCOVER (RFC 2131 section 4.4.1)
  bool link_local = false;                    ///< take a link-local address when no server answers (RFC 3927)
  unsigned tries_before_fallback = 2;         ///< unanswered DHCPDISCOVERs before that, about 12 s
  /// Zero: the first usable offer is taken. Else offers are collected for so long after the first; one for the address
  /// of before wins, then the earliest.
  Duration collect_offers{};
  std::optional<Lease> previous{};  ///< tried first (INIT-REBOOT) while it runs; else only its address is asked for
};

/// A message to send, from UDP port 68 to port 67.
struct OutgoingMessage {
  wire::DhcpMessage message;
  Ipv4Address source;       ///< unspecified before an address is held
  Ipv4Address destination;  ///< limited broadcast, or the server
};

/// The client wants to know whether another host uses the address: answer with address_free,
/// address_conflict, or address_unchecked where nobody is to be asked.
struct CheckAddress {
  Ipv4Address address;
};
/// The address may be used, or its lease was renewed, possibly with another configuration.
struct Bound {
  Lease lease;
  bool renewed = false;
};
/// The address must not be used any more.
struct Lost {
  enum class Why : std::uint8_t { Expired, Nak, Conflict, Released, Stopped, Replaced };
  Ipv4Address address;
  Why why = Why::Expired;
};
/// Answer to inform().
struct Informed {
  Ipv4Address server;
  Configuration configuration;
};
/// No server answered for a while. The client keeps trying; told once until one answers.
struct NoServer {
  unsigned tries = 0;
};
/// Another host has the address; it was declined, and the client starts anew after ten seconds.
struct Declined {
  Ipv4Address address;
};
/// The server does not let us have the address.
struct Refused {
  Ipv4Address server;
  std::string text;  ///< the server's words, printable
};

using Change = std::variant<CheckAddress, Bound, Lost, Informed, NoServer, Declined, Refused>;

/// How the client stands.
struct Status {
  observe::DhcpState state = observe::DhcpState::Stopped;
  std::optional<Lease> lease;  ///< in use, leased or link-local
  unsigned tries = 0;          ///< of the message under way
};

[[nodiscard]] std::string_view to_string(Lost::Why why);

/// RFC 4361: type 255, IAID (last four octets of the MAC address), DUID-LL.
[[nodiscard]] std::vector<std::uint8_t> client_identifier(MacAddress mac);

}  // namespace wireside::dhcp
