// Options by name: what set_option, get_option and --tcp-option accept, in one table per structure.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "socket/socket_types.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::agent {

/// Sets one option from a JSON value; times are numbers of milliseconds (names ending in _ms).
/// Returns what is wrong, or nullopt when the option was set.
[[nodiscard]] std::optional<std::string> set_named(tcp::ConnectionOptions& options, std::string_view name,
                                                   const boost::json::value& value);
[[nodiscard]] std::optional<std::string> set_named(DatagramOptions& options, std::string_view name,
                                                   const boost::json::value& value);
[[nodiscard]] std::optional<std::string> set_named(tcp::TcpConfig& config, std::string_view name,
                                                   const boost::json::value& value);

/// Every option with its value.
[[nodiscard]] boost::json::object all_named(const tcp::ConnectionOptions& options);
[[nodiscard]] boost::json::object all_named(const DatagramOptions& options);
[[nodiscard]] boost::json::object all_named(const tcp::TcpConfig& config);

/// Applies "NAME=VALUE" to the TCP configuration or, where NAME is a connection option, to the defaults of new
/// connections. Returns what is wrong, or nullopt.
[[nodiscard]] std::optional<std::string> apply_tcp_option(tcp::TcpConfig& config, std::string_view assignment);

}  // namespace wireside::agent
