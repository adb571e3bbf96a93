// The TAP device against the real kernel, in a network namespace of its own. Skipped where that is not allowed.
#include "tap_device.hpp"

#include <gmock/gmock.h>
#include <linux/if_tun.h>

#include <cstring>

#include "flow_owner.hpp"
#include "tap_lab.hpp"

namespace wireside::test {
namespace {

using ::testing::HasSubstr;

FrameOut frame_out(BufferPool& pool, const std::vector<std::uint8_t>& octets) {
  FrameOut frame;
  std::memcpy(frame.header.prepend(14), octets.data(), 14);
  // Two slices, as a send queue would give.
  const std::size_t half = (octets.size() - 14) / 2;
  frame.payload.push_back(pool.copy({octets.data() + 14, half}));
  frame.payload.push_back(pool.copy({octets.data() + 14 + half, octets.size() - 14 - half}));
  return frame;
}

TapDevice::ReadResult read_patiently(TapDevice& device, BufferPool& pool, Packet& packet) {
  auto result = device.read(pool, packet);
  for (int i = 0; i < 200 && result == TapDevice::ReadResult::Empty; ++i) {
    pollfd p{.fd = device.native_handle(), .events = POLLIN, .revents = 0};
    ::poll(&p, 1, 10);
    result = device.read(pool, packet);
  }
  return result;
}

TAP_TEST(TapDeviceKernel, CarriesFramesBothWaysWithAndWithoutOffload) {
  for (const bool offload : {true, false}) {
    TapOptions options = options_for("wst0");
    options.offload = offload;
    auto device = TapDevice::open(options);
    ASSERT_TRUE(device) << device.error().to_string();
    EXPECT_EQ(device->offload(), offload);
    EXPECT_EQ(device->mtu(), 1500);
    EXPECT_FALSE(device->link_problem());
    const HostSide host{"wst0"};
    BufferPool pool;
    for (const std::size_t length : {60U, 61U, 257U, 1000U, 1514U}) {
      const auto frame = test_frame(length, static_cast<std::uint8_t>(length));
      ASSERT_TRUE(host.send(frame));
      Packet packet;
      ASSERT_EQ(read_patiently(*device, pool, packet), TapDevice::ReadResult::Frame);
      EXPECT_EQ(std::vector<std::uint8_t>(packet.data.view().begin(), packet.data.view().end()), frame);
      EXPECT_EQ(packet.gso_size, 0);
      EXPECT_EQ(device->write(frame_out(pool, frame)), TapDevice::WriteResult::Sent);
      EXPECT_EQ(host.receive(), frame);
    }
    Packet none;
    EXPECT_EQ(device->read(pool, none), TapDevice::ReadResult::Empty);
    EXPECT_EQ(device->counters().frames_in, 5U);
    EXPECT_EQ(device->counters().frames_out, 5U);
  }
}

TAP_TEST(TapDeviceKernel, SmallFramesPinSmallBuffersOnly) {
  auto device = TapDevice::open(options_for("wst0"));
  ASSERT_TRUE(device) << device.error().to_string();
  const HostSide host{"wst0"};
  BufferPool pool;
  std::vector<Packet> kept(50);
  for (Packet& packet : kept) {
    ASSERT_TRUE(host.send(test_frame(66)));
    ASSERT_EQ(read_patiently(*device, pool, packet), TapDevice::ReadResult::Frame);
  }
  EXPECT_LE(pool.octets_in_use(), 66560U + kept.size() * 256);
}

TAP_TEST(TapDeviceKernel, TakesLargestMtuAndSetsIt) {
  TapOptions options = options_for("wst0");
  for (const std::uint16_t mtu : {max_mtu, min_mtu, std::uint16_t{9000}}) {
    options.mtu = mtu;
    options.offload = mtu != 9000;
    auto device = TapDevice::open(options);
    ASSERT_TRUE(device) << device.error().to_string();
    EXPECT_EQ(device->mtu(), mtu);
    EXPECT_EQ(find_host_interface("wst0")->mtu, mtu);
    const HostSide host{"wst0"};
    BufferPool pool;
    Packet packet;
    const auto frame = test_frame(std::size_t{mtu} + 14);
    ASSERT_TRUE(host.send(frame));
    ASSERT_EQ(read_patiently(*device, pool, packet), TapDevice::ReadResult::Frame);
    EXPECT_EQ(packet.data.size(), frame.size());
    EXPECT_EQ(device->write(frame_out(pool, frame)), TapDevice::WriteResult::Sent);
    EXPECT_EQ(host.receive().size(), frame.size());
    link::LinkConfig link;
    device->apply_to(link);
    EXPECT_EQ(link.mtu, mtu);
    EXPECT_EQ(link.tso, options.offload);
    EXPECT_EQ(link.tx_checksum_offload, options.offload);
  }
}

TAP_TEST(TapDeviceKernel, RefusesAnInterfaceMtuBelowTheMinimum) {
  ASSERT_EQ(run("ip tuntap add dev wst0 mode tap && ip link set wst0 mtu 300"), 0);
  const auto device = TapDevice::open(options_for("wst0"));
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().fault, TapFault::MtuOutOfRange);
}

TAP_TEST(TapDeviceKernel, BusyWhileAnotherHasIt) {
  const auto first = TapDevice::open(options_for("wst0"));
  ASSERT_TRUE(first) << first.error().to_string();
  const auto second = TapDevice::open(options_for("wst0"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, TapFault::Busy);
  EXPECT_THAT(second.error().to_string(), HasSubstr("wst0 is busy: another process has the interface open"));
}

TAP_TEST(TapDeviceKernel, SaysWhenTheInterfaceIsNoTap) {
  ASSERT_EQ(run("ip tuntap add dev wst0 mode tun"), 0);
  for (const char* name : {"lo", "wst0"}) {
    const auto device = TapDevice::open(options_for(name));
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().fault, TapFault::NotTap) << name;
  }
}

TAP_TEST(TapDeviceKernel, UsesPersistentInterfacesMultiQueueOnesToo) {
  for (const char* make : {"ip tuntap add dev wst0 mode tap", "ip tuntap add dev wst0 mode tap multi_queue"}) {
    ASSERT_EQ(run(make), 0);
    {
      const auto device = TapDevice::open(options_for("wst0"));
      ASSERT_TRUE(device) << make << ": " << device.error().to_string();
    }
    EXPECT_TRUE(find_host_interface("wst0"));
    ASSERT_EQ(run("ip link del wst0"), 0);
  }
}

TAP_TEST(TapDeviceKernel, OpensSeveralQueuesOfOneInterface) {
  for (const char* make : {"true", "ip tuntap add dev wst0 mode tap multi_queue"}) {
    ASSERT_EQ(run(make), 0);
    const auto devices = TapDevice::open_queues(options_for("wst0"), 4);
    ASSERT_TRUE(devices) << devices.error().to_string();
    ASSERT_EQ(devices->size(), 4U);
    for (const auto& d : *devices) EXPECT_EQ(d.name(), "wst0");
  }
  ASSERT_EQ(run("ip link del wst0"), 0);
  EXPECT_EQ(TapDevice::open_queues(options_for("wst0"), max_queues)->size(), max_queues);
}

TAP_TEST(TapDeviceKernel, SaysThatAnInterfaceHasASingleQueue) {
  ASSERT_EQ(run("ip tuntap add dev wst0 mode tap"), 0);
  const auto devices = TapDevice::open_queues(options_for("wst0"), 2);
  ASSERT_FALSE(devices);
  EXPECT_EQ(devices.error().fault, TapFault::NotMultiQueue);
  EXPECT_THAT(devices.error().remedy, HasSubstr("multi_queue"));
  const auto one = TapDevice::open(options_for("wst0"));
  ASSERT_TRUE(one);
  EXPECT_EQ(TapDevice::open_queues(options_for("wst0"), 2).error().fault, TapFault::NotMultiQueue);
  ASSERT_EQ(run("ip tuntap add dev wst1 mode tun"), 0);
  EXPECT_EQ(TapDevice::open_queues(options_for("wst1"), 2).error().fault, TapFault::NotTap);
}

TAP_TEST(TapDeviceKernel, LeavesTheLinkAloneUnlessAsked) {
  TapOptions options = options_for("wst0");
  options.bring_up = false;
  auto device = TapDevice::open(options);
  ASSERT_TRUE(device);
  ASSERT_TRUE(device->link_problem());
  EXPECT_EQ(device->link_problem()->fault, TapFault::InterfaceDown);
  EXPECT_EQ(device->link_problem()->remedy, "sudo ip link set wst0 up");
  BufferPool pool;
  EXPECT_EQ(device->write(frame_out(pool, test_frame(60))), TapDevice::WriteResult::LinkDown);
  EXPECT_EQ(device->counters().lost_link_down, 1U);
  ASSERT_TRUE(set_host_link("wst0", true));
  EXPECT_FALSE(device->link_problem());
  EXPECT_EQ(device->write(frame_out(pool, test_frame(60))), TapDevice::WriteResult::Sent);
}

TAP_TEST(TapDeviceKernel, NoticesDeletion) {
  auto device = TapDevice::open(options_for("wst0"));
  ASSERT_TRUE(device);
  ASSERT_EQ(run("ip link del wst0"), 0);
  BufferPool pool;
  Packet packet;
  EXPECT_EQ(device->read(pool, packet), TapDevice::ReadResult::Gone);
  EXPECT_EQ(device->write(frame_out(pool, test_frame(60))), TapDevice::WriteResult::Gone);
  ASSERT_TRUE(device->link_problem());
  EXPECT_EQ(device->link_problem()->fault, TapFault::InterfaceGone);
}

int raw_queue(short flags) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq r{};
  std::strcpy(r.ifr_name, "wst1");
  r.ifr_flags = flags;
  EXPECT_EQ(::ioctl(fd, TUNSETIFF, &r), 0);
  return fd;
}

TAP_TEST(TapDeviceKernel, AdoptsAnInheritedDescriptor) {
  for (const bool vnet_header : {true, false}) {
    TapOptions options;
    options.inherited_descriptor =
        raw_queue(static_cast<short>(IFF_TAP | IFF_NO_PI | (vnet_header ? IFF_VNET_HDR : 0)));
    options.bring_up = true;
    auto device = TapDevice::open(options);
    ASSERT_TRUE(device) << device.error().to_string();
    EXPECT_EQ(device->name(), "wst1");
    EXPECT_EQ(device->offload(), vnet_header);
    const HostSide host{"wst1"};
    BufferPool pool;
    Packet packet;
    const auto frame = test_frame(100);
    ASSERT_TRUE(host.send(frame));
    ASSERT_EQ(read_patiently(*device, pool, packet), TapDevice::ReadResult::Frame);
    EXPECT_EQ(std::vector<std::uint8_t>(packet.data.view().begin(), packet.data.view().end()), frame);
    EXPECT_EQ(device->write(frame_out(pool, frame)), TapDevice::WriteResult::Sent);
    EXPECT_EQ(host.receive(), frame);
  }
}

TAP_TEST(TapDeviceKernel, RefusesUnsuitableDescriptors) {
  const std::array<std::pair<short, const char*>, 2> cases{
      {{IFF_TUN | IFF_NO_PI, "IP packets"}, {IFF_TAP, "without IFF_NO_PI"}}};
  for (const auto& [flags, why] : cases) {
    TapOptions options;
    const int fd = raw_queue(flags);
    options.inherited_descriptor = fd;
    const auto device = TapDevice::open(options);
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().fault, TapFault::BadDescriptor);
    EXPECT_THAT(device.error().why, HasSubstr(why));
    ::close(fd);
  }
  const int fresh = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  TapOptions options;
  options.inherited_descriptor = fresh;
  const auto device = TapDevice::open(options);
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().why, HasSubstr("not attached"));
  ::close(fresh);
}

}  // namespace
}  // namespace wireside::test
