// DHCP messages as octets, and in words.
#include <algorithm>
#include <array>

#include "wire/dhcp.hpp"
#include "wire/text.hpp"

namespace wireside::wire {
namespace {

constexpr std::size_t max_part = 255;

/// Appends options; an absent value appends nothing.
class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& out) : out_{out} {}

  /// Beyond 255 octets the option is written several times, and the parts are one value (RFC 3396 section 6).
  void raw(DhcpOption code, ByteView value) {
    for (std::size_t at = 0; at < value.size(); at += max_part) {
      const ByteView part = value.subspan(at, std::min(max_part, value.size() - at));
      out_.push_back(static_cast<std::uint8_t>(code));
      out_.push_back(static_cast<std::uint8_t>(part.size()));
      out_.insert(out_.end(), part.begin(), part.end());
    }
  }
  void put(DhcpOption code, const std::string& text) {
    raw(code, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  void put(DhcpOption code, const std::optional<std::uint8_t>& value) {
    if (value) raw(code, {&*value, 1});
  }
  void put(DhcpOption code, const std::optional<std::uint16_t>& value) {
    if (!value) return;
    std::array<std::uint8_t, 2> octets{};
    store_be16(octets.data(), *value);
    raw(code, octets);
  }
  void put(DhcpOption code, const std::optional<std::uint32_t>& value) {
    if (!value) return;
    std::array<std::uint8_t, 4> octets{};
    store_be32(octets.data(), *value);
    raw(code, octets);
  }
  void put(DhcpOption code, const std::optional<Ipv4Address>& value) {
    if (value) put(code, std::optional{value->value()});
  }
  void put(DhcpOption code, const std::vector<Ipv4Address>& values) {
    std::vector<std::uint8_t> octets;
    for (const Ipv4Address value : values) append(octets, value, 4);
    raw(code, octets);
  }
  void put(const std::vector<ClasslessRoute>& routes) {
    std::vector<std::uint8_t> octets;
    for (const ClasslessRoute& route : routes) {
      octets.push_back(route.destination.length);
      append(octets, route.destination.network(), (route.destination.length + 7U) / 8);
      append(octets, route.router, 4);
    }
    raw(DhcpOption::ClasslessRoutes, octets);
  }

 private:
  static void append(std::vector<std::uint8_t>& octets, Ipv4Address address, std::size_t count) {
    std::array<std::uint8_t, 4> value{};
    store_be32(value.data(), address.value());
    octets.insert(octets.end(), value.begin(), value.begin() + static_cast<std::ptrdiff_t>(count));
  }
  std::vector<std::uint8_t>& out_;
};

void emit_fixed_fields(const DhcpMessage& m, std::uint8_t* p) {
  p[0] = static_cast<std::uint8_t>(m.op);
  p[1] = 1;  // Ethernet
  p[2] = 6;
  p[3] = m.hops;
  store_be32(p + 4, m.xid);
  store_be16(p + 8, m.secs);
  store_be16(p + 10, m.broadcast ? 0x8000 : 0);
  store_be32(p + 12, m.ciaddr.value());
  store_be32(p + 16, m.yiaddr.value());
  store_be32(p + 20, m.siaddr.value());
  store_be32(p + 24, m.giaddr.value());
  std::copy_n(m.chaddr.octets.begin(), 6, p + 28);
  store_be32(p + dhcp_options_offset - 4, dhcp_magic_cookie);
}

std::string seconds(std::uint32_t value) {
  if (value == dhcp_infinite_lease) return "infinite";
  std::string out;
  append_number(out, value);
  return out + " s";
}

}  // namespace

std::vector<std::uint8_t> emit_dhcp(const DhcpMessage& m) {
  std::vector<std::uint8_t> out(dhcp_options_offset);
  emit_fixed_fields(m, out.data());
  Writer w{out};
  if (m.type) w.put(DhcpOption::MessageType, std::optional{static_cast<std::uint8_t>(*m.type)});
  w.raw(DhcpOption::ClientIdentifier, m.client_id);
  w.put(DhcpOption::RequestedAddress, m.requested_address);
  w.put(DhcpOption::ServerIdentifier, m.server_id);
  w.put(DhcpOption::LeaseTime, m.lease_seconds);
  w.put(DhcpOption::RenewalTime, m.renewal_seconds);
  w.put(DhcpOption::RebindingTime, m.rebinding_seconds);
  w.put(DhcpOption::SubnetMask, m.subnet_mask);
  w.put(DhcpOption::MaxMessageSize, m.max_message_size);
  w.raw(DhcpOption::ParameterRequestList, m.parameter_request_list);
  w.put(DhcpOption::HostName, m.host_name);
  w.put(DhcpOption::VendorClass, m.vendor_class);
  w.put(DhcpOption::AutoConfigure, m.auto_configure);
  w.put(m.classless_routes);
  w.put(DhcpOption::Router, m.routers);
  w.put(DhcpOption::DomainNameServer, m.dns_servers);
  w.put(DhcpOption::DomainName, m.domain_name);
  w.put(DhcpOption::InterfaceMtu, m.mtu);
  w.put(DhcpOption::BroadcastAddress, m.broadcast_address);
  w.put(DhcpOption::NtpServers, m.ntp_servers);
  w.put(DhcpOption::Message, m.message);
  out.push_back(static_cast<std::uint8_t>(DhcpOption::End));
  if (out.size() < dhcp_min_message) out.resize(dhcp_min_message);
  return out;
}

std::string_view dhcp_type_name(DhcpMessageType type) {
  constexpr std::array<std::string_view, 10> names{"DHCP",        "DHCPDISCOVER",  "DHCPOFFER", "DHCPREQUEST",
                                                   "DHCPDECLINE", "DHCPACK",       "DHCPNAK",   "DHCPRELEASE",
                                                   "DHCPINFORM",  "DHCPFORCERENEW"};
  const auto i = static_cast<std::size_t>(type);
  return names[i < names.size() ? i : 0];
}

std::string printable(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

std::string describe_dhcp(const DhcpMessage& m) {
  std::string out;
  if (m.type) {
    out = std::string{dhcp_type_name(*m.type)} + " (option 53 = ";
    append_number(out, static_cast<std::uint8_t>(*m.type));
    out += ')';
  } else {
    out = m.op == DhcpMessage::Op::Request ? "BOOTP request" : "BOOTP reply";
  }
  out += ", xid 0x";
  append_hex(out, m.xid, 8);
  out += ", " + m.chaddr.to_string();
  if (m.broadcast) out += ", broadcast flag";
  if (!m.ciaddr.is_unspecified()) out += ", client " + m.ciaddr.to_string();
  if (!m.yiaddr.is_unspecified()) out += ", your " + m.yiaddr.to_string();
  if (m.requested_address) out += ", requested " + m.requested_address->to_string();
  if (m.server_id) out += ", server " + m.server_id->to_string();
  if (m.lease_seconds) out += ", lease " + seconds(*m.lease_seconds);
  if (!m.message.empty()) out += ", \"" + printable(m.message) + '"';
  return out;
}

}  // namespace wireside::wire
