// Octets of frames, written as hexadecimal text in tests.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace wireside::wire {

/// "45 00 00 1c": anything but hexadecimal digits is skipped.
inline std::vector<std::uint8_t> octets(std::string_view text) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::vector<std::uint8_t> out;
  bool high = true;
  for (const char c : text) {
    const auto value = digits.find(c);
    if (value == std::string_view::npos) continue;
    if (high) {
      out.push_back(static_cast<std::uint8_t>(value << 4));
    } else {
      out.back() = static_cast<std::uint8_t>(out.back() | value);
    }
    high = !high;
  }
  return out;
}

inline std::vector<std::uint8_t> joined(std::vector<std::uint8_t> front, ByteView back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

}  // namespace wireside::wire
