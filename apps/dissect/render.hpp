// A dissection as text in columns, or as JSON.
#pragma once

#include <string>

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

/// {"octets":…,"layers":[{"title":…,"offset":…,"fields":[{"bit":…,"bits":…,"name":…,"value":…,…}]}]}
[[nodiscard]] std::string to_json(const Dissection& d);

/// Columns of a terminal that a text takes: characters of Chinese take two.
[[nodiscard]] std::size_t display_width(std::string_view utf8);

}  // namespace wireside::dissect
