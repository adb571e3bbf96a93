// Longest-prefix lookup over any number of routes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "ip/route.hpp"

namespace wireside::ip {

/// Prefixes either nest or are apart, so they cut the address space into at most 2n + 1 ranges, each with one longest
/// prefix. The ranges are made when a lookup follows a change; a lookup is one binary search in them, whatever the
/// prefix lengths. (A trie would change faster; routes change rarely, and are looked up for every packet.)
class RouteTable {
 public:
  static constexpr std::size_t max_routes = 16384;

  /// Replaces a route with the same destination and gateway; else adds it beside those that have the destination.
  /// Host bits of the destination are cleared. Errors: InvalidArgument (prefix longer than 32), NoBuffers (full).
  [[nodiscard]] Result<void> add(Route route);
  /// Removes the routes to `destination`, or the one through `gateway`; returns how many there were.
  std::size_t remove(Ipv4Prefix destination, std::optional<Ipv4Address> gateway = std::nullopt);
  template <class Predicate>
  std::size_t remove_if(Predicate&& predicate) {
    const std::size_t removed = std::erase_if(routes_, predicate);
    if (removed != 0) changed();
    return removed;
  }

  /// The routes to the longest prefix that holds `destination`, best metric first. Valid until the next change.
  [[nodiscard]] std::span<const Route> find(Ipv4Address destination) const;
  /// All, by destination, shorter prefixes first, then by metric.
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }
  /// Grows with every change.
  [[nodiscard]] std::uint32_t generation() const { return generation_; }

 private:
  /// From `first` up to the next range's first, packets use routes_[begin, begin + count).
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t begin = 0;
    std::uint32_t count = 0;
  };
  void make_ranges() const;
  void changed() {
    stale_ = true;
    ++generation_;
  }

  std::vector<Route> routes_;
  mutable std::vector<Range> ranges_;
  mutable bool stale_ = true;
  std::uint32_t generation_ = 0;
};

}  // namespace wireside::ip
