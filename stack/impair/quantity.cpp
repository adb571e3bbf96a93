#include "impair/quantity.hpp"

#include <charconv>

namespace wireside::impair {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t size) {
  const std::size_t point = text.find('.');
  const auto whole = parse_number(text.substr(0, point));
  if (!whole || *whole > UINT64_MAX / 2 / size) return std::nullopt;
  std::uint64_t value = *whole * size;
  if (point == std::string_view::npos) return value;
  const std::string_view decimals = text.substr(point + 1);
  if (decimals.empty()) return std::nullopt;
  for (const char c : decimals) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (size % 10 != 0) {
      if (digit != 0) return std::nullopt;
      continue;
    }
    size /= 10;
    value += digit * size;
  }
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto ns = parse_amount(text, duration_units);
  if (!ns || *ns > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return Duration{static_cast<std::int64_t>(*ns)};
}

std::string duration_text(Duration d) { return amount_text(static_cast<std::uint64_t>(d.count()), duration_units); }

}  // namespace wireside::impair
