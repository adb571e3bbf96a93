#include "wire/flow_key.hpp"

#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"

namespace wireside::wire {
namespace {

constexpr std::size_t ports_length = 4;
constexpr std::uint16_t fragment_offset_mask = 0x1fff;

bool is_icmp_error(std::uint8_t type) {
  switch (static_cast<IcmpType>(type)) {
    case IcmpType::DestinationUnreachable:
    case IcmpType::SourceQuench:
    case IcmpType::Redirect:
    case IcmpType::TimeExceeded:
    case IcmpType::ParameterProblem:
      return true;
    default:
      return false;
  }
}

std::size_t header_length(ByteView packet) { return std::size_t{4} * (packet[0] & 0x0fU); }

void read_transport(ByteView transport, FlowKey& key) {
  switch (static_cast<IpProtocol>(key.protocol)) {
    case IpProtocol::Tcp:
    case IpProtocol::Udp:
      if (transport.size() < ports_length) return;
      key.source_port = Port{load_be16(transport.data())};
      key.destination_port = Port{load_be16(transport.data() + 2)};
      break;
    case IpProtocol::Icmp:
      if (transport.size() < icmp_header_length) return;
      key.icmp_type = transport[0];
      key.icmp_identifier = load_be16(transport.data() + 4);
      break;
    default:
      return;
  }
  key.has_transport = true;
}

}  // namespace

std::optional<FlowKey> read_flow_key(ByteView packet) {
  if (packet.size() < ipv4_min_header || packet[0] >> 4 != 4) return std::nullopt;
  const std::size_t length = header_length(packet);
  if (length < ipv4_min_header || length > packet.size()) return std::nullopt;
  const std::uint16_t fragment = load_be16(packet.data() + 6);
  const bool more = (fragment & ipv4_flag_more_fragments) != 0;
  const bool later = (fragment & fragment_offset_mask) != 0;
  FlowKey key{.source = Ipv4Address{load_be32(packet.data() + 12)},
              .destination = Ipv4Address{load_be32(packet.data() + 16)},
              .protocol = packet[9],
              .identification = load_be16(packet.data() + 4),
              .fragment = more || later,
              .first_fragment = more && !later};
  if (!later) read_transport(packet.subspan(length), key);
  return key;
}

ByteView quoted_packet(ByteView packet, const FlowKey& key) {
  if (key.protocol != static_cast<std::uint8_t>(IpProtocol::Icmp) || !key.has_transport) return {};
  if (!is_icmp_error(key.icmp_type)) return {};
  return packet.subspan(header_length(packet) + icmp_header_length);
}

}  // namespace wireside::wire
