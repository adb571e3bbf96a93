// Each failure says what happened, why, and the command that mends it.
#include "tap_error.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tap_device.hpp"

namespace wireside {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(TapError, EveryFaultSaysWhatWhyAndHow) {
  for (int f = 0; f <= static_cast<int>(TapFault::System); ++f) {
    const TapError e = make_tap_error(static_cast<TapFault>(f), {.name = "tap7", .error_number = EIO, .descriptor = 9});
    EXPECT_EQ(static_cast<int>(e.fault), f);
    for (const std::string* part : {&e.what, &e.why, &e.remedy}) {
      EXPECT_FALSE(part->empty()) << f;
      EXPECT_EQ(part->find('\n'), std::string::npos) << f;
    }
    EXPECT_THAT(e.to_string(), HasSubstr("\n  try: "));
  }
}

TEST(TapError, NamesTheInterfaceInTheRemedy) {
  for (const TapFault fault :
       {TapFault::CreatePermission, TapFault::NotOwner, TapFault::NotTap, TapFault::InterfaceDown,
        TapFault::InterfaceGone, TapFault::MtuMismatch, TapFault::Busy}) {
    EXPECT_THAT(make_tap_error(fault, {.name = "tap7", .mtu_wanted = 1400}).remedy, HasSubstr("tap7"));
  }
}

TEST(TapError, CreatePermissionOffersAnInterfaceOfOnesOwn) {
  const TapError e = make_tap_error(TapFault::CreatePermission, {.name = "lab0", .error_number = EPERM});
  EXPECT_EQ(e.remedy, "sudo ip tuntap add dev lab0 mode tap user $(id -un) && sudo ip link set lab0 up");
  EXPECT_THAT(e.why, HasSubstr("CAP_NET_ADMIN"));
}

// What is advised must not lead to the next error.
TEST(TapError, WhereSeveralQueuesAreWantedTheInterfaceIsMadeForThem) {
  for (const TapFault fault : {TapFault::CreatePermission, TapFault::NotOwner, TapFault::NotMultiQueue}) {
    const TapError e = make_tap_error(fault, {.name = "lab0", .error_number = EPERM, .multi_queue = true});
    EXPECT_THAT(e.remedy, HasSubstr("tuntap add dev lab0 mode tap multi_queue user $(id -un)"));
  }
}

TEST(TapError, MtuMismatchNamesBothAndTheCommand) {
  const TapError e = make_tap_error(TapFault::MtuMismatch,
                                    {.name = "tap0", .error_number = EPERM, .mtu_wanted = 9000, .mtu_found = 1500});
  EXPECT_EQ(e.what, "tap0 has MTU 1500, not 9000");
  EXPECT_EQ(e.remedy, "sudo ip link set tap0 mtu 9000");
}

TEST(TapError, ChecksInterfaceNames) {
  EXPECT_TRUE(check_interface_name("tap0"));
  EXPECT_TRUE(check_interface_name("a23456789012345"));
  EXPECT_TRUE(check_interface_name(""));
  const auto long_name = check_interface_name("a234567890123456");
  ASSERT_FALSE(long_name);
  EXPECT_EQ(long_name.error().fault, TapFault::NameTooLong);
  EXPECT_THAT(long_name.error().why, HasSubstr("16 octets, and 15"));
  for (const char* bad : {".", "..", "a/b", "a b", "a\tb", "tap%d", "a:1", "\x01"}) {
    const auto checked = check_interface_name(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().fault, TapFault::BadName);
  }
}

TEST(TapDevice, RefusesBadNamesBeforeTouchingTheSystem) {
  const auto device = TapDevice::open({.name = "much-too-long-a-name", .inherited_descriptor = {}, .mtu = {}});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().fault, TapFault::NameTooLong);
}

TEST(TapDevice, RefusesMtuOutOfRange) {
  for (const std::uint16_t mtu : std::array<std::uint16_t, 5>{0, 68, 575, 65522, 65535}) {
    const auto device = TapDevice::open({.name = "tap0", .inherited_descriptor = {}, .mtu = mtu});
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().fault, TapFault::MtuOutOfRange);
    EXPECT_THAT(device.error().why, HasSubstr("576 to 65521"));
  }
}

TEST(TapDevice, RefusesADescriptorThatIsNotOpen) {
  const auto device = TapDevice::open({.inherited_descriptor = 987654, .mtu = {}});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().fault, TapFault::BadDescriptor);
  EXPECT_THAT(device.error().to_string(), StartsWith("descriptor 987654 is no usable TAP: it is not open"));
}

TEST(TapDevice, RefusesADescriptorOfSomethingElseAndLeavesItOpen) {
  const int other = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ASSERT_GE(other, 0);
  const auto device = TapDevice::open({.inherited_descriptor = other, .mtu = {}});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().fault, TapFault::BadDescriptor);
  EXPECT_THAT(device.error().why, HasSubstr("not /dev/net/tun"));
  EXPECT_EQ(::close(other), 0);
}

TEST(HostInterface, FindsLoopbackAndNotWhatIsNotThere) {
  EXPECT_TRUE(find_host_interface("lo"));
  EXPECT_FALSE(find_host_interface("ws-nowhere"));
}

}  // namespace
}  // namespace wireside
