// One Stack at 10.0.0.2/24 with a hand-made neighbour at 10.0.0.1, and helpers to build and read whole frames.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.hpp"
#include "stack.hpp"
#include "wire/arp.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside::testing {

using Octets = std::vector<std::uint8_t>;

inline constexpr Ipv4Address our_address{10, 0, 0, 2};
inline constexpr Ipv4Address peer_address{10, 0, 0, 1};
inline constexpr MacAddress peer_mac{{0x02, 0, 0, 0, 0, 0x01}};

inline Config test_config() {
  Config config;
  config.ip.addresses = {{our_address, 24}};
  return config;
}

/// Counts what the stack reports.
struct Recorder : observe::Observer {
  void on_event(Instant, const observe::Event& event) override {
    if (const auto* sent = std::get_if<observe::FrameSent>(&event)) {
      ++sent_frames;
      reasons.push_back(sent->reason);
      std::size_t n = sent->header.size();
      for (const ByteView run : sent->payload) n += run.size();
      sent_octets += n;
    }
    if (std::holds_alternative<observe::FrameReceived>(event)) ++received_frames;
  }
  std::size_t sent_frames = 0, sent_octets = 0, received_frames = 0;
  std::vector<observe::TxReason> reasons;
};

class Host {
 public:
  explicit Host(const Config& config = test_config(), std::uint64_t seed = 1) : stack{config, make_seed(seed)} {}

  void in(const Octets& frame, ChecksumState checksum = ChecksumState::Unverified) {
    stack.handle_frame(now, Packet{.data = stack.buffers().copy(frame), .checksum = checksum});
  }
  /// All frames that wait to be sent, flattened.
  std::vector<Octets> out() {
    std::vector<Octets> frames;
    FrameOut frame;
    while (frames.size() < 10000 && stack.poll_frame(now, frame)) {
      Octets flat{frame.header.view().begin(), frame.header.view().end()};
      for (const Slice& s : frame.payload) flat.insert(flat.end(), s.view().begin(), s.view().end());
      frames.push_back(std::move(flat));
    }
    return frames;
  }
  /// Answers our request for the peer's MAC address; returns what was sent besides it.
  std::vector<Octets> out_resolving() {
    auto frames = out();
    in(arp_from_peer(wire::ArpMessage::Operation::Reply, stack.mac()));
    for (auto& f : out()) frames.push_back(std::move(f));
    std::erase_if(frames, [](const Octets& f) { return wire::parse_ethernet(f)->ether_type == 0x0806; });
    return frames;
  }
  void wait(Duration d) {
    const Instant end = now + d;
    for (auto due = stack.next_deadline(); due && *due <= end; due = stack.next_deadline()) {
      now = std::max(now, *due);
      stack.handle_timeouts(now);
      for (auto& f : out()) sent_while_waiting.push_back(std::move(f));
    }
    now = std::max(now, end);
  }

  // --- building frames ---

  [[nodiscard]] Octets ethernet(MacAddress to, std::uint16_t type, const Octets& payload) const {
    Octets frame(wire::ethernet_header_length);
    wire::emit_ethernet({.destination = to, .source = peer_mac, .ether_type = type}, frame);
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
  }
  [[nodiscard]] Octets arp_from_peer(wire::ArpMessage::Operation operation, MacAddress to) const {
    Octets body(wire::arp_message_length);
    wire::emit_arp({.operation = operation,
                    .sender_mac = peer_mac,
                    .sender_ip = peer_address,
                    .target_mac = operation == wire::ArpMessage::Operation::Reply ? stack.mac() : MacAddress{},
                    .target_ip = our_address},
                   body);
    return ethernet(to, 0x0806, body);
  }
  [[nodiscard]] Octets ipv4(wire::IpProtocol protocol, const Octets& payload, Ipv4Address to = our_address) const {
    Octets packet(wire::ipv4_min_header);
    wire::emit_ipv4({.total_length = static_cast<std::uint16_t>(packet.size() + payload.size()),
                     .dont_fragment = true,
                     .protocol = static_cast<std::uint8_t>(protocol),
                     .source = peer_address,
                     .destination = to},
                    packet);
    packet.insert(packet.end(), payload.begin(), payload.end());
    return ethernet(to == our_address ? stack.mac() : MacAddress::broadcast(), 0x0800, packet);
  }
  [[nodiscard]] Octets udp(std::uint16_t from, std::uint16_t to_port, std::string_view text,
                           Ipv4Address to = our_address) const {
    Octets d(wire::udp_header_length);
    d.insert(d.end(), text.begin(), text.end());
    wire::emit_udp({.source = Port{from}, .destination = Port{to_port}, .length = static_cast<std::uint16_t>(d.size())},
                   d);
    store_be16(d.data() + wire::udp_checksum_offset, transport_checksum(d, 17, peer_address, to));
    return ipv4(wire::IpProtocol::Udp, d, to);
  }
  [[nodiscard]] Octets tcp(const wire::TcpHeader& header, std::string_view text = {},
                           Ipv4Address to = our_address) const {
    Octets s(wire::tcp_header_length(header));
    wire::emit_tcp(header, s);
    s.insert(s.end(), text.begin(), text.end());
    store_be16(s.data() + wire::tcp_checksum_offset, transport_checksum(s, 6, peer_address, to));
    return ipv4(wire::IpProtocol::Tcp, s, to);
  }
  [[nodiscard]] Octets icmp(const wire::IcmpHeader& header, const Octets& data, Ipv4Address to = our_address) const {
    Octets m(wire::icmp_header_length);
    wire::emit_icmp(header, m);
    m.insert(m.end(), data.begin(), data.end());
    store_be16(m.data() + wire::icmp_checksum_offset, internet_checksum(m));
    return ipv4(wire::IpProtocol::Icmp, m, to);
  }
  static std::uint16_t transport_checksum(ByteView d, std::uint8_t protocol, Ipv4Address from, Ipv4Address to) {
    ChecksumAccumulator acc;
    wire::add_pseudo_header(acc, from, to, protocol, static_cast<std::uint32_t>(d.size()));
    acc.add(d);
    return acc.checksum();
  }

  Instant now = Instant::from_ns(5'000'000'000);
  Stack stack;
  std::vector<Octets> sent_while_waiting;
};

/// A frame of ours taken apart; every checksum is verified on the way.
struct Seen {
  wire::EthernetHeader ethernet;
  wire::Ipv4Header ip;
  bool ip_ok = false;
  bool transport_ok = false;
  Octets transport;

  [[nodiscard]] wire::TcpHeader tcp() const { return wire::parse_tcp(transport)->header; }
  [[nodiscard]] wire::UdpHeader udp() const { return *wire::parse_udp(transport); }
  [[nodiscard]] wire::IcmpHeader icmp() const { return *wire::parse_icmp(transport); }
};

inline Seen dissect(const Octets& frame) {
  Seen seen{.ethernet = *wire::parse_ethernet(frame), .ip = {}, .transport = {}};
  const auto parsed = wire::parse_ipv4(ByteView{frame}.subspan(wire::ethernet_header_length));
  if (!parsed) return seen;
  seen.ip = parsed->header;
  seen.ip_ok = parsed->checksum_ok;
  const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(wire::ethernet_header_length + parsed->header_length);
  const auto end =
      frame.begin() + static_cast<std::ptrdiff_t>(wire::ethernet_header_length + parsed->header.total_length);
  seen.transport.assign(begin, end);
  seen.transport_ok = seen.ip.protocol == 1 ? internet_checksum(seen.transport) == 0
                                            : Host::transport_checksum(seen.transport, seen.ip.protocol, seen.ip.source,
                                                                       seen.ip.destination) == 0;
  return seen;
}

inline ByteView octets_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace wireside::testing
