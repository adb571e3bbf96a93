// Names on command lines, looked up when the endpoint runs.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <expected>
#include <string>

#include "base/address.hpp"
#include "host_problem.hpp"
#include "runtime.hpp"

namespace wireside::apps {

/// The first address of a host name (a dotted quad is its own). The error is a sentence that says what to do.
[[nodiscard]] boost::asio::awaitable<std::expected<Ipv4Address, std::string>> look_up(Runtime& runtime,
                                                                                      std::string host);

/// What went wrong with a lookup, as a sentence with a remedy where there is one.
[[nodiscard]] std::string lookup_failure(Runtime& runtime, const std::string& host,
                                         const boost::system::error_code& ec);

}  // namespace wireside::apps
