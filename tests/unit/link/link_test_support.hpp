// Shared by the link layer's tests: addresses, a record of events, and frames taken apart.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "link/link_layer.hpp"
#include "wire/arp.hpp"
#include "wire/ethernet.hpp"

namespace wireside::link::testing {

inline constexpr MacAddress our_mac{{0x02, 0, 0, 0, 0, 0x02}};
inline constexpr MacAddress peer_mac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr MacAddress other_mac{{0x02, 0, 0, 0, 0, 0x09}};
inline constexpr Ipv4Address our_ip{10, 0, 0, 2};
inline constexpr Ipv4Address peer_ip{10, 0, 0, 1};
inline constexpr Ipv4Address other_ip{10, 0, 0, 9};

inline Instant at(Duration since_start) { return Instant::from_ns(since_start.count()); }

/// The states one neighbour went through, as the events told.
class StateLog : public observe::Observer {
 public:
  void on_event(Instant /*now*/, const observe::Event& event) override {
    if (const auto* changed = std::get_if<observe::NeighbourChanged>(&event)) states.push_back(changed->to);
  }
  std::vector<observe::NeighbourState> states;
};

inline std::vector<std::uint8_t> octets_of(const FrameOut& frame) {
  std::vector<std::uint8_t> all(frame.size());
  const ByteView header = frame.header.view();
  std::copy(header.begin(), header.end(), all.begin());
  frame.payload.copy_to(0, MutableByteView{all}.subspan(header.size()));
  return all;
}

/// A frame's content that can be told apart from others.
inline FrameOut marked_frame(std::uint8_t mark, std::size_t size = 20) {
  FrameOut frame;
  std::fill_n(frame.header.prepend(size), size, mark);
  return frame;
}

inline Packet frame_in(BufferPool& pool, MacAddress destination, std::uint16_t ether_type,
                       const std::vector<std::uint8_t>& payload, MacAddress source = peer_mac) {
  Packet packet;
  packet.data = pool.allocate_slice(wire::ethernet_header_length + payload.size());
  wire::emit_ethernet({destination, source, ether_type}, {packet.data.mutable_data(), wire::ethernet_header_length});
  std::copy(payload.begin(), payload.end(), packet.data.mutable_data() + wire::ethernet_header_length);
  return packet;
}

inline std::vector<std::uint8_t> arp_octets(const wire::ArpMessage& message) {
  std::vector<std::uint8_t> octets(wire::arp_message_length);
  wire::emit_arp(message, octets);
  return octets;
}

}  // namespace wireside::link::testing
