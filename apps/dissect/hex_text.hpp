// Octets from the text in which people pass frames around.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace wireside::dissect {

using Octets = std::vector<std::uint8_t>;

/// Frames from hex digits, with or without blanks and "0x", or from the dumps of tcpdump -x/-xx/-X, xxd, hexdump -C,
/// od -Ax -tx1 and Wireshark, whose offsets and characters at the end of the line are left out. Digits alone are one
/// frame; in a dump, lines without an offset are passed over (tcpdump's summaries), and offset 0 begins another frame.
/// The error says what is wrong, and in which line.
[[nodiscard]] std::expected<std::vector<Octets>, std::string> frames_from_text(std::string_view text);

}  // namespace wireside::dissect
