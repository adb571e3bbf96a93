// The program in the driver and FlowOwner agree, as the queues show on which frames come in.
#include "driver_steering.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <optional>

#include "base/random.hpp"
#include "flow_owner.hpp"
#include "tap_lab.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"

namespace wireside::test {
namespace {

constexpr const char* interface_name = "wst0";

/// On which of the queues the next frame comes in; nullopt: on none.
std::optional<std::size_t> next_queue(std::vector<TapDevice>& devices, BufferPool& pool) {
  for (int patience = 0; patience < 100; ++patience) {
    for (std::size_t i = 0; i < devices.size(); ++i) {
      Packet packet;
      if (devices[i].read(pool, packet) == TapDevice::ReadResult::Frame) return i;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return std::nullopt;
}

/// A TCP, UDP or other packet, possibly with options or a fragment, with random ends.
std::vector<std::uint8_t> random_frame(Random& random, std::size_t n) {
  const std::size_t options = n % 3 == 0 ? 8 : 0;
  std::vector<std::uint8_t> frame(wire::ethernet_header_length + wire::ipv4_min_header + options + 40);
  MutableByteView rest{frame};
  wire::emit_ethernet({MacAddress{{2, 0, 0, 0, 0, 2}}, MacAddress{{2, 0, 0, 0, 0, 1}}, 0x0800}, rest);
  rest = rest.subspan(wire::ethernet_header_length);
  const std::array<std::uint8_t, 4> protocols{6, 17, 47, 1};
  const wire::Ipv4Header header{.total_length = static_cast<std::uint16_t>(rest.size()),
                                .identification = static_cast<std::uint16_t>(random.next_u32()),
                                .more_fragments = n % 7 == 0,
                                .fragment_offset = static_cast<std::uint16_t>(n % 11 == 0 ? 80 : 0),
                                .protocol = protocols[n % 4],
                                .source = Ipv4Address{random.next_u32()},
                                .destination = Ipv4Address{random.next_u32()}};
  const std::vector<std::uint8_t> nops(options, wire::ipv4_option_nop);
  wire::emit_ipv4(header, nops, rest);
  MutableByteView transport = rest.subspan(wire::ipv4_min_header + options);
  store_be16(transport.data(), static_cast<std::uint16_t>(random.next_u32()));
  const std::array<std::uint16_t, 4> ports{static_cast<std::uint16_t>(random.next_u32()), 80, 68,
                                           static_cast<std::uint16_t>(49152 | random.next_u32())};
  store_be16(transport.data() + 2, ports[(n / 4) % 4]);
  if (header.protocol == 1) transport[0] = 8;
  return frame;
}

TAP_TEST(DriverSteering, BringsFramesToTheQueueOfTheirOwner) {
  for (const std::size_t queues : {2U, 3U, 8U}) {
    auto devices = TapDevice::open_queues(options_for(interface_name), queues);
    ASSERT_TRUE(devices) << devices.error().to_string();
    const FlowOwner owner{queues, 0xdeadbeef};
    if (!steer_in_driver(devices->front(), owner)) GTEST_SKIP() << "needs CAP_BPF";
    const HostSide host{interface_name};
    BufferPool pool;
    Random random{make_seed(queues)};
    std::size_t right = 0;
    for (std::size_t n = 0; n < 500; ++n) {
      const auto frame = random_frame(random, n);
      ASSERT_TRUE(host.send(frame));
      const auto queue = next_queue(*devices, pool);
      right += queue == owner.way_of(frame).queue;
      EXPECT_EQ(queue, owner.way_of(frame).queue) << queues << " queues, frame " << n;
    }
    EXPECT_EQ(right, 500U);
    stop_steering_in_driver(devices->front());
  }
}

TAP_TEST(DriverSteering, ShortAndForeignFramesComeToQueueZero) {
  auto devices = TapDevice::open_queues(options_for(interface_name), 4);
  ASSERT_TRUE(devices) << devices.error().to_string();
  if (!steer_in_driver(devices->front(), FlowOwner{4, 1})) GTEST_SKIP() << "needs CAP_BPF";
  const HostSide host{interface_name};
  BufferPool pool;
  for (const std::size_t length : {14U, 60U, 1500U}) {
    ASSERT_TRUE(host.send(test_frame(length)));
    EXPECT_EQ(next_queue(*devices, pool), 0U);
  }
}

}  // namespace
}  // namespace wireside::test
