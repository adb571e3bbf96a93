// Names on command lines, looked up when the endpoint runs.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <expected>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "host.hpp"
#include "host_problem.hpp"
#include "runtime.hpp"

namespace wireside::apps {

/// The first address of a host name (a dotted quad is its own). The error is a sentence that says what to do.
[[nodiscard]] boost::asio::awaitable<std::expected<Ipv4Address, std::string>> look_up(Runtime& runtime,
                                                                                      std::string host);

/// The same for a subcommand, which tells on standard error what went wrong, unless the user ended it.
[[nodiscard]] boost::asio::awaitable<std::optional<Ipv4Address>> look_up_or_complain(Surroundings around,
                                                                                     std::string command,
                                                                                     std::string host);

/// What went wrong with a lookup, as a sentence with a remedy where there is one.
[[nodiscard]] std::string lookup_failure(Runtime& runtime, const std::string& host,
                                         const boost::system::error_code& ec);

}  // namespace wireside::apps
