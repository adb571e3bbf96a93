#include "base/address.hpp"

#include <charconv>

namespace wireside {
namespace {

void append_decimal(std::string& out, unsigned v) {
  std::array<char, 12> buf{};
  const auto end = std::to_chars(buf.data(), buf.data() + buf.size(), v).ptr;
  out.append(buf.data(), end);
}

/// Decimal without leading zeros, at most `max`; consumes the digits from `text`.
std::optional<unsigned> take_decimal(std::string_view& text, unsigned max) {
  unsigned v = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (ec != std::errc{} || v > max || (used > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(used);
  return v;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Ipv4Address> take_ipv4(std::string_view& text) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && !take_char(text, '.')) return std::nullopt;
    const auto octet = take_decimal(text, 255);
    if (!octet) return std::nullopt;
    value = (value << 8) | *octet;
  }
  return Ipv4Address{value};
}

}  // namespace

std::string MacAddress::to_string() const {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto o : octets) {
    if (!out.empty()) out += ':';
    out += digits[o >> 4];
    out += digits[o & 15];
  }
  return out;
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* p = text.data() + i * 3;
    const auto [end, ec] = std::from_chars(p, p + 2, mac.octets[i], 16);
    if (ec != std::errc{} || end != p + 2) return std::nullopt;
    if (i < 5 && p[2] != ':' && p[2] != '-') return std::nullopt;
  }
  return mac;
}

std::string Ipv4Address::to_string() const {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (shift != 24) out += '.';
    append_decimal(out, (value_ >> shift) & 255U);
  }
  return out;
}

std::optional<Ipv4Address> Ipv4Address::parse(std::string_view text) {
  const auto a = take_ipv4(text);
  return text.empty() ? a : std::nullopt;
}

std::string Ipv4Prefix::to_string() const {
  std::string out = address.to_string() + '/';
  append_decimal(out, length);
  return out;
}

std::optional<Ipv4Prefix> Ipv4Prefix::parse(std::string_view text) {
  const auto a = take_ipv4(text);
  if (!a) return std::nullopt;
  if (text.empty()) return Ipv4Prefix{*a, 32};
  if (!take_char(text, '/')) return std::nullopt;
  const auto length = take_decimal(text, 32);
  if (!length || !text.empty()) return std::nullopt;
  return Ipv4Prefix{*a, static_cast<std::uint8_t>(*length)};
}

std::string Endpoint::to_string() const {
  std::string out = address.to_string() + ':';
  append_decimal(out, port.value);
  return out;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto a = take_ipv4(text);
  if (!a || !take_char(text, ':')) return std::nullopt;
  const auto port = take_decimal(text, 65535);
  if (!port || !text.empty()) return std::nullopt;
  return Endpoint{*a, Port{static_cast<std::uint16_t>(*port)}};
}

}  // namespace wireside
