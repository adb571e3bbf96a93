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
  /// First retry; each further wait is half as long again (ARPC-02: at most one request a second). By default a host
  /// that does not answer is given up after 1 + 1.5 + 2.25 = 4.75 s.
  Duration retransmit = std::chrono::seconds{1};
  unsigned max_multicast_solicit = 3;
  unsigned max_unicast_solicit = 3;
  Duration failed_hold = std::chrono::seconds{3};    ///< a FAILED entry answers "unreachable" for this long
  Duration stale_expiry = std::chrono::minutes{10};  ///< unused STALE entries are forgotten
  std::size_t max_entries = 512;
  std::size_t max_queued_frames = 64;  ///< per resolving neighbour; the oldest is dropped beyond
  /// Over all resolving neighbours; beyond, each keeps only its latest frame.
  std::size_t max_queued_in_all = 1024;
};

/// What to do when another host uses an address of ours (RFC 5227 section 2.4).
enum class ConflictPolicy : std::uint8_t {
  GiveUp,        ///< (a) cease using the address at once
  DefendOnce,    ///< (b) insist once; give up at the next conflict within defend_interval
  DefendAlways,  ///< (c) never give up; insist at most once in defend_interval
};

/// Address conflict detection (RFC 5227). The times and counts are those of its section 1.1.
struct ConflictConfig {
  /// Addresses are probed for before they are used (section 2.1). Adds 4 to 7 seconds to the start.
  bool check_before_use = false;
  ConflictPolicy policy = ConflictPolicy::DefendOnce;
  Duration probe_wait = std::chrono::seconds{1};  ///< the first probe leaves at a random time within this
  unsigned probe_num = 3;
  Duration probe_min = std::chrono::seconds{1};  ///< between two probes: random in probe_min..probe_max
  Duration probe_max = std::chrono::seconds{2};
  Duration announce_wait = std::chrono::seconds{2};  ///< silence after the last probe
  unsigned announce_num = 2;
  Duration announce_interval = std::chrono::seconds{2};
  unsigned max_conflicts = 10;  ///< from so many on, probing starts once in rate_limit_interval at most
  Duration rate_limit_interval = std::chrono::seconds{60};
  Duration defend_interval = std::chrono::seconds{10};
};

struct LinkConfig {
  MacAddress mac;                    ///< zero: derived from the stack's seed, locally administered
  std::uint16_t mtu = 1500;          ///< largest IP packet, 576..65521
  bool tx_checksum_offload = false;  ///< the driver completes transport checksums
  bool tso = false;                  ///< the driver cuts super-segments
  bool pad_to_minimum = true;        ///< fill frames to 60 octets
  /// False: another stack with the same addresses answers ARP requests, announces and defends them; ours only asks, and
  /// learns from what it is shown.
  bool answers_arp = true;
  NeighbourConfig neighbours;
  ConflictConfig conflict;
};

}  // namespace wireside::link
