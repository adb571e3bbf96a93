#include "dissect/hex_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace wireside::dissect {
namespace {

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

bool all_hex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return digit(c).has_value(); });
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? "" : text.substr(begin, end - begin + 1);
}

/// The number before the octets of a dump's line, taken off; nullopt where the line has none.
std::optional<std::size_t> take_offset(std::string_view& line, std::size_t so_far) {
  const auto space = line.find_first_of(" \t");
  std::string_view word = line.substr(0, space);
  const bool colon = word.ends_with(':');
  if (colon) word.remove_suffix(1);
  if (word.starts_with("0x") && colon) word.remove_prefix(2);
  // Without a colon, an offset is longer than a group of octets, or has two blanks behind it.
  const bool marked = colon || word.size() >= 6 || (space != std::string_view::npos && line.substr(space, 2) == "  ");
  if (!marked || word.size() < 4 || word.size() > 8 || !all_hex(word)) return std::nullopt;
  std::size_t offset = 0;
  for (const char c : word) offset = offset * 16 + *digit(c);
  if (!colon && offset != so_far) return std::nullopt;
  line = space == std::string_view::npos ? "" : trimmed(line.substr(space));
  return offset;
}

/// Without the characters at the end: behind '|', or behind two blanks once there are octets.
std::string_view without_characters(std::string_view line) {
  if (const auto bar = line.find('|'); bar != std::string_view::npos) line = line.substr(0, bar);
  for (std::size_t at = line.find("  "); at != std::string_view::npos; at = line.find("  ", at + 1)) {
    // hexdump and Wireshark leave two blanks in the middle, too: 8 octets on.
    const std::string_view rest = trimmed(line.substr(at));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
    if (word.size() == 2 && all_hex(word) && at < 25) continue;
    return line.substr(0, at);
  }
  return line;
}

std::expected<void, std::string> take_octets(std::string_view line, std::vector<std::uint8_t>& out) {
  std::optional<unsigned> high;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (!high && c == '0' && i + 1 < line.size() && (line[i + 1] == 'x' || line[i + 1] == 'X')) {
      ++i;
      continue;
    }
    if (const auto d = digit(c)) {
      if (high) out.push_back(static_cast<std::uint8_t>(*high << 4 | *d));
      high = high ? std::nullopt : d;
    } else if (std::string_view{" \t\r,:-"}.find(c) == std::string_view::npos) {
      return std::unexpected{fmt::format("'{}' is no hex digit", c)};
    } else if (high) {
      return std::unexpected{fmt::format("an octet has two hex digits, and '{}' stands alone", line[i - 1])};
    }
  }
  if (high) return std::unexpected{fmt::format("an octet has two hex digits, and '{}' stands alone", line.back())};
  return {};
}

}  // namespace

std::expected<std::vector<std::uint8_t>, std::string> octets_from_text(std::string_view text) {
  std::vector<std::uint8_t> out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto offset = take_offset(line, out.size());
    if (offset && *offset != out.size()) {
      return std::unexpected{fmt::format("line {}: offset {:#x} where {:#x} is expected: is it one frame, and whole?",
                                         number, *offset, out.size())};
    }
    if (offset) line = without_characters(line);
    if (const auto taken = take_octets(line, out); !taken) {
      return std::unexpected{fmt::format("line {}: {}", number, taken.error())};
    }
  }
  if (out.empty()) return std::unexpected{std::string{"there are no octets"}};
  return out;
}

}  // namespace wireside::dissect
