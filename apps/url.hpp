// The URLs that `wireside get` understands: http with an IPv4 address or a host name.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/address.hpp"

namespace wireside::apps {

struct HttpUrl {
  std::string server;  ///< IPv4 address or host name
  Port port{80};
  std::string host;    ///< value of the Host field: the server, and the port unless it is 80
  std::string target;  ///< path and query, "/" at least; no fragment
  friend bool operator==(const HttpUrl&, const HttpUrl&) = default;
};

/// Parses "http://host[:port][/path][?query][#fragment]". The error is a sentence that says what is wrong and what
/// would be right.
[[nodiscard]] std::expected<HttpUrl, std::string> parse_http_url(std::string_view text);

/// Resolves a Location value (absolute URL, "//host/path", "/path", "?query" or relative path) against `base`
/// (RFC 3986 section 5.2).
[[nodiscard]] std::expected<HttpUrl, std::string> resolve_location(const HttpUrl& base, std::string_view location);

}  // namespace wireside::apps
