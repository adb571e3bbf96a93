// Amounts with their units as text: durations, octets, plain numbers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace wireside::impair {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// The largest first: a value is told in the largest unit that divides it.
inline constexpr std::array duration_units = {Unit{"s", 1'000'000'000}, Unit{"ms", 1'000'000}, Unit{"us", 1'000},
                                              Unit{"ns", 1}};
inline constexpr std::array octet_units = {Unit{"MiB", 1048576}, Unit{"MB", 1'000'000}, Unit{"KiB", 1024},
                                           Unit{"kB", 1'000}, Unit{"B", 1}};

/// Decimal digits alone.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);
/// "1.5" of a unit of `size` in the smallest unit; nullopt where that is no whole number, or too large.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t size);

/// A decimal number with one of the units behind it, in the smallest unit.
template <std::size_t N>
[[nodiscard]] std::optional<std::uint64_t> parse_amount(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  if (digits == std::string_view::npos) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits) == unit.name) return parse_decimal(text.substr(0, digits), unit.size);
  }
  return std::nullopt;
}

template <std::size_t N>
[[nodiscard]] std::string amount_text(std::uint64_t value, const std::array<Unit, N>& units) {
  if (value == 0) return std::string{"0"}.append(units.back().name);
  for (const Unit& unit : units) {
    if (value % unit.size == 0) return std::to_string(value / unit.size).append(unit.name);
  }
  return {};
}

/// "20ms", "1.5s", never negative; nullopt beyond 292 years.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
[[nodiscard]] std::string duration_text(Duration d);
/// "64KiB", "1.5MB", "100B"
[[nodiscard]] inline std::optional<std::uint64_t> parse_octets(std::string_view text) {
  return parse_amount(text, octet_units);
}
[[nodiscard]] inline std::string octets_text(std::uint64_t octets) { return amount_text(octets, octet_units); }

}  // namespace wireside::impair
