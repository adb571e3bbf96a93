// A dissection as text in columns, or as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dissect/dissection.hpp"

namespace wireside::dissect {

struct TextSettings {
  Language language = Language::English;
  bool colour = false;
  bool rules = false;  ///< the variable or rule behind each field, on a line of its own
  bool steps = false;  ///< how checksums come about
};

/// One line a field: offset, octets in hex, bits where the field is no whole octets, name, value, meaning.
[[nodiscard]] std::string to_text(const Dissection& d, ByteView frame, const TextSettings& settings);

/// What is known of a frame besides its octets; zero: not known.
struct FrameFacts {
  std::uint64_t number = 0;
  std::int64_t time_ns = 0;  ///< since 1970
  std::size_t original_octets = 0;
  std::vector<std::string> comments;
};

/// {"octets":…,"hex":…,"layers":[{"title":…,"offset":…,"fields":[{"bit":…,"bits":…,"name":…,"value":…,…}]}]}, and
/// "frame", "time_ns", "original_octets" and "comments" where they are known.
[[nodiscard]] std::string to_json(const Dissection& d, ByteView frame, const FrameFacts& facts = {});

/// Columns of a terminal that a text takes: characters of Chinese take two.
[[nodiscard]] std::size_t display_width(std::string_view utf8);

}  // namespace wireside::dissect
