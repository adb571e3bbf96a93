// What can go wrong with a TAP device, told so that the reader can mend it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace wireside {

enum class TapFault : std::uint8_t {
  NameTooLong,       ///< more than 15 octets
  BadName,           ///< empty of meaning to the kernel: '/', white space, "." or ".."
  NoTunModule,       ///< /dev/net/tun is missing, or nothing is behind it
  DevicePermission,  ///< /dev/net/tun may not be opened by this user
  CreatePermission,  ///< the interface does not exist and this user may not create it
  NotOwner,          ///< the interface exists and belongs to another user
  Busy,              ///< another process has the interface open
  NotTap,            ///< an interface of that name exists and is something else
  NotMultiQueue,     ///< the interface exists with a single queue, and several are wanted
  BadDescriptor,     ///< the inherited descriptor is not an attached TAP queue that can be used
  InterfaceDown,     ///< frames move only while the host's side is up
  MtuOutOfRange,     ///< outside 576..65521
  MtuMismatch,       ///< the interface has another MTU than asked for and it may not be changed
  InterfaceSetup,    ///< the interface could not be brought up or changed
  InterfaceGone,     ///< deleted while in use
  System,            ///< any other failure of a system call
};

/// What happened, why, and the command (or act) that mends it. Every field is one line and never empty.
struct TapError {
  TapFault fault = TapFault::System;
  std::string what;
  std::string why;
  std::string remedy;
  /// errno of the failed call, 0 where none was involved.
  int error_number = 0;
  /// "WHAT: WHY\n  try: REMEDY"
  [[nodiscard]] std::string to_string() const;
};

template <class T>
using TapResult = std::expected<T, TapError>;

/// Facts that an error's text may need; fill what is known.
struct TapErrorContext {
  std::string_view name{};  ///< interface
  int error_number = 0;     ///< errno
  int descriptor = -1;      ///< inherited descriptor
  unsigned mtu_wanted = 0;
  unsigned mtu_found = 0;
  bool multi_queue = false;   ///< several queues are wanted
  std::string_view detail{};  ///< replaces the default "why" where not empty
};

[[nodiscard]] TapError make_tap_error(TapFault fault, const TapErrorContext& context);

/// NameTooLong or BadName for a name that no interface can have; nothing for a usable one. Empty is usable: the kernel
/// then chooses.
[[nodiscard]] std::expected<void, TapError> check_interface_name(std::string_view name);

}  // namespace wireside
