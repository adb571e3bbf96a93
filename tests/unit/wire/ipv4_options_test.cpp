#include "wire/ipv4_options.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "unit/wire/generators.hpp"
#include "wire/ipv4.hpp"

namespace wireside::wire {
namespace {

using Octets = std::vector<std::uint8_t>;

/// Option octets filled up to a multiple of four.
Octets padded(Octets option) {
  while (option.size() % 4 != 0) option.push_back(0);
  return option;
}

// RFC 791 section 3.1: hops stand in the order of the way, until there is no room.
RC_GTEST_PROP(Ipv4Options, RecordedHopsStandInTheirOrder, ()) {
  const std::size_t room = *rc::gen::inRange<std::size_t>(0, 10);
  const std::size_t hops = *rc::gen::inRange<std::size_t>(0, 12);
  Octets option(3 + 4 * room);
  option[0] = 7;
  option[1] = static_cast<std::uint8_t>(option.size());
  option[2] = 4;
  auto options = Ipv4Options::copy_of(padded(option));
  std::vector<Ipv4Address> way;
  for (std::size_t i = 0; i < hops; ++i) {
    way.push_back(arbitrary::ipv4_address());
    const auto recorded = record_hop(options.view(), {.address = way.back()});
    RC_ASSERT(!recorded.problem_at);
    RC_ASSERT(recorded.changed == (i < room));
  }
  const std::size_t entered = std::min(room, hops);
  RC_ASSERT(options.view()[2] == 4 + 4 * entered);
  for (std::size_t i = 0; i < entered; ++i) {
    RC_ASSERT(load_be32(options.view().data() + 3 + 4 * i) == way[i].value());
  }
}

// RFC 1122 section 3.2.1.8 (c): the way back of the way back is the way.
RC_GTEST_PROP(Ipv4Options, ASourceRouteTurnedRoundTwiceIsItself, ()) {
  const std::size_t routers = *rc::gen::inRange<std::size_t>(1, 10);
  const Ipv4Address source = arbitrary::ipv4_address();
  const Ipv4Address target = arbitrary::ipv4_address();
  Octets option(3 + 4 * routers);
  option[0] = 131;
  option[1] = static_cast<std::uint8_t>(option.size());
  option[2] = static_cast<std::uint8_t>(option.size() + 1);
  std::vector<Ipv4Address> way;
  for (std::size_t i = 0; i < routers; ++i) {
    way.push_back(arbitrary::ipv4_address());
    RC_PRE(way.back() != source && way.back() != target);
    store_be32(option.data() + 3 + 4 * i, way.back().value());
  }
  auto back = echo_reply_options(padded(option), source, {.address = target});
  RC_ASSERT(back.first_hop == way.back());
  RC_ASSERT(load_be32(back.options.view().data() + 3 + 4 * (routers - 1)) == source.value());
  RC_ASSERT(!summarise_ipv4_options(back.options.view()).source_route_complete);
  // The routers on the way back put themselves where the next hop stood (RFC 791): at the end they stand in its order.
  for (std::size_t i = 0; i < routers; ++i) {
    store_be32(back.options.view().data() + 3 + 4 * i, way[routers - 1 - i].value());
  }
  back.options.view()[2] = option[2];
  const auto again = echo_reply_options(back.options.view(), target, {.address = source});
  RC_ASSERT(again.first_hop == way.front());
}

// Whatever the length octet says: what is left behind a route that grew shorter is no option.
TEST(Ipv4Options, ARaggedSourceRouteIsTurnedRoundIntoSomethingWellFormed) {
  const Octets request{131, 14, 15, 10, 0, 0, 9, 10, 2, 10, 131, 7, 6, 0, 0, 0};
  const auto reply = echo_reply_options(request, Ipv4Address{10, 0, 0, 9}, {.address = Ipv4Address{10, 0, 0, 1}});
  EXPECT_EQ(reply.options.length, request.size());
  EXPECT_FALSE(summarise_ipv4_options(reply.options.view()).malformed);
  EXPECT_EQ(reply.options.view()[1], 10U);
}

TEST(Ipv4Options, AHeaderWithOptionsIsWhole) {
  const Octets options{7, 7, 4, 0, 0, 0, 0, 0};
  Octets out(28);
  const Ipv4Header header{.total_length = 28, .protocol = 1, .source = Ipv4Address{10, 0, 0, 1}, .destination = {}};
  emit_ipv4(header, options, out);
  const auto parsed = parse_ipv4(out);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->checksum_ok);
  EXPECT_EQ(parsed->header, header);
  EXPECT_TRUE(std::ranges::equal(parsed->options, options));
}

}  // namespace
}  // namespace wireside::wire
