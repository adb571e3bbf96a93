// Octets from the text in which people pass frames around.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace wireside::dissect {

/// One frame from hex digits, with or without blanks and "0x", or from the dumps of tcpdump -x/-xx/-X, xxd, hexdump -C,
/// od -Ax -tx1 and Wireshark, whose offsets and characters at the end of the line are left out. The error says what is
/// wrong, and in which line.
[[nodiscard]] std::expected<std::vector<std::uint8_t>, std::string> octets_from_text(std::string_view text);

}  // namespace wireside::dissect
