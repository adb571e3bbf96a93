// Shared by the network layer's tests: a host with one network and a gateway, and raw packets.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "ip/ip_layer.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside::ip::testing {

using Octets = std::vector<std::uint8_t>;

inline constexpr Ipv4Address our_ip{10, 0, 0, 2};
inline constexpr Ipv4Address second_ip{192, 168, 1, 5};
inline constexpr Ipv4Address peer_ip{10, 0, 0, 1};
inline constexpr Ipv4Address gateway_ip{10, 0, 0, 254};
inline constexpr Ipv4Address far_ip{203, 0, 113, 7};

inline Instant at(Duration since_start) { return Instant::from_ns(since_start.count()); }

inline Octets octets_of(const FrameOut& frame) {
  Octets all(frame.size());
  const ByteView header = frame.header.view();
  std::copy(header.begin(), header.end(), all.begin());
  frame.payload.copy_to(0, MutableByteView{all}.subspan(header.size()));
  return all;
}

/// Recomputes the header checksum after a test changed something.
inline void fix_ip_checksum(Octets& packet) {
  const std::size_t length = std::min<std::size_t>((packet[0] & 0x0fU) * 4U, packet.size());
  store_be16(packet.data() + 10, 0);
  store_be16(packet.data() + 10, internet_checksum(ByteView{packet}.first(length)));
}

/// An IPv4 packet; `options` (a multiple of four octets) go behind the fixed header.
inline Octets make_packet(wire::Ipv4Header header, const Octets& payload, const Octets& options = {}) {
  Octets packet(20 + options.size() + payload.size());
  header.total_length = static_cast<std::uint16_t>(packet.size());
  wire::emit_ipv4(header, packet);
  packet[0] = static_cast<std::uint8_t>(0x40U | (5 + options.size() / 4));
  std::copy(options.begin(), options.end(), packet.begin() + 20);
  std::copy(payload.begin(), payload.end(), packet.begin() + 20 + static_cast<std::ptrdiff_t>(options.size()));
  fix_ip_checksum(packet);
  return packet;
}

inline wire::Ipv4Header header_to_us(wire::IpProtocol protocol) {
  wire::Ipv4Header header;
  header.protocol = static_cast<std::uint8_t>(protocol);
  header.source = peer_ip;
  header.destination = our_ip;
  return header;
}

inline Octets make_icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Octets& data) {
  Octets message(8 + data.size());
  wire::emit_icmp({type, code, rest}, message);
  std::copy(data.begin(), data.end(), message.begin() + 8);
  store_be16(message.data() + 2, internet_checksum(message));
  return message;
}

inline Octets make_udp(std::uint16_t source, std::uint16_t destination, const Octets& data) {
  Octets datagram(8 + data.size());
  wire::emit_udp({Port{source}, Port{destination}, static_cast<std::uint16_t>(datagram.size()), 0}, datagram);
  std::copy(data.begin(), data.end(), datagram.begin() + 8);
  return datagram;
}

class IpTest : public ::testing::Test {
 protected:
  IpTest() {
    config.addresses = {{our_ip, 24}, {second_ip, 16}};
    config.gateway = gateway_ip;
    build();
  }
  void build(std::uint16_t mtu = 1500) {
    Random random{make_seed(7)};
    ip.emplace(config, mtu, random, pool, sink);
  }
  Arrived receive(const Octets& packet, const Arrival& arrival = {}, Instant now = {}) {
    return ip->handle_packet(now, pool.copy(packet), arrival);
  }
  /// A UDP datagram with this header, as the owner would get it; nullopt when it was dropped.
  std::optional<IncomingDatagram> receive_udp(const wire::Ipv4Header& header, const Arrival& arrival = {}) {
    auto arrived = receive(make_packet(header, make_udp(1000, 2000, {1, 2, 3})), arrival);
    if (auto* datagram = std::get_if<IncomingDatagram>(&arrived)) return std::move(*datagram);
    return std::nullopt;
  }
  bool accepts_udp(const wire::Ipv4Header& header, const Arrival& arrival = {}) {
    return receive_udp(header, arrival).has_value();
  }
  /// What the layer sends of its own, or nothing.
  std::optional<Octets> poll() {
    FrameOut out;
    if (!ip->poll(Instant{}, out, next_hop)) return std::nullopt;
    return octets_of(out);
  }
  std::uint64_t drops(observe::DropReason reason) const { return sink.drops(reason); }

  IpConfig config;
  observe::Sink sink;
  BufferPool pool;
  std::optional<IpLayer> ip;
  NextHop next_hop;
};

}  // namespace wireside::ip::testing
