// Settings of the link layer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.hpp"
#include "base/time.hpp"

namespace wireside::link {

struct NeighbourConfig {
  Duration reachable_time = std::chrono::seconds{30};    ///< confirmed entries stay REACHABLE this long (ARPC-03)
  Duration delay_first_probe = std::chrono::seconds{5};  ///< DELAY before unicast probing (RFC 4861 terms)
  Duration retransmit = std::chrono::seconds{1};         ///< first retry; doubles (ARPC-02: at most one a second)
  unsigned max_multicast_solicit = 3;
  unsigned max_unicast_solicit = 3;
  Duration failed_hold = std::chrono::seconds{3};    ///< a FAILED entry answers "unreachable" for this long
  Duration stale_expiry = std::chrono::minutes{10};  ///< unused STALE entries are forgotten
  std::size_t max_entries = 512;
  std::size_t max_queued_frames = 64;  ///< per resolving neighbour; the oldest is dropped beyond
  /// Over all resolving neighbours; beyond, each keeps only its latest frame.
  std::size_t max_queued_in_all = 1024;
};

struct LinkConfig {
  MacAddress mac;                    ///< zero: derived from the stack's seed, locally administered
  std::uint16_t mtu = 1500;          ///< largest IP packet, 576..65521
  bool tx_checksum_offload = false;  ///< the driver completes transport checksums
  bool tso = false;                  ///< the driver cuts super-segments
  bool pad_to_minimum = true;        ///< fill frames to 60 octets
  NeighbourConfig neighbours;
};

}  // namespace wireside::link
