// What to try where a host cannot be reached.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

namespace wireside::apps {

/// A second line for the message about a failed connection or datagram; empty where there is nothing to suggest.
[[nodiscard]] inline const char* remedy_for(const boost::system::error_code& ec) {
  namespace error = boost::asio::error;
  if (ec == error::network_unreachable) return "\n  try: --gateway ADDRESS, or a --route that leads there";
  if (ec == error::access_denied) return "\n  try: the address of a single host; this is a broadcast address";
  if (ec == error::connection_refused) return "\n  try: another port, or start a server at that one";
  return "";
}

}  // namespace wireside::apps
