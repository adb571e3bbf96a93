// Errors of the core and Result<T>. One Error value per std::errc the API can produce.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace wireside {

enum class Error : std::uint8_t {
  WouldBlock,           ///< EAGAIN: nothing to do now; wait for an event
  InProgress,           ///< EINPROGRESS: connect started
  Already,              ///< EALREADY: connect already under way
  InvalidArgument,      ///< EINVAL
  BadHandle,            ///< EBADF: stale or unknown handle
  AddressInUse,         ///< EADDRINUSE
  AddressNotAvailable,  ///< EADDRNOTAVAIL: not one of ours, or no ephemeral port left
  NotConnected,         ///< ENOTCONN
  AlreadyConnected,     ///< EISCONN
  ConnectionRefused,    ///< ECONNREFUSED: RST in answer to our SYN, or ICMP port unreachable
  ConnectionReset,      ///< ECONNRESET: RST on an established connection
  ConnectionAborted,    ///< ECONNABORTED: aborted locally (abort, interface gone)
  TimedOut,             ///< ETIMEDOUT: R2, user timeout or keep-alive exhausted
  HostUnreachable,      ///< EHOSTUNREACH: neighbour did not answer, or ICMP host unreachable
  NetworkUnreachable,   ///< ENETUNREACH: no route
  NetworkDown,          ///< ENETDOWN: the interface is gone
  MessageTooLong,       ///< EMSGSIZE
  BrokenPipe,           ///< EPIPE: sending side already shut down
  NoBuffers,            ///< ENOBUFS: a bounded table or queue is full
  NotSupported,         ///< EOPNOTSUPP: call does not fit this kind of socket
  ProtocolOption,       ///< ENOPROTOOPT: unknown option
  PermissionDenied,     ///< EACCES: broadcast without permission
  Malformed,            ///< EBADMSG: octets are not a valid header (wire/ only)
  Truncated,            ///< EBADMSG: fewer octets than the header says (wire/ only)
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] constexpr std::unexpected<Error> fail(Error e) { return std::unexpected<Error>{e}; }

/// Short name as errno users know it, such as "ECONNRESET".
[[nodiscard]] std::string_view errno_name(Error e);
/// One lower-case sentence fragment, such as "connection reset by peer".
[[nodiscard]] std::string_view describe(Error e);
/// The errno value (Linux numbering) that maps one-to-one for the socket errors.
[[nodiscard]] int to_errno(Error e);

}  // namespace wireside
