#include "flow_owner.hpp"

#include "wire/dhcp.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"

namespace wireside {
namespace {

constexpr std::uint32_t first_ephemeral = PortShare{}.first;
constexpr std::uint32_t ephemeral_ports = 65536 - first_ephemeral;

bool has_type(const wire::FlowKey& key, wire::IcmpType type) {
  return key.icmp_type == static_cast<std::uint8_t>(type);
}

}  // namespace

PortShare FlowOwner::ports_of(std::size_t queue) const {
  const auto begin = [&](std::size_t q) {  // the least offset that of_port() gives to q
    return static_cast<std::uint32_t>((q * ephemeral_ports + queues_ - 1) / queues_);
  };
  return {.first = static_cast<std::uint16_t>(first_ephemeral + begin(queue)),
          .last = static_cast<std::uint16_t>(first_ephemeral + begin(queue + 1) - 1)};
}

std::size_t FlowOwner::of_port(std::uint16_t port) const {
  return (port - first_ephemeral) * queues_ / ephemeral_ports;
}

std::size_t FlowOwner::of_flow(std::uint8_t protocol, const FourTuple& flow) const {
  if (protocol == static_cast<std::uint8_t>(wire::IpProtocol::Udp) && flow.local.port == wire::dhcp_client_port)
    return 0;
  if (flow.local.port.value >= first_ephemeral) return of_port(flow.local.port.value);
  return scaled(hash(key_, flow.local.address.v4().value(), flow.remote.address.v4().value(),
                     (std::uint32_t{flow.local.port.value} << 16) | flow.remote.port.value));
}

std::size_t FlowOwner::of_addresses(Ipv4Address local, Ipv4Address remote) const {
  return scaled(hash(key_, local.value(), remote.value(), 0));
}

std::size_t FlowOwner::of_sent(const wire::FlowKey& key) const {
  if (key.has_transport && key.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Icmp)) {
    const bool request = has_type(key, wire::IcmpType::EchoRequest);
    if (request && key.icmp_identifier >= first_ephemeral) return of_port(key.icmp_identifier);
  } else if (key.has_transport) {
    return of_flow(key.protocol,
                   {.local = {key.source, key.source_port}, .remote = {key.destination, key.destination_port}});
  }
  return of_addresses(key.source, key.destination);
}

std::size_t FlowOwner::of_received(const wire::FlowKey& key, ByteView packet) const {
  if (key.has_transport && key.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Icmp)) {
    const bool reply = has_type(key, wire::IcmpType::EchoReply);
    if (reply && key.icmp_identifier >= first_ephemeral) return of_port(key.icmp_identifier);
    if (const auto quoted = wire::read_flow_key(wire::quoted_packet(packet, key))) return of_sent(*quoted);
  } else if (key.has_transport) {
    return of_flow(key.protocol,
                   {.local = {key.destination, key.destination_port}, .remote = {key.source, key.source_port}});
  }
  return of_addresses(key.destination, key.source);
}

FrameWay FlowOwner::way_of(ByteView frame) const {
  const auto ethernet = wire::parse_ethernet(frame);
  if (!ethernet) return {};
  if (ethernet->ether_type == static_cast<std::uint16_t>(wire::EtherType::Arp)) {
    return {.kind = FrameWay::Kind::Everyone, .queue = 0, .fragment = {}, .fragment_owner = 0};
  }
  if (ethernet->ether_type != static_cast<std::uint16_t>(wire::EtherType::Ipv4)) return {};
  const ByteView packet = frame.subspan(wire::ethernet_header_length);
  const auto key = wire::read_flow_key(packet);
  if (!key) return {};
  if (!key->fragment) {
    return {.kind = FrameWay::Kind::Queue, .queue = of_received(*key, packet), .fragment = {}, .fragment_owner = 0};
  }
  return {.kind = FrameWay::Kind::Fragment,
          .queue = of_addresses(key->destination, key->source),
          .fragment = *key,
          .fragment_owner = key->first_fragment ? of_received(*key, packet) : 0};
}

}  // namespace wireside
