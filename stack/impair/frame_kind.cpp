#include "impair/frame_kind.hpp"

#include "base/checksum.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside::impair {
namespace {

constexpr std::size_t ip_start = wire::ethernet_header_length;
constexpr std::uint8_t ecn_mask = 0x03;
constexpr std::uint8_t congestion_experienced = 0x03;

constexpr std::uint32_t bit(FrameKind kind) { return 1U << static_cast<unsigned>(kind); }

std::uint32_t kinds_of_tcp(const wire::TcpFlags& flags, std::size_t payload) {
  std::uint32_t kinds = bit(FrameKind::Tcp);
  if (payload > 0) kinds |= bit(FrameKind::Data);
  if (flags.syn) kinds |= bit(flags.ack ? FrameKind::SynAck : FrameKind::Syn);
  if (flags.fin) kinds |= bit(FrameKind::Fin);
  if (flags.rst) kinds |= bit(FrameKind::Rst);
  if (flags.ack && payload == 0 && !flags.syn && !flags.fin && !flags.rst) kinds |= bit(FrameKind::Ack);
  return kinds;
}

void examine_transport(ByteView segment, std::uint8_t protocol, FrameFacts& facts) {
  if (protocol == static_cast<std::uint8_t>(wire::IpProtocol::Icmp)) facts.kinds |= bit(FrameKind::Icmp);
  if (protocol == static_cast<std::uint8_t>(wire::IpProtocol::Udp)) {
    facts.kinds |= bit(FrameKind::Udp);
    facts.payload_at += std::min(segment.size(), wire::udp_header_length);
  } else if (protocol == static_cast<std::uint8_t>(wire::IpProtocol::Icmp)) {
    facts.payload_at += std::min<std::size_t>(segment.size(), 8);
  } else if (const auto tcp = wire::parse_tcp(segment);
             protocol == static_cast<std::uint8_t>(wire::IpProtocol::Tcp) && tcp) {
    facts.kinds |= kinds_of_tcp(tcp->header.flags, segment.size() - tcp->header_length);
    facts.payload_at += tcp->header_length;
  }
}

}  // namespace

FrameFacts examine(ByteView frame) {
  FrameFacts facts{.kinds = bit(FrameKind::Frame)};
  if (frame.size() <= ip_start) return facts;
  facts.ip_octets = frame.size() - ip_start;
  facts.payload_at = frame.size();
  const std::uint16_t type = load_be16(frame.data() + 12);
  if (type == static_cast<std::uint16_t>(wire::EtherType::Arp)) facts.kinds |= bit(FrameKind::Arp);
  facts.ipv4 = type == static_cast<std::uint16_t>(wire::EtherType::Ipv4);
  if (!facts.ipv4) return facts;
  const auto ip = wire::parse_ipv4(frame.subspan(ip_start));
  if (!ip) return facts;
  facts.ip_octets = ip->header.total_length;
  facts.payload_at = ip_start + ip->header_length;
  if (!ip->header.is_fragment()) {
    const ByteView segment = frame.subspan(facts.payload_at, facts.ip_octets - ip->header_length);
    examine_transport(segment, ip->header.protocol, facts);
  }
  return facts;
}

bool allows_marking(ByteView frame) {
  if (frame.size() < ip_start + wire::ipv4_min_header) return false;
  if (load_be16(frame.data() + 12) != static_cast<std::uint16_t>(wire::EtherType::Ipv4)) return false;
  const unsigned ecn = frame[ip_start + 1] & ecn_mask;
  return frame[ip_start] >> 4U == 4 && ecn != 0 && ecn != congestion_experienced;
}

void mark_congestion(MutableByteView frame) {
  std::uint8_t* ip = frame.data() + ip_start;
  const std::uint16_t before = load_be16(ip);  // version, IHL and type of service share a word
  ip[1] = static_cast<std::uint8_t>(ip[1] | congestion_experienced);
  store_be16(ip + 10, updated_checksum(load_be16(ip + 10), before, load_be16(ip)));
}

}  // namespace wireside::impair
