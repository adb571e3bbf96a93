// Options of an IPv4 header that hosts and routers on the way write into (RFC 791 section 3.1, RFC 1122
// section 3.2.1.8, RFC 1812 section 5.2.4).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace wireside::wire {

/// The options of a header: at most 40 octets, a multiple of four.
struct Ipv4Options {
  static constexpr std::size_t max_octets = 40;
  std::array<std::uint8_t, max_octets> octets{};
  std::uint8_t length = 0;

  /// `options` as they stand in a header; what is beyond 40 octets is left out.
  [[nodiscard]] static Ipv4Options copy_of(ByteView options);
  [[nodiscard]] ByteView view() const { return {octets.data(), length}; }
  [[nodiscard]] MutableByteView view() { return {octets.data(), length}; }
  friend bool operator==(const Ipv4Options&, const Ipv4Options&) = default;
};

/// One that passes a packet on, or answers it.
struct Ipv4Hop {
  Ipv4Address address;                ///< what it records
  std::span<const Ipv4Prefix> all{};  ///< its addresses, for timestamps asked of certain hosts
  /// Milliseconds since midnight UT, or any clock with the highest bit set (RFC 791).
  std::uint32_t timestamp = 0;
};

struct RecordedHop {
  bool changed = false;
  /// Offset from the header's start of what is wrong: the packet is to be discarded (parameter problem).
  std::optional<std::size_t> problem_at;
};

/// Enters a hop into the record route and timestamp options, where they have room. A full timestamp option counts the
/// hop as one that had none. Header checksums are the caller's.
RecordedHop record_hop(MutableByteView options, const Ipv4Hop& hop);

/// Options of the answer to an echo request with `request` options (RFC 1122 section 3.2.2.6).
struct EchoReplyOptions {
  Ipv4Options options;  ///< record route and timestamp with our entry, a source route turned round; empty: none of them
  Ipv4Address first_hop;                  ///< where the answer goes: the last router of a source route, else the source
  std::optional<std::size_t> problem_at;  ///< as in RecordedHop
};
/// A source route in `request` must be completed. `source`: who asks.
[[nodiscard]] EchoReplyOptions echo_reply_options(ByteView request, Ipv4Address source, const Ipv4Hop& hop);

}  // namespace wireside::wire
