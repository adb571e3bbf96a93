// A notation for TCP segments so short that a test reads like a packet trace.
//
//   FLAGS SEQ[+LENGTH] [ack N] [win N] [urg N] [tos N] [<OPTION, ...>]
//
//   S 0 win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>     a SYN
//   S. 0 ack 1                                                      its SYN-ACK
//   P. 1+1000 ack 1 win 500                                         1,000 octets of payload
//
// FLAGS are those of tcpdump: S F R P U E W and '.' for ACK. Numbers are relative: 0 is the sender's SYN, 1 its first
// octet; they may be negative. Options: mss N, sackOK, TS val N ecr N, wscale N, sack A:B C:D, uto SECONDS, nop,
// tfo (asks for a cookie), tfo HEX (brings one), tfo * (expects any cookie).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/tcp.hpp"

namespace wireside::testing {

/// A number that a test gives exactly, leaves open ("*"), or takes from the last segment seen ("last").
struct Number {
  enum class Kind : std::uint8_t { Exact, Any, Last };
  Kind kind = Kind::Exact;
  std::uint32_t value = 0;
};

struct OptionsSpec {
  bool given = false;  ///< there was a <...>
  bool open = false;   ///< ended with "...": further options are allowed
  std::optional<Number> mss;
  bool sack_permitted = false;
  std::optional<Number> window_scale;
  std::optional<std::pair<Number, Number>> timestamps;
  std::vector<std::pair<std::int64_t, std::int64_t>> sack;
  std::optional<std::int64_t> user_timeout;  ///< seconds; what is not mentioned is not compared
  std::optional<wire::FastOpenCookie> fast_open;
  bool any_cookie = false;
};

struct SegmentSpec {
  wire::TcpFlags flags;
  std::int64_t seq = 0;
  std::uint32_t length = 0;
  std::optional<std::int64_t> ack;
  std::optional<std::uint16_t> window;
  std::optional<std::uint16_t> urgent;
  std::optional<std::uint8_t> tos;  ///< of the IP header
  OptionsSpec options;
};

/// Throws std::invalid_argument that names the word it did not understand.
[[nodiscard]] SegmentSpec parse_segment(std::string_view text);

/// The same notation from a header; bases are the two initial sequence numbers.
[[nodiscard]] std::string format_segment(const wire::TcpHeader& header, std::size_t length, SeqNum seq_base,
                                         SeqNum ack_base);

/// Header for `spec`. Missing window is `default_window`. A "last" echo is `last_timestamp`.
[[nodiscard]] wire::TcpHeader build_header(const SegmentSpec& spec, SeqNum seq_base, SeqNum ack_base,
                                           std::uint16_t default_window, std::uint32_t last_timestamp);

/// Empty when `header` is what `spec` asks for, else the first difference in words. What `spec` does not mention is not
/// compared: PSH, window, urgent pointer, options.
[[nodiscard]] std::string difference(const SegmentSpec& spec, const wire::TcpHeader& header, std::size_t length,
                                     SeqNum seq_base, SeqNum ack_base);

}  // namespace wireside::testing
