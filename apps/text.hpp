// Small text helpers of the command: trimming, escaping, sizes and dates.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace wireside::apps {

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
/// ASCII letters compare without case.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
/// &, <, >, " and ' as entities.
[[nodiscard]] std::string escape_html(std::string_view text);
/// Every octet that is not unreserved (RFC 3986 section 2.3) as %XX; '/' too.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// nullopt for a broken %-escape.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
/// Octets that could upset a terminal or a log reader as \xNN.
[[nodiscard]] std::string printable(std::string_view text);
/// "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110 section 5.6.7).
[[nodiscard]] std::string http_date(std::time_t time);
/// IMF-fixdate, and the two obsolete forms RFC 9110 has recipients accept.
[[nodiscard]] std::optional<std::time_t> parse_http_date(std::string_view text);
/// "1.5 GiB"
[[nodiscard]] std::string human_size(std::uint64_t octets);
/// A whole number with an optional suffix k, M, G, T (powers of 1024).
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace wireside::apps
