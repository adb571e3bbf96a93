// Arbitrary values of the wire/ structs for property tests.
#pragma once

#include <rapidcheck.h>

#include "wire/arp.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside::wire::arbitrary {

template <class T>
T any() {
  return *rc::gen::arbitrary<T>();
}

inline MacAddress mac() { return {any<std::array<std::uint8_t, 6>>()}; }
inline Ipv4Address ipv4_address() { return Ipv4Address{any<std::uint32_t>()}; }

inline EthernetHeader ethernet() { return {mac(), mac(), any<std::uint16_t>()}; }

inline ArpMessage arp() {
  const auto operation = any<bool>() ? ArpMessage::Operation::Request : ArpMessage::Operation::Reply;
  return {operation, mac(), ipv4_address(), mac(), ipv4_address()};
}

/// A header whose total length says `total_length`.
inline Ipv4Header ipv4(std::uint16_t total_length) {
  Ipv4Header h;
  h.tos = any<std::uint8_t>();
  h.total_length = total_length;
  h.identification = any<std::uint16_t>();
  h.dont_fragment = any<bool>();
  h.more_fragments = any<bool>();
  h.fragment_offset = static_cast<std::uint16_t>((any<std::uint16_t>() & 0x1fff) * 8);
  h.ttl = any<std::uint8_t>();
  h.protocol = any<std::uint8_t>();
  h.source = ipv4_address();
  h.destination = ipv4_address();
  return h;
}

inline IcmpHeader icmp() { return {any<std::uint8_t>(), any<std::uint8_t>(), any<std::uint32_t>()}; }

inline TcpOptions tcp_options() {
  TcpOptions o;
  if (any<bool>()) o.mss = any<std::uint16_t>();
  if (any<bool>()) o.window_scale = any<std::uint8_t>();
  o.sack_permitted = any<bool>();
  if (any<bool>()) o.timestamps = TcpTimestamps{any<std::uint32_t>(), any<std::uint32_t>()};
  if (any<bool>()) {  // seconds, or whole minutes (RFC 5482 section 3.1)
    const auto value = *rc::gen::inRange<std::int64_t>(0, 0x8000);
    o.user_timeout = std::chrono::seconds{any<bool>() || value * 60 <= 0x7fff ? value : value * 60};
  }
  if (any<bool>()) {
    FastOpenCookie cookie;
    cookie.length = *rc::gen::element<std::uint8_t>(0, 4, 6, 8, 10, 12, 14, 16);
    for (std::size_t i = 0; i < cookie.length; ++i) cookie.octets[i] = any<std::uint8_t>();
    o.fast_open = cookie;
  }
  o.sack_count = *rc::gen::inRange<std::uint8_t>(0, 5);
  for (std::size_t i = 0; i < o.sack_count; ++i) {
    o.sack[i] = {SeqNum{any<std::uint32_t>()}, SeqNum{any<std::uint32_t>()}};
  }
  return o;
}

inline TcpHeader tcp() {
  TcpHeader h;
  h.source = Port{any<std::uint16_t>()};
  h.destination = Port{any<std::uint16_t>()};
  h.seq = SeqNum{any<std::uint32_t>()};
  h.ack = SeqNum{any<std::uint32_t>()};
  h.flags = {any<bool>(), any<bool>(), any<bool>(), any<bool>(), any<bool>(), any<bool>(), any<bool>(), any<bool>()};
  h.window = any<std::uint16_t>();
  h.urgent_pointer = any<std::uint16_t>();
  h.options = tcp_options();
  return h;
}

}  // namespace wireside::wire::arbitrary
