#include "wire/frame_description.hpp"

#include <algorithm>
#include <array>

#include "base/checksum.hpp"
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

std::string arp_line(ByteView data, const FrameStyle& style) {
  const auto message = parse_arp(data);
  std::string out = style.link ? "" : "ARP, ";
  if (message) {
    if (style.verbose) out += "Ethernet (len 6), IPv4 (len 4), ";
    out += describe_arp(*message);
  } else {
    out += message.error() == Error::Truncated ? "truncated" : "malformed";
  }
  return out + numbered(", length ", data.size());
}

/// What is needed to judge a transport checksum.
struct Transport {
  const Ipv4Header& ip;
  ByteView octets;
  const FrameStyle& style;
  bool quoted = false;  // in an ICMP error
};

/// What the checksum should be for what is there.
std::uint16_t right_checksum(const Transport& t, std::size_t field) {
  ChecksumAccumulator sum;
  add_pseudo_header(sum, t.ip.source, t.ip.destination, t.ip.protocol, static_cast<std::uint32_t>(t.octets.size()));
  sum.add(t.octets.first(field));
  sum.add(std::array<std::uint8_t, 2>{});
  sum.add(t.octets.subspan(field + 2));
  return sum.checksum();
}

/// "0x1c46 (correct)"
std::string tcp_checksum_text(const Transport& t) {
  if (!t.style.verbose || t.ip.is_fragment()) return {};
  const std::uint16_t found = load_be16(t.octets.data() + tcp_checksum_offset);
  std::string out = "0x";
  append_hex(out, found, 4);
  if (t.style.partial_checksum) return out + " (partial)";
  const std::uint16_t right = right_checksum(t, tcp_checksum_offset);
  if (found == right) return out + " (correct)";
  out += " (incorrect -> 0x";
  append_hex(out, right, 4);
  return out + ')';
}

/// Header and options of a segment whose option list cannot be followed: everything but the options is still told.
std::string broken_options_line(const Transport& t, std::size_t header_length, const SeqBases& bases) {
  const ByteView segment = t.octets;
  std::array<std::uint8_t, tcp_min_header> fixed{};
  std::copy_n(segment.begin(), tcp_min_header, fixed.begin());
  fixed[12] = tcp_min_header / 4 << 4;
  const auto parsed = parse_tcp(fixed);
  if (!parsed) return "TCP, malformed";
  const ByteView options = segment.subspan(tcp_min_header, header_length - tcp_min_header);
  return describe_tcp(parsed->header, options, segment.size() - header_length, bases.seq, bases.ack,
                      tcp_checksum_text(t));
}

std::string tcp_text(const Transport& t, const SeqBases& bases) {
  const ByteView segment = t.octets;
  if (segment.size() < tcp_min_header) return numbered("TCP, truncated, length ", segment.size());
  const auto parsed = parse_tcp(segment);
  if (parsed) {
    const std::size_t length = parsed->header_length;
    const ByteView options = segment.subspan(tcp_min_header, length - tcp_min_header);
    return describe_tcp(parsed->header, options, segment.size() - length, bases.seq, bases.ack, tcp_checksum_text(t));
  }
  const std::size_t length = std::size_t{segment[12]} / 16 * 4;
  if (length < tcp_min_header) return numbered("TCP, bad hdr length ", length) + " - too short, < 20";
  if (length > segment.size()) {
    return numbered("TCP, bad hdr length ", length) + numbered(" - too long, > ", segment.size());
  }
  return broken_options_line(t, length, bases);
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

std::string ipv4_line(ByteView packet, const SeqBases& bases, const FrameStyle& style, bool quoted = false);

/// A wrong checksum, and the packet that an error is about.
std::string icmp_details(const Transport& t) {
  std::string out;
  if (t.ip.is_fragment() || t.octets.size() < icmp_header_length) return out;
  const std::uint16_t found = load_be16(t.octets.data() + icmp_checksum_offset);
  ChecksumAccumulator sum;
  sum.add(t.octets.first(icmp_checksum_offset));
  sum.add(t.octets.subspan(icmp_checksum_offset + 2));
  if (const std::uint16_t right = sum.checksum(); found != right) {
    out += " (wrong icmp cksum ";
    append_hex(out, found, 1);
    out += " (->";
    append_hex(out, right, 1);
    out += ")!)";
  }
  const auto header = parse_icmp(t.octets);
  const ByteView quote = t.octets.subspan(icmp_header_length);
  if (t.quoted || !header || !header->is_error() || !parse_ipv4(quote)) return out;
  return out + "\n\t" + ipv4_line(quote, {}, {.verbose = true}, true);
}

std::string transport_text(const Transport& t, const SeqBases& bases) {
  const Ipv4Header& header = t.ip;
  const ByteView transport = t.octets;
  const auto ends = [&](bool ports) { return ends_text(header, transport, ports && transport.size() >= 4); };
  if (header.fragment_offset != 0) return ends(false) + numbered("ip-proto-", header.protocol);
  switch (static_cast<IpProtocol>(header.protocol)) {
    case IpProtocol::Icmp:
      return ends(false) + describe_icmp(transport) + (t.style.verbose ? icmp_details(t) : std::string{});
    case IpProtocol::Tcp:
      return ends(true) + tcp_text(t, bases);
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

/// "TCP (6)"
std::string protocol_text(std::uint8_t protocol) {
  struct Row {
    std::uint8_t number;
    const char* name;
  };
  constexpr std::array<Row, 11> rows{{{1, "ICMP"},
                                      {2, "IGMP"},
                                      {4, "IPIP"},
                                      {6, "TCP"},
                                      {17, "UDP"},
                                      {41, "IPv6"},
                                      {47, "GRE"},
                                      {50, "ESP"},
                                      {51, "AH"},
                                      {89, "OSPF"},
                                      {132, "SCTP"}}};
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.number == protocol; });
  return (row == rows.end() ? std::string{"unknown"} : std::string{row->name}) + numbered(" (", protocol) + ')';
}

/// "NOP,RR"
std::string ip_options_text(ByteView options) {
  std::string out;
  for (std::size_t at = 0; at < options.size();) {
    const std::uint8_t kind = options[at];
    const char* const name = kind == 0     ? "EOL"
                             : kind == 1   ? "NOP"
                             : kind == 7   ? "RR"
                             : kind == 68  ? "TS"
                             : kind == 130 ? "SECURITY"
                             : kind == 131 ? "LSRR"
                             : kind == 137 ? "SSRR"
                             : kind == 148 ? "RA"
                                           : nullptr;
    if (!out.empty()) out += ',';
    out += name != nullptr ? std::string{name} : numbered("unknown ", kind);
    if (kind == 0) return out;
    const std::size_t length = kind == 1 ? 1 : at + 1 < options.size() ? options[at + 1] : 0;
    if (length == 0) return out + " [bad length]";
    at += length;
  }
  return out;
}

/// "(tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto TCP (6), length 60)"
std::string ip_fields_text(const ParsedIpv4& parsed, ByteView packet) {
  constexpr std::array<const char*, 4> ecn{"", ",ECT(1)", ",ECT(0)", ",CE"};
  const Ipv4Header& h = parsed.header;
  std::string out = "(tos 0x";
  append_hex(out, h.tos, h.tos < 16 ? 1 : 2);
  out += ecn[h.tos & 3U];
  out += numbered(", ttl ", h.ttl) + numbered(", id ", h.identification) + numbered(", offset ", h.fragment_offset);
  out += h.dont_fragment ? ", flags [DF" : ", flags [";
  if (h.more_fragments) out += h.dont_fragment ? ", +" : "+";
  if (!h.dont_fragment && !h.more_fragments) out += "none";
  out += "], proto " + protocol_text(h.protocol) + numbered(", length ", h.total_length);
  if (parsed.header_length > ipv4_min_header) {
    out += ", options (" + ip_options_text(parsed.options) + ')';
  }
  if (!parsed.checksum_ok) {
    std::array<std::uint8_t, ipv4_max_header> copy{};
    std::copy_n(packet.begin(), parsed.header_length, copy.begin());
    copy[10] = copy[11] = 0;
    out += ", bad cksum ";
    append_hex(out, load_be16(packet.data() + 10), 4);
    out += " (->";
    append_hex(out, internet_checksum(ByteView{copy}.first(parsed.header_length)), 4);
    out += ")!";
  }
  return out + ')';
}

std::string ipv4_line(ByteView packet, const SeqBases& bases, const FrameStyle& style, bool quoted) {
  const auto parsed = parse_ipv4(packet);
  if (parsed) {
    const Ipv4Header& h = parsed->header;
    const ByteView octets = packet.subspan(parsed->header_length, h.total_length - parsed->header_length);
    const std::string transport = transport_text({h, octets, style, quoted}, bases);
    std::string name = style.link ? "" : "IP ";
    if (style.verbose) return name + ip_fields_text(*parsed, packet) + "\n    " + transport;
    return name + (parsed->checksum_ok ? "" : "bad-cksum ") + transport;
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

std::string describe_frame(ByteView frame, const SeqBases* bases, const FrameStyle& style) {
  const auto ethernet = parse_ethernet(frame);
  if (!ethernet) return numbered("Ethernet truncated, length ", frame.size());
  const ByteView rest = frame.subspan(ethernet_header_length);
  const std::string link = describe_ethernet(*ethernet) + numbered(", length ", frame.size());
  const std::string before = style.link ? link + ": " : std::string{};
  switch (static_cast<EtherType>(ethernet->ether_type)) {
    case EtherType::Ipv4:
      return before + ipv4_line(rest, bases != nullptr ? *bases : SeqBases{}, style);
    case EtherType::Arp:
      return before + arp_line(rest, style);
  }
  return link;
}

}  // namespace wireside::wire
