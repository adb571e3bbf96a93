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

struct Offset {
  std::size_t value = 0;
  bool sure = false;  ///< by a colon or two blanks: this is a dump
};

/// Octets in pairs of digits follow, as od and Wireshark write them behind an offset.
bool pairs_follow(std::string_view rest) {
  rest = trimmed(rest);
  if (rest.empty()) return false;
  while (!rest.empty()) {
    const auto end = rest.find_first_of(" \t");
    const std::string_view word = rest.substr(0, end);
    if (word.size() != 2 || !all_hex(word)) return false;
    rest = end == std::string_view::npos ? "" : trimmed(rest.substr(end));
  }
  return true;
}

/// The number before the octets of a dump's line; nullopt where the line has none.
std::optional<Offset> offset_of(std::string_view line) {
  const auto space = line.find_first_of(" \t");
  const std::string_view rest = space == std::string_view::npos ? "" : line.substr(space);
  std::string_view word = line.substr(0, space);
  const bool colon = word.ends_with(':');
  if (colon) word.remove_suffix(1);
  if (word.starts_with("0x") && colon) word.remove_prefix(2);
  if (word.size() < 4 || word.size() > 8 || !all_hex(word)) return std::nullopt;
  const bool sure = colon || rest.starts_with("  ");
  if (!sure && (word.size() < 6 || !pairs_follow(rest))) return std::nullopt;
  Offset offset{0, sure};
  for (const char c : word) offset.value = offset.value * 16 + *digit(c);
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

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(trimmed(text.substr(0, end)));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  return lines;
}

/// One line of a dump, its offset known.
std::expected<void, std::string> take_dump_line(std::string_view line, std::size_t offset,
                                                std::vector<Octets>& frames) {
  if (offset == 0 && (frames.empty() || !frames.back().empty())) frames.emplace_back();
  const std::size_t expected = frames.empty() ? 0 : frames.back().size();
  if (offset != expected) {
    return std::unexpected{fmt::format("offset {:#x} where {:#x} is expected: is the frame whole?", offset, expected)};
  }
  const auto space = line.find_first_of(" \t");
  if (space == std::string_view::npos) return {};
  return take_octets(without_characters(trimmed(line.substr(space))), frames.back());
}

}  // namespace

std::expected<std::vector<Octets>, std::string> frames_from_text(std::string_view text) {
  const auto lines = lines_of(text);
  const auto is_dump = [&](std::string_view line) { return offset_of(line).value_or(Offset{}).sure; };
  const bool dump = std::any_of(lines.begin(), lines.end(), is_dump) ||
                    (!lines.empty() && offset_of(lines.front()).value_or(Offset{1, false}).value == 0);
  std::vector<Octets> frames;
  if (!dump) frames.emplace_back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (line.empty() || line.starts_with('#')) continue;
    const auto offset = dump ? offset_of(line) : std::nullopt;
    const bool bare_end = dump && !offset && all_hex(line) && line.size() >= 6;  // od ends with an offset alone
    if (dump && (!offset || bare_end)) continue;
    const auto taken = dump ? take_dump_line(line, offset->value, frames) : take_octets(line, frames.back());
    if (!taken) return std::unexpected{fmt::format("line {}: {}", i + 1, taken.error())};
  }
  std::erase_if(frames, [](const Octets& frame) { return frame.empty(); });
  if (frames.empty()) return std::unexpected{std::string{"there are no octets"}};
  return frames;
}

}  // namespace wireside::dissect
