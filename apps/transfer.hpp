// How much is moved between a TCP connection and a file or stream at a time.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>

namespace wireside::apps {

/// Errors as a value instead of an exception.
inline constexpr auto tuple_token = boost::asio::as_tuple(boost::asio::use_awaitable);
/// A buffer size that the stack's pool keeps ready.
inline constexpr std::size_t block_octets = 64 * 1024;
/// Moved at most before other connections get their turn.
inline constexpr std::size_t turn_octets = 512 * 1024;

}  // namespace wireside::apps
