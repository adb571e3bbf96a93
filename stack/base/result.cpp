#include "base/result.hpp"

#include <array>
#include <system_error>

namespace wireside {
namespace {

struct Row {
  Error error;
  std::errc code;
  std::string_view name;
  std::string_view text;
};

constexpr std::array rows{
    Row{Error::WouldBlock, std::errc::resource_unavailable_try_again, "EAGAIN", "nothing available now"},
    Row{Error::InProgress, std::errc::operation_in_progress, "EINPROGRESS", "connection attempt started"},
    Row{Error::Already, std::errc::connection_already_in_progress, "EALREADY", "connection attempt already under way"},
    Row{Error::InvalidArgument, std::errc::invalid_argument, "EINVAL", "invalid argument"},
    Row{Error::BadHandle, std::errc::bad_file_descriptor, "EBADF", "no such socket"},
    Row{Error::AddressInUse, std::errc::address_in_use, "EADDRINUSE", "address already in use"},
    Row{Error::AddressNotAvailable, std::errc::address_not_available, "EADDRNOTAVAIL", "address not available"},
    Row{Error::NotConnected, std::errc::not_connected, "ENOTCONN", "socket is not connected"},
    Row{Error::AlreadyConnected, std::errc::already_connected, "EISCONN", "socket is already connected"},
    Row{Error::ConnectionRefused, std::errc::connection_refused, "ECONNREFUSED", "connection refused"},
    Row{Error::ConnectionReset, std::errc::connection_reset, "ECONNRESET", "connection reset by peer"},
    Row{Error::ConnectionAborted, std::errc::connection_aborted, "ECONNABORTED", "connection aborted locally"},
    Row{Error::TimedOut, std::errc::timed_out, "ETIMEDOUT", "peer did not answer in time"},
    Row{Error::HostUnreachable, std::errc::host_unreachable, "EHOSTUNREACH", "host unreachable"},
    Row{Error::NetworkUnreachable, std::errc::network_unreachable, "ENETUNREACH", "no route to that network"},
    Row{Error::NetworkDown, std::errc::network_down, "ENETDOWN", "network interface is down"},
    Row{Error::MessageTooLong, std::errc::message_size, "EMSGSIZE", "message too long"},
    Row{Error::BrokenPipe, std::errc::broken_pipe, "EPIPE", "sending side already shut down"},
    Row{Error::NoBuffers, std::errc::no_buffer_space, "ENOBUFS", "table or queue is full"},
    Row{Error::NotSupported, std::errc::operation_not_supported, "EOPNOTSUPP", "call does not fit this socket"},
    Row{Error::ProtocolOption, std::errc::no_protocol_option, "ENOPROTOOPT", "unknown option"},
    Row{Error::PermissionDenied, std::errc::permission_denied, "EACCES", "permission denied"},
    Row{Error::Malformed, std::errc::bad_message, "EBADMSG", "malformed header"},
    Row{Error::Truncated, std::errc::bad_message, "EBADMSG", "truncated header"},
};

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].error) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

const Row& row(Error e) { return rows[static_cast<std::size_t>(e)]; }

}  // namespace

std::string_view errno_name(Error e) { return row(e).name; }
std::string_view describe(Error e) { return row(e).text; }
int to_errno(Error e) { return static_cast<int>(row(e).code); }

}  // namespace wireside
