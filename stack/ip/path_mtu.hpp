// Path MTU discovery (RFC 1191): the largest packet each destination's path is known to carry.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/intrusive_list.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "ip/ip_config.hpp"

namespace wireside::ip {

/// An entry, for listings.
struct PathMtuInfo {
  Ipv4Address destination;
  std::uint16_t mtu = 0;
  Instant expires;
};

/// Holds only destinations whose path is narrower than the link. Bounded: the entry that was learnt longest ago goes
/// first. Each entry is forgotten after a while, so that a path that became wider is found (RFC 1191 section 6.3).
class PathMtuCache {
 public:
  /// No link has a smaller MTU (RFC 791); a message that says so is not believed.
  static constexpr std::uint16_t smallest = 68;

  /// `random` is used in the constructor only.
  PathMtuCache(const PathMtuConfig& config, std::uint16_t link_mtu, Random& random);
  PathMtuCache(const PathMtuCache&) = delete;
  PathMtuCache& operator=(const PathMtuCache&) = delete;

  /// The link's own MTU changed (a DHCP server may give one).
  void set_link_mtu(std::uint16_t mtu) {
    if (std::exchange(link_mtu_, mtu) != mtu) ++generation_;
  }

  /// Octets of the largest packet for this destination, IP header included; the link's MTU where nothing is known.
  [[nodiscard]] std::uint16_t mtu(Ipv4Address destination) const;
  /// False where the path is narrower than PathMtuConfig::floor: packets of the floor's size go without DF then, so
  /// that routers cut them, and nobody can make us send tiny packets.
  [[nodiscard]] bool may_set_dont_fragment(Ipv4Address destination) const;

  /// A router's "fragmentation needed", already found credible. `reported`: its next-hop MTU, 0 from old routers: then
  /// the next lower plateau (RFC 1191 section 7.1) below the quoted packet's total length is taken. Never raises a
  /// value, and ignores a report that the quoted packet does not bear out. True when the value became lower.
  bool lower(Instant now, Ipv4Address destination, std::uint16_t reported, std::uint16_t quoted_length);

  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max(): none
  void handle_timeouts(Instant now);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// By destination.
  [[nodiscard]] std::vector<PathMtuInfo> list() const;
  /// Changes whenever any value does; for callers that keep one.
  [[nodiscard]] std::uint32_t generation() const { return generation_; }

 private:
  struct AgeTag;
  struct Entry : ListNode<AgeTag> {
    Ipv4Address destination;
    std::uint16_t mtu = 0;
    bool below_floor = false;
    Instant expires;
  };
  struct KeyedHash {
    SipKey key;
    std::size_t operator()(Ipv4Address a) const;
  };

  PathMtuConfig config_;
  std::uint16_t link_mtu_;
  std::unordered_map<Ipv4Address, Entry, KeyedHash> entries_;
  IntrusiveList<Entry, AgeTag> by_age_;  // learnt longest ago first
  std::uint32_t generation_ = 0;
};

/// The largest common MTU below `length` (RFC 1191 table 7-1), at least 68.
[[nodiscard]] std::uint16_t plateau_below(std::uint16_t length);

}  // namespace wireside::ip
