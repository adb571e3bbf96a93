// Whose a frame is.
#include "flow_owner.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace wireside {
namespace {

TEST(FlowOwner, PortsAreSharedOutWithoutGapOrOverlap) {
  for (std::size_t queues = 1; queues <= max_queues; ++queues) {
    const FlowOwner owner{queues, 1};
    std::uint32_t next = 49152;
    for (std::size_t queue = 0; queue < queues; ++queue) {
      const PortShare share = owner.ports_of(queue);
      EXPECT_EQ(share.first, next);
      next = share.last + 1U;
      for (const std::uint16_t port : {share.first, share.last}) {
        const FourTuple flow{.local = {Ipv4Address{10, 0, 0, 2}, Port{port}},
                             .remote = {Ipv4Address{1, 2, 3, 4}, Port{80}}};
        EXPECT_EQ(owner.of_flow(6, flow), queue);
        EXPECT_EQ(owner.of_flow(17, flow), queue);
      }
    }
    EXPECT_EQ(next, 65536U);
  }
}

RC_GTEST_PROP(FlowOwner, ATakenFlowIsOfAQueueThatIsThere, ()) {
  const auto queues = *rc::gen::inRange<std::size_t>(1, max_queues + 1);
  const FlowOwner owner{queues, *rc::gen::arbitrary<std::uint32_t>()};
  const auto frame = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
  const FrameWay way = owner.way_of(frame);
  RC_ASSERT(way.queue < queues);
  RC_ASSERT(way.fragment_owner < queues);
}

/// Clients' ports count up by two, addresses by one: neither may favour a queue.
TEST(FlowOwner, FlowsSpreadEvenly) {
  for (const std::size_t queues : {2U, 3U, 8U}) {
    for (std::uint32_t key = 0; key < 20; ++key) {
      const FlowOwner owner{queues, key * 0x9e3779b9U};
      std::vector<std::size_t> by_port(queues);
      std::vector<std::size_t> by_address(queues);
      for (std::uint32_t i = 0; i < 4000; ++i) {
        const Endpoint local{Ipv4Address{10, 0, 0, 2}, Port{80}};
        ++by_port[owner.of_flow(6,
                                {local, {Ipv4Address{10, 0, 0, 1}, Port{static_cast<std::uint16_t>(30000 + 2 * i)}}})];
        ++by_address[owner.of_flow(6, {local, {Ipv4Address{0x0a010000U + i}, Port{40000}}})];
      }
      for (std::size_t q = 0; q < queues; ++q) {
        EXPECT_NEAR(static_cast<double>(by_port[q]), 4000.0 / static_cast<double>(queues), 400.0)
            << queues << " " << key;
        EXPECT_NEAR(static_cast<double>(by_address[q]), 4000.0 / static_cast<double>(queues), 400.0)
            << queues << " " << key;
      }
    }
  }
}

}  // namespace
}  // namespace wireside
