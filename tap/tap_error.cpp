#include "tap_error.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <cctype>
#include <cstring>

namespace wireside {
namespace {

std::string errno_text(int error_number) {
  return error_number == 0 ? std::string{"no further details"}
                           : fmt::format("{} (errno {})", std::strerror(error_number), error_number);
}

TapError error_opening_tun(TapFault fault, const TapErrorContext& c) {
  if (fault == TapFault::NoTunModule) {
    return {fault, "cannot open /dev/net/tun",
            "the kernel's TUN/TAP driver is not there: " + errno_text(c.error_number),
            "sudo modprobe tun   (in a container: start it with --device /dev/net/tun)", c.error_number};
  }
  return {fault, "cannot open /dev/net/tun", "this user may not open it: " + errno_text(c.error_number),
          "sudo chmod 0666 /dev/net/tun   (its usual mode; interfaces stay protected by their owner)", c.error_number};
}

TapError error_attaching(TapFault fault, const TapErrorContext& c) {
  const std::string shown = c.name.empty() ? std::string{"a TAP interface"} : std::string{c.name};
  const std::string name = c.name.empty() ? std::string{"tap0"} : std::string{c.name};
  const bool several = c.multi_queue || fault == TapFault::NotMultiQueue;
  const std::string create =
      fmt::format("sudo ip tuntap add dev {0} mode tap{1} user $(id -un) && sudo ip link set {0} up", name,
                  several ? " multi_queue" : "");
  switch (fault) {
    case TapFault::CreatePermission:
      return {fault, fmt::format("cannot create {}", shown),
              "it does not exist, and creating an interface needs CAP_NET_ADMIN", create, c.error_number};
    case TapFault::NotOwner:
      return {fault, fmt::format("may not use {}", shown), "the interface exists and belongs to another user",
              fmt::format("sudo ip tuntap del dev {} mode tap && {}", name, create), c.error_number};
    case TapFault::Busy:
      return {fault, fmt::format("{} is busy", shown), "another process has the interface open",
              fmt::format("sudo grep -l 'iff:.*{}' /proc/[0-9]*/fdinfo/*   (names the process), or choose another name",
                          name),
              c.error_number};
    case TapFault::NotMultiQueue:
      return {fault, fmt::format("{} has a single queue", shown),
              "the interface exists and was made without multi_queue, which cannot be changed later",
              fmt::format("sudo ip tuntap del dev {} mode tap && {}, or --queues 1", name, create), c.error_number};
    default:
      return {
          fault, fmt::format("{} cannot be used", shown), "an interface of that name exists and is not a TAP interface",
          fmt::format("ip -d link show dev {}   (shows what it is), then choose another name", name), c.error_number};
  }
}

TapError error_in_use(TapFault fault, const TapErrorContext& c) {
  switch (fault) {
    case TapFault::InterfaceDown:
      return {fault, fmt::format("{} is down", c.name), "no frame moves until the host's side of the interface is up",
              fmt::format("sudo ip link set {} up", c.name), c.error_number};
    case TapFault::InterfaceGone:
      return {
          fault, fmt::format("{} was deleted", c.name), "the interface went away while it was in use",
          fmt::format("sudo ip tuntap add dev {0} mode tap user $(id -un) && sudo ip link set {0} up, then start again",
                      c.name),
          c.error_number};
    case TapFault::MtuOutOfRange:
      return {fault, fmt::format("MTU {} cannot be used", c.mtu_wanted), "an MTU is 576 to 65521 octets here",
              fmt::format("sudo ip link set {} mtu 1500", c.name.empty() ? "tap0" : c.name), c.error_number};
    case TapFault::MtuMismatch:
      return {fault, fmt::format("{} has MTU {}, not {}", c.name, c.mtu_found, c.mtu_wanted),
              "both ends of a link must agree, and changing it failed: " + errno_text(c.error_number),
              fmt::format("sudo ip link set {} mtu {}", c.name, c.mtu_wanted), c.error_number};
    default:
      return {fault, fmt::format("cannot change {}", c.name),
              c.error_number == 0 ? std::string{"it could not be set up"} : errno_text(c.error_number),
              fmt::format("ip -d link show dev {}   (does it exist here?), or run this as root", c.name),
              c.error_number};
  }
}

}  // namespace

std::string TapError::to_string() const { return fmt::format("{}: {}\n  try: {}", what, why, remedy); }

TapError make_tap_error(TapFault fault, const TapErrorContext& c) {
  TapError error;
  switch (fault) {
    case TapFault::NameTooLong:
      error = {fault, fmt::format("interface name \"{}\" is too long", c.name),
               fmt::format("it has {} octets, and {} is the most", c.name.size(), IFNAMSIZ - 1),
               fmt::format("choose a shorter name, such as \"{}\"", c.name.substr(0, IFNAMSIZ - 1)), 0};
      break;
    case TapFault::BadName:
      error = {fault, fmt::format("\"{}\" cannot name an interface", c.name),
               "a name has no '/', ':', '%', white space or control octets, and is not \".\" or \"..\"",
               "choose another name, such as \"tap0\"", 0};
      break;
    case TapFault::NoTunModule:
    case TapFault::DevicePermission:
      error = error_opening_tun(fault, c);
      break;
    case TapFault::CreatePermission:
    case TapFault::NotOwner:
    case TapFault::Busy:
    case TapFault::NotTap:
    case TapFault::NotMultiQueue:
      error = error_attaching(fault, c);
      break;
    case TapFault::BadDescriptor:
      error = {fault, fmt::format("descriptor {} is no usable TAP", c.descriptor), errno_text(c.error_number),
               "pass an open descriptor of /dev/net/tun, attached with IFF_TAP | IFF_NO_PI", c.error_number};
      break;
    case TapFault::System:
      error = {fault, fmt::format("{} failed", c.name.empty() ? "a system call" : c.name), errno_text(c.error_number),
               "strace -f -e trace=%desc,%network shows the failing call", c.error_number};
      break;
    default:
      error = error_in_use(fault, c);
  }
  if (!c.detail.empty()) error.why = c.detail;
  return error;
}

std::expected<void, TapError> check_interface_name(std::string_view name) {
  if (name.size() >= IFNAMSIZ) return std::unexpected{make_tap_error(TapFault::NameTooLong, {.name = name})};
  bool bad = name == "." || name == "..";
  for (const char ch : name) {
    const auto octet = static_cast<unsigned char>(ch);
    // '%' is the kernel's own pattern ("tap%d"); ':' names aliases.
    bad = bad || ch == '/' || ch == ':' || ch == '%' || std::isspace(octet) != 0 || std::iscntrl(octet) != 0;
  }
  if (bad) return std::unexpected{make_tap_error(TapFault::BadName, {.name = name})};
  return {};
}

}  // namespace wireside
