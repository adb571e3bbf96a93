// Two stacks joined by a Router, with a hand-made host on each side: 10.0.0.1 on the left, 10.2.0.9 on the right.
#pragma once

#include <gtest/gtest.h>

#include "host.hpp"
#include "router.hpp"

namespace wireside::testing {

inline constexpr Ipv4Address right_router{10, 2, 0, 1};
inline constexpr Ipv4Address right_host{10, 2, 0, 9};
inline constexpr MacAddress right_mac{{0x02, 0, 0, 0, 0, 0x09}};

inline Config interface(Ipv4Prefix own, std::uint16_t mtu = 1500, bool tso = false) {
  Config config;
  config.ip.addresses = {own};
  config.ip.forwarding = true;
  config.link.mtu = mtu;
  config.link.tso = config.link.tx_checksum_offload = tso;
  return config;
}

class RouterTest : public ::testing::Test {
 protected:
  explicit RouterTest(std::uint16_t right_mtu = 1500, bool right_tso = false)
      : left{interface({our_address, 24})}, right{interface({right_router, 24}, right_mtu, right_tso), 2} {
    router.add_interface(left.stack);
    router.add_interface(right.stack);
    resolve(left.stack, peer_mac, peer_address, our_address);
    resolve(right.stack, right_mac, right_host, right_router);
  }
  /// Makes a neighbour known.
  void resolve(Stack& stack, MacAddress mac, Ipv4Address address, Ipv4Address own) {
    Octets frame(wire::ethernet_header_length + wire::arp_message_length);
    wire::emit_ethernet({.destination = stack.mac(), .source = mac, .ether_type = 0x0806}, frame);
    wire::emit_arp({.operation = wire::ArpMessage::Operation::Request,
                    .sender_mac = mac,
                    .sender_ip = address,
                    .target_mac = {},
                    .target_ip = own},
                   MutableByteView{frame}.subspan(wire::ethernet_header_length));
    stack.handle_frame(left.now, Packet{.data = stack.buffers().copy(frame)});
    drain(stack);
  }
  std::vector<Octets> drain(Stack& stack) {
    std::vector<Octets> frames;
    FrameOut frame;
    while (frames.size() < 1000 && stack.poll_frame(left.now, frame)) {
      Octets flat{frame.header.view().begin(), frame.header.view().end()};
      for (const Slice& s : frame.payload) flat.insert(flat.end(), s.view().begin(), s.view().end());
      frames.push_back(std::move(flat));
      gso_sizes.push_back(frame.gso_size);
    }
    return frames;
  }
  /// A frame from the left host to the router's MAC address.
  Octets packet(wire::Ipv4Header header, std::size_t payload, MacAddress to) {
    Octets octets(wire::ipv4_min_header + payload, 0x5a);
    header.total_length = static_cast<std::uint16_t>(octets.size());
    if (header.source.is_unspecified()) header.source = peer_address;
    wire::emit_ipv4(header, octets);
    return left.ethernet(to, 0x0800, octets);
  }
  void send(const wire::Ipv4Header& header, std::size_t payload = 64) { in(packet(header, payload, left.stack.mac())); }
  void in(const Octets& frame) {
    left.in(frame);
    pump();
  }
  void pump() { router.pump(left.now); }
  wire::Ipv4Header to_right() {
    wire::Ipv4Header header;
    header.protocol = 17;
    header.destination = right_host;
    return header;
  }
  std::uint64_t left_drops(observe::DropReason reason) { return left.stack.sink().drops(reason); }

  Host left, right;
  Router router;
  std::vector<std::uint16_t> gso_sizes;
};

}  // namespace wireside::testing
