// First hops learnt from ICMP redirects (RFC 1122 section 3.2.2.2): host routes with an age.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"
#include "base/intrusive_list.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "ip/ip_config.hpp"
#include "ip/routes.hpp"

namespace wireside::ip {

/// An entry, for listings.
struct RedirectInfo {
  Ipv4Address destination;
  Ipv4Address gateway;
  Instant expires;
};

class RedirectCache {
 public:
  /// `random` is used in the constructor only; `routes` outlives the object.
  RedirectCache(const RedirectConfig& config, const Routes& routes, Random& random);
  RedirectCache(const RedirectCache&) = delete;
  RedirectCache& operator=(const RedirectCache&) = delete;

  /// First hop to a unicast destination: as redirected, else as routed. Error: NetworkUnreachable.
  [[nodiscard]] Result<Ipv4Address> next_hop(Ipv4Address destination) const;
  /// A redirect about a packet of ours. Taken, as a route to that one host, only when it comes from the current
  /// first-hop gateway and names another neighbour on the same network (IP-18). False when it is ignored.
  bool take(Instant now, Ipv4Address from, Ipv4Address destination, Ipv4Address gateway);
  /// Forgets what names this gateway: it does not work.
  void forget(Ipv4Address gateway);
  /// Forgets everything: the routes or our addresses changed.
  void clear() { entries_.clear(); }

  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max(): none
  void handle_timeouts(Instant now);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  /// By destination.
  [[nodiscard]] std::vector<RedirectInfo> list() const;

 private:
  struct AgeTag;
  struct Entry : ListNode<AgeTag> {
    Ipv4Address destination;
    Ipv4Address gateway;
    Instant expires;
  };
  struct KeyedHash {
    SipKey key;
    std::size_t operator()(Ipv4Address a) const;
  };

  RedirectConfig config_;
  const Routes& routes_;
  std::unordered_map<Ipv4Address, Entry, KeyedHash> entries_;
  IntrusiveList<Entry, AgeTag> by_age_;
};

}  // namespace wireside::ip
