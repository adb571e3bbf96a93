#include "url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "host_problem.hpp"
#include "text.hpp"

namespace wireside::apps {
namespace {

using Parsed = std::expected<HttpUrl, std::string>;

std::unexpected<std::string> wrong(std::string message) { return std::unexpected{std::move(message)}; }

/// "scheme" of "scheme:..." or nothing.
std::optional<std::string_view> scheme_of(std::string_view text) {
  const auto end = text.find_first_of(":/?#");
  if (end == std::string_view::npos || end == 0 || text[end] != ':') return std::nullopt;
  return text.substr(0, end);
}

bool usable_in_request_line(std::string_view target) {
  return std::ranges::all_of(target, [](char c) { return c > ' ' && c <= '~'; });
}

/// Takes "." and ".." segments out of a path (RFC 3986 section 5.2.4).
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool directory = false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const auto end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    directory = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!directory) kept.push_back(segment);
  }
  std::string out;
  for (const auto segment : kept) out += fmt::format("/{}", segment);
  if (directory || out.empty()) out += '/';
  return out;
}

Parsed parse_after_scheme(std::string_view rest) {
  const auto authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  std::string_view target = rest.substr(authority_end);
  target = target.substr(0, target.find('#'));
  if (authority.find('@') != std::string_view::npos) {
    return wrong("user names in URLs are not supported; leave out everything up to the '@'");
  }
  if (authority.starts_with('[')) return wrong("IPv6 addresses are not supported; use an IPv4 address or a name");
  const auto colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (host.empty()) return wrong("the URL has no host; write http://10.0.0.1/path");
  if (const auto problem = host_problem(std::string{host})) return wrong("the URL's host " + *problem);
  std::uint16_t port = 80;
  if (colon != std::string_view::npos && colon + 1 < authority.size()) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
      return wrong(fmt::format("'{}' is not a port; ports are 1 to 65535", printable(digits)));
    }
  }
  if (!usable_in_request_line(target)) {
    return wrong("the URL holds spaces or characters outside ASCII; write them as %XX");
  }
  HttpUrl url{std::string{host}, Port{port}, std::string{host}, std::string{target}};
  if (port != 80) url.host += fmt::format(":{}", port);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

}  // namespace

std::expected<HttpUrl, std::string> parse_http_url(std::string_view text) {
  const auto scheme = scheme_of(text);
  const bool with_scheme = scheme && text.substr(scheme->size()).starts_with("://");
  if (!with_scheme) {
    return wrong(fmt::format("'{}' is not a complete URL; write http://10.0.0.1/path", printable(text)));
  }
  if (equals_ignoring_case(*scheme, "https")) {
    return wrong("https is not supported; use an http:// URL");
  }
  if (!equals_ignoring_case(*scheme, "http")) {
    return wrong(fmt::format("'{}' URLs are not supported; use an http:// URL", printable(*scheme)));
  }
  return parse_after_scheme(text.substr(scheme->size() + 3));
}

std::expected<HttpUrl, std::string> resolve_location(const HttpUrl& base, std::string_view location) {
  location = trim(location);
  location = location.substr(0, location.find('#'));
  if (scheme_of(location)) return parse_http_url(location);
  if (location.starts_with("//")) return parse_after_scheme(location.substr(2));
  if (!usable_in_request_line(location)) {
    return wrong(fmt::format("the server redirects to '{}', which is not a valid URL", printable(location)));
  }
  HttpUrl url = base;
  if (location.empty()) return url;
  const std::string_view base_path = std::string_view{base.target}.substr(0, base.target.find('?'));
  const auto query_at = std::min(location.find('?'), location.size());
  std::string path{location.substr(0, query_at)};
  if (path.empty()) {
    path = base_path;
  } else if (!path.starts_with('/')) {
    path.insert(0, base_path.substr(0, base_path.rfind('/') + 1));
  }
  url.target = remove_dot_segments(path) + std::string{location.substr(query_at)};
  return url;
}

}  // namespace wireside::apps
