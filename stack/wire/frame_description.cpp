#include "wire/frame_description.hpp"

#include <algorithm>
#include <array>

#include "wire/arp.hpp"
#include "wire/dhcp.hpp"
#include "wire/dns.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp_description.hpp"
#include "wire/text.hpp"
#include "wire/udp.hpp"

namespace wireside::wire {
namespace {

constexpr Port dns_port{53};

std::string arp_line(ByteView data) {
  const auto message = parse_arp(data);
  std::string out = "ARP, ";
  if (message) {
    out += describe_arp(*message);
  } else {
    out += message.error() == Error::Truncated ? "truncated" : "malformed";
  }
  return out + numbered(", length ", data.size());
}

/// Header and options of a segment whose option list cannot be followed: everything but the options is still told.
std::string broken_options_line(ByteView segment, std::size_t header_length, const SeqBases& bases) {
  std::array<std::uint8_t, tcp_min_header> fixed{};
  std::copy_n(segment.begin(), tcp_min_header, fixed.begin());
  fixed[12] = tcp_min_header / 4 << 4;
  const auto parsed = parse_tcp(fixed);
  if (!parsed) return "TCP, malformed";
  const ByteView options = segment.subspan(tcp_min_header, header_length - tcp_min_header);
  return describe_tcp(parsed->header, options, segment.size() - header_length, bases.seq, bases.ack);
}

std::string tcp_text(ByteView segment, const SeqBases& bases) {
  if (segment.size() < tcp_min_header) return numbered("TCP, truncated, length ", segment.size());
  const auto parsed = parse_tcp(segment);
  if (parsed) {
    const std::size_t length = parsed->header_length;
    const ByteView options = segment.subspan(tcp_min_header, length - tcp_min_header);
    return describe_tcp(parsed->header, options, segment.size() - length, bases.seq, bases.ack);
  }
  const std::size_t length = std::size_t{segment[12]} / 16 * 4;
  if (length < tcp_min_header) return numbered("TCP, bad hdr length ", length) + " - too short, < 20";
  if (length > segment.size()) {
    return numbered("TCP, bad hdr length ", length) + numbered(" - too long, > ", segment.size());
  }
  return broken_options_line(segment, length, bases);
}

std::string udp_text(ByteView datagram) {
  const auto header = parse_udp(datagram);
  if (header) {
    const ByteView payload = datagram.subspan(udp_header_length, header->length - udp_header_length);
    if (header->source == dns_port || header->destination == dns_port) return describe_dns(payload);
    const bool dhcp = (header->source == dhcp_client_port && header->destination == dhcp_server_port) ||
                      (header->source == dhcp_server_port && header->destination == dhcp_client_port);
    const auto message = dhcp ? parse_dhcp(payload) : Result<DhcpMessage>{fail(Error::Malformed)};
    if (message) return describe_dhcp(*message) + numbered(", length ", payload.size());
    return describe_udp(*header);
  }
  if (datagram.size() < udp_header_length) return numbered("UDP, truncated, length ", datagram.size());
  return numbered("UDP, bad length ", load_be16(datagram.data() + 4)) + numbered(" of ", datagram.size());
}

/// "10.0.0.1.43210 > 10.0.0.2.80: ", without ports where there are none.
std::string ends_text(const Ipv4Header& header, ByteView transport, bool has_ports) {
  std::string out = header.source.to_string();
  if (has_ports) out += numbered(".", load_be16(transport.data()));
  out += " > " + header.destination.to_string();
  if (has_ports) out += numbered(".", load_be16(transport.data() + 2));
  return out + ": ";
}

std::string transport_text(const Ipv4Header& header, ByteView transport, const SeqBases& bases) {
  const auto ends = [&](bool ports) { return ends_text(header, transport, ports && transport.size() >= 4); };
  if (header.fragment_offset != 0) return ends(false) + numbered("ip-proto-", header.protocol);
  switch (static_cast<IpProtocol>(header.protocol)) {
    case IpProtocol::Icmp:
      return ends(false) + describe_icmp(transport);
    case IpProtocol::Tcp:
      return ends(true) + tcp_text(transport, bases);
    case IpProtocol::Udp: {
      // A first fragment holds less than its UDP length says; that is not an error.
      const bool whole_header = transport.size() >= udp_header_length;
      const std::size_t udp_octets = whole_header ? load_be16(transport.data() + 4) : 0;
      if (header.more_fragments && udp_octets > transport.size()) {
        return ends(true) + numbered("UDP, length ", udp_octets - udp_header_length);
      }
      return ends(true) + udp_text(transport);
    }
  }
  return ends(false) + ' ' + numbered("ip-proto-", header.protocol) + numbered(" ", transport.size());
}

std::string ipv4_line(ByteView packet, const SeqBases& bases) {
  const auto parsed = parse_ipv4(packet);
  if (parsed) {
    const Ipv4Header& h = parsed->header;
    const ByteView transport = packet.subspan(parsed->header_length, h.total_length - parsed->header_length);
    return (parsed->checksum_ok ? "IP " : "IP bad-cksum ") + transport_text(h, transport, bases);
  }
  if (packet.size() < ipv4_min_header) return numbered("IP truncated, length ", packet.size());
  if (packet[0] >> 4 != 4) return numbered("IP", packet[0] >> 4) + " (invalid)";
  const std::size_t header_length = std::size_t{packet[0] & 0x0fU} * 4;
  if (header_length < ipv4_min_header || header_length > packet.size()) return numbered("IP bad-hlen ", header_length);
  const std::size_t total = load_be16(packet.data() + 2);
  if (total < header_length) return numbered("IP bad-len ", total);
  return numbered("IP truncated-ip - ", total - packet.size()) + " bytes missing";
}

}  // namespace

std::string describe_frame(ByteView frame, const SeqBases* bases) {
  const auto ethernet = parse_ethernet(frame);
  if (!ethernet) return numbered("Ethernet truncated, length ", frame.size());
  const ByteView rest = frame.subspan(ethernet_header_length);
  switch (static_cast<EtherType>(ethernet->ether_type)) {
    case EtherType::Ipv4:
      return ipv4_line(rest, bases != nullptr ? *bases : SeqBases{});
    case EtherType::Arp:
      return arp_line(rest);
  }
  return describe_ethernet(*ethernet) + numbered(", length ", frame.size());
}

}  // namespace wireside::wire
