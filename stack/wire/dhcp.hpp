// BOOTP/DHCP messages (RFC 951, RFC 2131 section 2) and the options a client needs (RFC 2132, 3396, 3442, 2563).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace wireside::wire {

inline constexpr Port dhcp_server_port{67};
inline constexpr Port dhcp_client_port{68};
/// Fixed fields and the magic cookie; options follow.
inline constexpr std::size_t dhcp_options_offset = 240;
/// Old relays drop shorter messages (RFC 1542 section 2.1).
inline constexpr std::size_t dhcp_min_message = 300;
inline constexpr std::uint32_t dhcp_magic_cookie = 0x63825363;  ///< before the options (RFC 2131 section 3)
inline constexpr std::uint32_t dhcp_infinite_lease = 0xffffffff;

/// Option 53.
enum class DhcpMessageType : std::uint8_t {
  Discover = 1,
  Offer = 2,
  Request = 3,
  Decline = 4,
  Ack = 5,
  Nak = 6,
  Release = 7,
  Inform = 8,
  ForceRenew = 9,  ///< RFC 3203
};

/// Codes of RFC 2132 and its successors, as far as they are understood here.
enum class DhcpOption : std::uint8_t {
  Pad = 0,
  SubnetMask = 1,
  Router = 3,
  DomainNameServer = 6,
  HostName = 12,
  DomainName = 15,
  InterfaceMtu = 26,
  BroadcastAddress = 28,
  NtpServers = 42,
  RequestedAddress = 50,
  LeaseTime = 51,
  Overload = 52,
  MessageType = 53,
  ServerIdentifier = 54,
  ParameterRequestList = 55,
  Message = 56,
  MaxMessageSize = 57,
  RenewalTime = 58,
  RebindingTime = 59,
  VendorClass = 60,
  ClientIdentifier = 61,
  AutoConfigure = 116,
  ClasslessRoutes = 121,
  End = 255,
};

/// One entry of option 121 (RFC 3442). Router 0.0.0.0: the destination is on the link.
struct ClasslessRoute {
  Ipv4Prefix destination;
  Ipv4Address router;
  friend constexpr bool operator==(const ClasslessRoute&, const ClasslessRoute&) = default;
};

/// A whole message. An option that is absent is nullopt or empty.
struct DhcpMessage {
  enum class Op : std::uint8_t { Request = 1, Reply = 2 };

  Op op = Op::Request;
  std::uint8_t hops = 0;
  std::uint32_t xid = 0;
  std::uint16_t secs = 0;
  bool broadcast = false;  ///< the flag that asks for broadcast replies
  Ipv4Address ciaddr;      ///< the client's address, if it holds one
  Ipv4Address yiaddr;      ///< "your" address, given by the server
  Ipv4Address siaddr;
  Ipv4Address giaddr;
  MacAddress chaddr;

  std::optional<DhcpMessageType> type;
  std::optional<Ipv4Address> requested_address;
  std::optional<Ipv4Address> server_id;
  std::optional<std::uint32_t> lease_seconds;
  std::optional<std::uint32_t> renewal_seconds;    ///< T1
  std::optional<std::uint32_t> rebinding_seconds;  ///< T2
  std::optional<Ipv4Address> subnet_mask;
  std::optional<Ipv4Address> broadcast_address;
  std::optional<std::uint16_t> mtu;
  std::optional<std::uint16_t> max_message_size;
  std::optional<std::uint8_t> auto_configure;  ///< RFC 2563
  std::vector<Ipv4Address> routers;
  std::vector<Ipv4Address> dns_servers;
  std::vector<Ipv4Address> ntp_servers;
  std::vector<ClasslessRoute> classless_routes;
  std::vector<std::uint8_t> parameter_request_list;
  std::vector<std::uint8_t> client_id;
  std::string host_name;
  std::string domain_name;
  std::string vendor_class;
  std::string message;  ///< why a server said no

  friend bool operator==(const DhcpMessage&, const DhcpMessage&) = default;
};

/// Checked view: the fixed fields are there, the cookie is right, and every option lies within its field.
class DhcpView {
 public:
  /// Errors: Truncated below 240 octets; Malformed for another hardware type than Ethernet, an unknown op, a wrong
  /// cookie, an option that runs past its field, an impossible overload value.
  [[nodiscard]] static Result<DhcpView> parse(ByteView octets);

  /// The option's octets: all its parts joined, from the options, file and sname fields in that order (RFC 3396).
  /// nullopt when it is absent.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> option(DhcpOption code) const;
  [[nodiscard]] ByteView octets() const { return octets_; }

 private:
  explicit DhcpView(ByteView octets) : octets_{octets} {}
  template <class Visit>
  [[nodiscard]] bool walk(ByteView field, Visit&& visit) const;
  template <class Visit>
  [[nodiscard]] bool walk_all(Visit&& visit) const;

  ByteView octets_;
  std::uint8_t overload_ = 0;
};

/// Errors: those of DhcpView::parse, and Malformed when an option the protocol hangs on (1, 50, 51, 53, 54, 58, 59) has
/// a wrong length or an unknown message type. Other options of a wrong length are as if they were absent.
[[nodiscard]] Result<DhcpMessage> parse_dhcp(ByteView octets);

/// Appends nothing else than the message: option 53 first, options above 255 octets in parts (RFC 3396), zeros up to
/// 300 octets.
[[nodiscard]] std::vector<std::uint8_t> emit_dhcp(const DhcpMessage& message);

/// "DHCPDISCOVER"
[[nodiscard]] std::string_view dhcp_type_name(DhcpMessageType type);
/// "DHCPOFFER (option 53 = 2), xid 0x3903f326, 02:00:5e:00:53:01, your 10.0.0.57, server 10.0.0.1, lease 3600 s"
[[nodiscard]] std::string describe_dhcp(const DhcpMessage& message);
/// Text from a server with everything but printable ASCII replaced by '?': safe to show.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace wireside::wire
