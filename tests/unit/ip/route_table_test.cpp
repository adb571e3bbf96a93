// Longest-prefix lookup against a search through all routes.
#include "ip/route_table.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace wireside::ip {
namespace {

Route route(std::uint32_t network, std::uint8_t length, std::uint32_t gateway, std::uint32_t metric = 0) {
  return {.destination = {Ipv4Address{network}, length}, .gateway = Ipv4Address{gateway}, .metric = metric};
}

/// The obvious way: all routes that hold the address, the longest, the best metric, the oldest.
const Route* search(const std::vector<Route>& in_order_of_adding, Ipv4Address address) {
  const Route* best = nullptr;
  for (const Route& r : in_order_of_adding) {
    if (!r.destination.contains(address)) continue;
    const bool better = best == nullptr || r.destination.length > best->destination.length ||
                        (r.destination.length == best->destination.length && r.metric < best->metric);
    if (better) best = &r;
  }
  return best;
}

RC_GTEST_PROP(RouteTable, FindsWhatASearchThroughAllRoutesFinds, ()) {
  RouteTable table;
  std::vector<Route> all;
  const auto count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    // Few distinct high bits, so that prefixes nest often.
    const auto network = *rc::gen::element(0x0a000000U, 0x0a010000U, 0x0a0100ffU, 0xffffff00U, 0U, 0x80000000U) ^
                         *rc::gen::inRange<std::uint32_t>(0, 8);
    Route r = route(network, *rc::gen::inRange<std::uint8_t>(0, 33), *rc::gen::inRange<std::uint32_t>(1, 4),
                    *rc::gen::inRange<std::uint32_t>(0, 3));
    r.destination.address = r.destination.network();
    RC_ASSERT(table.add(r).has_value());
    std::erase_if(all, [&](const Route& o) { return o.destination == r.destination && o.gateway == r.gateway; });
    all.push_back(r);
  }
  if (!all.empty() && *rc::gen::arbitrary<bool>()) {
    const Route gone = *rc::gen::elementOf(all);
    RC_ASSERT(table.remove(gone.destination, gone.gateway) == 1U);
    std::erase(all, gone);
  }
  for (int i = 0; i < 40; ++i) {
    const bool near = !all.empty() && *rc::gen::arbitrary<bool>();
    const auto at =
        near ? (*rc::gen::elementOf(all)).destination.address.value() : *rc::gen::arbitrary<std::uint32_t>();
    const Ipv4Address address{at + *rc::gen::inRange<std::uint32_t>(0, 3) - 1};
    const auto found = table.find(address);
    const Route* wanted = search(all, address);
    RC_ASSERT(found.empty() == (wanted == nullptr));
    if (wanted != nullptr) RC_ASSERT(found.front() == *wanted);
  }
}

TEST(RouteTable, HostBitsOfADestinationAreCleared) {
  RouteTable table;
  ASSERT_TRUE(table.add(route(0x0a0203ffU, 16, 1)));
  EXPECT_EQ(table.routes().front().destination, (Ipv4Prefix{Ipv4Address{10, 2, 0, 0}, 16}));
  EXPECT_EQ(table.remove({Ipv4Address{10, 2, 9, 9}, 16}), 1U);
  EXPECT_TRUE(table.find(Ipv4Address{10, 2, 0, 1}).empty());
}

TEST(RouteTable, ALargeTableIsFilledAndSearched) {
  RouteTable table;
  for (std::uint32_t i = 0; i < RouteTable::max_routes; ++i) ASSERT_TRUE(table.add(route(i << 12, 20, i + 1)));
  for (std::uint32_t i = 0; i < RouteTable::max_routes; i += 7) {
    ASSERT_EQ(table.find(Ipv4Address{(i << 12) + 77}).front().gateway, Ipv4Address{i + 1});
  }
}

}  // namespace
}  // namespace wireside::ip
