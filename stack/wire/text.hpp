// Number formatting for the describe_* functions.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>

namespace wireside::wire {

inline void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

/// Lower-case hexadecimal, filled with zeros to `digits`.
inline void append_hex(std::string& out, std::uint64_t value, std::size_t digits) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  const auto used = static_cast<std::size_t>(end - text.data());
  if (used < digits) out.append(digits - used, '0');
  out.append(text.data(), end);
}

/// The label with the number behind it.
[[nodiscard]] inline std::string numbered(std::string label, std::uint64_t n) {
  append_number(label, n);
  return label;
}

}  // namespace wireside::wire
