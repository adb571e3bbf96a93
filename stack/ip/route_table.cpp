#include "ip/route_table.hpp"

#include <algorithm>
#include <tuple>

namespace wireside::ip {
namespace {

bool comes_before(const Route& a, const Route& b) {
  return std::tuple{a.destination.address, a.destination.length, a.metric} <
         std::tuple{b.destination.address, b.destination.length, b.metric};
}

}  // namespace

Result<void> RouteTable::add(Route route) {
  if (route.destination.length > 32) return fail(Error::InvalidArgument);
  route.destination.address = route.destination.network();
  remove(route.destination, route.gateway);
  if (routes_.size() >= max_routes) return fail(Error::NoBuffers);
  routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), route, comes_before), route);
  changed();
  return {};
}

std::size_t RouteTable::remove(Ipv4Prefix destination, std::optional<Ipv4Address> gateway) {
  const Ipv4Prefix wanted{destination.network(), destination.length};
  const auto first = std::lower_bound(routes_.begin(), routes_.end(), Route{.destination = wanted}, comes_before);
  const auto last = std::find_if(first, routes_.end(), [&](const Route& r) { return r.destination != wanted; });
  const auto kept = std::remove_if(first, last, [&](const Route& r) { return !gateway || r.gateway == *gateway; });
  const auto removed = static_cast<std::size_t>(last - kept);
  routes_.erase(kept, last);
  if (removed != 0) changed();
  return removed;
}

std::span<const Route> RouteTable::find(Ipv4Address destination) const {
  if (stale_) make_ranges();
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), destination.value(),
                                      [](std::uint32_t address, const Range& r) { return address < r.first; });
  const Range& range = *(after - 1);
  return {routes_.data() + range.begin, range.count};
}

/// One sweep in the order of the table: a prefix comes after those that hold it, and `open` are those we are inside of.
void RouteTable::make_ranges() const {
  ranges_.assign(1, Range{});
  std::vector<std::pair<std::uint32_t, Range>> open;  // last address, routes
  const auto begin_range = [&](std::uint32_t first, Range routes) {
    routes.first = first;
    if (ranges_.back().first == first) ranges_.pop_back();
    ranges_.push_back(routes);
  };
  const auto close_innermost = [&] {
    const std::uint32_t last = open.back().first;
    open.pop_back();
    if (last != UINT32_MAX) begin_range(last + 1, open.empty() ? Range{} : open.back().second);
  };
  for (std::size_t i = 0; i < routes_.size();) {
    const Ipv4Prefix prefix = routes_[i].destination;
    std::size_t end = i + 1;
    while (end < routes_.size() && routes_[end].destination == prefix) ++end;
    while (!open.empty() && open.back().first < prefix.address.value()) close_innermost();
    const Range routes{0, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(end - i)};
    begin_range(prefix.address.value(), routes);
    open.emplace_back(prefix.address.value() | ~prefix.mask(), routes);
    i = end;
  }
  while (!open.empty()) close_innermost();
  stale_ = false;
}

}  // namespace wireside::ip
